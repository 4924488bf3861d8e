/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of an open volume. One at a time; what takes its time keeps nobody waiting but the volume's own guests. */
#include <errno.h>
#include <string.h>

#include "runtime/block/engine_internal.h"

#define HOLD_MS 4000

/* alone: only while the volume is attached to nothing, which it stays. */
static int begin_change(struct block_volume *volume, bool alone, struct cipu_error *error)
{
    int result = 0;
    pthread_mutex_lock(&volume->engine->control);
    if (volume->changing)
        result = cipu_fail(error, -EBUSY, "volume %s: is being changed", volume->settings.name);
    else if (alone && volume->attachments)
        result = cipu_fail(error, -EBUSY, "volume %s: is attached to %u functions", volume->settings.name,
                           volume->attachments);
    else
        volume->changing = true;
    pthread_mutex_unlock(&volume->engine->control);
    return result;
}

static void end_change(struct block_volume *volume)
{
    pthread_mutex_lock(&volume->engine->control);
    volume->changing = false;
    pthread_mutex_unlock(&volume->engine->control);
}

/* ---- hold: nothing of it is at its backend ---- */

static void hold(void *context)
{
    ((struct block_volume *)context)->held = true;
}

static bool at_rest(void *context)
{
    return ((const struct block_volume *)context)->in_flight == 0;
}

void volume_resume(struct block_volume *volume)
{
    struct inbox_item *item = volume->held_items;
    volume->held_items = NULL;
    volume->held_last = &volume->held_items;
    command_resume(volume);
    while (item) {
        struct inbox_item *next = item->next;
        item->run(volume->engine, item); /* which may be the end of it */
        item = next;
    }
}

static void let_go(void *context)
{
    struct block_volume *volume = context;
    volume->held = false;
    volume_resume(volume);
}

static int hold_volume(struct block_volume *volume, struct cipu_error *error)
{
    block_engine_call(volume->engine, hold, volume);
    int result = engine_wait(volume->engine, at_rest, volume, HOLD_MS);
    if (!result)
        return 0;
    block_engine_call(volume->engine, let_go, volume);
    return cipu_fail(error, -EBUSY, "volume %s: its backend does not end what it has begun", volume->settings.name);
}

/* Commands that waited for it find it no more: they begin, and are refused, for nobody may use it. */
static void end_waiting(void *context)
{
    struct block_volume *volume = context;
    let_go(volume);
    volume_asleep(volume);
    buffers_forget(volume);
}

int block_volume_close(struct block_volume *volume)
{
    struct block_engine *engine = volume->engine;
    int result = begin_change(volume, true, NULL);
    if (result)
        return result;
    result = hold_volume(volume, NULL);
    if (result) {
        end_change(volume);
        return result;
    }
    pthread_mutex_lock(&engine->control);
    volume_set_number(volume, NULL);
    block_engine_call(engine, end_waiting, volume);
    volume_destroy(volume);
    pthread_mutex_unlock(&engine->control);
    return 0;
}

/* ---- size ---- */

struct size_change {
    struct block_volume *volume;
    uint64_t bytes, bus;
};

static void set_size(void *context)
{
    const struct size_change *change = context;
    change->volume->bytes = change->bytes;
    change->volume->bus = change->bus;
}

static int resize_backend(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    const struct backend_ops *ops = volume->backend->ops;
    if (bytes <= volume->info.bytes)
        return 0;
    if (!ops->resize)
        return cipu_fail(error, -EOPNOTSUPP, "volume %s: %s cannot grow", volume->settings.name, ops->scheme);
    return ops->resize(volume->backend, bytes, error);
}

/* Under engine->control: the backend has the new size. */
static int take_size(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    struct size_change change = {volume, bytes, volume->bus};
    volume->backend->ops->info(volume->backend, &volume->info);
    int result = volume->memory ? volume_map(volume, &change.bus, error) : 0;
    if (result)
        return result;
    block_engine_call(volume->engine, set_size, &change);
    volume->settings.bytes = bytes;
    return 0;
}

static int resize_held(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    int result = hold_volume(volume, error);
    if (result)
        return result;
    result = resize_backend(volume, bytes, error);
    if (!result) {
        pthread_mutex_lock(&volume->engine->control);
        result = take_size(volume, bytes, error);
        pthread_mutex_unlock(&volume->engine->control);
    }
    block_engine_call(volume->engine, let_go, volume);
    return result;
}

/* Only who changes the volume writes what is read here. */
static int check_size(const struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    if (bytes < volume->settings.bytes)
        return cipu_fail(error, -EINVAL,
                         "volume %s: found %llu bytes, expected at least its %llu: shrinking loses data",
                         volume->settings.name, (unsigned long long)bytes, (unsigned long long)volume->settings.bytes);
    if (bytes % volume->settings.block_bytes)
        return cipu_fail(error, -EINVAL, "volume %s: found %llu bytes, expected a multiple of %u",
                         volume->settings.name, (unsigned long long)bytes, volume->settings.block_bytes);
    return 0;
}

static void tell_listeners(struct block_volume *volume)
{
    pthread_mutex_lock(&volume->engine->control);
    struct volume_listener *listener = volume->listeners;
    pthread_mutex_unlock(&volume->engine->control);
    while (listener) {
        struct volume_listener *next = listener->next;
        listener->resized(listener->context, volume);
        listener = next;
    }
}

int block_volume_resize(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    int result = begin_change(volume, false, error);
    if (result)
        return result;
    bool same = bytes == volume->settings.bytes;
    result = check_size(volume, bytes, error);
    if (!result && !same)
        result = resize_held(volume, bytes, error);
    end_change(volume);
    if (!result && !same)
        tell_listeners(volume);
    return result;
}

/* ---- limits, erasing, listeners ---- */

int block_volume_set_limits(struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error)
{
    int result = volume_check_limits(limits, error);
    if (result)
        return result;
    pthread_mutex_lock(&volume->engine->control);
    result = volume_send_limits(volume, limits, error);
    if (!result) {
        volume->settings.limits = *limits;
        if (!limits->weight)
            volume->settings.limits.weight = VOLUME_WEIGHT;
    }
    pthread_mutex_unlock(&volume->engine->control);
    return result;
}

static void call_engine(void *context, void (*work)(void *argument), void *argument)
{
    block_engine_call(context, work, argument);
}

struct permission {
    const struct block_volume *volume;
    unsigned function;
    bool given;
};

static void ask(void *context)
{
    struct permission *permission = context;
    permission->given =
        permission->function == FUNCTION_HOST || permission->volume->access[permission->function] & VOLUME_WRITE;
}

/* Permission is asked for when commands are held: who takes it away later finds the key destroyed. */
static int destroy_key(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    struct permission permission = {volume, function, false};
    const struct backend_caller caller = {call_engine, volume->engine};
    if (!volume->info.encrypted)
        return cipu_fail(error, -EOPNOTSUPP, "volume %s: is not encrypted", volume->settings.name);
    if (volume->settings.read_only)
        return cipu_fail(error, -EROFS, "volume %s: is read only", volume->settings.name);
    int result = hold_volume(volume, error);
    if (result)
        return result;
    block_engine_call(volume->engine, ask, &permission);
    result = permission.given ? volume->backend->ops->new_key(volume->backend, &caller, error)
                              : cipu_fail(error, -EACCES, "volume %s: function %u may not write it",
                                          volume->settings.name, function);
    block_engine_call(volume->engine, let_go, volume);
    return result;
}

int block_volume_destroy_key(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    int result = function > FUNCTION_HOST ? cipu_fail(error, -EINVAL, "found function %u", function)
                                          : begin_change(volume, false, error);
    if (result)
        return result;
    result = destroy_key(volume, function, error);
    end_change(volume);
    return result;
}

/* The backend's own erasing works on the caller's thread, so nothing else may be at the backend; a backend without one
 * takes it as an operation. */
static int erase(struct block_volume *volume, struct cipu_error *error)
{
    struct block_engine *engine = volume->engine;
    const struct backend_ops *ops = volume->backend->ops;
    if (volume->settings.read_only)
        return cipu_fail(error, -EROFS, "volume %s: is read only", volume->settings.name);
    if (volume->info.encrypted)
        return destroy_key(volume, FUNCTION_HOST, error);
    if (!ops->erase) {
        int result = block_volume_operate(volume, FUNCTION_HOST, BACKEND_ERASE, 0, volume->settings.bytes, NULL, true);
        return result ? cipu_fail(error, result, "volume %s: erase: %s", volume->settings.name, strerror(-result)) : 0;
    }
    int result = hold_volume(volume, error);
    if (result)
        return result;
    result = ops->erase(volume->backend, error);
    block_engine_call(engine, let_go, volume);
    return result;
}

int block_volume_erase(struct block_volume *volume, struct cipu_error *error)
{
    int result = begin_change(volume, true, error);
    if (result)
        return result;
    result = erase(volume, error);
    end_change(volume);
    return result;
}

void block_volume_listen(struct block_volume *volume, struct volume_listener *listener)
{
    pthread_mutex_lock(&volume->engine->control);
    listener->next = volume->listeners;
    volume->listeners = listener;
    pthread_mutex_unlock(&volume->engine->control);
}

void block_volume_unlisten(struct block_volume *volume, struct volume_listener *listener)
{
    pthread_mutex_lock(&volume->engine->control);
    struct volume_listener **link = &volume->listeners;
    while (*link && *link != listener)
        link = &(*link)->next;
    if (*link)
        *link = listener->next;
    pthread_mutex_unlock(&volume->engine->control);
}
