/* SPDX-License-Identifier: Apache-2.0 */
/* Counts packets and bytes by what became of them, by punt reason, by source and by destination, and tells the
 * counters. */
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

#define STATISTICS_ROWS 256u

struct statistics_counter {
    uint64_t packets;
    uint64_t bytes;
};

struct statistics_state {
    struct statistics_counter fate[16];
    struct statistics_counter reason[16];
    struct statistics_counter source[STATISTICS_ROWS];
    struct statistics_counter destination[STATISTICS_ROWS];
};

HLS_INLINE struct statistics_counter statistics_more(struct statistics_counter counter, uint32_t length)
{
    counter.packets += 1;
    counter.bytes += length;
    return counter;
}

/* The row of a source or destination counter, of which functions and ports are numbered from `functions` and `ports`.
 */
HLS_INLINE uint32_t statistics_row(uint32_t index, uint32_t functions, uint32_t ports)
{
    uint32_t row = STATISTIC_ROW_NONE;
    if (index - functions < CARD_FUNCTIONS)
        row = index - functions;
    else if (index - ports < CARD_PORTS)
        row = STATISTIC_ROW_PORT + index - ports;
    return row;
}

HLS_INLINE void statistics_count(struct statistics_state *state, const struct fate *fate)
{
    state->fate[fate->fate & 15u] = statistics_more(state->fate[fate->fate & 15u], fate->length);
    if (fate->reason != PUNT_NONE)
        state->reason[fate->reason & 15u] = statistics_more(state->reason[fate->reason & 15u], fate->length);
    if (fate->source_row != STATISTIC_ROW_NONE)
        state->source[fate->source_row] = statistics_more(state->source[fate->source_row], fate->length);
    if (fate->destination_row != STATISTIC_ROW_NONE)
        state->destination[fate->destination_row] =
            statistics_more(state->destination[fate->destination_row], fate->length);
}

/* Rows that are never counted in are zero. */
HLS_INLINE struct statistics_counter statistics_told(const struct statistics_state *state, uint32_t index)
{
    uint32_t source = statistics_row(index, STATISTIC_FROM_FUNCTION, STATISTIC_FROM_PORT);
    uint32_t destination = statistics_row(index, STATISTIC_TO_FUNCTION, STATISTIC_TO_PORT);
    struct statistics_counter told = state->destination[destination];
    if (index < STATISTIC_PUNT_REASON)
        told = state->fate[index & 15u];
    else if (index < STATISTIC_FROM_PORT)
        told = state->reason[index & 15u];
    else if (source != STATISTIC_ROW_NONE)
        told = state->source[source];
    return told;
}

STEP(statistics, struct statistics_state *state, STREAM_IN(struct fate, in),
     STREAM_OUT(struct statistic_answer, answer))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(answer));
    STREAM_READ(struct fate, fate, in);
    if (fate->kind == FATE_READ) {
        struct statistics_counter told = statistics_told(state, fate->index);
        STREAM_OPEN(struct statistic_answer, said, answer);
        said->packets = told.packets;
        said->bytes = told.bytes;
        STREAM_PUSH(struct statistic_answer, said, answer);
    } else {
        statistics_count(state, fate);
    }
    STEP_END;
}
