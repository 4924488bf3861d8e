/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DMA read channel: gathers the bytes of successive requests, up to one with DMA_LAST, into one packet of packed
 * beats.
 *
 * A packet's requests are collected before its first beat leaves, because that beat carries the packet's length.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"

#define SEGMENTS          16384u /* of one packet; what a packet has beyond them is left out and makes it an error */
#define SEGMENT_BYTES_MAX 65536u

struct segment {
    uint64_t address;
    uint32_t length;
    bool refused;
    bool single; /* an aligned access of 2, 4 or 8 bytes */
};

struct read_channel {
    struct native_card *card;
    struct native_passed *passed;
    struct hls_fifo *request, *data;
    struct native_map_cache cache;
    bool complete; /* the packet's requests are all here: beats may leave */
    bool started;  /* its first beat has left */
    bool error;
    uint16_t tag;
    uint32_t left; /* bytes of the packet */
    uint32_t next, count;
    struct segment segments[SEGMENTS];
};

static void add_segment(struct read_channel *channel, const struct dma_request *request)
{
    if (channel->count == SEGMENTS) {
        channel->error = true;
        return;
    }
    bool valid = request->length >= 1 && request->length <= SEGMENT_BYTES_MAX;
    uint32_t length = valid ? (uint32_t)request->length : 1;
    struct segment *segment = &channel->segments[channel->count];
    segment->address = request->address;
    segment->length = length;
    segment->refused = !valid || (request->flags & DMA_REFUSED);
    segment->single = (length == 2 || length == 4 || length == 8) && request->address % length == 0;
    if (channel->count++ == 0)
        channel->tag = request->tag;
    channel->left += length;
}

/* Takes requests of one packet; true when its beats may leave. */
static bool collect(struct read_channel *channel, struct hls_port *requests)
{
    while (!hls_at_limit(requests)) {
        const struct dma_request *request = hls_slot(requests, HLS_SLOT_BYTES(struct dma_request));
        requests->index++;
        if (request->flags & DMA_WINDOW)
            continue; /* a guard's business */
        add_segment(channel, request);
        if (request->flags & DMA_LAST)
            return true;
    }
    return false;
}

/* `take` bytes of the segment, at most 64, to `to`, which has room for 64. */
static void copy_bytes(struct read_channel *channel, struct segment *segment, uint8_t *to, uint32_t take)
{
    while (take) {
        uint32_t length = segment->length;
        const uint8_t *from = segment->refused ? NULL
                                               : native_translate(channel->card, &channel->cache, segment->address,
                                                                  &length, CIPU_DMA_READ);
        if (!from)
            length = native_page_left(segment->address);
        uint32_t bytes = length < take ? length : take;
        if (!from)
            memset(to, 0, bytes);
        else if (length >= BEAT_BYTES)
            memcpy(to, from, BEAT_BYTES);
        else
            memcpy(to, from, bytes);
        channel->error |= !from || native_cache_failed(&channel->cache);
        segment->address += bytes;
        segment->length -= bytes;
        to += bytes;
        take -= bytes;
    }
}

static void copy_single(struct read_channel *channel, struct segment *segment, uint8_t *to)
{
    uint32_t length = segment->length;
    const void *from = segment->refused
                           ? NULL
                           : native_translate(channel->card, &channel->cache, segment->address, &length, CIPU_DMA_READ);
    if (!from) {
        memset(to, 0, length);
        channel->error = true;
    } else if (length == 2) {
        uint16_t value = atomic_load_explicit((const _Atomic uint16_t *)from, memory_order_acquire);
        memcpy(to, &value, sizeof value);
    } else if (length == 4) {
        uint32_t value = atomic_load_explicit((const _Atomic uint32_t *)from, memory_order_acquire);
        memcpy(to, &value, sizeof value);
    } else {
        uint64_t value = atomic_load_explicit((const _Atomic uint64_t *)from, memory_order_acquire);
        memcpy(to, &value, sizeof value);
    }
    channel->error |= from && native_cache_failed(&channel->cache);
    segment->length = 0;
}

static void fill_beat(struct read_channel *channel, struct beat *beat)
{
    /* A slot is larger than a beat: a copy of 64 bytes may begin at any of them. */
    static_assert(HLS_SLOT_BYTES(struct beat) >= 2 * BEAT_BYTES, "room for an unaligned beat");
    uint32_t filled = 0;
    while (filled < BEAT_BYTES && channel->next < channel->count) {
        struct segment *segment = &channel->segments[channel->next];
        uint32_t room = BEAT_BYTES - filled;
        if (segment->single && segment->length <= room) {
            uint32_t length = segment->length;
            copy_single(channel, segment, beat->data + filled);
            filled += length;
        } else {
            uint32_t take = segment->length < room ? segment->length : room;
            segment->single = false;
            copy_bytes(channel, segment, beat->data + filled, take);
            filled += take;
        }
        if (!segment->length)
            channel->next++;
    }
    bool end = channel->next == channel->count;
    memset(beat->data + filled, 0, BEAT_BYTES - filled);
    memset(&beat->meta, 0, sizeof beat->meta);
    beat->meta.bytes = (uint8_t)filled;
    beat->meta.last = end;
    beat->meta.error = end && channel->error;
    if (!channel->started) {
        beat->meta.length = (uint16_t)(channel->left < UINT16_MAX ? channel->left : UINT16_MAX);
        beat->meta.source_id = channel->tag;
    }
    channel->started = true;
}

static void reset(void *block)
{
    struct read_channel *channel = block;
    channel->complete = channel->started = channel->error = false;
    channel->left = channel->next = channel->count = 0;
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct read_channel *channel = context;
    struct hls_port requests = hls_read_begin(channel->request), data = hls_write_begin(channel->data);
    uint32_t first = requests.index;
    unsigned beats = 0, packets = 0;
    uint64_t bytes = 0;
    bool full = false;
    while (beats < budget) {
        if (!channel->complete && !(channel->complete = collect(channel, &requests)))
            break;
        if (hls_at_limit(&data)) {
            full = true;
            break;
        }
        struct beat *beat = hls_slot(&data, HLS_SLOT_BYTES(struct beat));
        fill_beat(channel, beat);
        bytes += beat->meta.bytes;
        packets += beat->meta.last;
        data.index++;
        beats++;
        if (channel->next == channel->count)
            reset(channel);
    }
    unsigned taken = requests.index - first;
    hls_read_end(channel->request, &requests);
    hls_write_end(channel->data, &data);
    native_account(activity, beats, full);
    if (beats)
        native_pass(channel->passed, packets, bytes);
    return beats >= budget ? budget : beats + (taken != 0);
}

int native_dma_read_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct read_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    channel->card = card;
    channel->passed = &card->passed[MONITOR_DMA_READ + native_channel(card, node)];
    channel->request = native_shell_fifo(card, node, "request");
    channel->data = native_shell_fifo(card, node, "data");
    card->blocks[node] = channel;
    card->resets[node] = reset;
    card->tasks[node].run = run;
    card->tasks[node].context = channel;
    return 0;
}
