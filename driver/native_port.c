/* SPDX-License-Identifier: Apache-2.0 */
/* The Ethernet ports: frames of a port's kind (driver/port.h) to beats and back, counters, capture. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"

#define FRAMES_PER_VISIT 64u
#define FRAMES_PER_FLUSH 128u /* a flush may be a system call */
#define WAKE_ROUNDS      4096u

struct lane {
    struct port *port;
    unsigned index;
    struct hls_fifo *rx, *tx; /* NULL = not connected */
    /* A received frame on its way: the port keeps it until its last beat has found room. */
    const uint8_t *frame;
    uint32_t length, sent;
    bool lost; /* the frame's memory went away with its port: the rest is zeros and an error */
    /* A frame being put together; buffer NULL inside a packet = it is dropped. */
    uint8_t *buffer;
    uint32_t filled;
    bool inside, spoilt;
    unsigned unflushed; /* frames */
};

struct port_block {
    struct native_card *card;
    unsigned rounds;
    struct lane lanes[CARD_PORTS];
};

/* The next frame that may enter the card. */
static bool next_frame(struct port_block *block, struct lane *lane, unsigned *frames)
{
    struct port *port = lane->port;
    while (*frames < FRAMES_PER_VISIT && port->ops->receive(port, &lane->frame, &lane->length)) {
        (*frames)++;
        if (lane->length >= PACKET_BYTES_MIN && lane->length <= PACKET_BYTES_MAX) {
            struct native_capture *capture = atomic_load_explicit(&block->card->capture, memory_order_acquire);
            if (__builtin_expect(capture != NULL, 0))
                native_capture_frame(capture, lane->index, lane->frame, lane->length);
            port_count(&port->received_packets, 1);
            lane->sent = 0;
            return true;
        }
        port_count(&port->received_dropped, 1);
        port->ops->release(port);
    }
    lane->frame = NULL;
    return false;
}

/* Fewer than BEAT_BYTES: two moves that overlap cost less than a call. */
static void copy_rest(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    if (bytes >= 32) {
        memcpy(to, from, 32);
        memcpy(to + bytes - 32, from + bytes - 32, 32);
    } else if (bytes >= 16) {
        memcpy(to, from, 16);
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else {
        memcpy(to, from, bytes);
    }
}

static void fill_beat(const struct lane *lane, struct beat *beat)
{
    uint32_t left = lane->length - lane->sent;
    uint32_t bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    if (lane->lost) {
        memset(beat->data, 0, BEAT_BYTES);
    } else if (bytes == BEAT_BYTES) {
        memcpy(beat->data, lane->frame + lane->sent, BEAT_BYTES);
    } else {
        memset(beat->data, 0, BEAT_BYTES);
        copy_rest(beat->data, lane->frame + lane->sent, bytes);
    }
    struct beat_meta meta = {
        .bytes = (uint8_t)bytes, .last = left <= BEAT_BYTES, .error = left <= BEAT_BYTES && lane->lost};
    if (!lane->sent) {
        meta.length = (uint16_t)lane->length;
        meta.source = ENDPOINT_PORT;
        meta.source_id = (uint16_t)lane->index;
    }
    beat->meta = meta;
}

static void drop_frame(struct lane *lane)
{
    if (lane->frame && !lane->lost)
        lane->port->ops->release(lane->port);
    lane->frame = NULL;
    lane->lost = false;
}

static unsigned receive(struct port_block *block, struct lane *lane)
{
    struct hls_port rx = hls_write_begin(lane->rx);
    unsigned frames = 0, beats = 0, packets = 0;
    uint64_t bytes = 0;
    while (!hls_at_limit(&rx)) {
        if (!lane->frame && !next_frame(block, lane, &frames))
            break;
        while (lane->sent < lane->length && !hls_at_limit(&rx)) {
            fill_beat(lane, hls_slot(&rx, HLS_SLOT_BYTES(struct beat)));
            rx.index++;
            beats++;
            lane->sent += BEAT_BYTES;
        }
        if (lane->sent < lane->length)
            break;
        packets++;
        bytes += lane->length;
        drop_frame(lane);
    }
    hls_write_end(lane->rx, &rx);
    if (packets)
        native_pass(&block->card->passed[MONITOR_RECEIVE + lane->index], packets, bytes);
    return beats;
}

/* A port without a stream into the card still takes frames from its wire, to nowhere. */
static unsigned discard(struct lane *lane)
{
    unsigned frames = 0;
    while (frames < FRAMES_PER_VISIT && lane->port->ops->receive(lane->port, &lane->frame, &lane->length)) {
        lane->port->ops->release(lane->port);
        port_count(&lane->port->received_dropped, 1);
        frames++;
    }
    lane->frame = NULL;
    return frames;
}

static void finish_frame(struct port_block *block, struct lane *lane, bool error)
{
    struct port *port = lane->port;
    if (lane->buffer && !error && !lane->spoilt && lane->filled >= PACKET_BYTES_MIN) {
        struct native_capture *capture = atomic_load_explicit(&block->card->capture, memory_order_acquire);
        if (__builtin_expect(capture != NULL, 0))
            native_capture_frame(capture, lane->index, lane->buffer, lane->filled);
        port->ops->commit(port, lane->filled);
        lane->unflushed++;
        port_count(&port->sent_packets, 1);
    } else {
        port_count(&port->send_dropped, 1);
    }
    lane->inside = false;
}

static void flush(struct lane *lane)
{
    lane->port->ops->flush(lane->port);
    lane->unflushed = 0;
}

static void begin_frame(struct lane *lane)
{
    const struct port_ops *ops = lane->port->ops;
    lane->buffer = ops->reserve(lane->port);
    if (!lane->buffer && lane->unflushed) {
        flush(lane);
        lane->buffer = ops->reserve(lane->port);
    }
    lane->filled = 0;
    lane->inside = true;
    lane->spoilt = false;
}

static unsigned send(struct port_block *block, struct lane *lane, unsigned budget)
{
    struct port *port = lane->port;
    struct hls_port tx = hls_read_begin(lane->tx);
    unsigned beats = 0, packets = 0;
    uint64_t passed = 0;
    for (; beats < budget && !hls_at_limit(&tx); beats++) {
        const struct beat *beat = hls_slot(&tx, HLS_SLOT_BYTES(struct beat));
        tx.index++;
        if (!lane->inside)
            begin_frame(lane);
        uint32_t bytes = beat->meta.bytes < BEAT_BYTES ? beat->meta.bytes : BEAT_BYTES;
        if (lane->filled + bytes > port->frame_max)
            lane->spoilt = true;
        else if (lane->buffer && lane->filled + BEAT_BYTES <= port->frame_max) /* the fast way; the rest is not sent */
            memcpy(lane->buffer + lane->filled, beat->data, BEAT_BYTES);
        else if (lane->buffer)
            memcpy(lane->buffer + lane->filled, beat->data, bytes);
        lane->filled += lane->spoilt ? 0 : bytes;
        passed += bytes;
        packets += beat->meta.last;
        if (beat->meta.last)
            finish_frame(block, lane, beat->meta.error);
    }
    hls_read_end(lane->tx, &tx);
    if (beats)
        native_pass(&block->card->passed[MONITOR_SEND + lane->index], packets, passed);
    /* Frames wait for company, but not for longer than until a visit without any. */
    if (lane->unflushed >= FRAMES_PER_FLUSH || (lane->unflushed && !beats))
        flush(lane);
    return beats;
}

/* Links and peers are looked at after a sleep, and else about every millisecond. */
static void wake_ports(struct port_block *block)
{
    bool all = block->card->woken || ++block->rounds % WAKE_ROUNDS == 0;
    block->card->woken = false;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct lane *lane = &block->lanes[i];
        if (!lane->port->ops->wake || (!all && !lane->port->attention))
            continue;
        lane->port->attention = false;
        if (!lane->port->ops->wake(lane->port))
            continue;
        lane->lost = lane->frame != NULL;
        lane->buffer = NULL;
    }
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct port_block *block = context;
    unsigned work = 0;
    wake_ports(block);
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct lane *lane = &block->lanes[i];
        if (lane->tx)
            work += send(block, lane, (lane->tx->mask + 1) > budget ? lane->tx->mask + 1 : budget);
        work += lane->rx ? receive(block, lane) : discard(lane);
    }
    native_account(activity, work, false);
    return work;
}

static void reset(void *context)
{
    struct port_block *block = context;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct lane *lane = &block->lanes[i];
        drop_frame(lane);
        lane->inside = false;
    }
}

int native_port_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    static const char *const rx[CARD_PORTS] = {"rx0", "rx1"}, *const tx[CARD_PORTS] = {"tx0", "tx1"};
    struct port_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    block->card = card;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        block->lanes[i].port = &card->ports[i];
        block->lanes[i].index = i;
        block->lanes[i].rx = native_shell_fifo(card, node, rx[i]);
        block->lanes[i].tx = native_shell_fifo(card, node, tx[i]);
    }
    card->blocks[node] = block;
    card->resets[node] = reset;
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    card->port_node = node;
    return 0;
}
