/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk:NAME/VOLUME. A volume's extents lie anywhere on the disk: an operation becomes as many on the disk's file as it
 * touches runs of neighbours. What runs have to be remembered in is allocated when the volume is opened; when all of it
 * is in use, operations wait.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/disk_set.h"

#define PIECES 1024u

struct piece {
    struct backend_request request; /* to the file */
    struct backend_request *whole;
    struct disk_backend *disk;
    struct piece *next; /* free */
};

/* What is in the scratch of a whole operation. */
struct progress {
    struct backend_request *next; /* waits for pieces */
    uint64_t sent;                /* bytes that are in pieces, or done */
    unsigned pieces;              /* under way */
    int result;
    bool all_sent;
};
static_assert(sizeof(struct progress) <= sizeof(((struct backend_request *)0)->scratch), "fits");

struct disk_backend {
    struct block_backend base;
    struct block_backend *file;
    struct disk_volume volume;
    struct disk_shape shape;
    struct piece *pieces, *free;
    struct backend_request *first, *last; /* waiting for pieces */
    unsigned finished;                    /* since poll began */
};

static struct progress *progress_of(struct backend_request *request)
{
    return (struct progress *)request->scratch;
}

static void continue_operation(struct disk_backend *disk, struct backend_request *request);

static void finish(struct disk_backend *disk, struct backend_request *request, int result)
{
    disk->finished++;
    request->result = result;
    request->done(request);
}

static void serve_waiting(struct disk_backend *disk)
{
    while (disk->first && disk->free) {
        struct backend_request *request = disk->first;
        disk->first = progress_of(request)->next;
        if (!disk->first)
            disk->last = NULL;
        continue_operation(disk, request);
    }
}

static void piece_done(struct backend_request *part)
{
    struct piece *piece = part->context;
    struct disk_backend *disk = piece->disk;
    struct backend_request *whole = piece->whole;
    struct progress *progress = progress_of(whole);
    if (part->result < 0)
        progress->result = part->result;
    piece->next = disk->free;
    disk->free = piece;
    if (--progress->pieces == 0 && progress->all_sent)
        finish(disk, whole, progress->result);
    serve_waiting(disk);
}

/* Bytes from `offset` on that lie in one piece on the disk, at most `length`; *place = where. */
static uint64_t run(const struct disk_shape *shape, uint64_t offset, uint64_t length, uint64_t *place)
{
    uint64_t extent_bytes = UINT64_C(1) << shape->extent_shift, index = offset >> shape->extent_shift;
    uint64_t inside = offset & (extent_bytes - 1), bytes = extent_bytes - inside;
    *place = shape->places[index] + inside;
    while (bytes < length && shape->places[index + 1] == shape->places[index] + extent_bytes) {
        bytes += extent_bytes;
        index++;
    }
    return bytes < length ? bytes : length;
}

static void send_piece(struct disk_backend *disk, struct backend_request *request, uint64_t place, uint64_t bytes)
{
    struct piece *piece = disk->free;
    struct progress *progress = progress_of(request);
    disk->free = piece->next;
    piece->whole = request;
    piece->request = (struct backend_request){
        .operation = request->operation,
        .durable = request->durable,
        .unmap = request->unmap,
        .offset = place,
        .length = bytes,
        .buffer = request->buffer ? (uint8_t *)request->buffer + progress->sent : NULL,
        .done = piece_done,
        .context = piece,
    };
    progress->sent += bytes;
    progress->pieces++;
    progress->all_sent = progress->sent == request->length;
    disk->file->ops->submit(disk->file, &piece->request);
}

/* A piece that ends at once may end the operation: it is not looked at after the last was sent. */
static void continue_operation(struct disk_backend *disk, struct backend_request *request)
{
    struct progress *progress = progress_of(request);
    bool last = false;
    while (!last && disk->free) {
        uint64_t place, left = request->length - progress->sent;
        uint64_t bytes = run(&disk->shape, request->offset + progress->sent, left, &place);
        last = bytes == left;
        send_piece(disk, request, place, bytes);
    }
    if (last)
        return;
    progress->next = NULL;
    if (disk->last)
        progress_of(disk->last)->next = request;
    else
        disk->first = request;
    disk->last = request;
}

static void disk_submit(struct block_backend *backend, struct backend_request *request)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    *progress_of(request) = (struct progress){0};
    if (request->operation == BACKEND_FLUSH) {
        disk->file->ops->submit(disk->file, request);
        return;
    }
    if (request->offset > disk->shape.bytes || request->length > disk->shape.bytes - request->offset)
        finish(disk, request, -EINVAL);
    else if (request->length == 0)
        finish(disk, request, 0);
    else
        continue_operation(disk, request);
}

static unsigned disk_poll(struct block_backend *backend)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    disk->finished = 0;
    unsigned pieces = disk->file->ops->poll(disk->file);
    return disk->finished ? disk->finished : pieces;
}

static int disk_fd(const struct block_backend *backend)
{
    const struct disk_backend *disk = (const struct disk_backend *)backend;
    return disk->file->ops->fd(disk->file);
}

static void disk_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct disk_backend *disk = (const struct disk_backend *)backend;
    disk->file->ops->info(disk->file, info);
    info->bytes = disk->shape.bytes / info->block_bytes * info->block_bytes;
}

static void disk_close(struct block_backend *backend)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    if (disk->file)
        disk->file->ops->close(disk->file);
    if (disk->volume.disk)
        disk_volume_give(&disk->volume);
    free(disk->shape.places);
    free(disk->pieces);
    free(disk);
}

static int prepare(struct disk_backend *disk, struct cipu_error *error)
{
    disk->pieces = calloc(PIECES, sizeof disk->pieces[0]);
    if (!disk->pieces)
        return cipu_fail(error, -ENOMEM, "disk: no memory");
    for (unsigned i = 0; i < PIECES; i++) {
        disk->pieces[i].disk = disk;
        disk->pieces[i].next = disk->free;
        disk->free = &disk->pieces[i];
    }
    int result = disk_volume_shape(&disk->volume, &disk->shape, error);
    return result ? result : disk_volume_file(&disk->volume, &disk->file, error);
}

static int disk_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                     struct cipu_error *error)
{
    struct disk_backend *disk = calloc(1, sizeof *disk);
    if (!disk)
        return cipu_fail(error, -ENOMEM, "disk: no memory");
    disk->base.ops = &backend_disk;
    int result = disk_volume_take(options->disks, rest, options, &disk->volume, error);
    if (!result)
        result = prepare(disk, error);
    if (result) {
        disk_close(&disk->base);
        return result;
    }
    *backend = &disk->base;
    return 0;
}

static int disk_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    struct disk_shape shape;
    int result = disk_volume_grow(&disk->volume, bytes, error);
    if (!result)
        result = disk_volume_shape(&disk->volume, &shape, error);
    if (result)
        return result;
    free(disk->shape.places);
    disk->shape = shape;
    return 0;
}

static void disk_use_buffers(struct block_backend *backend, void *base, size_t bytes)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    disk->file->ops->use_buffers(disk->file, base, bytes);
}

static bool disk_abandon(struct block_backend *backend)
{
    struct disk_backend *disk = (struct disk_backend *)backend;
    disk->first = disk->last = NULL;
    return disk->file->ops->abandon(disk->file);
}

static int disk_erase(struct block_backend *backend, struct cipu_error *error)
{
    return disk_volume_erase(&((struct disk_backend *)backend)->volume, error);
}

unsigned disk_number(const struct block_backend *backend)
{
    while (backend->ops == &backend_crypt)
        backend = backend->ops->inner(backend);
    return backend->ops == &backend_disk ? disk_volume_disk(&((const struct disk_backend *)backend)->volume) : 0;
}

const struct backend_ops backend_disk = {
    .scheme = "disk:",
    .open = disk_open,
    .close = disk_close,
    .info = disk_info,
    .submit = disk_submit,
    .poll = disk_poll,
    .fd = disk_fd,
    .resize = disk_resize,
    .use_buffers = disk_use_buffers,
    .erase = disk_erase,
    .abandon = disk_abandon,
};
