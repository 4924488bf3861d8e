/* SPDX-License-Identifier: Apache-2.0 */
/* The host's commands for submission queues. */
#ifndef CIPU_NVME_QUEUE_COMMAND_H
#define CIPU_NVME_QUEUE_COMMAND_H

#include "hls/nvme_queue/row.h"

HLS_INLINE bool nvme_queue_setting_good(const struct nvme_queue_setting *setting, uint32_t index)
{
    return setting->entries >= 2u && setting->entries <= NVME_QUEUE_ENTRIES_MAX &&
           (setting->address & (NVME_PAGE_BYTES - 1u)) == 0 && (setting->shadow & 3u) == 0 &&
           (setting->event & 3u) == 0 && setting->function < FUNCTION_HOST && setting->base <= index &&
           index - setting->base < BLOCK_CONTROLLER_QUEUES;
}

/* The completion queue is one of the same controller. */
HLS_INLINE bool nvme_queue_room_good(const struct nvme_queue_setting *setting, const struct nvme_queue_room *room,
                                     uint32_t completion)
{
    return room->valid && setting->completion == completion && room->base == setting->base &&
           room->function == setting->function;
}

HLS_INLINE uint8_t nvme_queue_set_completion(struct nvme_queue_room *room, const struct nvme_queue_setting *setting,
                                             uint32_t index)
{
    uint8_t status = STATUS_OK;
    if (room->parked != 0) {
        status = STATUS_BUSY;
    } else if (!nvme_queue_setting_good(setting, index)) {
        status = STATUS_BAD_DATA;
    } else {
        room->shadow = setting->shadow;
        room->event = setting->event;
        room->entries = setting->entries;
        room->used = 0;
        room->head = 0;
        room->armed = 0;
        room->base = setting->base;
        room->function = setting->function;
        room->valid = 1;
        room->rung = 0;
    }
    return status;
}

HLS_INLINE void nvme_queue_fill(struct nvme_queue_row *row, const struct nvme_queue_setting *setting)
{
    row->address = setting->address;
    row->shadow = setting->shadow;
    row->event = setting->event;
    row->entries = setting->entries;
    row->stamp = 0;
    row->kicked = 0;
    row->head = 0;
    row->tail = 0;
    row->function = setting->function;
    row->base = setting->base;
    row->completion = setting->completion;
    row->host_generation = setting->generation;
    row->admin = setting->flags & NVME_QUEUE_ADMIN;
    row->rung = 0;
    row->tail_step = SHADOW_FRESH;
    row->head_step = SHADOW_FRESH;
}

HLS_INLINE uint8_t nvme_queue_set(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                  const struct nvme_queue_room *room, const struct nvme_queue_setting *setting,
                                  uint32_t index, uint32_t completion)
{
    uint8_t status = STATUS_OK;
    if (row->phase != NVME_QUEUE_STOPPED) {
        status = STATUS_BUSY;
    } else if (!nvme_queue_setting_good(setting, index) || !nvme_queue_room_good(setting, room, completion)) {
        status = STATUS_BAD_DATA;
    } else {
        nvme_queue_fill(row, setting);
        row->phase = NVME_QUEUE_IDLE;
        output->token = 1; /* a shadow doorbell may have news */
        output->owner = setting->base == index;
    }
    return status;
}

/* Base 5.8: the driver may offer shadow doorbells when queues run already. */
HLS_INLINE uint8_t nvme_queue_set_shadow(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                         struct nvme_queue_room *room, const struct nvme_queue_setting *setting)
{
    bool completion = (setting->flags & NVME_QUEUE_COMPLETION) != 0;
    bool runs = completion ? room->valid != 0 : row->phase != NVME_QUEUE_STOPPED && !row->stopping;
    uint8_t status = STATUS_OK;
    if (!runs || (setting->shadow & 3u) != 0 || (setting->event & 3u) != 0) {
        status = STATUS_BAD_DATA;
    } else if (completion) {
        room->shadow = setting->shadow;
        room->event = setting->event;
        room->rung = 1;
        output->wake = 1;
    } else {
        row->shadow = setting->shadow;
        row->event = setting->event;
        row->rung = 1;
        row->tail_step = SHADOW_FRESH;
        output->token = row->phase == NVME_QUEUE_IDLE;
    }
    return status;
}

/* Returns the status; a stop that has begun completes later. */
HLS_INLINE uint8_t nvme_queue_stop(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                   struct nvme_queue_room *room, const struct command_entry *entry)
{
    uint8_t status = STATUS_OK;
    if (entry->argument == NVME_QUEUE_COMPLETION) {
        if (room->parked != 0)
            status = STATUS_BUSY;
        else
            room->valid = 0;
    } else if (entry->argument != 0) {
        status = STATUS_BAD_DATA;
    } else if (row->stopping) {
        status = STATUS_BUSY;
    } else {
        row->stopping = 1;
        row->stop_tag = entry->tag;
        output->unpark = row->phase == NVME_QUEUE_PARKED;
        output->owner = 1;
        output->fetched = 0;
    }
    return status;
}

HLS_INLINE void nvme_queue_command(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                   struct nvme_queue_room *room, const struct nvme_event *event)
{
    struct command_entry entry;
    struct nvme_queue_setting setting;
    HLS_COPY(&entry, event->data, sizeof entry);
    HLS_COPY(&setting, entry.data, sizeof setting);
    bool own = entry.index < BLOCK_QUEUES;
    output->fetched = NVME_FETCHED_COMMAND;
    output->status = STATUS_OK;
    if (entry.opcode == COMMAND_QUEUE_SET && own) {
        if (setting.flags & NVME_QUEUE_SHADOW)
            output->status = nvme_queue_set_shadow(output, row, room, &setting);
        else if (setting.flags & NVME_QUEUE_COMPLETION)
            output->status = nvme_queue_set_completion(room, &setting, entry.index);
        else
            output->status = nvme_queue_set(output, row, room, &setting, entry.index, event->completion);
    } else if (entry.opcode == COMMAND_QUEUE_STOP && own) {
        output->status = nvme_queue_stop(output, row, room, &entry);
    } else if (entry.opcode == COMMAND_WINDOW_SET && entry.index < CARD_FUNCTIONS) {
        output->fetched = NVME_FETCHED_WINDOW;
        output->window = 1;
    } else if (entry.opcode == COMMAND_NAMESPACE_SET && entry.index < CARD_FUNCTIONS * BLOCK_NAMESPACES) {
        output->fetched = NVME_FETCHED_NAMESPACE;
    } else {
        bool known = entry.opcode == COMMAND_QUEUE_SET || entry.opcode == COMMAND_QUEUE_STOP ||
                     entry.opcode == COMMAND_WINDOW_SET || entry.opcode == COMMAND_NAMESPACE_SET;
        output->status = known ? STATUS_BAD_INDEX : STATUS_BAD_OPCODE;
    }
}

#endif
