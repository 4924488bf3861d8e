/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt:KEYFILE,BACKEND: another backend, encrypted at rest. What is on it: runtime/block/crypt_header.h, crypt_key.h.
 *
 * Data is encrypted and decrypted in the submitter's buffer, on the engine's thread. Zeros are written encrypted,
 * unless they may be deallocated. What an operation needs is allocated when the volume is opened; when all of it is in
 * use, operations wait.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/block/backend.h"
#include "runtime/block/crypt_header.h"

#define OPERATIONS 1024u
#define FILLS      4u /* operations that write zeros at a time */
#define FILL_BYTES (64u << 10)
#define HEADER_MS  30000 /* a backend that has not read or written a header by then hangs */
#define PATH_BYTES 512u

struct crypt_operation {
    struct backend_request request; /* to the backend within */
    struct backend_request *whole;
    struct crypt_backend *crypt;
    struct crypt_operation *next; /* free */
    uint8_t *fill;                /* writes zeros: encrypted ones; */
    uint64_t filled;              /* bytes that are over */
    bool stepping, step_over;     /* within submit; it was over before that returned */
};

/* What is in the scratch of a whole operation. */
struct waiting {
    struct backend_request *next;
};
static_assert(sizeof(struct waiting) <= sizeof(((struct backend_request *)0)->scratch), "fits");

struct request_list {
    struct backend_request *first, *last;
};

/* The header's reads and writes, one at a time, waited for. */
struct header_store {
    struct disk_store store;
    struct crypt_backend *crypt;
    const struct backend_caller *caller; /* NULL = the backend is this thread's */
    struct backend_request request;
    atomic_bool done; /* `request`; on the engine's thread, when the backend is that one's */
    bool lost;        /* `request` is the backend's for good */
};

struct crypt_backend {
    struct block_backend base;
    struct block_backend *inner;
    struct crypt_keys *keys;
    struct crypt_header header;
    struct header_store store;
    uint8_t *block;
    bool read_only;
    bool broken; /* nobody knows which key is in the header */
    uint64_t bytes;
    struct crypt_operation *operations, *free;
    uint8_t *fills, *free_fills[FILLS];
    unsigned free_fill_count;
    struct request_list waiting, waiting_to_fill;
};

/* ---- operations ---- */

static void append(struct request_list *list, struct backend_request *request)
{
    ((struct waiting *)request->scratch)->next = NULL;
    if (list->last)
        ((struct waiting *)list->last->scratch)->next = request;
    else
        list->first = request;
    list->last = request;
}

static struct backend_request *take(struct request_list *list)
{
    struct backend_request *request = list->first;
    if (request && !(list->first = ((struct waiting *)request->scratch)->next))
        list->last = NULL;
    return request;
}

static void finish(struct backend_request *request, int result)
{
    request->result = result;
    request->done(request);
}

static void begin(struct crypt_backend *crypt, struct backend_request *whole);

static bool fills(const struct backend_request *request)
{
    return request->operation == BACKEND_WRITE_ZEROES && !request->unmap;
}

static void end(struct crypt_operation *operation, int result)
{
    struct crypt_backend *crypt = operation->crypt;
    struct backend_request *whole = operation->whole;
    if (operation->fill)
        crypt->free_fills[crypt->free_fill_count++] = operation->fill;
    operation->next = crypt->free;
    crypt->free = operation;
    finish(whole, result);
    while (crypt->free && crypt->waiting.first)
        begin(crypt, take(&crypt->waiting));
    while (crypt->free && crypt->free_fill_count && crypt->waiting_to_fill.first)
        begin(crypt, take(&crypt->waiting_to_fill));
}

static void inner_done(struct backend_request *request)
{
    struct crypt_operation *operation = request->context;
    struct crypt_backend *crypt = operation->crypt;
    const struct backend_request *whole = operation->whole;
    int result = request->result;
    if (result == 0 && whole->operation == BACKEND_READ)
        result = crypt_decrypt(crypt->keys, whole->offset / CRYPT_UNIT, whole->buffer, whole->length);
    end(operation, result);
}

static void pass_on(struct crypt_operation *operation)
{
    struct crypt_backend *crypt = operation->crypt;
    const struct backend_request *whole = operation->whole;
    if (whole->operation == BACKEND_WRITE &&
        crypt_encrypt(crypt->keys, whole->offset / CRYPT_UNIT, whole->buffer, whole->length)) {
        end(operation, -EIO);
        return;
    }
    operation->request = (struct backend_request){
        .operation = whole->operation,
        .durable = whole->durable,
        .unmap = whole->unmap,
        .offset = whole->operation == BACKEND_FLUSH ? 0 : CRYPT_DATA + whole->offset,
        .length = whole->length,
        .buffer = whole->buffer,
        .done = inner_done,
        .context = operation,
    };
    crypt->inner->ops->submit(crypt->inner, &operation->request);
}

/* ---- zeros ---- */

static void fill(struct crypt_operation *operation);

static void fill_done(struct backend_request *request)
{
    struct crypt_operation *operation = request->context;
    operation->filled += request->length;
    operation->step_over = true;
    if (!operation->stepping)
        fill(operation);
}

static int fill_step(struct crypt_operation *operation)
{
    struct crypt_backend *crypt = operation->crypt;
    const struct backend_request *whole = operation->whole;
    uint64_t offset = whole->offset + operation->filled, left = whole->length - operation->filled;
    uint64_t bytes = left < FILL_BYTES ? left : FILL_BYTES;
    memset(operation->fill, 0, bytes);
    int result = crypt_encrypt(crypt->keys, offset / CRYPT_UNIT, operation->fill, bytes);
    if (result)
        return result;
    operation->request = (struct backend_request){
        .operation = BACKEND_WRITE,
        .durable = whole->durable,
        .offset = CRYPT_DATA + offset,
        .length = bytes,
        .buffer = operation->fill,
        .done = fill_done,
        .context = operation,
    };
    operation->step_over = false;
    crypt->inner->ops->submit(crypt->inner, &operation->request);
    return 0;
}

/* A backend that ends writes within submit does not nest. */
static void fill(struct crypt_operation *operation)
{
    int result = operation->request.result;
    operation->stepping = true;
    while (operation->step_over && !result && operation->filled < operation->whole->length) {
        result = fill_step(operation);
        if (operation->step_over && !result)
            result = operation->request.result;
    }
    operation->stepping = false;
    if (operation->step_over)
        end(operation, result);
}

/* ---- submitting ---- */

static void begin(struct crypt_backend *crypt, struct backend_request *whole)
{
    bool zeros = fills(whole);
    if (!crypt->free || (zeros && !crypt->free_fill_count)) {
        append(zeros ? &crypt->waiting_to_fill : &crypt->waiting, whole);
        return;
    }
    struct crypt_operation *operation = crypt->free;
    crypt->free = operation->next;
    operation->whole = whole;
    operation->fill = zeros ? crypt->free_fills[--crypt->free_fill_count] : NULL;
    operation->filled = 0;
    operation->step_over = true;
    operation->request.result = 0;
    if (zeros)
        fill(operation);
    else
        pass_on(operation);
}

static void crypt_submit(struct block_backend *backend, struct backend_request *request)
{
    struct crypt_backend *crypt = (struct crypt_backend *)backend;
    bool placed = request->operation != BACKEND_FLUSH;
    if (crypt->broken)
        finish(request, -EIO);
    else if (crypt->read_only && placed && request->operation != BACKEND_READ)
        finish(request, -EROFS);
    else if (placed && (request->offset > crypt->bytes || request->length > crypt->bytes - request->offset ||
                        (request->offset | request->length) % CRYPT_UNIT))
        finish(request, -EINVAL);
    else
        begin(crypt, request);
}

static unsigned crypt_poll(struct block_backend *backend)
{
    struct block_backend *inner = ((struct crypt_backend *)backend)->inner;
    return inner->ops->poll ? inner->ops->poll(inner) : 0;
}

/* ---- the header's store ---- */

static void header_done(struct backend_request *request)
{
    ((struct header_store *)request->context)->done = true;
}

static void header_submit(void *context)
{
    struct header_store *store = context;
    struct block_backend *inner = store->crypt->inner;
    inner->ops->submit(inner, &store->request);
}

static void header_poll(void *context)
{
    crypt_poll(&((struct header_store *)context)->crypt->base);
}

static void call(const struct header_store *store, void (*work)(void *context))
{
    if (store->caller)
        store->caller->call(store->caller->context, work, (void *)store);
    else
        work((void *)store);
}

static int64_t milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int transfer(struct disk_store *base, uint8_t operation, uint64_t offset, void *data, size_t bytes)
{
    struct header_store *store = (struct header_store *)base;
    const struct block_backend *inner = store->crypt->inner;
    struct pollfd event = {.fd = inner->ops->fd ? inner->ops->fd(inner) : -1, .events = POLLIN};
    if (store->lost)
        return -EIO;
    store->request = (struct backend_request){.operation = operation,
                                              .offset = offset,
                                              .length = bytes,
                                              .buffer = data,
                                              .done = header_done,
                                              .context = store};
    store->done = false;
    call(store, header_submit);
    for (int64_t now = milliseconds(), limit = now + HEADER_MS; !store->done; now = milliseconds()) {
        if (now >= limit) {
            store->lost = true;
            return -ETIMEDOUT;
        }
        call(store, header_poll);
        if (!store->done)
            (void)poll(&event, 1, (int)(limit - now < 100 ? limit - now : 100));
    }
    return store->request.result;
}

static int store_read(struct disk_store *store, uint64_t offset, void *data, size_t bytes)
{
    return transfer(store, BACKEND_READ, offset, data, bytes);
}

static int store_write(struct disk_store *store, uint64_t offset, const void *data, size_t bytes)
{
    return transfer(store, BACKEND_WRITE, offset, (void *)data, bytes);
}

static int store_sync(struct disk_store *store)
{
    return transfer(store, BACKEND_FLUSH, 0, NULL, 0);
}

static const struct disk_store_ops store_ops = {.read = store_read, .write = store_write, .sync = store_sync};

static struct crypt_place place_of(struct crypt_backend *crypt)
{
    return (struct crypt_place){&crypt->store.store, crypt->keys, crypt->block, crypt->read_only};
}

/* ---- another key ---- */

static void break_it(void *context)
{
    ((struct header_store *)context)->crypt->broken = true;
}

static void use_key(void *context)
{
    struct crypt_backend *crypt = ((struct header_store *)context)->crypt;
    crypt->broken = crypt_keys_use(crypt->keys) != 0;
}

static int crypt_new_key(struct block_backend *backend, const struct backend_caller *caller, struct cipu_error *error)
{
    struct crypt_backend *crypt = (struct crypt_backend *)backend;
    const struct crypt_place place = place_of(crypt);
    if (crypt->read_only)
        return cipu_fail(error, -EROFS, "crypt: is read only");
    crypt->store.caller = caller;
    int result = crypt_header_renew(&place, &crypt->header, error);
    call(&crypt->store, result ? break_it : use_key);
    crypt->store.caller = NULL;
    return !result && crypt->broken ? cipu_fail(error, -EIO, "crypt: the cipher does not take another key") : result;
}

/* ---- opening ---- */

static bool crypt_abandon(struct block_backend *backend)
{
    struct crypt_backend *crypt = (struct crypt_backend *)backend;
    const struct backend_ops *inner = crypt->inner->ops;
    crypt->waiting = crypt->waiting_to_fill = (struct request_list){NULL, NULL};
    bool stuck = inner->abandon && inner->abandon(crypt->inner);
    if (stuck) /* the kernel may read and write them still */
        crypt->fills = crypt->block = NULL;
    return stuck;
}

static void crypt_close(struct block_backend *backend)
{
    struct crypt_backend *crypt = (struct crypt_backend *)backend;
    if (crypt->inner && crypt->store.lost)
        (void)crypt_abandon(backend);
    if (crypt->inner)
        crypt->inner->ops->close(crypt->inner);
    crypt_keys_close(crypt->keys);
    free(crypt->operations);
    free(crypt->fills);
    free(crypt->block);
    free(crypt);
}

static int allocate(struct crypt_backend *crypt, struct cipu_error *error)
{
    crypt->operations = calloc(OPERATIONS, sizeof crypt->operations[0]);
    crypt->fills = aligned_alloc(CRYPT_BLOCK, FILLS * FILL_BYTES);
    crypt->block = aligned_alloc(CRYPT_BLOCK, CRYPT_BLOCK);
    if (!crypt->operations || !crypt->fills || !crypt->block)
        return cipu_fail(error, -ENOMEM, "crypt: no memory");
    for (unsigned i = 0; i < OPERATIONS; i++) {
        crypt->operations[i].crypt = crypt;
        crypt->operations[i].next = crypt->free;
        crypt->free = &crypt->operations[i];
    }
    for (unsigned i = 0; i < FILLS; i++)
        crypt->free_fills[crypt->free_fill_count++] = crypt->fills + (size_t)i * FILL_BYTES;
    return 0;
}

static int measure(struct crypt_backend *crypt, struct cipu_error *error)
{
    struct backend_info info;
    crypt->inner->ops->info(crypt->inner, &info);
    crypt->read_only = info.read_only;
    crypt->store.store.bytes = info.bytes;
    if (info.bytes < CRYPT_DATA + info.block_bytes)
        return cipu_fail(error, -EINVAL, "crypt: found %llu bytes, expected %u more than the volume's",
                         (unsigned long long)info.bytes, CRYPT_DATA);
    crypt->bytes = info.bytes - CRYPT_DATA;
    return 0;
}

static int open_within(struct crypt_backend *crypt, const char *uri, const struct backend_options *options,
                       struct cipu_error *error)
{
    struct backend_options within = *options;
    if (within.bytes)
        within.bytes += CRYPT_DATA;
    int result = backend_open(uri, &within, &crypt->inner, error);
    if (!result)
        result = allocate(crypt, error);
    if (!result)
        result = measure(crypt, error);
    if (result)
        return result;
    const struct crypt_place place = place_of(crypt);
    result = crypt_header_open(&place, options->create, &crypt->header, error);
    if (!result && crypt_keys_use(crypt->keys))
        result = cipu_fail(error, -EIO, "crypt: the cipher does not take the key");
    return result;
}

static int crypt_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                      struct cipu_error *error)
{
    const char *comma = strchr(rest, ',');
    size_t length = comma ? (size_t)(comma - rest) : 0;
    char path[PATH_BYTES];
    if (!length || length >= PATH_BYTES)
        return cipu_fail(error, -EINVAL, "found \"crypt:%.48s\", expected crypt:KEYFILE,BACKEND", rest);
    memcpy(path, rest, length);
    path[length] = 0;
    struct crypt_backend *crypt = calloc(1, sizeof *crypt);
    if (!crypt)
        return cipu_fail(error, -ENOMEM, "crypt: no memory");
    crypt->base.ops = &backend_crypt;
    crypt->store.store.ops = &store_ops;
    crypt->store.crypt = crypt;
    int result = crypt_keys_open(path, &crypt->keys, error);
    if (!result)
        result = open_within(crypt, comma + 1, options, error);
    if (result) {
        crypt_close(&crypt->base);
        return result;
    }
    *backend = &crypt->base;
    return 0;
}

/* ---- the rest ---- */

static void crypt_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct crypt_backend *crypt = (const struct crypt_backend *)backend;
    crypt->inner->ops->info(crypt->inner, info);
    info->bytes = crypt->bytes;
    info->encrypted = true;
}

static int crypt_fd(const struct block_backend *backend)
{
    const struct block_backend *inner = ((const struct crypt_backend *)backend)->inner;
    return inner->ops->fd ? inner->ops->fd(inner) : -1;
}

static int crypt_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    struct crypt_backend *crypt = (struct crypt_backend *)backend;
    const struct backend_ops *inner = crypt->inner->ops;
    if (!inner->resize)
        return cipu_fail(error, -EOPNOTSUPP, "%s cannot be resized", inner->scheme);
    if (bytes > UINT64_MAX - CRYPT_DATA)
        return cipu_fail(error, -EFBIG, "crypt: %llu bytes are too many", (unsigned long long)bytes);
    int result = inner->resize(crypt->inner, CRYPT_DATA + bytes, error);
    return result ? result : measure(crypt, error);
}

static void crypt_use_buffers(struct block_backend *backend, void *base, size_t bytes)
{
    struct block_backend *inner = ((struct crypt_backend *)backend)->inner;
    if (inner->ops->use_buffers)
        inner->ops->use_buffers(inner, base, bytes);
}

static struct block_backend *crypt_inner(const struct block_backend *backend)
{
    return ((const struct crypt_backend *)backend)->inner;
}

const struct backend_ops backend_crypt = {
    .scheme = "crypt:",
    .open = crypt_open,
    .close = crypt_close,
    .info = crypt_info,
    .submit = crypt_submit,
    .poll = crypt_poll,
    .fd = crypt_fd,
    .resize = crypt_resize,
    .use_buffers = crypt_use_buffers,
    .abandon = crypt_abandon,
    .new_key = crypt_new_key,
    .inner = crypt_inner,
};
