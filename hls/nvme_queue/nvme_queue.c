/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches the commands of all NVMe submission queues (Base 3.3.1): from a doorbell, or a shadow doorbell in the guest's
 * memory, to entries with a slot each. An entry is fetched only when there is a slot for it and room for its
 * completion, so that nothing behind ever waits for a guest; queues that share a completion queue wait for room in
 * turn.
 *
 * A doorbell changes nothing but queues of the controller whose page it was written to.
 */
#include "hls/include/arbiter.h"
#include "hls/nvme_queue/command.h"
#include "hls/nvme_queue/token.h"

struct nvme_queue_state {
    struct nvme_queue_row rows[BLOCK_QUEUES];
    struct nvme_queue_room rooms[BLOCK_QUEUES];
    struct nvme_queue_owner owners[BLOCK_QUEUES];
};

/* The driver has consumed completions up to `value`. Returns whether it can have. */
HLS_INLINE bool nvme_queue_release(struct nvme_queue_room *room, uint32_t value)
{
    uint32_t count = nvme_queue_distance(room->head, value, room->entries);
    bool good = value < room->entries && count <= room->used;
    if (good) {
        room->used -= count;
        room->head = (uint16_t)value;
    }
    return good;
}

/* Returns whether the doorbell is one that the driver may ring so. */
HLS_INLINE bool nvme_queue_head_doorbell(struct nvme_queue_output *output, struct nvme_queue_room *room,
                                         const struct nvme_event *event)
{
    bool good = !event->error && room->valid && room->base == event->base && event->value < room->entries;
    if (good && room->shadow != 0) {
        room->rung = 1;
        output->wake = 1;
    } else if (good) {
        good = nvme_queue_release(room, event->value);
    }
    return good;
}

HLS_INLINE bool nvme_queue_tail_doorbell(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                         const struct nvme_event *event)
{
    bool good =
        !event->error && row->phase != NVME_QUEUE_STOPPED && row->base == event->base && event->value < row->entries;
    bool idle = row->phase == NVME_QUEUE_IDLE && !row->stopping;
    if (good && row->shadow != 0) {
        row->rung = 1;
        row->kicked = event->time;
        output->token = idle;
    } else if (good) {
        row->tail = (uint16_t)event->value;
        row->stamp = event->time;
        output->token = idle;
    }
    return good;
}

HLS_INLINE void nvme_queue_doorbell(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                    struct nvme_queue_room *room, const struct nvme_event *event,
                                    const struct nvme_queue_owner *owner)
{
    bool good = (event->index & 1u) != 0 ? nvme_queue_head_doorbell(output, room, event)
                                         : nvme_queue_tail_doorbell(output, row, event);
    if (!good && owner->valid)
        nvme_queue_bad_doorbell(output, event->queue, owner->function, event->value, event->index);
}

/* A slot that is free, of a queue that has one. */
HLS_INLINE uint32_t nvme_queue_slot(const struct nvme_queue_row *row)
{
    bool low = row->busy[0] != ~(uint64_t)0;
    uint64_t free = low ? ~row->busy[0] : ~row->busy[1];
    return (low ? 0u : 64u) + (uint32_t)__builtin_ctzll(free | (uint64_t)1 << 63);
}

HLS_INLINE void nvme_queue_mark(struct nvme_queue_row *row, uint32_t slot, bool busy)
{
    uint64_t bit = (uint64_t)1 << slot % 64u;
    uint64_t low = slot < 64u ? bit : 0u, high = slot < 64u ? 0u : bit;
    row->busy[0] = busy ? row->busy[0] | low : row->busy[0] & ~low;
    row->busy[1] = busy ? row->busy[1] | high : row->busy[1] & ~high;
    row->in_flight = (uint8_t)(busy ? row->in_flight + 1u : row->in_flight - 1u);
}

/* An entry that was read. Of a read that failed no entry is a command. */
HLS_INLINE void nvme_queue_entry(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                 struct nvme_queue_room *room, const struct nvme_event *event)
{
    if (row->stopping || event->error) {
        room->used--;
    } else {
        uint32_t next = row->head + 1u;
        output->slot = (uint8_t)nvme_queue_slot(row);
        output->fetched = NVME_FETCHED_ENTRY;
        nvme_queue_mark(row, output->slot, true);
        row->head = (uint16_t)(next == row->entries ? 0u : next);
    }
    if (event->last && event->error && !row->stopping)
        nvme_queue_fault(output, row, row->address + (uint64_t)row->head * sizeof(struct nvme_command));
    else
        output->token = event->last;
}

HLS_INLINE uint32_t nvme_queue_shadow_value(const struct nvme_event *event)
{
    uint32_t value;
    HLS_COPY(&value, event->data, sizeof value);
    return value;
}

HLS_INLINE uint8_t nvme_queue_no_news(uint8_t step)
{
    return step == SHADOW_FRESH ? SHADOW_READ : step == SHADOW_ARMED ? SHADOW_QUIET : step;
}

/* A value that cannot be is told once, when the queue rests. */
HLS_INLINE void nvme_queue_tail(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                const struct nvme_event *event)
{
    uint32_t value = nvme_queue_shadow_value(event);
    bool good = value < row->entries;
    output->token = 1;
    if (good && value != row->tail) {
        row->tail = (uint16_t)value;
        row->stamp = row->kicked;
        row->kicked = 0;
        row->tail_step = SHADOW_FRESH;
    } else {
        row->tail_step = nvme_queue_no_news(row->tail_step);
        if (!good && row->tail_step == SHADOW_QUIET && !row->rung)
            nvme_queue_bad_doorbell(output, event->queue, row->function, value, 2u * (event->queue - row->base));
    }
}

HLS_INLINE void nvme_queue_head(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                struct nvme_queue_room *room, const struct nvme_event *event)
{
    uint32_t value = nvme_queue_shadow_value(event);
    bool good = nvme_queue_release(room, value);
    output->token = 1;
    output->wake = room->armed != room->head; /* those that wait did so for a doorbell that does not come now */
    row->head_step = nvme_queue_no_news(row->head_step);
    if (!good && row->head_step == SHADOW_QUIET && !room->rung)
        nvme_queue_bad_doorbell(output, event->completion, row->function, value,
                                2u * (event->completion - row->base) + 1u);
}

/* An answer to the queue's token, or the token itself. */
HLS_INLINE void nvme_queue_answer(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                  struct nvme_queue_room *room, const struct nvme_event *event)
{
    bool failed = event->error && !row->stopping;
    if (event->kind == NVME_EVENT_ENTRY) {
        nvme_queue_entry(output, row, room, event);
    } else if (failed) {
        uint64_t address = row->phase == NVME_QUEUE_TAIL     ? row->shadow
                           : row->phase == NVME_QUEUE_ARMING ? row->event
                           : row->phase == NVME_QUEUE_HEAD   ? room->shadow
                                                             : room->event;
        nvme_queue_fault(output, row, address);
        output->wake = 1; /* others may know better where there is room */
    } else if (event->kind == NVME_EVENT_TAIL) {
        nvme_queue_tail(output, row, event);
    } else if (event->kind == NVME_EVENT_HEAD) {
        nvme_queue_head(output, row, room, event);
    } else {
        if (row->phase == NVME_QUEUE_ARMING)
            row->tail_step = SHADOW_ARMED;
        else if (row->phase == NVME_QUEUE_HEAD_ARMING)
            row->head_step = SHADOW_ARMED;
        output->token = 1;
    }
}

HLS_INLINE void nvme_queue_freed(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                 struct nvme_queue_room *room, const struct nvme_event *event)
{
    bool busy = ((event->slot < 64u ? row->busy[0] : row->busy[1]) >> event->slot % 64u & 1u) != 0;
    if (!busy || event->generation != (uint8_t)row->host_generation)
        return;
    nvme_queue_mark(row, event->slot, false);
    if (event->silent && event->completion == row->completion && room->used != 0)
        room->used--;
    output->token = row->phase == NVME_QUEUE_SLOTS;
}

/* Looks where the token is when the queue is to stop: woken already, it comes by itself. */
HLS_INLINE void nvme_queue_unpark(struct nvme_queue_output *output, const struct nvme_queue_row *row,
                                  struct nvme_queue_room *room, uint32_t number)
{
    if (row->phase == NVME_QUEUE_PARKED && (room->parked >> number & 1u) != 0) {
        room->parked &= ~(1u << number);
        output->token = 1;
    }
}

/* Room is found by one at a time; who finds some, or may, wakes the next. Returns its number in the controller. */
HLS_INLINE uint32_t nvme_queue_wake(struct nvme_queue_room *room)
{
    uint32_t next = arbiter_pick(room->parked, room->woken);
    room->woken = next;
    room->parked &= ~next;
    return (uint32_t)__builtin_ctz(next | 1u << 31);
}

HLS_INLINE void nvme_queue_event(struct nvme_queue_output *output, struct nvme_queue_row *row,
                                 struct nvme_queue_room *room, const struct nvme_event *event,
                                 const struct nvme_queue_owner *owner)
{
    uint32_t number = (event->queue - (uint32_t)room->base) % BLOCK_CONTROLLER_QUEUES;
    if (event->kind == NVME_EVENT_DOORBELL)
        nvme_queue_doorbell(output, row, room, event, owner);
    else if (event->kind == NVME_EVENT_COMMAND)
        nvme_queue_command(output, row, room, event);
    else if (event->kind == NVME_EVENT_FREED)
        nvme_queue_freed(output, row, room, event);
    else if (event->kind == NVME_EVENT_UNPARK)
        nvme_queue_unpark(output, row, room, number);
    else if (nvme_queue_token_out(row))
        nvme_queue_answer(output, row, room, event);

    /* Without its completion queue's row the token goes round. */
    bool here = event->completion == row->completion || row->stopping;
    if (output->token && here) {
        nvme_queue_advance(output, row, room, number);
    } else if (output->token) {
        row->phase = NVME_QUEUE_RUNNING;
        output->again = 1;
    }
}

HLS_INLINE void nvme_queue_request(struct dma_request *request, const struct nvme_queue_row *row, uint64_t address,
                                   uint32_t bytes, uint32_t tag)
{
    HLS_ZERO(request, sizeof *request);
    request->address = address;
    request->length = bytes;
    request->function = row->function;
    request->flags = DMA_LAST;
    request->tag = (uint16_t)tag;
}

HLS_INLINE void nvme_queue_window(struct dma_request *request, const struct nvme_event *event)
{
    struct command_entry entry;
    struct window_setting window;
    HLS_COPY(&entry, event->data, sizeof entry);
    HLS_COPY(&window, entry.data, sizeof window);
    HLS_ZERO(request, sizeof *request);
    request->address = window.bus_base;
    request->length = window.length;
    request->function = (uint16_t)entry.index;
    request->flags = DMA_WINDOW;
}

HLS_INLINE void nvme_queue_fetched(struct nvme_fetched *fetched, const struct nvme_queue_output *output,
                                   const struct nvme_queue_row *row, const struct nvme_event *event, bool stopped)
{
    struct command_entry entry;
    bool command = output->fetched != NVME_FETCHED_ENTRY;
    HLS_COPY(&entry, event->data, sizeof entry);
    if (stopped) {
        HLS_ZERO(&entry, sizeof entry);
        entry.opcode = COMMAND_QUEUE_STOP;
        entry.target = TARGET_NVME_SQ;
        entry.tag = row->stop_tag;
        entry.index = event->queue;
    }
    if (command)
        entry.status = output->status;
    HLS_ZERO(fetched, sizeof *fetched);
    HLS_COPY(fetched->data, &entry, sizeof entry);
    fetched->kind = output->fetched;
    if (!command) {
        fetched->sequence = row->sequence;
        fetched->stamp = row->stamp;
        fetched->tag = (uint16_t)(event->queue * BLOCK_SLOTS + output->slot);
        fetched->function = row->function;
        fetched->queue = event->queue;
        fetched->completion = row->completion;
        fetched->sq_head = row->head;
        fetched->sq_id = (uint16_t)(event->queue - row->base);
        fetched->generation = (uint8_t)row->host_generation;
        fetched->admin = row->admin;
    }
}

HLS_INLINE void nvme_queue_alert(struct event_entry *entry, const struct nvme_queue_output *output,
                                 const struct nvme_queue_row *row, uint16_t queue)
{
    HLS_ZERO(entry, sizeof *entry);
    entry->kind = output->alert ? EVENT_DOORBELL : EVENT_QUEUE_STOPPED;
    entry->detail = output->alert ? FAULT_DOORBELL : output->fault;
    entry->function = output->alert ? output->function : row->function;
    entry->queue = output->alert ? output->alert_queue : queue;
    entry->address = output->alert_address;
    entry->generation = output->alert ? 0 : row->host_generation;
}

STEP(nvme_queue, struct nvme_queue_state *state, STREAM_IN(struct nvme_event, event),
     STREAM_OUT(struct dma_request, read), STREAM_OUT(struct dma_request, write), STREAM_OUT(struct beat, write_data),
     STREAM_OUT(struct nvme_fetched, fetched), STREAM_OUT(struct nvme_token, again),
     STREAM_OUT(struct event_entry, alert))
{
    STREAM_WAIT(STREAM_CAN_READ(event) && STREAM_CAN_WRITE(read) && STREAM_CAN_WRITE(write) &&
                STREAM_CAN_WRITE(write_data) && STREAM_CAN_WRITE(fetched) && STREAM_CAN_WRITE(again) &&
                STREAM_CAN_WRITE(alert));
    STREAM_READ(struct nvme_event, happened, event);
    uint16_t queue = happened->queue & (BLOCK_QUEUES - 1u), completion = happened->completion & (BLOCK_QUEUES - 1u);
    uint16_t base = happened->base & (BLOCK_QUEUES - 1u);
    struct nvme_queue_row row = state->rows[queue];
    struct nvme_queue_room room = state->rooms[completion];
    struct nvme_queue_owner owner = state->owners[base];
    struct nvme_queue_output output;
    HLS_ZERO(&output, sizeof output);
    nvme_queue_event(&output, &row, &room, happened, &owner);

    bool stopped = row.stopping && !nvme_queue_token_out(&row) && row.in_flight == 0;
    if (stopped) {
        row.stopping = 0;
        row.phase = NVME_QUEUE_STOPPED;
        output.fetched = NVME_FETCHED_COMMAND;
    }
    bool wakes = room.parked != 0 && (output.wake || nvme_queue_left(&room) != 0) && !output.again && !output.unpark;
    uint32_t woken = wakes ? nvme_queue_wake(&room) : 0u;
    uint32_t tag = queue | (uint32_t)row.completion << NVME_TAG_COMPLETION_SHIFT;

    if (output.read || output.window) {
        STREAM_OPEN(struct dma_request, request, read);
        if (output.window)
            nvme_queue_window(request, happened);
        else
            nvme_queue_request(request, &row, output.read_address, output.read_bytes,
                               tag | (uint32_t)output.what << NVME_TAG_READ_SHIFT);
        STREAM_PUSH(struct dma_request, request, read);
    }
    if (output.write || output.window) {
        STREAM_OPEN(struct dma_request, request, write);
        if (output.window)
            nvme_queue_window(request, happened);
        else
            nvme_queue_request(request, &row, output.write_address, 4, tag);
        STREAM_PUSH(struct dma_request, request, write);
    }
    if (output.write) {
        STREAM_OPEN(struct beat, beat, write_data);
        HLS_ZERO(beat, sizeof *beat);
        HLS_COPY(beat->data, &output.write_value, 4);
        beat->meta.bytes = 4;
        beat->meta.last = 1;
        beat->meta.length = 4;
        STREAM_PUSH(struct beat, beat, write_data);
    }
    if (output.fetched != 0) {
        STREAM_OPEN(struct nvme_fetched, record, fetched);
        nvme_queue_fetched(record, &output, &row, happened, stopped);
        STREAM_PUSH(struct nvme_fetched, record, fetched);
    }
    if (output.again || output.unpark || wakes) {
        STREAM_OPEN(struct nvme_token, token, again);
        HLS_ZERO(token, sizeof *token);
        token->queue = wakes ? (uint16_t)(room.base + woken) : queue;
        token->completion = wakes ? completion : row.completion;
        token->kind = output.unpark ? NVME_EVENT_UNPARK : NVME_EVENT_AGAIN;
        STREAM_PUSH(struct nvme_token, token, again);
    }
    if (output.alert || output.fault != FAULT_NONE) {
        STREAM_OPEN(struct event_entry, entry, alert);
        nvme_queue_alert(entry, &output, &row, queue);
        STREAM_PUSH(struct event_entry, entry, alert);
    }
    if (output.owner) {
        owner.function = row.function;
        owner.valid = row.phase != NVME_QUEUE_STOPPED && !row.stopping;
        state->owners[base] = owner;
    }
    row.sequence += output.fetched == NVME_FETCHED_ENTRY ? 1u : 0u;
    state->rows[queue] = row;
    state->rooms[completion] = room;
    STEP_END;
}
