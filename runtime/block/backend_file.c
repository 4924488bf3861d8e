/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file:PATH, a regular file or a block device by io_uring. Submissions gather in the ring until poll, which is one
 * system call for all of them.
 *
 * An operation is one or more steps of the ring: what is short is continued, what a file system refuses is done another
 * way (zeros are written where it cannot make them), and what must be durable ends with a flush.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "runtime/block/backend_file.h"

#define RING_ENTRIES 256u
#define IN_FLIGHT    (2u * RING_ENTRIES) /* as many completions as the ring has room for */
#define ZERO_BYTES   (64u << 10)
#define PATH_BYTES   512u
#define ABANDON_MS   900u       /* below a second */
#define PIECE_BYTES  (1u << 30) /* lengths of reads and writes are 32 bits in the ring */

enum step { STEP_TRANSFER, STEP_PUNCH, STEP_ZERO_RANGE, STEP_FILL, STEP_SYNC };

/* What is in the request's scratch. */
struct operation {
    struct backend_request *next; /* waits for a place in the ring */
    uint64_t done;                /* bytes */
    enum step step;
};
static_assert(sizeof(struct operation) <= sizeof((struct backend_request *)0)->scratch, "fits");

struct file_backend {
    struct block_backend base;
    struct block_file file;
    struct io_uring ring;
    unsigned in_flight; /* in the ring */
    unsigned gathered;  /* of them not sent yet */
    bool ring_open, registered;
    bool no_punch, no_zero_range; /* the file system has refused it */
    uint8_t *buffers;
    size_t buffer_bytes;
    struct backend_request *first, *last; /* waiting for a place in the ring */
    char path[PATH_BYTES];
};

static const uint8_t zeros[ZERO_BYTES] __attribute__((aligned(4096)));

static struct operation *operation_of(struct backend_request *request)
{
    return (struct operation *)request->scratch;
}

static void prepare_transfer(const struct file_backend *file, struct io_uring_sqe *sqe,
                             const struct backend_request *request, uint64_t done)
{
    uint8_t *buffer = (uint8_t *)request->buffer + done;
    uint64_t left = request->length - done;
    unsigned bytes = left < PIECE_BYTES ? (unsigned)left : PIECE_BYTES;
    uintptr_t place = (uintptr_t)buffer - (uintptr_t)file->buffers;
    bool fixed = file->registered && place < file->buffer_bytes && bytes <= file->buffer_bytes - place;
    bool write = request->operation == BACKEND_WRITE;
    uint64_t offset = request->offset + done;
    if (write && fixed)
        io_uring_prep_write_fixed(sqe, file->file.fd, buffer, bytes, offset, 0);
    else if (write)
        io_uring_prep_write(sqe, file->file.fd, buffer, bytes, offset);
    else if (fixed)
        io_uring_prep_read_fixed(sqe, file->file.fd, buffer, bytes, offset, 0);
    else
        io_uring_prep_read(sqe, file->file.fd, buffer, bytes, offset);
    if (write && request->durable)
        sqe->rw_flags = RWF_DSYNC;
}

static void prepare(const struct file_backend *file, struct io_uring_sqe *sqe, struct backend_request *request)
{
    const struct operation *operation = operation_of(request);
    uint64_t offset = request->offset + operation->done, left = request->length - operation->done;
    switch (operation->step) {
    case STEP_TRANSFER:
        prepare_transfer(file, sqe, request, operation->done);
        break;
    case STEP_PUNCH:
        io_uring_prep_fallocate(sqe, file->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                                (off_t)left);
        break;
    case STEP_ZERO_RANGE:
        io_uring_prep_fallocate(sqe, file->file.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                                (off_t)left);
        break;
    case STEP_FILL:
        io_uring_prep_write(sqe, file->file.fd, zeros, left < ZERO_BYTES ? (unsigned)left : ZERO_BYTES, offset);
        break;
    case STEP_SYNC:
        io_uring_prep_fsync(sqe, file->file.fd, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data(sqe, request);
}

/* A place in the ring for the request's step, or it waits for one. */
static void enter(struct file_backend *file, struct backend_request *request)
{
    struct io_uring_sqe *sqe = file->in_flight < IN_FLIGHT ? io_uring_get_sqe(&file->ring) : NULL;
    if (!sqe && file->gathered && file->in_flight < IN_FLIGHT && io_uring_submit(&file->ring) > 0) {
        file->gathered = io_uring_sq_ready(&file->ring);
        sqe = io_uring_get_sqe(&file->ring);
    }
    if (!sqe) {
        operation_of(request)->next = NULL;
        if (file->last)
            operation_of(file->last)->next = request;
        else
            file->first = request;
        file->last = request;
        return;
    }
    prepare(file, sqe, request);
    file->in_flight++;
    file->gathered++;
}

static enum step zero_step(const struct file_backend *file, bool unmap)
{
    if (unmap && !file->no_punch)
        return STEP_PUNCH;
    return file->no_zero_range ? STEP_FILL : STEP_ZERO_RANGE;
}

static enum step first_step(const struct file_backend *file, const struct backend_request *request)
{
    switch (request->operation) {
    case BACKEND_FLUSH:
        return STEP_SYNC;
    case BACKEND_WRITE_ZEROES:
        return zero_step(file, request->unmap);
    case BACKEND_DISCARD:
        return STEP_PUNCH;
    case BACKEND_ERASE: /* a block device keeps what was discarded only perhaps from being read */
        return zero_step(file, !file->file.device);
    default:
        return STEP_TRANSFER;
    }
}

static void finish(struct backend_request *request, int result)
{
    request->result = result;
    request->done(request);
}

static void file_submit(struct block_backend *backend, struct backend_request *request)
{
    struct file_backend *file = (struct file_backend *)backend;
    bool changes = request->operation != BACKEND_READ && request->operation != BACKEND_FLUSH;
    if (changes && file->file.read_only)
        finish(request, -EROFS);
    else if (request->operation < BACKEND_READ || request->operation > BACKEND_ERASE)
        finish(request, -EOPNOTSUPP);
    else if (request->operation != BACKEND_FLUSH && request->length == 0)
        finish(request, 0);
    else if (request->operation == BACKEND_DISCARD && file->no_punch)
        finish(request, 0);
    else {
        *operation_of(request) = (struct operation){.step = first_step(file, request)};
        enter(file, request);
    }
}

/* What follows a step that brought `result`: 1 = another step, 0 or a negative errno = the operation's end. */
static int after_transfer(struct backend_request *request, int result)
{
    struct operation *operation = operation_of(request);
    if (result < 0)
        return result;
    if (result == 0) /* the file ends here: somebody has cut it */
        return -EIO;
    operation->done += (unsigned)result;
    return operation->done < request->length;
}

static int made_durable(struct backend_request *request)
{
    bool sync = request->operation == BACKEND_ERASE || (request->durable && request->operation != BACKEND_DISCARD);
    operation_of(request)->step = STEP_SYNC;
    return sync;
}

static bool refused(int result)
{
    return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
}

static int after_range(struct file_backend *file, struct backend_request *request, int result)
{
    struct operation *operation = operation_of(request);
    if (result == 0)
        return made_durable(request);
    if (!refused(result))
        return result;
    if (operation->step == STEP_PUNCH)
        file->no_punch = true;
    else
        file->no_zero_range = true;
    if (request->operation == BACKEND_DISCARD)
        return 0;
    operation->step = operation->step == STEP_PUNCH ? zero_step(file, false) : STEP_FILL;
    return 1;
}

static int after_step(struct file_backend *file, struct backend_request *request, int result)
{
    int next;
    if (result == -EINTR || result == -EAGAIN)
        return 1;
    switch (operation_of(request)->step) {
    case STEP_TRANSFER:
        return after_transfer(request, result);
    case STEP_FILL:
        next = after_transfer(request, result);
        return next == 0 ? made_durable(request) : next;
    case STEP_PUNCH:
    case STEP_ZERO_RANGE:
        return after_range(file, request, result);
    default:
        return result < 0 ? result : 0;
    }
}

static unsigned take_in(struct file_backend *file)
{
    struct io_uring_cqe *cqe;
    unsigned finished = 0;
    while (file->in_flight > file->gathered && io_uring_peek_cqe(&file->ring, &cqe) == 0) {
        struct backend_request *request = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&file->ring, cqe);
        file->in_flight--;
        int next = after_step(file, request, result);
        if (next > 0) {
            enter(file, request);
            continue;
        }
        finished++;
        finish(request, next);
    }
    return finished;
}

static void enter_waiting(struct file_backend *file)
{
    while (file->first && file->in_flight < IN_FLIGHT && io_uring_sq_space_left(&file->ring)) {
        struct backend_request *request = file->first;
        file->first = operation_of(request)->next;
        if (!file->first)
            file->last = NULL;
        enter(file, request);
    }
}

static void send_gathered(struct file_backend *file)
{
    if (file->gathered && io_uring_submit(&file->ring) >= 0)
        file->gathered = io_uring_sq_ready(&file->ring);
}

static unsigned file_poll(struct block_backend *backend)
{
    struct file_backend *file = (struct file_backend *)backend;
    send_gathered(file);
    unsigned finished = take_in(file);
    enter_waiting(file);
    send_gathered(file);
    return finished;
}

static int file_fd(const struct block_backend *backend)
{
    return ((const struct file_backend *)backend)->ring.ring_fd;
}

static void file_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct file_backend *file = (const struct file_backend *)backend;
    *info = (struct backend_info){
        .bytes = file->file.bytes,
        .block_bytes = file->file.block_bytes,
        .read_only = file->file.read_only,
        .write_cache = true,
        .discards_zero = !file->file.device && !file->no_punch,
        .optimal_bytes = 4096,
    };
}

static uint64_t milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* What the kernel has begun cannot be taken back from a disk. */
static bool file_abandon(struct block_backend *backend)
{
    struct file_backend *file = (struct file_backend *)backend;
    uint64_t end = milliseconds() + ABANDON_MS;
    file->first = file->last = NULL;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&file->ring);
    if (sqe) {
        io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY);
        io_uring_sqe_set_data(sqe, NULL);
    }
    (void)io_uring_submit(&file->ring);
    for (uint64_t now = milliseconds(); file->in_flight && now < end; now = milliseconds()) {
        struct __kernel_timespec left = {.tv_nsec = (long long)(end - now) * 1000000};
        struct io_uring_cqe *cqe;
        if (io_uring_wait_cqe_timeout(&file->ring, &cqe, &left) < 0)
            break;
        file->in_flight -= io_uring_cqe_get_data(cqe) != NULL;
        io_uring_cqe_seen(&file->ring, cqe);
    }
    return file->in_flight != 0;
}

static void file_close(struct block_backend *backend)
{
    struct file_backend *file = (struct file_backend *)backend;
    if (file->ring_open)
        io_uring_queue_exit(&file->ring);
    block_file_close(&file->file);
    free(file);
}

/* Pages beyond the end can be given back or not: so it shows whether the file system does that, and nothing is lost. */
static bool can_punch(const struct block_file *file)
{
    return file->device || file->read_only ||
           fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)file->bytes, 4096) == 0;
}

/* Takes the file, also when it fails. */
static int wrap(struct block_file file, const char *path, struct block_backend **backend, struct cipu_error *error)
{
    struct file_backend *opened = calloc(1, sizeof *opened);
    if (!opened) {
        block_file_close(&file);
        return cipu_fail(error, -ENOMEM, "file: no memory");
    }
    opened->base.ops = &backend_file;
    opened->file = file;
    snprintf(opened->path, sizeof opened->path, "%s", path);
    /* Who polls is not to be interrupted for what it will find anyway; kernels before 5.19 do not know that. */
    int result =
        io_uring_queue_init(RING_ENTRIES, &opened->ring, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    if (result == -EINVAL)
        result = io_uring_queue_init(RING_ENTRIES, &opened->ring, 0);
    opened->ring_open = result == 0;
    if (result) {
        file_close(&opened->base);
        return cipu_fail(error, result, "%s: io_uring: %s (is kernel.io_uring_disabled 0?)", path, strerror(-result));
    }
    opened->no_punch = !can_punch(&opened->file);
    *backend = &opened->base;
    return 0;
}

static int file_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                     struct cipu_error *error)
{
    struct block_file file;
    if (!rest[0] || strlen(rest) >= PATH_BYTES)
        return cipu_fail(error, -EINVAL, "file: found a path of %zu bytes, expected 1 to %u", strlen(rest),
                         PATH_BYTES - 1);
    int result = block_file_open(rest, options, &file, error);
    return result ? result : wrap(file, rest, backend, error);
}

int file_backend_open(const struct block_file *file, const char *path, struct block_backend **backend,
                      struct cipu_error *error)
{
    struct block_file copy = *file;
    copy.fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (copy.fd < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    return wrap(copy, path, backend, error);
}

static int file_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    struct file_backend *file = (struct file_backend *)backend;
    if (file->file.read_only)
        return cipu_fail(error, -EROFS, "%s: is read only", file->path);
    return block_file_resize(&file->file, file->path, bytes, error);
}

/* Spares the look-up of the buffers' pages by each direct transfer. Where it is refused (RLIMIT_MEMLOCK) it goes
 * without. */
static void file_use_buffers(struct block_backend *backend, void *base, size_t bytes)
{
    struct file_backend *file = (struct file_backend *)backend;
    struct iovec buffers = {base, bytes};
    if (!file->file.direct || io_uring_register_buffers(&file->ring, &buffers, 1) < 0)
        return;
    file->registered = true;
    file->buffers = base;
    file->buffer_bytes = bytes;
}

const struct backend_ops backend_file = {
    .scheme = "file:",
    .open = file_open,
    .close = file_close,
    .info = file_info,
    .submit = file_submit,
    .poll = file_poll,
    .fd = file_fd,
    .resize = file_resize,
    .use_buffers = file_use_buffers,
    .abandon = file_abandon,
};
