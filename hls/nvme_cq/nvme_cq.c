/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the entries of all NVMe completion queues and decides about interrupts (Base 3.3.1.2 and 4.2.4).
 *
 * There is room for every entry: nvme_queue fetches no command without. A tag is free once its entry is on the way into
 * the guest's memory: the write channel keeps the order, so whatever is told to the guest because of that comes behind
 * it.
 *
 * An entry that comes alone is written at once. While a write of its queue is under way, entries gather: up to four, a
 * line of 64 bytes, are one write. An interrupt is raised only for entries that are visible: when no other is on its
 * way, or there are enough.
 *
 * A queue with a failed write writes nothing more; tags are given back all the same.
 */
#include "hls/nvme_cq/timer.h"

#define NVME_CQ_ENOUGH 8u /* entries that an interrupt does not wait for others with */

struct nvme_cq_state {
    struct nvme_cq_row rows[BLOCK_QUEUES];
    struct nvme_cq_line lines[BLOCK_QUEUES];
    struct nvme_cq_head heads[BLOCK_QUEUES]; /* of submission queues */
    struct nvme_cq_timer timer;
};

HLS_INLINE bool nvme_cq_setting_good(const struct nvme_queue_setting *setting, uint32_t index)
{
    return setting->entries >= 2u && setting->entries <= NVME_QUEUE_ENTRIES_MAX &&
           (setting->address & (NVME_PAGE_BYTES - 1u)) == 0 && setting->function < FUNCTION_HOST &&
           setting->base <= index && index - setting->base < BLOCK_CONTROLLER_QUEUES &&
           (setting->vector < CARD_VECTORS || setting->vector == NVME_CQ_NO_VECTOR);
}

HLS_INLINE uint8_t nvme_cq_set(struct nvme_cq_row *row, const struct command_entry *entry)
{
    struct nvme_queue_setting setting;
    HLS_COPY(&setting, entry->data, sizeof setting);
    uint8_t status = STATUS_OK;
    if (row->enabled) {
        status = STATUS_BUSY;
    } else if (!nvme_cq_setting_good(&setting, entry->index)) {
        status = STATUS_BAD_DATA;
    } else {
        HLS_ZERO(row, sizeof *row);
        row->address = setting.address;
        row->entries = setting.entries;
        row->delay = setting.delay;
        row->threshold = setting.threshold;
        row->function = setting.function;
        row->vector = setting.vector;
        row->generation = setting.generation;
        row->phase = 1; /* the driver has cleared the queue (Base 3.3.1.2) */
        row->enabled = 1;
    }
    return status;
}

/* A stop that has begun completes later. */
HLS_INLINE void nvme_cq_command(struct nvme_cq_output *output, struct nvme_cq_row *row, const uint8_t *data)
{
    struct command_entry entry;
    HLS_COPY(&entry, data, sizeof entry);
    bool own = entry.index < BLOCK_QUEUES;
    output->complete = 1;
    if (entry.opcode == COMMAND_QUEUE_SET && own) {
        output->status = nvme_cq_set(row, &entry);
    } else if (entry.opcode == COMMAND_QUEUE_STOP && own && row->stopping) {
        output->status = STATUS_BUSY;
    } else if (entry.opcode == COMMAND_QUEUE_STOP && own) {
        row->stopping = 1;
        row->stop_tag = entry.tag;
        output->complete = 0;
    } else if (entry.opcode == COMMAND_WINDOW_SET && entry.index < CARD_FUNCTIONS) {
        output->window = 1;
    } else {
        bool known = entry.opcode == COMMAND_QUEUE_SET || entry.opcode == COMMAND_QUEUE_STOP ||
                     entry.opcode == COMMAND_WINDOW_SET;
        output->status = known ? STATUS_BAD_INDEX : STATUS_BAD_OPCODE;
    }
}

/* Of a tag's completion: how far its submission queue is consumed. */
HLS_INLINE void nvme_cq_advance_head(struct nvme_cq_head *head, const struct block_completion *over)
{
    if ((int32_t)(over->sequence - head->sequence) >= 0) {
        head->sequence = over->sequence;
        head->head = over->sq_head;
    }
}

/* One line's end or the queue's: what follows is another write. */
HLS_INLINE bool nvme_cq_line_ends(const struct nvme_cq_row *row)
{
    return (row->tail & (NVME_CQ_WRITE - 1u)) == NVME_CQ_WRITE - 1u || row->tail + 1u == row->entries;
}

/* It is in the line of those that have gathered, and its tag may be told with theirs. */
HLS_INLINE bool nvme_cq_joins(const struct nvme_cq_row *row, const struct block_completion *over)
{
    return (row->tail & (NVME_CQ_WRITE - 1u)) != 0 && row->submission == over->queue &&
           row->tag_generation == over->generation;
}

HLS_INLINE void nvme_cq_finished(struct nvme_cq_output *output, struct nvme_cq_row *row, struct nvme_cq_head *head,
                                 const struct block_completion *over)
{
    bool joins = nvme_cq_joins(row, over), some = row->gathered != 0;
    nvme_cq_advance_head(head, over);
    if (over->silent || !row->enabled || row->faulted) {
        output->drops = 1;
    } else if (some && !joins) {
        output->leaves = row->gathered;
        output->writes = 1;
        output->gathers = 1;
    } else if (row->writes == 0 || nvme_cq_line_ends(row)) {
        output->leaves = row->gathered;
        output->writes = 1;
        output->takes = 1;
    } else {
        output->gathers = 1;
    }
}

HLS_INLINE void nvme_cq_announce(struct nvme_cq_output *output, struct nvme_cq_row *row)
{
    output->interrupt = 1;
    row->unannounced = 0;
    row->held = 0;
}

/* What is visible and not held back is announced, when no more is to come at once. */
HLS_INLINE void nvme_cq_tell(struct nvme_cq_output *output, struct nvme_cq_row *row)
{
    bool few = row->delay != 0 && row->unannounced < row->threshold;
    bool settled = (row->writes == 0 && !output->writes) || row->unannounced >= NVME_CQ_ENOUGH;
    if (row->held && row->unannounced >= row->threshold) {
        nvme_cq_announce(output, row);
    } else if (!row->held && settled && few) {
        row->held = 1;
        output->hold = 1;
    } else if (!row->held && settled) {
        nvme_cq_announce(output, row);
    }
}

/* Entries are visible, or never will be; those that have gathered meanwhile go. */
HLS_INLINE void nvme_cq_done(struct nvme_cq_output *output, struct nvme_cq_row *row, const struct nvme_cq_event *event)
{
    row->writes--;
    if (event->error) {
        output->alert = !row->faulted;
        row->faulted = 1;
    } else if (row->vector != NVME_CQ_NO_VECTOR) {
        row->unannounced += event->entries;
    }
    output->leaves = row->gathered;
    output->writes = row->gathered != 0 && !row->faulted;
    if (row->unannounced != 0)
        nvme_cq_tell(output, row);
}

HLS_INLINE void nvme_cq_event(struct nvme_cq_output *output, struct nvme_cq_row *row, struct nvme_cq_head *head,
                              const struct nvme_cq_event *event, const struct block_completion *over)
{
    if (event->kind == NVME_CQ_FINISHED) {
        nvme_cq_finished(output, row, head, over);
    } else if (event->kind == NVME_CQ_COMMAND) {
        nvme_cq_command(output, row, event->data);
    } else if (event->kind == NVME_CQ_DONE) {
        nvme_cq_done(output, row, event);
    } else if (event->kind == NVME_CQ_AGAIN) {
        output->scan = 1;
        if (row->held)
            nvme_cq_announce(output, row);
    }
}

HLS_INLINE void nvme_cq_request(struct dma_request *request, const struct nvme_cq_row *row, uint16_t queue,
                                uint32_t entries)
{
    uint16_t first = row->gathered != 0 ? row->first : row->tail;
    HLS_ZERO(request, sizeof *request);
    request->address = row->address + (uint64_t)first * sizeof(struct nvme_completion);
    request->length = (uint64_t)entries * sizeof(struct nvme_completion);
    request->function = row->function;
    request->flags = DMA_LAST;
    request->tag = (uint16_t)(queue | (entries - 1u) << NVME_CQ_TAG_SHIFT);
}

HLS_INLINE void nvme_cq_window(struct dma_request *request, const struct command_entry *entry)
{
    struct window_setting window;
    HLS_COPY(&window, entry->data, sizeof window);
    HLS_ZERO(request, sizeof *request);
    request->address = window.bus_base;
    request->length = window.length;
    request->function = (uint16_t)entry->index;
    request->flags = DMA_WINDOW;
}

/* Base 4.2: the entry, whose phase tag tells the driver that it is new. */
HLS_INLINE void nvme_cq_entry(struct nvme_completion *entry, const struct nvme_cq_row *row,
                              const struct nvme_cq_head *head, const struct block_completion *over)
{
    entry->result = over->result;
    entry->sq_head = head->head;
    entry->sq_id = over->sq_id;
    entry->identifier = over->identifier;
    entry->status = (uint16_t)((uint32_t)over->status << 1 | row->phase);
}

/* The entries that leave. */
HLS_INLINE void nvme_cq_beat(struct beat *beat, const struct nvme_cq_line *line, const struct nvme_completion *entry,
                             const struct nvme_cq_output *output)
{
    struct nvme_completion entries[NVME_CQ_WRITE];
    HLS_ZERO(entries, sizeof entries);
    for (uint32_t i = 0; i < NVME_CQ_WRITE; i++) {
        if (i < NVME_CQ_WRITE - 1u && i < output->leaves)
            entries[i] = line->entries[i];
        else if (i == output->leaves && output->takes)
            entries[i] = *entry;
    }
    HLS_COPY(beat->data, entries, sizeof entries);
    HLS_ZERO(&beat->meta, sizeof beat->meta);
    beat->meta.bytes = (uint8_t)((output->leaves + output->takes) * sizeof *entry);
    beat->meta.last = 1;
    beat->meta.length = beat->meta.bytes;
}

/* The tags of those that leave. */
HLS_INLINE void nvme_cq_freed(struct block_free *freed, const struct nvme_cq_row *row, const struct nvme_cq_line *line,
                              const struct nvme_cq_output *output, const struct block_completion *over)
{
    bool own = output->drops || output->leaves == 0;
    uint8_t slots[NVME_CQ_WRITE];
    for (uint32_t i = 0; i < NVME_CQ_WRITE; i++)
        slots[i] = (uint8_t)(i < NVME_CQ_WRITE - 1u && i < output->leaves ? line->slots[i]
                             : i == output->leaves && output->takes       ? over->tag & (BLOCK_SLOTS - 1u)
                                                                          : 0u);
    freed->tag = own ? over->tag : (uint16_t)(row->submission * BLOCK_SLOTS + slots[0]);
    freed->generation = own ? over->generation : row->tag_generation;
    freed->silent = !output->writes;
    freed->more = (uint8_t)(own ? 0u : output->leaves + output->takes - 1u);
    HLS_COPY(freed->slots, slots + 1, sizeof freed->slots);
}

/* The event's entry takes its place; those that leave do. */
HLS_INLINE void nvme_cq_keep(struct nvme_cq_row *row, struct nvme_cq_line *line, const struct nvme_cq_output *output,
                             const struct nvme_completion *entry, const struct block_completion *over)
{
    uint8_t kept = (uint8_t)(row->gathered - output->leaves);
    row->writes += output->writes;
    if (output->gathers) {
        for (uint32_t i = 0; i < NVME_CQ_WRITE - 1u; i++) {
            if (i == kept) {
                line->entries[i] = *entry;
                line->slots[i] = over->tag & (BLOCK_SLOTS - 1u);
            }
        }
        row->first = kept == 0 ? row->tail : row->first;
        row->submission = over->queue;
        row->tag_generation = over->generation;
        kept++;
    }
    row->gathered = kept;
    if (output->gathers || output->takes) {
        bool wraps = row->tail + 1u == row->entries;
        row->tail = (uint16_t)(wraps ? 0u : row->tail + 1u);
        row->phase ^= wraps ? 1u : 0u;
    }
}

HLS_INLINE void nvme_cq_complete(struct command_entry *completed, const struct nvme_cq_output *output,
                                 const struct nvme_cq_row *row, const struct command_entry *entry, uint16_t queue,
                                 bool stopped)
{
    HLS_COPY(completed, entry, sizeof *completed);
    completed->status = output->status;
    if (stopped) {
        HLS_ZERO(completed, sizeof *completed);
        completed->opcode = COMMAND_QUEUE_STOP;
        completed->target = TARGET_NVME_CQ;
        completed->tag = row->stop_tag;
        completed->index = queue;
    }
}

STEP(nvme_cq, struct nvme_cq_state *state, STREAM_IN(struct nvme_cq_event, event),
     STREAM_OUT(struct dma_request, write), STREAM_OUT(struct beat, write_data), STREAM_OUT(struct block_free, freed),
     STREAM_OUT(struct nvme_cq_token, again), STREAM_OUT(struct timer_request, timer),
     STREAM_OUT(struct interrupt_request, interrupt), STREAM_OUT(struct command_entry, completion),
     STREAM_OUT(struct event_entry, alert))
{
    STREAM_WAIT(STREAM_CAN_READ(event) && STREAM_CAN_WRITE(write) && STREAM_CAN_WRITE(write_data) &&
                STREAM_CAN_WRITE(freed) && STREAM_CAN_WRITE(again) && STREAM_CAN_WRITE(timer) &&
                STREAM_CAN_WRITE(interrupt) && STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(alert));
    STREAM_READ(struct nvme_cq_event, happened, event);
    uint16_t queue = happened->queue & (BLOCK_QUEUES - 1u), submission = happened->submission & (BLOCK_QUEUES - 1u);
    struct nvme_cq_row row = state->rows[queue];
    struct nvme_cq_line line = state->lines[queue];
    struct nvme_cq_head head = state->heads[submission];
    struct nvme_cq_output output;
    struct block_completion over;
    struct command_entry entry;
    struct nvme_completion made;
    HLS_ZERO(&output, sizeof output);
    HLS_COPY(&over, happened->data, sizeof over);
    HLS_COPY(&entry, happened->data, sizeof entry);
    nvme_cq_event(&output, &row, &head, happened, &over);
    nvme_cq_entry(&made, &row, &head, &over);
    if (happened->kind == NVME_CQ_TICK)
        nvme_cq_tick(&output, &state->timer, happened->now);
    else if (output.hold)
        nvme_cq_hold(&output, &state->timer, queue, row.delay);
    uint32_t next = output.scan ? nvme_cq_scan(&state->timer) : 0u;
    bool scans = output.scan && state->timer.scanning;
    bool stopped = row.stopping && row.writes == 0 && !output.writes;

    if (output.writes || output.window) {
        STREAM_OPEN(struct dma_request, request, write);
        if (output.window)
            nvme_cq_window(request, &entry);
        else
            nvme_cq_request(request, &row, queue, (uint32_t)output.leaves + output.takes);
        STREAM_PUSH(struct dma_request, request, write);
    }
    if (output.writes) {
        STREAM_OPEN(struct beat, beat, write_data);
        nvme_cq_beat(beat, &line, &made, &output);
        STREAM_PUSH(struct beat, beat, write_data);
    }
    if (output.drops || output.takes || output.leaves != 0) {
        STREAM_OPEN(struct block_free, tags, freed);
        nvme_cq_freed(tags, &row, &line, &output, &over);
        STREAM_PUSH(struct block_free, tags, freed);
    }
    nvme_cq_keep(&row, &line, &output, &made, &over);
    if (scans) {
        STREAM_OPEN(struct nvme_cq_token, token, again);
        HLS_ZERO(token, sizeof *token);
        token->queue = (uint16_t)next;
        STREAM_PUSH(struct nvme_cq_token, token, again);
    }
    if (output.timer) {
        STREAM_OPEN(struct timer_request, request, timer);
        request->at = output.timer_at;
        request->reserved = 0;
        STREAM_PUSH(struct timer_request, request, timer);
    }
    if (output.interrupt) {
        STREAM_OPEN(struct interrupt_request, raise, interrupt);
        HLS_ZERO(raise, sizeof *raise);
        raise->vector = row.vector;
        STREAM_PUSH(struct interrupt_request, raise, interrupt);
    }
    if (stopped) {
        row.stopping = 0;
        row.enabled = 0;
        row.held = 0;
    }
    if (output.complete || stopped) {
        STREAM_OPEN(struct command_entry, completed, completion);
        nvme_cq_complete(completed, &output, &row, &entry, queue, stopped);
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    if (output.alert) {
        STREAM_OPEN(struct event_entry, report, alert);
        HLS_ZERO(report, sizeof *report);
        report->kind = EVENT_QUEUE_STOPPED;
        report->detail = FAULT_ADDRESS;
        report->function = row.function;
        report->queue = queue;
        report->address = row.address;
        report->generation = row.generation;
        STREAM_PUSH(struct event_entry, report, alert);
    }
    state->rows[queue] = row;
    state->lines[queue] = line;
    state->heads[submission] = head;
    STEP_END;
}
