/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's beginning: its backend, its memory on the bus, its limits, its number; and its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/disk.h"
#include "runtime/block/engine_internal.h"
#include "runtime/block/uuid.h"

#define DISK_QUEUE     64u /* commands of a disk in flight, from which on its volumes share it by weight */
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
int volume_map(struct block_volume *volume, uint64_t *bus, struct cipu_error *error)
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
int volume_send_limits(const struct block_volume *volume, const struct volume_limits *limits, struct cipu_error *error)
{
    unsigned disk = disk_number(volume->backend);
    struct volume_setting setting = {
        .operations = clamp32(limits->operations),
        .operations_burst = clamp32(burst(limits->operations, limits->operations_burst, 1)),
        .bytes = limits->bytes,
        .bytes_burst = burst(limits->bytes, limits->bytes_burst, BLOCK_DATA_MAX),
        .disk = (uint16_t)disk,
        .weight = (uint16_t)(limits->weight ? limits->weight : VOLUME_WEIGHT),
        .disk_limit = disk ? DISK_QUEUE : 0,
    };
    struct command_entry command = {.opcode = COMMAND_VOLUME_SET, .target = TARGET_BLOCK, .index = volume->number};
    memcpy(command.data, &setting, sizeof setting);
    int result = cipu_host_command(volume->engine->host, &command, 1);
    return result ? cipu_fail(error, result, "volume %s: limits: the card says %s (status %u)", volume->settings.name,
                              strerror(-result), command.status)
                  : 0;
}

int volume_check_limits(const struct volume_limits *limits, struct cipu_error *error)
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

static void set_number(void *context)
{
    const struct table_change *change = context;
    change->engine->volumes[change->number] = change->volume;
}

void volume_set_number(struct block_volume *volume, struct block_volume *known)
{
    struct table_change change = {volume->engine, volume->number, known};
    block_engine_call(volume->engine, set_number, &change);
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
        settings->limits.weight = VOLUME_WEIGHT;
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
    struct cipu_error reason = {""};
    int result = backend_open(settings->backend, &options, &volume->backend, &reason);
    if (result || !volume->backend)
        return cipu_fail(error, result ? result : -EINVAL, "volume %.63s: %s", settings->name, reason.text);
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
void volume_destroy(struct block_volume *volume)
{
    while (volume->mapping_count)
        unmap_oldest(volume);
    if (volume->backend) {
        engine_unwatch(volume->engine, backend_fd(volume));
        volume->backend->ops->close(volume->backend);
    }
    free(volume);
}

/* Under engine->control. */
static int enter(struct block_volume *volume, struct cipu_error *error)
{
    struct block_engine *engine = volume->engine;
    int result = volume->memory ? volume_map(volume, &volume->bus, error) : 0;
    if (!result)
        result = engine_watch(engine, backend_fd(volume));
    volume->number = free_number(engine);
    if (!result && !volume->number)
        result = cipu_fail(error, -ENOSPC, "found %u volumes, expected at most that many", BLOCK_VOLUMES - 1);
    if (!result)
        result = volume_send_limits(volume, &volume->settings.limits, error);
    if (!result)
        volume_set_number(volume, volume);
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
    int result = volume_check_limits(&settings->limits, error);
    if (!result)
        result = open_backend(opened, error); /* which may take its time */
    pthread_mutex_lock(&engine->control);
    if (!result)
        result = enter(opened, error);
    if (result)
        volume_destroy(opened);
    pthread_mutex_unlock(&engine->control);
    if (!result)
        *volume = opened;
    return result;
}
