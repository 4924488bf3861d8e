/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends each packet where the rewriter addressed it: a port, a function, the host; and commands, which have passed all
 * tables by now, back as completions, with the counters that they asked for.
 */
#include "hls/include/dma.h"
#include "hls/include/flow.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

enum egress_output {
    EGRESS_NONE = 0,
    EGRESS_PORT0 = 1,
    EGRESS_PORT1 = 2,
    EGRESS_FUNCTION = 3,
    EGRESS_HOST = 4,
    EGRESS_COMPLETION = 5,
};

enum egress_waiting {
    EGRESS_GOES_ON = 0,
    EGRESS_WAITS_STATISTIC = 1,
    EGRESS_WAITS_ENTRY = 2,
    EGRESS_WAITS_TAIL = 3, /* the packet's last beat is in the other stream */
};

/* COMMAND_FLOW_READ tells the end of the flow's entry. */
#define EGRESS_ENTRY_FIRST offsetof(struct flow_entry, action)
#define EGRESS_ENTRY_BYTES 20u

struct egress_state {
    struct command_entry asking; /* waits for its answer */
    uint8_t waiting;             /* enum egress_waiting */
    uint8_t inside;              /* 1: the packet has not ended */
    uint8_t output;              /* enum egress_output of that packet */
};

HLS_INLINE uint8_t egress_output(const struct beat_meta *meta)
{
    uint8_t output = EGRESS_NONE;
    if (meta->source == ENDPOINT_NONE)
        output = EGRESS_COMPLETION;
    else if (meta->destination == ENDPOINT_PORT)
        output = meta->destination_id == 0 ? (uint8_t)EGRESS_PORT0 : (uint8_t)EGRESS_PORT1;
    else if (meta->destination == ENDPOINT_FUNCTION)
        output = EGRESS_FUNCTION;
    else if (meta->destination == ENDPOINT_HOST)
        output = EGRESS_HOST;
    return output;
}

HLS_INLINE uint8_t egress_waiting(const struct command_entry *entry)
{
    uint8_t waiting = EGRESS_GOES_ON;
    if (entry->status == STATUS_OK && entry->opcode == COMMAND_STATISTIC_READ)
        waiting = EGRESS_WAITS_STATISTIC;
    else if (entry->status == STATUS_OK && entry->opcode == COMMAND_FLOW_READ)
        waiting = EGRESS_WAITS_ENTRY;
    return waiting;
}

#define EGRESS_SEND(port, ends)               \
    do {                                      \
        STREAM_OPEN(struct beat, sent, port); \
        beat_copy(sent, beat);                \
        sent->meta.last = (ends);             \
        STREAM_PUSH(struct beat, sent, port); \
    } while (0)

#define EGRESS_DELIVER(output, ends)          \
    do {                                      \
        if ((output) == EGRESS_PORT0)         \
            EGRESS_SEND(port0, (ends));       \
        else if ((output) == EGRESS_PORT1)    \
            EGRESS_SEND(port1, (ends));       \
        else if ((output) == EGRESS_FUNCTION) \
            EGRESS_SEND(function, (ends));    \
        else if ((output) == EGRESS_HOST)     \
            EGRESS_SEND(host, (ends));        \
    } while (0)

STEP(egress, struct egress_state *state, STREAM_IN_COND(struct beat, in), STREAM_IN_COND(struct beat, tail),
     STREAM_IN_COND(struct statistic_answer, answer), STREAM_IN_COND(struct memory_line, entry),
     STREAM_OUT(struct beat, port0), STREAM_OUT(struct beat, port1), STREAM_OUT(struct beat, function),
     STREAM_OUT(struct beat, host), STREAM_OUT(struct command_entry, completion))
{
    STREAM_WAIT((state->waiting != EGRESS_GOES_ON || STREAM_CAN_READ(in)) &&
                (state->waiting != EGRESS_WAITS_TAIL || STREAM_CAN_READ(tail)) &&
                (state->waiting != EGRESS_WAITS_STATISTIC || STREAM_CAN_READ(answer)) &&
                (state->waiting != EGRESS_WAITS_ENTRY || STREAM_CAN_READ(entry)) && STREAM_CAN_WRITE(port0) &&
                STREAM_CAN_WRITE(port1) && STREAM_CAN_WRITE(function) && STREAM_CAN_WRITE(host) &&
                STREAM_CAN_WRITE(completion));
    STREAM_OPEN(struct command_entry, completed, completion);
    if (state->waiting == EGRESS_GOES_ON) {
        STREAM_READ(struct beat, beat, in);
        uint8_t output = state->inside ? state->output : egress_output(&beat->meta);
        EGRESS_DELIVER(output, beat->meta.last & BEAT_LAST);
        if (output == EGRESS_COMPLETION) {
            HLS_COPY(&state->asking, beat->data, sizeof state->asking);
            state->waiting = egress_waiting(&state->asking);
            if (state->waiting == EGRESS_GOES_ON) {
                HLS_COPY(completed, &state->asking, sizeof *completed);
                STREAM_PUSH(struct command_entry, completed, completion);
            }
        } else if (beat->meta.last == BEAT_LAST_IN_TAIL) {
            state->waiting = EGRESS_WAITS_TAIL;
        }
        state->inside = !beat->meta.last;
        state->output = output;
    } else if (state->waiting == EGRESS_WAITS_TAIL) {
        STREAM_READ(struct beat, beat, tail);
        EGRESS_DELIVER(state->output, BEAT_LAST);
        state->waiting = EGRESS_GOES_ON;
    } else {
        HLS_COPY(completed, &state->asking, sizeof *completed);
        if (state->waiting == EGRESS_WAITS_STATISTIC) {
            STREAM_READ(struct statistic_answer, counter, answer);
            HLS_COPY(completed->data, counter, sizeof *counter);
        } else if (state->waiting == EGRESS_WAITS_ENTRY) {
            STREAM_READ(struct memory_line, line, entry);
            HLS_COPY(completed->data, line->data + EGRESS_ENTRY_FIRST, EGRESS_ENTRY_BYTES);
        }
        STREAM_PUSH(struct command_entry, completed, completion);
        state->waiting = EGRESS_GOES_ON;
    }
    STEP_END;
}
