/* SPDX-License-Identifier: Apache-2.0 */
/* A DMA write channel: scatters a packed stream of beats over successive requests; `done` follows the one with
 * DMA_LAST. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"

#define SEGMENT_BYTES_MAX 65536u

struct write_channel {
    struct native_card *card;
    struct native_passed *passed;
    struct hls_fifo *request, *data, *done;
    struct native_map_cache cache;
    struct dma_request current; /* what is left of the request in progress */
    bool busy;                  /* current holds */
    bool refused;               /* the request touches no memory */
    bool single;                /* an aligned access of 2, 4 or 8 bytes */
    bool error;                 /* of the packet */
    uint32_t offset;            /* bytes of the first beat that are used up */
};

static void begin(struct write_channel *channel, const struct dma_request *request)
{
    uint64_t length = request->length;
    bool valid = length >= 1 && length <= SEGMENT_BYTES_MAX;
    channel->current = *request;
    if (!valid)
        channel->current.length = 0;
    channel->refused = !valid || (request->flags & DMA_REFUSED);
    channel->single = (length == 2 || length == 4 || length == 8) && request->address % length == 0;
    channel->error |= channel->refused;
    channel->busy = true;
}

static void store_single(uint8_t *to, const uint8_t *from, uint32_t length)
{
    /* Release: an index must not become visible before the entries that this channel wrote earlier. */
    if (length == 2) {
        uint16_t value;
        memcpy(&value, from, sizeof value);
        atomic_store_explicit((_Atomic uint16_t *)(void *)to, value, memory_order_release);
    } else if (length == 4) {
        uint32_t value;
        memcpy(&value, from, sizeof value);
        atomic_store_explicit((_Atomic uint32_t *)(void *)to, value, memory_order_release);
    } else {
        uint64_t value;
        memcpy(&value, from, sizeof value);
        atomic_store_explicit((_Atomic uint64_t *)(void *)to, value, memory_order_release);
    }
}

/* Writes `take` bytes, at most 64, of the current request. */
static void store_bytes(struct write_channel *channel, const uint8_t *from, uint32_t take)
{
    struct dma_request *current = &channel->current;
    channel->single &= take == current->length;
    while (take) {
        uint32_t bytes = take;
        uint8_t *to = channel->refused
                          ? NULL
                          : native_translate(channel->card, &channel->cache, current->address, &bytes, CIPU_DMA_WRITE);
        if (!to) {
            channel->error = true;
            bytes = native_page_left(current->address);
            bytes = bytes < take ? bytes : take;
        } else if (channel->single) {
            store_single(to, from, bytes);
        } else if (bytes == BEAT_BYTES) {
            memcpy(to, from, BEAT_BYTES);
        } else {
            memcpy(to, from, bytes);
        }
        channel->error |= to && native_cache_failed(&channel->cache);
        current->address += bytes;
        current->length -= bytes;
        from += bytes;
        take -= bytes;
    }
}

/* Moves the current request on; false = no data. */
static bool advance(struct write_channel *channel, struct hls_port *data)
{
    while (channel->current.length) {
        if (hls_at_limit(data))
            return false;
        const struct beat *beat = hls_slot(data, HLS_SLOT_BYTES(struct beat));
        uint32_t room = BEAT_BYTES - channel->offset;
        uint32_t take = channel->current.length < room ? (uint32_t)channel->current.length : room;
        store_bytes(channel, beat->data + channel->offset, take);
        channel->offset += take;
        if (channel->offset == BEAT_BYTES) {
            channel->offset = 0;
            data->index++;
        }
    }
    return true;
}

static void finish(struct write_channel *channel, struct hls_port *data, struct hls_port *done)
{
    channel->busy = false;
    if (!(channel->current.flags & DMA_LAST))
        return;
    if (channel->offset) {
        channel->offset = 0;
        data->index++;
    }
    struct dma_done *record = hls_slot(done, HLS_SLOT_BYTES(struct dma_done));
    *record = (struct dma_done){channel->current.tag, channel->current.function, channel->error, {0}};
    done->index++;
    channel->error = false;
}

/* The beats that were used up. */
static void count_beats(struct write_channel *channel, struct hls_port data, uint32_t first)
{
    uint64_t packets = 0, bytes = 0;
    uint32_t end = data.index;
    for (data.index = first; data.index != end; data.index++) {
        const struct beat *beat = hls_slot(&data, HLS_SLOT_BYTES(struct beat));
        packets += beat->meta.last != 0;
        bytes += beat->meta.bytes;
    }
    if (end != first)
        native_pass(channel->passed, packets, bytes);
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct write_channel *channel = context;
    struct hls_port requests = hls_read_begin(channel->request), data = hls_read_begin(channel->data);
    struct hls_port done = hls_write_begin(channel->done);
    uint32_t first_request = requests.index, first_beat = data.index, first_done = done.index;
    bool full = false;
    while (requests.index - first_request < budget) {
        if (!channel->busy) {
            if (hls_at_limit(&requests))
                break;
            const struct dma_request *request = hls_slot(&requests, HLS_SLOT_BYTES(struct dma_request));
            requests.index++;
            if (request->flags & DMA_WINDOW)
                continue; /* a guard's business */
            begin(channel, request);
        }
        if (!advance(channel, &data))
            break;
        full = (channel->current.flags & DMA_LAST) && hls_at_limit(&done);
        if (full)
            break;
        finish(channel, &data, &done);
    }
    /* Full: what was written must be visible before any read that a done record causes (used index, then used_event).
     */
    if (done.index != first_done)
        atomic_thread_fence(memory_order_seq_cst);
    count_beats(channel, data, first_beat);
    hls_read_end(channel->request, &requests);
    hls_read_end(channel->data, &data);
    hls_write_end(channel->done, &done);
    unsigned work = (requests.index - first_request) + (data.index - first_beat) + (done.index - first_done);
    native_account(activity, work, full);
    return work;
}

static void reset(void *block)
{
    struct write_channel *channel = block;
    channel->busy = channel->error = false;
    channel->offset = 0;
}

int native_dma_write_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct write_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    channel->card = card;
    channel->passed = &card->passed[MONITOR_DMA_WRITE + native_channel(card, node)];
    channel->request = native_shell_fifo(card, node, "request");
    channel->data = native_shell_fifo(card, node, "data");
    channel->done = native_shell_fifo(card, node, "done");
    card->blocks[node] = channel;
    card->resets[node] = reset;
    card->tasks[node].run = run;
    card->tasks[node].context = channel;
    return 0;
}
