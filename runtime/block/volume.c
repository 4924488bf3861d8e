/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/backend_fault.h"
#include "runtime/block/disk.h"
#include "runtime/block/engine_internal.h"
#include "runtime/block/uuid.h"

#define DEFAULT_WEIGHT 100u
#define DISK_QUEUE     64u /* commands of a disk in flight, from which on its volumes share it by weight */
#define HOLD_MS        4000
#define BURST_FRACTION 10u /* of a second */
#define MAP_BYTES      4096u

/* ---- memory that the card reaches ---- */

static void unmap_oldest(struct block_volume *volume)
{
    struct block_engine *engine = volume->engine;
    struct volume_mapping *oldest = &volume->mappings[0];
    cipu_card_dma_unmap(engine->card, BLOCK_BUS_BASE + oldest->offset, oldest->bytes);
    place_give(engine, oldest->offset);
    volume->mapping_count--;
    memmove(oldest, oldest + 1, volume->mapping_count * sizeof *oldest);
}

/* A larger volume gets a new place. The old one stays for what the card still moves there. */
static int map_memory(struct block_volume *volume, uint64_t *bus, struct cipu_error *error)
{
    struct block_engine *engine = volume->engine;
    uint64_t bytes = (volume->info.bytes + MAP_BYTES - 1) / MAP_BYTES * MAP_BYTES, place;
    int fd;
    off_t offset;
    int result = volume->backend->ops->memory(volume->backend, &fd, &offset);
    if (result)
        return cipu_fail(error, result, "volume %s: its memory: %s", volume->settings.name, strerror(-result));
    if (place_take(engine, bytes, &place))
        return cipu_fail(error, -ENOSPC, "volume %s: no bus addresses for %llu bytes are left", volume->settings.name,
                         (unsigned long long)bytes);
    result = cipu_card_dma_map(engine->card, fd, offset, BLOCK_BUS_BASE + place, bytes, CIPU_DMA_READ | CIPU_DMA_WRITE,
                               error);
    if (result) {
        place_give(engine, place);
        return result;
    }
    if (volume->mapping_count == VOLUME_MAPPINGS)
        unmap_oldest(volume);
    volume->mappings[volume->mapping_count++] = (struct volume_mapping){place, bytes};
    *bus = BLOCK_BUS_BASE + place;
    return 0;
}

/* ---- limits ---- */

static uint32_t clamp32(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static uint64_t burst(uint64_t rate, uint64_t given, uint64_t least)
{
    uint64_t amount = given ? given : rate / BURST_FRACTION;
    return amount > least ? amount : least;
}

/* A bucket holds at least the largest command, which else would never pass. */
static int send_limits(const struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error)
{
    unsigned disk = disk_number(volume->backend);
    struct volume_setting setting = {
        .operations = clamp32(limits->operations),
        .operations_burst = clamp32(burst(limits->operations, limits->operations_burst, 1)),
        .bytes = limits->bytes,
        .bytes_burst = burst(limits->bytes, limits->bytes_burst, BLOCK_DATA_MAX),
        .disk = (uint16_t)disk,
        .weight = (uint16_t)(limits->weight ? limits->weight : DEFAULT_WEIGHT),
        .disk_limit = disk ? DISK_QUEUE : 0,
    };
    struct command_entry command = {.opcode = COMMAND_VOLUME_SET, .target = TARGET_BLOCK, .index = volume->number};
    memcpy(command.data, &setting, sizeof setting);
    int result = cipu_host_command(volume->engine->host, &command, 1);
    return result ? cipu_fail(error, result, "volume %s: limits: the card says %s (status %u)", volume->settings.name,
                              strerror(-result), command.status)
                  : 0;
}

static int check_limits(const struct volume_limits *limits, struct cipu_error *error)
{
    if (limits->weight > 1000)
        return cipu_fail(error, -EINVAL, "weight: found %u, expected 1 to 1000", limits->weight);
    return 0;
}

/* ---- opening ---- */

struct table_change {
    struct block_engine *engine;
    uint32_t number;
    struct block_volume *volume;
};

static void set_volume(void *context)
{
    const struct table_change *change = context;
    change->engine->volumes[change->number] = change->volume;
}

/* Numbers change only under engine->control. 0 is none: a setting of zeros means no volume. */
static uint32_t free_number(const struct block_engine *engine)
{
    for (uint32_t number = 1; number < BLOCK_VOLUMES; number++)
        if (!engine->volumes[number])
            return number;
    return 0;
}

static int check_settings(struct block_volume *volume, struct cipu_error *error)
{
    struct volume_settings *settings = &volume->settings;
    static const uint8_t none[16];
    uint64_t block = settings->block_bytes ? settings->block_bytes : volume->info.block_bytes;
    if ((block != 512 && block != 4096) || block < volume->info.block_bytes)
        return cipu_fail(error, -EINVAL,
                         "volume %s: found blocks of %llu bytes, expected 512 or 4096, at least its "
                         "backend's %u",
                         settings->name, (unsigned long long)block, volume->info.block_bytes);
    uint64_t bytes = settings->bytes ? settings->bytes : volume->info.bytes / block * block;
    if (bytes == 0 || bytes % block || bytes > volume->info.bytes)
        return cipu_fail(error, -EINVAL,
                         "volume %s: found a size of %llu bytes, expected a multiple of %llu, at most "
                         "its backend's %llu",
                         settings->name, (unsigned long long)bytes, (unsigned long long)block,
                         (unsigned long long)volume->info.bytes);
    settings->block_bytes = (uint32_t)block;
    settings->bytes = bytes;
    settings->read_only |= volume->info.read_only;
    if (memcmp(settings->uuid, none, sizeof none) == 0)
        volume_uuid(settings->name, settings->uuid);
    if (!settings->limits.weight)
        settings->limits.weight = DEFAULT_WEIGHT;
    volume->bytes = bytes;
    volume->block_mask = block - 1;
    volume->read_only = settings->read_only;
    return 0;
}

static int open_backend(struct block_volume *volume, struct cipu_error *error)
{
    const struct volume_settings *settings = &volume->settings;
    struct backend_options options = {
        .bytes = settings->bytes,
        .create = settings->create,
        .read_only = settings->read_only,
        .disks = volume->engine->disks,
    };
    int result = backend_open(settings->backend, &options, &volume->backend, error);
    if (result)
        return result;
    const struct backend_ops *ops = volume->backend->ops;
    const struct block_pool *pool = &volume->engine->pool;
    ops->info(volume->backend, &volume->info);
    volume->moves_nothing = ops->moves_nothing;
    volume->memory = ops->memory;
    if (ops->use_buffers)
        ops->use_buffers(volume->backend, pool->memory, pool->bytes);
    return check_settings(volume, error);
}

static int backend_fd(const struct block_volume *volume)
{
    const struct backend_ops *ops = volume->backend->ops;
    return ops->fd ? ops->fd(volume->backend) : -1;
}

/* Under engine->control, when the engine's thread does not know it (any more). */
static void destroy(struct block_volume *volume)
{
    while (volume->mapping_count)
        unmap_oldest(volume);
    if (volume->backend) {
        engine_unwatch(volume->engine, backend_fd(volume));
        volume->backend->ops->close(volume->backend);
    }
    free(volume);
}

static int open_locked(struct block_volume *volume, struct cipu_error *error)
{
    struct block_engine *engine = volume->engine;
    int result = check_limits(&volume->settings.limits, error);
    if (!result)
        result = open_backend(volume, error);
    if (!result && volume->memory)
        result = map_memory(volume, &volume->bus, error);
    if (!result)
        result = engine_watch(engine, backend_fd(volume));
    volume->number = free_number(engine);
    if (!result && !volume->number)
        result = cipu_fail(error, -ENOSPC, "found %u volumes, expected at most that many", BLOCK_VOLUMES - 1);
    if (!result)
        result = send_limits(volume, &volume->settings.limits, error);
    if (!result)
        block_engine_call(engine, set_volume, &(struct table_change){engine, volume->number, volume});
    return result;
}

int block_volume_open(struct block_engine *engine, const struct volume_settings *settings, struct block_volume **volume,
                      struct cipu_error *error)
{
    *volume = NULL;
    struct block_volume *opened = calloc(1, sizeof *opened);
    if (!opened)
        return cipu_fail(error, -ENOMEM, "volume %s: no memory", settings->name);
    opened->engine = engine;
    opened->settings = *settings;
    opened->held_last = &opened->held_items;
    pthread_mutex_lock(&engine->control);
    int result = open_locked(opened, error);
    if (result)
        destroy(opened);
    pthread_mutex_unlock(&engine->control);
    if (!result)
        *volume = opened;
    return result;
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

static void let_go(void *context)
{
    struct block_volume *volume = context;
    struct inbox_item *item = volume->held_items;
    volume->held = false;
    volume->held_items = NULL;
    volume->held_last = &volume->held_items;
    command_resume(volume);
    while (item) {
        struct inbox_item *next = item->next;
        item->run(volume->engine, item);
        item = next;
    }
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

int block_volume_close(struct block_volume *volume)
{
    struct block_engine *engine = volume->engine;
    pthread_mutex_lock(&engine->control);
    int result = volume->attachments ? -EBUSY : hold_volume(volume, NULL);
    if (!result) {
        block_engine_call(engine, set_volume, &(struct table_change){engine, volume->number, NULL});
        block_engine_call(engine, let_go, volume);
        destroy(volume);
    }
    pthread_mutex_unlock(&engine->control);
    return result;
}

void block_volume_info(const struct block_volume *volume, struct volume_info *info)
{
    pthread_mutex_lock(&volume->engine->control);
    *info = (struct volume_info){volume->settings, volume->info, volume->number, volume->attachments};
    pthread_mutex_unlock(&volume->engine->control);
}

/* ---- who may use it ---- */

struct access_change {
    struct block_volume *volume;
    unsigned function;
    uint8_t access;
    uint16_t denied;
};

static void set_access(void *context)
{
    const struct access_change *change = context;
    change->volume->access[change->function] = change->access;
    change->volume->denied[change->function] = change->denied;
}

static bool no_writes(void *context)
{
    const struct access_change *change = context;
    return change->volume->writes[change->function] == 0;
}

int block_volume_attach(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    struct access_change change = {volume, function, VOLUME_READ | VOLUME_WRITE, 0};
    if (function >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "found function %u, expected less than %u", function, FUNCTION_HOST);
    pthread_mutex_lock(&volume->engine->control);
    int result = volume->attached[function] ? cipu_fail(error, -EEXIST, "volume %s is attached to function %u already",
                                                        volume->settings.name, function)
                                            : 0;
    if (!result) {
        volume->attached[function] = true;
        volume->attachments++;
        block_engine_call(volume->engine, set_access, &change);
    }
    pthread_mutex_unlock(&volume->engine->control);
    return result;
}

void block_volume_detach(struct block_volume *volume, unsigned function)
{
    struct access_change change = {volume, function, 0, 0};
    if (function >= FUNCTION_HOST)
        return;
    pthread_mutex_lock(&volume->engine->control);
    if (volume->attached[function]) {
        volume->attached[function] = false;
        volume->attachments--;
        block_engine_call(volume->engine, set_access, &change);
        engine_wait(volume->engine, no_writes, &change, HOLD_MS);
    }
    pthread_mutex_unlock(&volume->engine->control);
}

/* The control lock is not held while it waits: a device's worker may be kept by a backend that stalls, and others go
 * on. */
void block_volume_set_access(struct block_volume *volume, unsigned function, unsigned access, uint16_t status)
{
    struct access_change change = {volume, function, (uint8_t)access, status};
    if (function >= FUNCTION_HOST)
        return;
    block_engine_call(volume->engine, set_access, &change);
    if (!(access & VOLUME_WRITE))
        engine_wait(volume->engine, no_writes, &change, 0);
}

/* ---- changes ---- */

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

static int resize_held(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    const struct backend_ops *ops = volume->backend->ops;
    struct size_change change = {volume, bytes, volume->bus};
    int result = 0;
    if (bytes > volume->info.bytes)
        result = ops->resize
                     ? ops->resize(volume->backend, bytes, error)
                     : cipu_fail(error, -EOPNOTSUPP, "volume %s: %s cannot grow", volume->settings.name, ops->scheme);
    if (result)
        return result;
    ops->info(volume->backend, &volume->info);
    if (volume->memory)
        result = map_memory(volume, &change.bus, error);
    if (result)
        return result;
    block_engine_call(volume->engine, set_size, &change);
    volume->settings.bytes = bytes;
    return 0;
}

static int resize_locked(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    if (bytes < volume->settings.bytes)
        return cipu_fail(error, -EINVAL,
                         "volume %s: found %llu bytes, expected at least its %llu: shrinking loses data",
                         volume->settings.name, (unsigned long long)bytes, (unsigned long long)volume->settings.bytes);
    if (bytes % volume->settings.block_bytes)
        return cipu_fail(error, -EINVAL, "volume %s: found %llu bytes, expected a multiple of %u",
                         volume->settings.name, (unsigned long long)bytes, volume->settings.block_bytes);
    if (bytes == volume->settings.bytes)
        return 0;
    int result = hold_volume(volume, error);
    if (result)
        return result;
    result = resize_held(volume, bytes, error);
    block_engine_call(volume->engine, let_go, volume);
    return result ? result : 1;
}

int block_volume_resize(struct block_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    pthread_mutex_lock(&volume->engine->control);
    int result = resize_locked(volume, bytes, error);
    struct volume_listener *listener = volume->listeners;
    pthread_mutex_unlock(&volume->engine->control);
    if (result <= 0)
        return result;
    while (listener) {
        struct volume_listener *next = listener->next;
        listener->resized(listener->context, volume);
        listener = next;
    }
    return 0;
}

int block_volume_set_limits(struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error)
{
    int result = check_limits(limits, error);
    if (result)
        return result;
    pthread_mutex_lock(&volume->engine->control);
    result = send_limits(volume, limits, error);
    if (!result) {
        volume->settings.limits = *limits;
        if (!limits->weight)
            volume->settings.limits.weight = DEFAULT_WEIGHT;
    }
    pthread_mutex_unlock(&volume->engine->control);
    return result;
}

/* The backend's own erasing works on the caller's thread, so nothing else may be at the backend; a backend without one
 * takes it as an operation. */
int block_volume_erase(struct block_volume *volume, struct cipu_error *error)
{
    struct block_engine *engine = volume->engine;
    const struct backend_ops *ops = volume->backend->ops;
    pthread_mutex_lock(&engine->control);
    int result = 0;
    if (volume->attachments)
        result = cipu_fail(error, -EBUSY, "volume %s: is attached to %u functions", volume->settings.name,
                           volume->attachments);
    else if (volume->settings.read_only)
        result = cipu_fail(error, -EROFS, "volume %s: is read only", volume->settings.name);
    else if (!ops->erase) {
        result = block_volume_operate(engine, volume, BACKEND_ERASE, 0, volume->settings.bytes, NULL, true);
        if (result)
            cipu_fail(error, result, "volume %s: erase: %s", volume->settings.name, strerror(-result));
    } else if (!(result = hold_volume(volume, error))) {
        result = ops->erase(volume->backend, error);
        block_engine_call(engine, let_go, volume);
    }
    pthread_mutex_unlock(&engine->control);
    return result;
}

void block_volume_set_durable(struct block_volume *volume, unsigned function, bool durable)
{
    if (function < CARD_FUNCTIONS)
        atomic_store_explicit(&volume->durable[function], durable, memory_order_relaxed);
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

/* ---- what it did ---- */

static void copy_counters(uint64_t *to, const uint64_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] = counter_read(&from[i]);
}

void block_volume_statistics(const struct block_volume *volume, struct volume_statistics *statistics)
{
    copy_counters((uint64_t *)statistics, (const uint64_t *)&volume->statistics, sizeof *statistics);
}

void block_volume_latency(const struct block_volume *volume, uint8_t operation, struct volume_latency *latency)
{
    copy_counters((uint64_t *)latency, (const uint64_t *)&volume->latency[operation == BACKEND_WRITE], sizeof *latency);
}

struct fault_change {
    struct block_volume *volume;
    struct fault_rules rules;
    int result;
};

static void set_faults(void *context)
{
    struct fault_change *change = context;
    change->result = fault_rules_set(change->volume->backend, &change->rules);
}

int block_volume_set_faults(struct block_volume *volume, const char *rules, struct cipu_error *error)
{
    struct fault_change change = {.volume = volume};
    int result = fault_rules_parse(rules, strlen(rules), &change.rules, error);
    if (result)
        return result;
    block_engine_call(volume->engine, set_faults, &change);
    return change.result ? cipu_fail(error, change.result, "volume %s: its backend is no fault:", volume->settings.name)
                         : 0;
}
