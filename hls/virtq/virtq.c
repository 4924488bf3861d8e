/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the rings of 256 virtqueues: from a doorbell to the segments of descriptor chains. Three instances: one for
 * transmit queues (odd), one for receive queues (even), one for queues of virtio-blk. Split virtqueues, VIRTIO 1.2
 * section 2.7.
 *
 * The driver's memory is read with as few transfers as it allows: 32 ring entries at a time, and the descriptors of all
 * of them that lie near each other. Nothing read before the avail index is used for what that index announced.
 */
#include "hls/include/block.h"
#include "hls/virtq/walk.h"

struct virtq_state {
    struct virtq_row rows[CARD_QUEUES];
    struct virtq_line lines[CARD_QUEUES * QUEUE_BLOCK_LINES]; /* of the block that a queue's chain is in */
};

/* Block queues are given out freely; as many chains as a queue has entries may be in flight. */
HLS_INLINE bool virtq_setting_good(const struct queue_setting *setting, const struct command_entry *entry)
{
    bool block = entry->target == TARGET_BLK;
    bool kind = block == ((setting->flags & QUEUE_BLOCK) != 0);
    bool place = block ? setting->entries <= BLOCK_SLOTS : setting->function == entry->index / 2u;
    bool size = setting->entries >= 2 && setting->entries <= QUEUE_SIZE_MAX &&
                (setting->entries & (setting->entries - 1u)) == 0;
    bool aligned = (setting->descriptors & 15u) == 0 && (setting->avail & 1u) == 0 && (setting->used & 3u) == 0;
    return size && aligned && kind && place && setting->function < FUNCTION_HOST;
}

HLS_INLINE void virtq_set(struct virtq_row *row, const struct queue_setting *setting)
{
    row->descriptors = setting->descriptors;
    row->avail = setting->avail;
    row->used = setting->used;
    row->table = setting->descriptors;
    row->entries = setting->entries;
    row->table_entries = setting->entries;
    row->current = 0;
    row->block = 0;
    row->chain_bytes = 0;
    row->chain_descriptors = 0;
    row->chain_segments = 0;
    row->position = setting->position;
    row->seen = setting->position;
    row->batch_count = 0;
    row->batch_next = 0;
    row->credit = (int32_t)(row->transmit ? TRANSMIT_SEGMENTS : RECEIVE_SEGMENTS);
    row->function = setting->function;
    row->flags = setting->flags;
    row->host_generation = setting->generation;
    row->generation++;
    row->event = setting->position;
    row->woke = setting->position;
    row->expected = 0;
    row->armed = 0;
    row->rung = 0;
    row->steady = 0;
    row->unasked = 0;
    row->busy = 0;
    row->stopping = 0;
    row->late_fault = FAULT_NONE;
    row->lines = 0;
    row->indirect = 0;
    row->writable = 0;
}

HLS_INLINE void virtq_complete(struct virtq_output *output, const struct virtq_row *row, uint16_t queue, uint8_t kind,
                               const struct command_entry *entry)
{
    virtq_segment_fill(&output->segment, row, queue, kind, 0);
    HLS_COPY(output->segment.entry, entry, sizeof *entry);
    output->segments = 1;
}

/* The completion of QUEUE_STOP and QUEUE_READ: where the queue stands. */
HLS_INLINE void virtq_position(struct virtq_output *output, const struct virtq_row *row, uint16_t queue,
                               struct command_entry *entry)
{
    struct queue_position position;
    HLS_ZERO(&position, sizeof position);
    position.position = row->position;
    HLS_ZERO(entry->data, sizeof entry->data);
    HLS_COPY(entry->data, &position, sizeof position);
    virtq_complete(output, row, queue, SEGMENT_COMMAND, entry);
}

HLS_INLINE void virtq_queue_set(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                                struct command_entry *entry)
{
    struct queue_setting setting;
    HLS_COPY(&setting, entry->data, sizeof setting);
    if (row->phase != VIRTQ_STOPPED) {
        entry->status = STATUS_BUSY;
        virtq_complete(output, row, queue, SEGMENT_COMMAND, entry);
    } else if (!virtq_setting_good(&setting, entry)) {
        entry->status = STATUS_BAD_DATA;
        virtq_complete(output, row, queue, SEGMENT_COMMAND, entry);
    } else {
        row->transmit = entry->target != TARGET_RX;
        virtq_set(row, &setting);
        /* The driver may have filled the ring before: look without waiting for a doorbell. */
        virtq_read_index(output, row, queue);
        virtq_complete(output, row, queue, SEGMENT_SETTING, entry);
        output->segment.address = setting.flags;
        output->segment.length = virtq_is_block(row) ? setting.volume : setting.mtu;
    }
}

HLS_INLINE void virtq_queue_stop(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                                 struct command_entry *entry)
{
    if (row->stopping) {
        entry->status = STATUS_BUSY;
        virtq_complete(output, row, queue, SEGMENT_COMMAND, entry);
    } else if (virtq_has_token(row)) {
        row->stopping = 1;
        row->stop_tag = entry->tag;
    } else {
        row->phase = VIRTQ_STOPPED;
        virtq_position(output, row, queue, entry);
    }
}

/* Windows go to this kernel's own DMA channels and on to later kernels'. */
HLS_INLINE void virtq_window_set(struct virtq_output *output, struct virtq_row *row, struct command_entry *entry)
{
    struct window_setting window;
    HLS_COPY(&window, entry->data, sizeof window);
    HLS_ZERO(&output->read, sizeof output->read);
    output->read.address = window.bus_base;
    output->read.length = window.length;
    output->read.function = (uint16_t)entry->index;
    output->read.flags = DMA_WINDOW;
    output->write = output->read;
    output->reads = 1;
    output->writes = 1;
    virtq_complete(output, row, 0, SEGMENT_WINDOW, entry);
    output->segment.function = (uint16_t)entry->index;
    output->segment.address = window.bus_base;
    output->segment.length = window.length;
}

HLS_INLINE void virtq_command(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                              struct command_entry *entry)
{
    bool net = entry->index < CARD_QUEUES && (entry->index & 1u) == (entry->target == TARGET_TX ? 1u : 0u);
    bool own = entry->target == TARGET_BLK ? entry->index < BLOCK_QUEUES : net;
    entry->status = STATUS_OK;
    if (entry->opcode == COMMAND_WINDOW_SET && entry->index < CARD_FUNCTIONS) {
        virtq_window_set(output, row, entry);
    } else if (entry->opcode == COMMAND_QUEUE_SET && own) {
        virtq_queue_set(output, row, queue, entry);
    } else if (entry->opcode == COMMAND_QUEUE_STOP && own) {
        virtq_queue_stop(output, row, queue, entry);
    } else if (entry->opcode == COMMAND_QUEUE_READ && own) {
        virtq_position(output, row, queue, entry);
    } else {
        bool known = entry->opcode == COMMAND_WINDOW_SET || entry->opcode == COMMAND_QUEUE_SET ||
                     entry->opcode == COMMAND_QUEUE_STOP || entry->opcode == COMMAND_QUEUE_READ;
        entry->status = known ? STATUS_BAD_INDEX : STATUS_BAD_OPCODE;
        virtq_complete(output, row, queue, SEGMENT_COMMAND, entry);
    }
}

/* The token came back and the queue is to stop: the open chain is withdrawn first, which takes a round of its own. */
HLS_INLINE void virtq_stop_step(struct virtq_output *output, struct virtq_row *row, uint16_t queue)
{
    if (row->chain_segments != 0) {
        virtq_withdraw(output, row, queue);
        virtq_again(output, row);
        return;
    }
    struct command_entry entry;
    HLS_ZERO(&entry, sizeof entry);
    entry.opcode = COMMAND_QUEUE_STOP;
    entry.target = virtq_is_block(row) ? TARGET_BLK : row->transmit ? TARGET_TX : TARGET_RX;
    entry.tag = row->stop_tag;
    entry.index = queue;
    row->stopping = 0;
    row->phase = VIRTQ_STOPPED;
    virtq_position(output, row, queue, &entry);
}

/* The queue's token is here: a read or write is done, or it went round. */
HLS_INLINE void virtq_token(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                            const struct queue_event *event, const struct virtq_line *line)
{
    if (row->stopping) {
        virtq_stop_step(output, row, queue);
    } else if (row->late_fault != FAULT_NONE) {
        virtq_fault(output, row, row->late_fault, 0);
    } else if (event->error) {
        uint64_t address = row->phase == VIRTQ_DESCRIPTORS ? row->table
                           : row->phase == VIRTQ_ARMING    ? row->used
                                                           : row->avail;
        virtq_fault(output, row, FAULT_ADDRESS, address);
    } else if (row->phase == VIRTQ_INDEX) {
        virtq_index(output, row, queue, event->data);
    } else if (row->phase == VIRTQ_ARMING) {
        row->armed = 1;
        virtq_read_index(output, row, queue);
    } else if (row->phase == VIRTQ_RING) {
        HLS_COPY(row->heads, event->data, sizeof row->heads);
        virtq_next_chain(output, row, queue);
    } else if (event->amount % QUEUE_BLOCK_LINES != row->current / VIRTQ_LINE % QUEUE_BLOCK_LINES) {
        virtq_again(output, row);
    } else {
        virtq_descriptor_step(output, row, queue, line);
    }
}

HLS_INLINE void virtq_later_kernel(struct virtq_output *output, struct virtq_row *row, uint16_t queue,
                                   const struct queue_event *event)
{
    bool current = event->generation == row->generation && row->phase != VIRTQ_STOPPED && row->phase != VIRTQ_FAULTED;
    if (!current)
        return;
    if (event->kind == QUEUE_FAULT) {
        if (virtq_has_token(row))
            row->late_fault = event->detail;
        else
            virtq_fault(output, row, event->detail, 0);
        return;
    }
    row->credit += event->amount;
    if (row->phase == VIRTQ_PARKED && virtq_has_credit(row))
        virtq_next_chain(output, row, queue);
}

STEP(virtq, struct virtq_state *state, STREAM_IN(struct queue_event, event), STREAM_OUT(struct dma_request, read),
     STREAM_OUT(struct dma_request, write), STREAM_OUT(struct beat, write_data),
     STREAM_OUT(struct virtq_segment, segment), STREAM_OUT(struct queue_token, again),
     STREAM_OUT(struct event_entry, alert))
{
    STREAM_WAIT(STREAM_CAN_READ(event) && STREAM_CAN_WRITE(read) && STREAM_CAN_WRITE(write) &&
                STREAM_CAN_WRITE(write_data) && STREAM_CAN_WRITE(segment) && STREAM_CAN_WRITE(again) &&
                STREAM_CAN_WRITE(alert));
    STREAM_READ(struct queue_event, happened, event);
    uint16_t queue = happened->queue & (CARD_QUEUES - 1u);
    struct virtq_row row = state->rows[queue];
    uint32_t place = (uint32_t)queue * QUEUE_BLOCK_LINES + happened->amount % QUEUE_BLOCK_LINES;
    struct virtq_line line = state->lines[place];
    bool is_line = happened->kind == QUEUE_LINE;
    if (is_line) {
        HLS_COPY(&line, happened->data, sizeof line);
        state->lines[place] = line;
    }
    struct virtq_output output;
    output.reads = 0;
    output.writes = 0;
    output.segments = 0;
    output.again = 0;
    output.fault = FAULT_NONE;

    if (happened->kind == QUEUE_COMMAND) {
        struct command_entry entry;
        HLS_COPY(&entry, happened->data, sizeof entry);
        virtq_command(&output, &row, queue, &entry);
    } else if (happened->kind == QUEUE_CREDIT || happened->kind == QUEUE_FAULT) {
        virtq_later_kernel(&output, &row, queue, happened);
    } else if (happened->kind == QUEUE_DOORBELL) {
        if (row.phase == VIRTQ_IDLE)
            virtq_wake(&output, &row, queue);
        else
            row.rung = 1;
    } else if (virtq_has_token(&row) && (!is_line || happened->detail != 0)) {
        virtq_token(&output, &row, queue, happened, &line);
    }
    if (output.fault != FAULT_NONE)
        virtq_withdraw(&output, &row, queue);

    if (output.reads) {
        STREAM_OPEN(struct dma_request, request, read);
        HLS_COPY(request, &output.read, sizeof *request);
        STREAM_PUSH(struct dma_request, request, read);
    }
    if (output.writes) {
        STREAM_OPEN(struct dma_request, request, write);
        HLS_COPY(request, &output.write, sizeof *request);
        STREAM_PUSH(struct dma_request, request, write);
        if (!(output.write.flags & DMA_WINDOW)) {
            STREAM_OPEN(struct beat, beat, write_data);
            HLS_ZERO(beat, sizeof *beat);
            HLS_COPY(beat->data, &output.event, 2);
            beat->meta.bytes = 2;
            beat->meta.last = 1;
            beat->meta.length = 2;
            STREAM_PUSH(struct beat, beat, write_data);
        }
    }
    if (output.segments) {
        STREAM_OPEN(struct virtq_segment, sent, segment);
        HLS_COPY(sent, &output.segment, sizeof *sent);
        STREAM_PUSH(struct virtq_segment, sent, segment);
    }
    if (output.again) {
        STREAM_OPEN(struct queue_token, token, again);
        HLS_ZERO(token, sizeof *token);
        token->queue = queue;
        token->amount = output.place;
        STREAM_PUSH(struct queue_token, token, again);
    }
    if (output.fault != FAULT_NONE) {
        STREAM_OPEN(struct event_entry, entry, alert);
        HLS_ZERO(entry, sizeof *entry);
        entry->kind = EVENT_QUEUE_STOPPED;
        entry->detail = output.fault;
        entry->function = row.function;
        entry->queue = queue;
        entry->address = output.fault_value;
        entry->generation = row.host_generation;
        STREAM_PUSH(struct event_entry, entry, alert);
    }
    state->rows[queue] = row;
    STEP_END;
}
