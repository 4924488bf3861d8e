/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the used rings of all queues and decides about interrupts (virtio 1.2, 2.7.8, 2.7.10 and 2.7.7).
 *
 * A queue that has news has one token, which goes around: elements are written, then the ring's index; when that is
 * visible, the driver's wish for interrupts is read; then comes the next round, if there is more. So everything that
 * comes within a round costs one index write, one read and at most one interrupt. None is lost: the wish is read after
 * the index became visible, and a driver that changes its wish looks at the index afterwards (2.7.7.1). Buffers that
 * are known to be followed by others begin no round of their own.
 *
 * A driver that has wanted an interrupt for each of several rounds in a row gets those of the next few without being
 * asked: a driver has to bear an interrupt too many (2.7.7.2), and one too few cannot come of it. That is for drivers
 * that wait: whoever has more under way, or under whom a round follows upon another, is asked.
 *
 * A queue with a failed access writes nothing more. Its stop then waits for a write that the guard refuses: it comes
 * back behind everything that was under way.
 */
#include "hls/include/block.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"
#include "hls/include/used_ring.h"
#include "hls/include/virtio.h"

#define VIRTIO_USED_PENDING   (USED_WRITE_BYTES / 8u)
#define VIRTIO_USED_NO_VECTOR 0xffffu
#define VIRTIO_USED_TRUST     4u  /* wishes in a row, until a driver is not asked */
#define VIRTIO_USED_UNASKED   15u /* rounds */
#define VIRTIO_USED_FEW       16u /* elements of a round: for more, asking costs little */

enum virtio_used_phase {
    USED_IDLE = 0,
    USED_AGAIN = 1, /* the token is in `again` */
    USED_WRITE = 2, /* the index is being written */
    USED_READ = 3,  /* the driver's wish is being read */
    USED_FENCE = 4, /* the write that is refused is under way */
};

struct virtio_used_row {
    struct virtq_used_element pending[VIRTIO_USED_PENDING]; /* zeros behind the last */
    uint64_t used;                                          /* guest addresses */
    uint64_t avail;
    uint32_t stop_tag;
    uint16_t mask; /* of a position in the ring */
    uint16_t flags;
    uint16_t vector;
    uint16_t written;    /* elements, free running: on their way into the ring */
    uint16_t published;  /* in the ring's index */
    uint16_t signalled;  /* covered by a decision about an interrupt */
    uint16_t generation; /* of the host's setting */
    uint16_t function;
    uint8_t count; /* pending */
    uint8_t phase; /* enum virtio_used_phase */
    uint8_t enabled;
    uint8_t faulted;
    uint8_t stopping;
    uint8_t stop_target;
    uint8_t settled; /* faulted, and nothing is under way */
    uint8_t more;    /* enum used_more, of the last buffer */
    uint8_t quiet;   /* the round began with a buffer, not with the end of another round */
    uint8_t wishes;  /* in a row, up to VIRTIO_USED_TRUST */
    uint8_t unasked; /* rounds that may still go by without a question */
    uint8_t waits;   /* the driver had nothing more under way when it was asked */
};

struct virtio_used_state {
    struct virtio_used_row row[CARD_QUEUES];
};

enum virtio_used_write {
    USED_WRITE_NONE = 0,
    USED_WRITE_ELEMENTS = 1,
    USED_WRITE_INDEX = 2,
    USED_WRITE_REFUSED = 3,
    USED_WRITE_WINDOW = 4
};

/* What an activation sends. */
struct virtio_used_step {
    uint8_t write; /* enum virtio_used_write */
    uint8_t read;
    uint8_t again;
    uint8_t interrupt;
    uint8_t complete;
    uint8_t alert;
};

HLS_INLINE void virtio_used_add(struct virtio_used_row *row, const struct queue_event *event,
                                struct virtio_used_step *step)
{
    for (uint32_t i = 0; i < VIRTIO_USED_PENDING; i++) {
        if (i == row->count) {
            row->pending[i].id = event->head;
            row->pending[i].length = event->length;
        }
    }
    row->count = (uint8_t)(row->count + 1u);
    row->more = event->detail;
    bool at_end = (((uint32_t)row->written + row->count) & row->mask) == 0;
    if (row->count == VIRTIO_USED_PENDING || at_end)
        step->write = USED_WRITE_ELEMENTS;
}

/* What is done waits for what follows. */
HLS_INLINE bool virtio_used_holds(const struct virtio_used_row *row)
{
    return (row->more & USED_FOLLOWED) != 0 && !row->stopping;
}

/* The token is here: on with what is due, else the round ends. */
HLS_INLINE void virtio_used_advance(struct virtio_used_row *row, struct virtio_used_step *step)
{
    if (row->faulted) {
        step->write = USED_WRITE_REFUSED;
        row->phase = USED_FENCE;
    } else if (row->count != 0 && !virtio_used_holds(row)) {
        step->write = USED_WRITE_ELEMENTS;
        row->phase = USED_IDLE;
    } else if (row->written == row->published) {
        row->phase = USED_IDLE;
    } else {
        step->write = USED_WRITE_INDEX;
        row->published = row->written;
        row->phase = USED_WRITE;
    }
}

HLS_INLINE void virtio_used_fault(struct virtio_used_row *row, struct virtio_used_step *step)
{
    step->alert = !row->faulted;
    row->faulted = 1;
    row->count = 0;
}

/* 2.7.10.1: the index passed used_event, or, without event index, the flag is clear. */
HLS_INLINE bool virtio_used_wanted(const struct virtio_used_row *row, const uint8_t *data)
{
    uint16_t word = (uint16_t)(data[0] | (uint32_t)data[1] << 8);
    uint16_t passed = (uint16_t)(row->published - word - 1u);
    uint16_t news = (uint16_t)(row->published - row->signalled);
    bool event_index = (row->flags & QUEUE_EVENT_INDEX) != 0;
    return event_index ? passed < news : (word & VIRTQ_AVAIL_NO_INTERRUPT) == 0;
}

/* A round's index is visible. Returns whether the driver gets its interrupt without a question. */
HLS_INLINE bool virtio_used_trusts(const struct virtio_used_row *row)
{
    uint16_t news = (uint16_t)(row->published - row->signalled);
    return row->wishes == VIRTIO_USED_TRUST && row->unasked != 0 && row->quiet && row->more == 0 && news != 0 &&
           news <= VIRTIO_USED_FEW;
}

/* Of a driver that has more under way the answer says nothing about when it waits. */
HLS_INLINE void virtio_used_answer(struct virtio_used_row *row, bool wanted)
{
    if (!row->waits)
        return;
    uint8_t more = (uint8_t)(row->wishes + (row->wishes != VIRTIO_USED_TRUST ? 1u : 0u));
    row->wishes = wanted ? more : 0;
    row->unasked = VIRTIO_USED_UNASKED;
}

/* Receive queues are even, transmit queues odd; block queues are numbered for themselves. */
HLS_INLINE bool virtio_used_own(const struct command_entry *entry)
{
    bool net = entry->index < CARD_QUEUES && (entry->index & 1u) == (entry->target == TARGET_TX_USED ? 1u : 0u);
    return entry->target == TARGET_BLK_USED ? entry->index < BLOCK_QUEUES : net;
}

HLS_INLINE uint8_t virtio_used_set(struct virtio_used_row *row, const struct command_entry *entry)
{
    struct queue_setting setting;
    HLS_COPY(&setting, entry->data, sizeof setting);
    bool entries =
        setting.entries >= 2u && setting.entries <= QUEUE_SIZE_MAX && (setting.entries & (setting.entries - 1u)) == 0;
    bool aligned = (setting.used & 3u) == 0 && (setting.avail & 1u) == 0;
    bool block = entry->target == TARGET_BLK_USED;
    bool kind = block == ((setting.flags & QUEUE_BLOCK) != 0) && (block || setting.function == entry->index >> 1);
    uint8_t status = STATUS_OK;
    if (!virtio_used_own(entry)) {
        status = STATUS_BAD_INDEX;
    } else if (row->enabled) {
        status = STATUS_BUSY;
    } else if (!entries || !aligned || !kind || setting.function >= FUNCTION_HOST) {
        status = STATUS_BAD_DATA;
    } else {
        HLS_ZERO(row, sizeof *row);
        row->used = setting.used;
        row->avail = setting.avail;
        row->mask = (uint16_t)(setting.entries - 1u);
        row->flags = setting.flags;
        row->vector = setting.vector;
        row->written = setting.position;
        row->published = setting.position;
        row->signalled = setting.position;
        row->generation = setting.generation;
        row->function = setting.function;
        row->enabled = 1;
    }
    return status;
}

/* Returns the status; a stop that has begun completes later. */
HLS_INLINE uint8_t virtio_used_command(struct virtio_used_row *row, const struct command_entry *entry,
                                       struct virtio_used_step *step)
{
    uint8_t status = STATUS_OK;
    step->complete = 1;
    if (entry->opcode == COMMAND_QUEUE_SET) {
        status = virtio_used_set(row, entry);
    } else if (entry->opcode == COMMAND_QUEUE_STOP) {
        if (!virtio_used_own(entry)) {
            status = STATUS_BAD_INDEX;
        } else if (row->stopping) {
            status = STATUS_BUSY;
        } else {
            row->stop_tag = entry->tag;
            row->stop_target = entry->target;
            row->stopping = 1;
            step->complete = 0;
        }
    } else if (entry->opcode == COMMAND_WINDOW_SET) {
        if (entry->index >= CARD_FUNCTIONS)
            status = STATUS_BAD_INDEX;
        else
            step->write = USED_WRITE_WINDOW;
    } else {
        status = STATUS_BAD_OPCODE;
    }
    return status;
}

/* A queue without its token: a new round, or the end of a stop. Returns whether the queue has stopped. */
HLS_INLINE bool virtio_used_settle(struct virtio_used_row *row, uint32_t kind, struct virtio_used_step *step)
{
    bool news = (row->count != 0 || row->written != row->published) && !virtio_used_holds(row);
    bool due = row->faulted ? row->stopping && !row->settled : news;
    bool stopped = false;
    if (row->phase == USED_IDLE && due) {
        row->phase = USED_AGAIN;
        step->again = 1;
        if (kind != QUEUE_AGAIN)
            row->quiet = kind == QUEUE_USED;
    } else if (row->phase == USED_IDLE && row->stopping) {
        row->stopping = 0;
        row->enabled = 0;
        stopped = true;
    }
    return stopped;
}

/* One event changes one row. Returns the status of a command. */
HLS_INLINE uint8_t virtio_used_event(struct virtio_used_row *row, const struct queue_event *event,
                                     struct virtio_used_step *step)
{
    uint8_t status = STATUS_OK;
    bool back = false; /* the token, after a whole round */
    if (event->kind == QUEUE_USED) {
        if (row->enabled && !row->faulted)
            virtio_used_add(row, event, step);
    } else if (event->kind == QUEUE_COMMAND) {
        struct command_entry entry;
        HLS_COPY(&entry, event->data, sizeof entry);
        status = virtio_used_command(row, &entry, step);
    } else if (event->kind == QUEUE_AGAIN) {
        if (row->faulted && !row->stopping)
            back = true;
        else
            virtio_used_advance(row, step);
    } else if (event->kind == QUEUE_DONE) {
        if (event->error)
            virtio_used_fault(row, step);
        row->settled = row->phase == USED_FENCE;
        bool trusts = !row->faulted && virtio_used_trusts(row);
        back = trusts || row->faulted || row->vector == VIRTIO_USED_NO_VECTOR;
        step->interrupt = trusts;
        step->read = !back;
        row->phase = USED_READ;
        row->waits = row->more == 0;
        if (trusts) {
            row->signalled = row->published;
            row->unasked = (uint8_t)(row->unasked - 1u);
        }
    } else if (event->kind == QUEUE_DATA) {
        bool wanted = virtio_used_wanted(row, event->data);
        if (event->error)
            virtio_used_fault(row, step);
        else
            step->interrupt = !row->faulted && wanted;
        virtio_used_answer(row, wanted);
        row->signalled = row->published;
        back = true;
    }
    if (back)
        row->phase = USED_IDLE;
    return status;
}

HLS_INLINE void virtio_used_request(struct dma_request *request, const struct virtio_used_row *row, uint64_t address,
                                    uint64_t length, uint32_t tag)
{
    request->address = address;
    request->length = length;
    request->function = row->function;
    request->flags = DMA_LAST;
    request->tag = (uint16_t)tag;
    HLS_ZERO(request->reserved, sizeof request->reserved);
}

HLS_INLINE void virtio_used_window(struct dma_request *request, const struct command_entry *entry)
{
    struct window_setting setting;
    HLS_COPY(&setting, entry->data, sizeof setting);
    request->address = setting.bus_base;
    request->length = setting.length;
    request->function = (uint16_t)entry->index;
    request->flags = DMA_WINDOW;
    request->tag = 0;
    HLS_ZERO(request->reserved, sizeof request->reserved);
}

HLS_INLINE void virtio_used_data(struct used_write *data, const void *from, uint32_t bytes)
{
    HLS_COPY(data->data, from, USED_WRITE_BYTES);
    data->bytes = (uint16_t)bytes;
    HLS_ZERO(data->reserved, sizeof data->reserved);
}

/* What to write where. Elements that go out are no longer pending. */
HLS_INLINE void virtio_used_compose(struct virtio_used_row *row, uint32_t queue, uint32_t write,
                                    struct dma_request *request, struct used_write *data)
{
    struct virtq_used_element elements[VIRTIO_USED_PENDING];
    HLS_COPY(elements, row->pending, sizeof elements);
    if (write == USED_WRITE_ELEMENTS) {
        uint64_t place = VIRTQ_USED_RING + 8u * ((uint32_t)row->written & row->mask);
        virtio_used_request(request, row, row->used + place, 8u * (uint32_t)row->count, queue);
        virtio_used_data(data, elements, 8u * (uint32_t)row->count);
        row->written = (uint16_t)(row->written + row->count);
        row->count = 0;
        HLS_ZERO(row->pending, sizeof row->pending);
    } else {
        bool refused = write == USED_WRITE_REFUSED;
        HLS_ZERO(elements, sizeof elements);
        elements[0].id = row->published;
        virtio_used_request(request, row, refused ? ~(uint64_t)0 : row->used + VIRTQ_USED_INDEX, 2,
                            queue | USED_RING_TAG_INDEX);
        virtio_used_data(data, elements, 2);
    }
}

STEP(virtio_used, struct virtio_used_state *state, STREAM_IN(struct queue_event, event),
     STREAM_OUT(struct dma_request, read_request), STREAM_OUT(struct dma_request, write_request),
     STREAM_OUT(struct used_write, write_data), STREAM_OUT(struct queue_token, again),
     STREAM_OUT(struct interrupt_request, interrupt), STREAM_OUT(struct command_entry, completion),
     STREAM_OUT(struct event_entry, alert))
{
    STREAM_WAIT(STREAM_CAN_READ(event) && STREAM_CAN_WRITE(read_request) && STREAM_CAN_WRITE(write_request) &&
                STREAM_CAN_WRITE(write_data) && STREAM_CAN_WRITE(again) && STREAM_CAN_WRITE(interrupt) &&
                STREAM_CAN_WRITE(completion) && STREAM_CAN_WRITE(alert));
    STREAM_READ(struct queue_event, happened, event);
    uint32_t queue = happened->queue & (CARD_QUEUES - 1u);
    struct virtio_used_row row = state->row[queue];
    struct virtio_used_step step;
    struct command_entry entry;
    HLS_ZERO(&step, sizeof step);
    HLS_COPY(&entry, happened->data, sizeof entry);
    uint8_t status = virtio_used_event(&row, happened, &step);
    bool window = step.write == USED_WRITE_WINDOW;

    if (step.write != USED_WRITE_NONE) {
        STREAM_OPEN(struct dma_request, request, write_request);
        if (window) {
            virtio_used_window(request, &entry);
        } else {
            STREAM_OPEN(struct used_write, data, write_data);
            virtio_used_compose(&row, queue, step.write, request, data);
            STREAM_PUSH(struct used_write, data, write_data);
        }
        STREAM_PUSH(struct dma_request, request, write_request);
    }
    if (step.read || window) {
        bool event_index = (row.flags & QUEUE_EVENT_INDEX) != 0;
        uint64_t wish = event_index ? VIRTQ_AVAIL_USED_EVENT(row.mask + (uint64_t)1) : VIRTQ_AVAIL_FLAGS;
        STREAM_OPEN(struct dma_request, request, read_request);
        if (window)
            virtio_used_window(request, &entry);
        else
            virtio_used_request(request, &row, row.avail + wish, 2, queue);
        STREAM_PUSH(struct dma_request, request, read_request);
    }
    bool stopped = virtio_used_settle(&row, happened->kind, &step);
    if (step.again) {
        STREAM_OPEN(struct queue_token, token, again);
        HLS_ZERO(token, sizeof *token);
        token->queue = (uint16_t)queue;
        STREAM_PUSH(struct queue_token, token, again);
    }
    if (step.interrupt) {
        STREAM_OPEN(struct interrupt_request, raise, interrupt);
        HLS_ZERO(raise, sizeof *raise);
        raise->vector = row.vector;
        STREAM_PUSH(struct interrupt_request, raise, interrupt);
    }
    if (step.complete || stopped) {
        struct queue_position position;
        HLS_ZERO(&position, sizeof position);
        position.position = row.published;
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &entry, sizeof *completed);
        completed->status = status;
        if (stopped) {
            HLS_ZERO(completed, sizeof *completed);
            completed->opcode = COMMAND_QUEUE_STOP;
            completed->target = row.stop_target;
            completed->tag = row.stop_tag;
            completed->index = queue;
            HLS_COPY(completed->data, &position, sizeof position);
        }
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    if (step.alert) {
        STREAM_OPEN(struct event_entry, report, alert);
        HLS_ZERO(report, sizeof *report);
        report->kind = EVENT_QUEUE_STOPPED;
        report->detail = FAULT_ADDRESS;
        report->function = row.function;
        report->queue = (uint16_t)queue;
        report->address = happened->kind == QUEUE_DATA ? row.avail : row.used;
        report->generation = row.generation;
        STREAM_PUSH(struct event_entry, report, alert);
    }
    state->row[queue] = row;
    STEP_END;
}
