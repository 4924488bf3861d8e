/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device does on a volume itself, on behalf of a raw command. Its caller waits, but not for ever: an operation
 * whose disk hangs, or whose function is being reset, is left to the backend, as aborted commands are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/engine_internal.h"

#define LIMIT_MS       30000u              /* a backend that has not done it by then hangs; */
#define LIMIT_MS_BYTES (UINT64_C(4) << 20) /* or it does less than so much in a second */
#define LIMIT_MS_MAX   (1000u * 3600u * 24u)
#define STRAYS         4u /* of a volume, each with its buffer; then the next ones fail at once */
#define BUFFER_ALIGN   4096u

/* ---- on the engine's thread ---- */

static void count(const struct block_operation *operation)
{
    struct volume_statistics *statistics = &operation->volume->statistics;
    unsigned kind = operation->request.operation;
    if (operation->result) {
        counter_add(&statistics->errors[kind], 1);
        return;
    }
    counter_add(&statistics->operations[kind], 1);
    counter_add(&statistics->bytes[kind], operation->request.length);
}

static void end(struct block_operation *operation, int result)
{
    struct block_engine *engine = operation->volume->engine;
    pthread_mutex_lock(&engine->lock);
    operation->result = result;
    operation->done = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void unlist(struct block_operation *operation)
{
    struct block_operation **link = &operation->volume->engine->operations;
    while (*link != operation)
        link = &(*link)->next;
    *link = operation->next;
}

static void backend_done(struct backend_request *request)
{
    struct block_errand *errand = request->context;
    struct block_operation *operation = errand->operation;
    int result = request->result;
    if (errand_done(errand))
        return;
    struct block_volume *volume = errand->volume;
    unlist(operation);
    errand_give(volume->engine, errand);
    volume->engine->operation_count--;
    volume->in_flight--;
    operation->errand = NULL;
    operation->result = result;
    count(operation);
    end(operation, result);
}

static bool is_change(const struct backend_request *request)
{
    return request->operation != BACKEND_READ && request->operation != BACKEND_FLUSH;
}

/* A flush belongs to writing. What the host does for itself needs nobody's leave. */
static bool allowed(const struct block_operation *operation)
{
    unsigned needed = operation->request.operation == BACKEND_READ ? VOLUME_READ : VOLUME_WRITE;
    return operation->function == FUNCTION_HOST || operation->volume->access[operation->function] & needed;
}

static int check(const struct block_operation *operation)
{
    const struct block_volume *volume = operation->volume;
    const struct backend_request *request = &operation->request;
    if (volume->engine->cancelled[operation->function])
        return -ECANCELED;
    if (!allowed(operation))
        return -EACCES;
    if (request->offset > volume->bytes || request->length > volume->bytes - request->offset ||
        (request->offset | request->length) & volume->block_mask)
        return -EINVAL;
    if (is_change(request) && volume->read_only)
        return -EROFS;
    if (volume->stray_operations >= STRAYS)
        return -ETIMEDOUT;
    return volume->engine->operation_count == OPERATIONS_MAX ? -EBUSY : 0;
}

static void submit(struct block_operation *operation)
{
    struct block_volume *volume = operation->volume;
    struct block_engine *engine = volume->engine;
    struct block_errand *errand = operation->errand = errand_take(engine);
    *errand = (struct block_errand){
        .request = operation->request,
        .volume = volume,
        .operation = operation,
        .function = operation->function,
        .operates = true,
        .changes = is_change(&operation->request),
    };
    errand->request.done = backend_done;
    errand->request.context = errand;
    errand->counted = errand->changes;
    volume->writes[errand->function] += errand->counted;
    operation->next = engine->operations;
    engine->operations = operation;
    engine->operation_count++;
    volume->in_flight++;
    volume_submit(volume, &errand->request);
}

static void start(struct block_engine *engine, struct inbox_item *item)
{
    struct block_operation *operation = (struct block_operation *)item;
    struct block_volume *volume = operation->volume;
    const struct backend_request *request = &operation->request;
    (void)engine;
    int result = check(operation);
    if (result) {
        operation->result = result;
        count(operation);
        end(operation, result);
    } else if (volume->held || (request->length && stray_overlaps(volume, request->offset, request->length))) {
        item->next = NULL;
        *volume->held_last = item;
        volume->held_last = &item->next;
    } else {
        submit(operation);
    }
}

/* True: it waited for its volume. */
static bool unhold(struct block_operation *operation)
{
    struct block_volume *volume = operation->volume;
    struct inbox_item **link = &volume->held_items;
    while (*link && *link != &operation->item)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = operation->item.next;
    if (!*link)
        volume->held_last = link;
    return true;
}

static void leave(struct block_operation *operation, int result)
{
    if (operation->errand) {
        unlist(operation);
        stray_leave_operation(operation->errand, operation->memory);
        operation->errand = NULL;
        operation->left = operation->memory != NULL;
    } else if (!unhold(operation)) {
        return;
    }
    end(operation, result);
}

static void give_up(void *context)
{
    leave(context, -ETIMEDOUT);
}

struct cancellation {
    struct block_engine *engine;
    unsigned function;
    bool cancelled;
};

static void cancel_held(struct block_volume *volume, unsigned function)
{
    for (struct inbox_item *item = volume->held_items, *next; item; item = next) {
        struct block_operation *operation = (struct block_operation *)item;
        next = item->next;
        if (operation->function == function)
            leave(operation, -ECANCELED);
    }
}

static void cancel(void *context)
{
    const struct cancellation *cancellation = context;
    struct block_engine *engine = cancellation->engine;
    engine->cancelled[cancellation->function] = cancellation->cancelled;
    if (!cancellation->cancelled)
        return;
    for (struct block_operation *operation = engine->operations, *next; operation; operation = next) {
        next = operation->next;
        if (operation->function == cancellation->function)
            leave(operation, -ECANCELED);
    }
    for (unsigned i = 0; i < BLOCK_VOLUMES; i++)
        if (engine->volumes[i])
            cancel_held(engine->volumes[i], cancellation->function);
}

/* ---- on the caller's thread ---- */

void block_operations_cancel(struct block_engine *engine, unsigned function, bool cancelled)
{
    struct cancellation cancellation = {engine, function, cancelled};
    if (function < FUNCTION_HOST)
        block_engine_call(engine, cancel, &cancellation);
}

static unsigned limit_of(uint64_t length)
{
    uint64_t limit = LIMIT_MS + length / LIMIT_MS_BYTES * 1000;
    return limit < LIMIT_MS_MAX ? (unsigned)limit : LIMIT_MS_MAX;
}

static bool wait_for(struct block_operation *operation)
{
    struct block_engine *engine = operation->volume->engine;
    struct timespec deadline;
    deadline_after(limit_of(operation->request.length), &deadline);
    pthread_mutex_lock(&engine->lock);
    while (!operation->done && pthread_cond_timedwait(&engine->changed, &engine->lock, &deadline) != ETIMEDOUT)
        ;
    bool done = operation->done;
    pthread_mutex_unlock(&engine->lock);
    return done;
}

/* One piece; `memory`: of the buffer that READ and WRITE go through; NULL when it is the backend's for good. */
static int operate(struct block_volume *volume, unsigned function, const struct backend_request *request,
                   uint8_t **memory)
{
    struct block_operation operation = {
        .item = {NULL, start}, .volume = volume, .request = *request, .function = (uint16_t)function};
    if (memory)
        operation.request.buffer = operation.memory = *memory;
    inbox_post(volume->engine, &operation.item);
    if (!wait_for(&operation))
        block_engine_call(volume->engine, give_up, &operation);
    if (memory && operation.left)
        *memory = NULL;
    return operation.result;
}

static int transfer(struct block_volume *volume, unsigned function, struct backend_request *request, uint8_t *buffer)
{
    uint64_t offset = request->offset, length = request->length;
    uint64_t piece = length < BLOCK_DATA_MAX ? length : BLOCK_DATA_MAX;
    uint8_t *memory = aligned_alloc(BUFFER_ALIGN, (piece + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN);
    int result = memory ? 0 : -ENOMEM;
    for (uint64_t done = 0; done < length && !result && memory; done += piece) {
        piece = length - done < BLOCK_DATA_MAX ? length - done : BLOCK_DATA_MAX;
        request->offset = offset + done;
        request->length = piece;
        if (request->operation == BACKEND_WRITE)
            memcpy(memory, buffer + done, piece);
        result = operate(volume, function, request, &memory);
        if (request->operation == BACKEND_READ && !result && memory)
            memcpy(buffer + done, memory, piece);
    }
    free(memory);
    return result;
}

int block_volume_operate(struct block_volume *volume, unsigned function, uint8_t operation, uint64_t offset,
                         uint64_t length, void *buffer, bool durable)
{
    if (operation < BACKEND_READ || operation > BACKEND_ERASE || function > FUNCTION_HOST)
        return -EINVAL;
    struct backend_request request = {
        .operation = operation,
        .durable = durable,
        .unmap = operation == BACKEND_DISCARD,
        .offset = operation == BACKEND_FLUSH ? 0 : offset,
        .length = operation == BACKEND_FLUSH ? 0 : length,
    };
    if (operation != BACKEND_READ && operation != BACKEND_WRITE)
        return operate(volume, function, &request, NULL);
    return length ? transfer(volume, function, &request, buffer) : 0;
}
