/* SPDX-License-Identifier: Apache-2.0 */
/* Counts packets and bytes by what became of them, by punt reason, by source and by destination, and tells the counters. */
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

/* The row of a source or destination counter, of which functions and ports are numbered from `functions` and `ports`. */
HLS_INLINE uint32_t statistics_row(uint32_t index, uint32_t functions, uint32_t ports)
{
    uint32_t row = STATISTIC_ROW_NONE;
    if (index - functions < CARD_FUNCTIONS)
        row = index - functions;
    else if (index - ports < CARD_PORTS)
        row = STATISTIC_ROW_PORT + index - ports;
    return row;
}

STEP(statistics, struct statistics_state *state, STREAM_IN(struct fate, in), STREAM_OUT(struct statistic_answer, answer))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(answer));
    STREAM_READ(struct fate, fate, in);
    uint32_t index = fate->index;
    bool read = fate->read != 0;
    uint32_t source_row =
        read ? statistics_row(index, STATISTIC_FROM_FUNCTION, STATISTIC_FROM_PORT) : fate->source_row;
    uint32_t destination_row =
        read ? statistics_row(index, STATISTIC_TO_FUNCTION, STATISTIC_TO_PORT) : fate->destination_row;
    uint32_t fate_row = (read ? index : fate->fate) & 15u;
    uint32_t reason_row = (read ? index : fate->reason) & 15u;
    struct statistics_counter by_fate = state->fate[fate_row];
    struct statistics_counter by_reason = state->reason[reason_row];
    struct statistics_counter by_source = state->source[source_row];
    struct statistics_counter by_destination = state->destination[destination_row];

    if (read) {
        struct statistics_counter none = {0, 0};
        struct statistics_counter told = index < STATISTIC_PUNT_REASON            ? by_fate
                                         : index < STATISTIC_PUNT_REASON + 16u    ? by_reason
                                         : source_row != STATISTIC_ROW_NONE       ? by_source
                                         : destination_row != STATISTIC_ROW_NONE  ? by_destination
                                                                                  : none;
        STREAM_OPEN(struct statistic_answer, said, answer);
        said->packets = told.packets;
        said->bytes = told.bytes;
        STREAM_PUSH(struct statistic_answer, said, answer);
    } else {
        state->fate[fate_row] = statistics_more(by_fate, fate->length);
        if (fate->reason != PUNT_NONE)
            state->reason[reason_row] = statistics_more(by_reason, fate->length);
        if (source_row != STATISTIC_ROW_NONE)
            state->source[source_row] = statistics_more(by_source, fate->length);
        if (destination_row != STATISTIC_ROW_NONE)
            state->destination[destination_row] = statistics_more(by_destination, fate->length);
    }
    STEP_END;
}
