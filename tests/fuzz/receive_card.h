/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive queues' kernels and the used rings of both sides, joined as in card.cfg, with their guards and DMA
 * channels: what tests/hls/transmit_card.h is for the transmit queues. Everything moves by single steps.
 */
#ifndef CIPU_FUZZ_RECEIVE_CARD_H
#define CIPU_FUZZ_RECEIVE_CARD_H

#include "hls/used_events/used_events.c"
#include "hls/used_write/used_write.c"
#include "hls/virtio_rx/virtio_rx.c"
#include "hls/virtio_rx_head/virtio_rx_head.c"
#include "hls/virtio_rx_merge/virtio_rx_merge.c"
#include "hls/virtio_rx_place/virtio_rx_place.c"
#include "hls/virtio_rx_used/virtio_rx_used.c"
#include "hls/virtio_rx_write/virtio_rx_write.c"
#include "hls/virtio_used/virtio_used.c"
#include "tests/hls/transmit_card.h"

/* A DMA channel behind its guard. */
struct channel {
    struct dma_guard_state guard;
    struct stream asked, request, data, done; /* done: of a write channel */
    struct dma_request current;
    struct beat beat;
    uint64_t moved; /* bytes of `current` */
    uint32_t taken; /* bytes of `beat` */
    bool active, error;
};

struct used_group {
    struct used_events_state events;
    struct virtio_used_state used;
    struct used_write_state used_write;
    struct stream *in; /* used buffers */
    struct stream command, again, event, to_write, interrupt, completion, alert;
    struct channel read, write;
};

struct receive_group {
    struct queue_events_state events;
    struct virtq_state virtq;
    struct virtio_rx_head_state head_state;
    struct virtio_rx_merge_state merge;
    struct virtio_rx_state rx;
    struct virtio_rx_place_state place_state;
    struct virtio_rx_write_state write_state;
    struct virtio_rx_used_state used_state;
    struct stream doorbell, command, again, credit, fault, event, segment, alert;
    struct stream in, packet, head, item, returned, place, plan, used, out, completion;
    struct channel read, write, data;
};

static inline void channel_open(struct channel *channel, uint32_t requests, uint32_t data)
{
    stream_open(&channel->asked, requests, sizeof(struct dma_request));
    stream_open(&channel->request, requests, sizeof(struct dma_request));
    stream_open(&channel->data, data, sizeof(struct beat));
    stream_open(&channel->done, 512, sizeof(struct dma_done));
}

static inline void used_open(struct used_group *group, struct stream *in)
{
    group->in = in;
    stream_open(&group->command, 64, sizeof(struct command_entry));
    stream_open(&group->again, 256, sizeof(struct queue_token));
    stream_open(&group->event, 64, sizeof(struct queue_event));
    stream_open(&group->to_write, 64, sizeof(struct used_write));
    stream_open(&group->interrupt, 64, sizeof(struct interrupt_request));
    stream_open(&group->completion, 64, sizeof(struct command_entry));
    stream_open(&group->alert, 64, sizeof(struct event_entry));
    channel_open(&group->read, 256, 256);
    channel_open(&group->write, 256, 256);
}

static inline void receive_open(struct receive_group *group)
{
    stream_open(&group->doorbell, 256, sizeof(struct doorbell));
    stream_open(&group->command, 64, sizeof(struct command_entry));
    stream_open(&group->again, 256, sizeof(struct queue_token));
    stream_open(&group->credit, 1024, sizeof(struct queue_token));
    stream_open(&group->fault, 512, sizeof(struct queue_token));
    stream_open(&group->event, 64, sizeof(struct queue_event));
    stream_open(&group->segment, 64, sizeof(struct virtq_segment));
    stream_open(&group->alert, 64, sizeof(struct event_entry));
    stream_open(&group->in, 64, sizeof(struct beat));
    stream_open(&group->packet, 512, sizeof(struct beat));
    stream_open(&group->head, 64, sizeof(struct receive_head));
    stream_open(&group->item, 64, sizeof(struct receive_item));
    stream_open(&group->returned, 128, sizeof(struct receive_item));
    stream_open(&group->place, 64, sizeof(struct receive_place));
    stream_open(&group->plan, 128, sizeof(struct receive_plan));
    stream_open(&group->used, 512, sizeof(struct receive_used));
    stream_open(&group->out, 64, sizeof(struct queue_used));
    stream_open(&group->completion, 64, sizeof(struct command_entry));
    channel_open(&group->read, 256, 256);
    channel_open(&group->write, 256, 256);
    channel_open(&group->data, 128, 64);
}

#define IN(port, stream)      struct hls_port port = hls_read_begin(&(stream)->fifo)
#define OUT(port, stream)     struct hls_port port = hls_write_begin(&(stream)->fifo)
#define IN_END(port, stream)  hls_read_end(&(stream)->fifo, &(port))
#define OUT_END(port, stream) hls_write_end(&(stream)->fifo, &(port))

static inline bool channel_guard(struct channel *channel)
{
    IN(in, &channel->asked);
    OUT(out, &channel->request);
    int ran = dma_guard(&channel->guard, &in, &out);
    IN_END(in, &channel->asked);
    OUT_END(out, &channel->request);
    return ran;
}

/* All beats of a read at once. */
static inline bool channel_read(struct transmit_card *card, struct channel *channel)
{
    struct dma_request request;
    if (hls_fifo_used(&channel->data.fifo) + QUEUE_BLOCK_LINES > channel->data.fifo.mask + 1u ||
        !stream_get(&channel->request, &request))
        return false;
    CARD_CHECK(request.length >= 1 && request.length <= READ_MAX && (request.flags & DMA_LAST));
    const uint8_t *from = card_transfer(card, CHANNEL_READ, &request);
    for (uint32_t at = 0; at < request.length; at += BEAT_BYTES) {
        uint32_t left = (uint32_t)request.length - at, bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
        struct beat beat;
        memset(&beat, 0, sizeof beat);
        if (from)
            memcpy(beat.data, from + at, bytes);
        beat.meta.bytes = (uint8_t)bytes;
        beat.meta.last = bytes == left;
        beat.meta.error = beat.meta.last && !from;
        beat.meta.length = (uint16_t)(at == 0 ? request.length : 0);
        beat.meta.source_id = at == 0 ? request.tag : 0;
        CARD_CHECK(stream_put(&channel->data, &beat));
    }
    return true;
}

static inline bool channel_finish(struct channel *channel)
{
    struct dma_done done = {channel->current.tag, channel->current.function, channel->error, {0}};
    CARD_CHECK(channel->beat.meta.last && channel->taken == channel->beat.meta.bytes);
    CARD_CHECK(stream_put(&channel->done, &done));
    memset(&channel->beat, 0, sizeof channel->beat);
    channel->taken = 0;
    channel->error = false;
    return true;
}

/* A request begins, or a part of it is written. */
static inline bool channel_write(struct transmit_card *card, struct channel *channel)
{
    if (!channel->active) {
        if (!stream_room(&channel->done) || !stream_get(&channel->request, &channel->current))
            return false;
        channel->active = true;
        channel->moved = 0;
        return true;
    }
    if (channel->taken == channel->beat.meta.bytes) {
        CARD_CHECK(!channel->beat.meta.last);
        if (!stream_get(&channel->data, &channel->beat))
            return false;
        channel->taken = 0;
    }
    uint64_t wanted = channel->current.length - channel->moved;
    uint32_t there = channel->beat.meta.bytes - channel->taken;
    uint32_t part = wanted < there ? (uint32_t)wanted : there;
    uint8_t *to = card_transfer(card, CHANNEL_WRITE, &channel->current);
    if (to)
        memcpy(to + channel->moved, channel->beat.data + channel->taken, part);
    channel->error |= !to;
    channel->taken += part;
    channel->moved += part;
    if (channel->moved != channel->current.length)
        return true;
    channel->active = false;
    return !(channel->current.flags & DMA_LAST) || channel_finish(channel);
}

static inline bool run_used_events(struct used_group *group)
{
    IN(used, group->in);
    IN(command, &group->command);
    IN(data, &group->read.data);
    IN(done, &group->write.done);
    IN(again, &group->again);
    OUT(out, &group->event);
    int ran = used_events(&group->events, &used, &command, &data, &done, &again, &out);
    IN_END(used, group->in);
    IN_END(command, &group->command);
    IN_END(data, &group->read.data);
    IN_END(done, &group->write.done);
    IN_END(again, &group->again);
    OUT_END(out, &group->event);
    return ran;
}

static inline bool run_virtio_used(struct used_group *group)
{
    IN(event, &group->event);
    OUT(read, &group->read.asked);
    OUT(write, &group->write.asked);
    OUT(data, &group->to_write);
    OUT(again, &group->again);
    OUT(interrupt, &group->interrupt);
    OUT(completion, &group->completion);
    OUT(alert, &group->alert);
    int ran = virtio_used(&group->used, &event, &read, &write, &data, &again, &interrupt, &completion, &alert);
    IN_END(event, &group->event);
    OUT_END(read, &group->read.asked);
    OUT_END(write, &group->write.asked);
    OUT_END(data, &group->to_write);
    OUT_END(again, &group->again);
    OUT_END(interrupt, &group->interrupt);
    OUT_END(completion, &group->completion);
    OUT_END(alert, &group->alert);
    return ran;
}

static inline bool run_used_write(struct used_group *group)
{
    IN(in, &group->to_write);
    OUT(data, &group->write.data);
    int ran = used_write(&group->used_write, &in, &data);
    IN_END(in, &group->to_write);
    OUT_END(data, &group->write.data);
    return ran;
}

static inline bool run_receive_events(struct receive_group *group)
{
    IN(doorbell, &group->doorbell);
    IN(command, &group->command);
    IN(data, &group->read.data);
    IN(done, &group->write.done);
    IN(again, &group->again);
    IN(credit, &group->credit);
    IN(fault, &group->fault);
    OUT(event, &group->event);
    int ran = queue_events(&group->events, &doorbell, &command, &data, &done, &again, &credit, &fault, &event);
    IN_END(doorbell, &group->doorbell);
    IN_END(command, &group->command);
    IN_END(data, &group->read.data);
    IN_END(done, &group->write.done);
    IN_END(again, &group->again);
    IN_END(credit, &group->credit);
    IN_END(fault, &group->fault);
    OUT_END(event, &group->event);
    return ran;
}

static inline bool run_receive_virtq(struct receive_group *group)
{
    IN(event, &group->event);
    OUT(read, &group->read.asked);
    OUT(write, &group->write.asked);
    OUT(data, &group->write.data);
    OUT(segment, &group->segment);
    OUT(again, &group->again);
    OUT(alert, &group->alert);
    int ran = virtq(&group->virtq, &event, &read, &write, &data, &segment, &again, &alert);
    IN_END(event, &group->event);
    OUT_END(read, &group->read.asked);
    OUT_END(write, &group->write.asked);
    OUT_END(data, &group->write.data);
    OUT_END(segment, &group->segment);
    OUT_END(again, &group->again);
    OUT_END(alert, &group->alert);
    return ran;
}

static inline bool run_receive_head(struct receive_group *group)
{
    IN(in, &group->in);
    OUT(packet, &group->packet);
    OUT(head, &group->head);
    int ran = virtio_rx_head(&group->head_state, &in, &packet, &head);
    IN_END(in, &group->in);
    OUT_END(packet, &group->packet);
    OUT_END(head, &group->head);
    return ran;
}

static inline bool run_receive_merge(struct receive_group *group)
{
    IN(segment, &group->segment);
    IN(head, &group->head);
    IN(again, &group->returned);
    OUT(item, &group->item);
    int ran = virtio_rx_merge(&group->merge, &segment, &head, &again, &item);
    IN_END(segment, &group->segment);
    IN_END(head, &group->head);
    IN_END(again, &group->returned);
    OUT_END(item, &group->item);
    return ran;
}

static inline bool run_receive_plan(struct receive_group *group)
{
    IN(item, &group->item);
    OUT(place, &group->place);
    OUT(plan, &group->plan);
    OUT(credit, &group->credit);
    OUT(again, &group->returned);
    int ran = virtio_rx(&group->rx, &item, &place, &plan, &credit, &again);
    IN_END(item, &group->item);
    OUT_END(place, &group->place);
    OUT_END(plan, &group->plan);
    OUT_END(credit, &group->credit);
    OUT_END(again, &group->returned);
    return ran;
}

static inline bool run_receive_place(struct receive_group *group)
{
    IN(place, &group->place);
    OUT(request, &group->data.asked);
    OUT(used, &group->used);
    int ran = virtio_rx_place(&group->place_state, &place, &request, &used);
    IN_END(place, &group->place);
    OUT_END(request, &group->data.asked);
    OUT_END(used, &group->used);
    return ran;
}

static inline bool run_receive_write(struct receive_group *group)
{
    IN(packet, &group->packet);
    IN(plan, &group->plan);
    OUT(data, &group->data.data);
    int ran = virtio_rx_write(&group->write_state, &packet, &plan, &data);
    IN_END(packet, &group->packet);
    IN_END(plan, &group->plan);
    OUT_END(data, &group->data.data);
    return ran;
}

static inline bool run_receive_used(struct receive_group *group)
{
    IN(done, &group->data.done);
    IN(used, &group->used);
    OUT(out, &group->out);
    OUT(completion, &group->completion);
    OUT(fault, &group->fault);
    int ran = virtio_rx_used(&group->used_state, &done, &used, &out, &completion, &fault);
    IN_END(done, &group->data.done);
    IN_END(used, &group->used);
    OUT_END(out, &group->out);
    OUT_END(completion, &group->completion);
    OUT_END(fault, &group->fault);
    return ran;
}

#define RECEIVE_PARTS 14u

static inline bool receive_step(struct transmit_card *card, struct receive_group *group, uint32_t part)
{
    switch (part) {
    case 0:
        return run_receive_events(group);
    case 1:
        return run_receive_virtq(group);
    case 2:
        return run_receive_head(group);
    case 3:
        return run_receive_merge(group);
    case 4:
        return run_receive_plan(group);
    case 5:
        return run_receive_write(group);
    case 6:
        return run_receive_used(group);
    case 7:
        return channel_guard(&group->read);
    case 8:
        return channel_guard(&group->write);
    case 9:
        return channel_guard(&group->data);
    case 10:
        return channel_read(card, &group->read);
    case 11:
        return channel_write(card, &group->write);
    case 12:
        return run_receive_place(group);
    default:
        return channel_write(card, &group->data);
    }
}

#define USED_PARTS 7u

static inline bool used_step(struct transmit_card *card, struct used_group *group, uint32_t part)
{
    switch (part) {
    case 0:
        return run_used_events(group);
    case 1:
        return run_virtio_used(group);
    case 2:
        return channel_guard(&group->read);
    case 3:
        return channel_guard(&group->write);
    case 4:
        return channel_read(card, &group->read);
    case 5:
        return run_used_write(group);
    default:
        return channel_write(card, &group->write);
    }
}

#endif
