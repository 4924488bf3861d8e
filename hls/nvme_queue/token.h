/* SPDX-License-Identifier: Apache-2.0 */
/* What a submission queue does next when its token is here: Base 3.3.1 and, of shadow doorbells, 5.8. */
#ifndef CIPU_NVME_QUEUE_TOKEN_H
#define CIPU_NVME_QUEUE_TOKEN_H

#include "hls/nvme_queue/row.h"

HLS_INLINE void nvme_queue_read(struct nvme_queue_output *output, struct nvme_queue_row *row, uint8_t phase,
                                uint8_t what, uint64_t address, uint32_t bytes)
{
    output->read = 1;
    output->what = what;
    output->read_address = address;
    output->read_bytes = bytes;
    row->phase = phase;
}

HLS_INLINE void nvme_queue_arm(struct nvme_queue_output *output, struct nvme_queue_row *row, uint8_t phase,
                               uint64_t address, uint16_t value)
{
    output->write = 1;
    output->write_address = address;
    output->write_value = value;
    row->phase = phase;
}

/* Nothing is left to fetch: the queue rests when a doorbell is certain for the next entry. */
HLS_INLINE void nvme_queue_rest(struct nvme_queue_output *output, struct nvme_queue_row *row)
{
    bool look = row->rung || row->tail_step == SHADOW_FRESH || row->tail_step == SHADOW_ARMED;
    if (row->shadow == 0 || (!look && row->tail_step == SHADOW_QUIET)) {
        row->phase = NVME_QUEUE_IDLE;
    } else if (look) {
        row->rung = 0;
        nvme_queue_read(output, row, NVME_QUEUE_TAIL, NVME_READ_TAIL, row->shadow, 4);
    } else {
        nvme_queue_arm(output, row, NVME_QUEUE_ARMING, row->event, row->tail);
    }
}

/* The completion queue is full: the queue waits when a doorbell is certain. */
HLS_INLINE void nvme_queue_want_room(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                     struct nvme_queue_room *room, uint32_t number)
{
    bool look = room->rung || row->head_step == SHADOW_FRESH || row->head_step == SHADOW_ARMED;
    bool certain = !look && row->head_step == SHADOW_QUIET && room->armed == room->head;
    if (room->shadow == 0 || certain) {
        room->parked |= 1u << number;
        row->head_step = SHADOW_FRESH;
        row->phase = NVME_QUEUE_PARKED;
    } else if (look) {
        room->rung = 0;
        nvme_queue_read(output, row, NVME_QUEUE_HEAD, NVME_READ_HEAD, room->shadow, 4);
    } else {
        room->armed = room->head;
        nvme_queue_arm(output, row, NVME_QUEUE_HEAD_ARMING, room->event, room->head);
    }
}

HLS_INLINE uint32_t nvme_queue_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Reads entries up to the ring's end, as many as can be put into slots and completed. */
HLS_INLINE void nvme_queue_fetch(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                 struct nvme_queue_room *room, uint32_t waiting)
{
    uint32_t announced = nvme_queue_least(waiting, row->entries - row->head);
    uint32_t possible = nvme_queue_least(BLOCK_SLOTS - row->in_flight, nvme_queue_left(room));
    uint32_t count = nvme_queue_least(nvme_queue_least(announced, possible), NVME_FETCH);
    room->used += count;
    row->head_step = SHADOW_FRESH;
    nvme_queue_read(output, row, NVME_QUEUE_FETCH, NVME_READ_ENTRIES,
                    row->address + (uint64_t)row->head * sizeof(struct nvme_command),
                    count * (uint32_t)sizeof(struct nvme_command));
}

/* The token is here: on with what is due. `number`: the queue's in its controller. */
HLS_INLINE void nvme_queue_advance(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                   struct nvme_queue_room *room, uint32_t number)
{
    uint32_t waiting = nvme_queue_distance(row->head, row->tail, row->entries);
    if (row->stopping) {
        row->phase = NVME_QUEUE_IDLE;
        output->wake = room->shadow != 0; /* it might have been this one that looks for room */
    } else if (waiting == 0) {
        nvme_queue_rest(output, row);
    } else if (row->in_flight == BLOCK_SLOTS) {
        row->phase = NVME_QUEUE_SLOTS;
    } else if (nvme_queue_left(room) == 0) {
        nvme_queue_want_room(output, row, room, number);
    } else {
        nvme_queue_fetch(output, row, room, waiting);
    }
}

#endif
