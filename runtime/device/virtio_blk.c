/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/virtio_blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver/signaller.h"
#include "hls/include/dma.h"
#include "runtime/device/virtio_blk_internal.h"

#define QUEUES_DEFAULT 4u

struct blk_config { /* struct virtio_blk_config, 5.2.4, up to what the features offer */
    uint64_t capacity;
    uint32_t size_max;
    uint32_t seg_max;
    uint32_t geometry;
    uint32_t block_bytes;
    uint8_t physical_block_exponent;
    uint8_t alignment_offset;
    uint16_t min_io_blocks;
    uint32_t opt_io_blocks;
    uint8_t writeback;
    uint8_t unused;
    uint16_t queues;
    uint32_t discard_sectors_max;
    uint32_t discard_segments_max;
    uint32_t discard_alignment;
    uint32_t zero_sectors_max;
    uint32_t zero_segments_max;
    uint8_t zero_may_unmap;
    uint8_t unused1[3];
};

static_assert(sizeof(struct blk_config) == 64 && offsetof(struct blk_config, zero_may_unmap) == 56, "5.2.4");
#define CONFIG_BYTES offsetof(struct blk_config, unused1[3])

size_t blk_config_bytes(void)
{
    return CONFIG_BYTES;
}

static uint8_t log2_of(uint32_t value)
{
    return value ? (uint8_t)(31 - __builtin_clz(value)) : 0;
}

void blk_config_fill(struct virtio_blk *blk, uint8_t *bytes, size_t size)
{
    uint32_t block = blk->info.settings.block_bytes, physical = blk->info.backend.block_bytes;
    uint32_t optimal = blk->info.backend.optimal_bytes / block;
    const struct blk_config fields = {
        .capacity = blk->sectors,
        .size_max = BLK_SEGMENT_BYTES,
        .seg_max = BLK_SEGMENTS,
        .block_bytes = block,
        .physical_block_exponent = physical > block ? log2_of(physical / block) : 0,
        .min_io_blocks = 1,
        .opt_io_blocks = optimal,
        .writeback = blk->write_cache,
        .queues = (uint16_t)blk->queue_count,
        .discard_sectors_max = BLK_ZERO_SECTORS_MAX,
        .discard_segments_max = BLK_ZERO_SEGMENTS_MAX,
        .discard_alignment = (physical > block ? physical : block) / BLK_SECTOR_BYTES,
        .zero_sectors_max = BLK_ZERO_SECTORS_MAX,
        .zero_segments_max = BLK_ZERO_SEGMENTS_MAX,
    };
    memset(bytes, 0, size);
    memcpy(bytes, &fields, CONFIG_BYTES < size ? CONFIG_BYTES : size);
}

/* 5.2.6.2: as `writeback` says; without CONFIG_WCE a driver that cannot flush gets write-through. */
static void cache_update(struct virtio_blk *blk)
{
    uint64_t features = blk->accepted;
    bool cache = features & BLK_F_CONFIG_WCE ? blk->write_cache : (features & BLK_F_FLUSH) != 0;
    block_volume_set_durable(blk->volume, blk->function, !cache);
}

void blk_features_set(struct virtio_blk *blk, uint64_t features)
{
    if (!features)
        blk->write_cache = true;
    blk->accepted = features;
    cache_update(blk);
}

/* `writeback` is the one field that a driver may write. */
int blk_config_set(struct virtio_blk *blk, size_t offset, const void *data, size_t bytes)
{
    if (offset != offsetof(struct blk_config, writeback) || bytes != 1 || !(blk->accepted & BLK_F_CONFIG_WCE))
        return -EINVAL;
    blk->write_cache = *(const uint8_t *)data & 1;
    cache_update(blk);
    return 0;
}

static uint64_t offered_features(const struct virtio_blk *blk)
{
    uint64_t features = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_TOPOLOGY | BLK_F_MQ |
                        VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_INDEX | VIRTIO_F_VERSION_1;
    features |= blk->info.settings.read_only || blk->info.backend.read_only
                    ? BLK_F_RO
                    : BLK_F_CONFIG_WCE | BLK_F_DISCARD | BLK_F_WRITE_ZEROES;
    /* Both need more of a client than all vhost-user clients have. */
    return blk->vhost ? features : features | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_RING_RESET;
}

static int check_settings(const struct virtio_blk_settings *settings, struct cipu_error *error)
{
    unsigned entries = settings->queue_entries ? settings->queue_entries : BLOCK_SLOTS;
    if (settings->function >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "virtio-blk: function %u, expected 0 .. %u", settings->function,
                         FUNCTION_HOST - 1);
    if (settings->queues > VIRTIO_BLK_QUEUES_MAX)
        return cipu_fail(error, -EINVAL, "virtio-blk: %u queues, expected 1 .. %u", settings->queues,
                         VIRTIO_BLK_QUEUES_MAX);
    if (entries < 2 || entries > BLOCK_SLOTS || entries & (entries - 1))
        return cipu_fail(error, -EINVAL, "virtio-blk: queues of %u entries, expected a power of two, 2 .. %u", entries,
                         BLOCK_SLOTS);
    if (settings->serial && strlen(settings->serial) > VIRTIO_BLK_SERIAL_BYTES)
        return cipu_fail(error, -EINVAL, "virtio-blk: serial '%s', expected at most %u characters", settings->serial,
                         VIRTIO_BLK_SERIAL_BYTES);
    return 0;
}

/* Left to the worker: the caller holds locks of the volume. */
static void resized(void *context, struct block_volume *volume)
{
    struct virtio_blk *blk = context;
    struct volume_info info;
    block_volume_info(volume, &info);
    blk->sectors = info.settings.bytes / BLK_SECTOR_BYTES;
    pthread_mutex_lock(&blk->work_lock);
    blk->resized = true;
    pthread_cond_signal(&blk->work);
    pthread_mutex_unlock(&blk->work_lock);
}

static void init(struct virtio_blk *blk, const struct virtio_blk_settings *settings)
{
    blk->vhost = settings->vhost;
    blk->volume = settings->volume;
    blk->function = (uint16_t)settings->function;
    blk->queue_count = settings->queues ? settings->queues : QUEUES_DEFAULT;
    blk->entries_max = settings->queue_entries ? settings->queue_entries : BLOCK_SLOTS;
    blk->write_cache = true;
    block_volume_info(blk->volume, &blk->info);
    blk->sectors = blk->info.settings.bytes / BLK_SECTOR_BYTES;
    const char *serial = settings->serial ? settings->serial : blk->info.settings.name;
    memcpy(blk->serial, serial, strnlen(serial, VIRTIO_BLK_SERIAL_BYTES));
    blk->offered = offered_features(blk);
    blk->listener = (struct volume_listener){.resized = resized, .context = blk};
    pthread_mutex_init(&blk->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&blk->recovered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&blk->frontend_lock, NULL);
    pthread_mutex_init(&blk->work_lock, NULL);
    pthread_cond_init(&blk->work, NULL);
    for (unsigned i = 0; i < VIRTIO_BLK_QUEUES_MAX; i++)
        blk->call[i] = -1;
}

static int alloc_memory(struct virtio_blk *blk)
{
    blk->raw = calloc((size_t)blk->queue_count * BLOCK_SLOTS, sizeof *blk->raw);
    blk->buffer = malloc(BLOCK_DATA_MAX);
    blk->chain = calloc(1, sizeof *blk->chain);
    if (!blk->raw || !blk->buffer || !blk->chain)
        return -ENOMEM;
    for (unsigned i = 0; i < blk->queue_count; i++) {
        blk->queues[i].own = calloc(1, sizeof(struct inflight_record) + BLOCK_SLOTS * sizeof(struct inflight_entry));
        if (!blk->queues[i].own)
            return -ENOMEM;
    }
    return 0;
}

/* Everything that can fail; `destroy` takes back what was done. */
static int build(struct virtio_blk *blk, const struct virtio_blk_settings *settings, struct cipu_error *error)
{
    int result = alloc_memory(blk);
    if (!result)
        result = block_volume_attach(blk->volume, blk->function, error);
    if (result)
        return result;
    blk->attached = true;
    block_volume_listen(blk->volume, &blk->listener);
    result = signaller_open(&blk->signaller);
    if (!result)
        result = guest_memory_create(blk->card, (uint64_t)blk->function << CIPU_WINDOW_SHIFT, CIPU_WINDOW_BYTES,
                                     &blk->memory);
    if (!result)
        result = block_queues_alloc(blk->engine, blk->function, blk->queue_count, &blk_engine_ops, blk);
    if (result < 0)
        return result;
    blk->first = (unsigned)result;
    blk->window = true;
    result = blk_window_set(blk, CIPU_WINDOW_BYTES);
    if (!result && !blk->vhost)
        result = blk_pci_init(blk, settings->map_doorbells);
    if (!result)
        result = blk_worker_start(blk);
    return result;
}

int virtio_blk_create(struct cipu_card *card, struct cipu_host *host, struct block_engine *engine,
                      const struct virtio_blk_settings *settings, struct virtio_blk **device, struct cipu_error *error)
{
    int result = check_settings(settings, error);
    if (result)
        return result;
    struct virtio_blk *blk = calloc(1, sizeof *blk);
    if (!blk)
        return cipu_fail(error, -ENOMEM, "virtio-blk: out of memory");
    blk->card = card;
    blk->host = host;
    blk->engine = engine;
    init(blk, settings);
    struct cipu_error why = {{0}};
    result = build(blk, settings, &why);
    if (result) {
        virtio_blk_destroy(blk);
        return cipu_fail(error, result, "virtio-blk: function %u: %s", settings->function,
                         why.text[0] ? why.text : strerror(-result));
    }
    blk_features_set(blk, 0);
    *device = blk;
    return 0;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
    if (!blk)
        return;
    if (blk->working && blk->vhost)
        blk_vhost_disconnect(blk);
    else if (blk->working)
        blk_pci_disconnect(blk);
    blk_worker_stop(blk);
    if (blk->window) {
        blk_window_set(blk, 0);
        block_queues_free(blk->engine, blk->first, blk->queue_count);
    }
    if (blk->attached) {
        block_volume_unlisten(blk->volume, &blk->listener);
        block_volume_detach(blk->volume, blk->function);
    }
    guest_memory_destroy(blk->memory);
    if (blk->pci.ops)
        virtio_pci_free(&blk->pci);
    signaller_close(blk->signaller);
    for (unsigned i = 0; i < VIRTIO_BLK_QUEUES_MAX; i++)
        free(blk->queues[i].own);
    free(blk->raw);
    free(blk->buffer);
    free(blk->chain);
    pthread_cond_destroy(&blk->recovered);
    pthread_cond_destroy(&blk->work);
    pthread_mutex_destroy(&blk->lock);
    pthread_mutex_destroy(&blk->frontend_lock);
    pthread_mutex_destroy(&blk->work_lock);
    free(blk);
}

/* Left to the worker: the caller may be who takes in the card's answers. */
void virtio_blk_queue_fault(struct virtio_blk *blk, const struct event_entry *event)
{
    unsigned queue = (unsigned)event->queue - blk->first;
    if (event->kind != EVENT_QUEUE_STOPPED || queue >= blk->queue_count)
        return;
    blk->queues[queue].faulted = BLK_FAULTED | event->generation;
    pthread_mutex_lock(&blk->work_lock);
    blk->fault |= 1u << queue;
    pthread_cond_signal(&blk->work);
    pthread_mutex_unlock(&blk->work_lock);
}

void virtio_blk_state(struct virtio_blk *blk, struct virtio_blk_state *state)
{
    pthread_mutex_lock(&blk->lock);
    *state = (struct virtio_blk_state){.driver_features = blk->accepted,
                                       .sectors = blk->sectors,
                                       .queues = blk->queue_count,
                                       .first_queue = blk->first,
                                       .broken = blk->broken,
                                       .read_only = blk->offered & BLK_F_RO,
                                       .write_cache = blk->write_cache,
                                       .raw_requests = blk->raw_requests,
                                       .raw_errors = blk->raw_errors,
                                       .resets = blk->resets,
                                       .recovered = blk->recoveries};
    for (unsigned i = 0; i < blk->queue_count; i++)
        state->running[i] = blk->queues[i].running;
    pthread_mutex_unlock(&blk->lock);
}
