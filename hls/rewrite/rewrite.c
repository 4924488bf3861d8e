/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a packet's beats into their final form: headers added or stripped, which moves every byte by one of six constant
 * distances, fields edited, the tail cut off. One command per packet says how. A packet's last beat says whether it is
 * spoilt, so only then is it known what became of it.
 */
#include "hls/include/host_ring.h"
#include "hls/include/hls.h"
#include "hls/include/packet.h"

enum rewrite_phase {
    REWRITE_START = 0,
    REWRITE_BODY = 1,
    REWRITE_SKIP = 2,    /* more than a beat is stripped: the next beat comes before any output */
    REWRITE_DISCARD = 3, /* the rest of a packet that is dropped */
    REWRITE_TAIL = 4,    /* the last beat to leave is held until the packet's last beat has come */
    REWRITE_SECOND = 5,  /* reads nothing: the second beat of a long header */
    REWRITE_FLUSH = 6,   /* reads nothing: what the last beat left behind */
};

struct rewrite_state {
    uint8_t previous[BEAT_BYTES]; /* the beat, or end of the header, before the current one */
    uint8_t header[BEAT_BYTES];   /* end of a header that is longer than a beat */
    struct rewrite_plan plan;
    uint16_t remaining; /* bytes that have not left */
    uint16_t entered;   /* bytes of the packet as it came */
    uint8_t phase;      /* enum rewrite_phase */
    uint8_t beats;      /* that have left, at most 2 */
    uint8_t ended;      /* the packet's last beat has come */
    uint8_t error;      /* and was marked so */
};

HLS_INLINE void rewrite_align(uint8_t *to, const uint8_t *first, const uint8_t *second, uint32_t shift)
{
    if (shift == 14)
        HLS_ALIGN(to, first, second, 14);
    else if (shift == 50)
        HLS_ALIGN(to, first, second, 50);
    else if (shift == 58)
        HLS_ALIGN(to, first, second, 58);
    else if (shift == 54)
        HLS_ALIGN(to, first, second, 54);
    else if (shift == 6)
        HLS_ALIGN(to, first, second, 6);
    else
        HLS_ALIGN(to, first, second, 10);
}

HLS_INLINE void rewrite_macs(uint8_t *ethernet, const struct rewrite_plan *plan)
{
    if (plan->edits & EDIT_DESTINATION_MAC)
        HLS_COPY(ethernet, plan->destination_mac, 6);
    if (plan->edits & EDIT_SOURCE_MAC)
        HLS_COPY(ethernet + 6, plan->source_mac, 6);
}

HLS_INLINE void rewrite_ip(uint8_t *ip, const struct rewrite_plan *plan)
{
    if (plan->edits & EDIT_IPV4) {
        ip[1] = plan->second_byte;
        ip[8] = plan->ttl;
        ip[10] = (uint8_t)(plan->checksum >> 8);
        ip[11] = (uint8_t)plan->checksum;
    } else if (plan->edits & EDIT_IPV6) {
        ip[1] = plan->second_byte;
        ip[7] = plan->ttl;
    }
}

/* The first beat to leave: MACs of a frame at its start or behind an IPv4 encapsulation; IP behind 0, 1 or 2 tags. */
HLS_INLINE void rewrite_first_beat(uint8_t *data, const struct rewrite_plan *plan)
{
    if (plan->operation != REWRITE_ENCAPSULATE)
        rewrite_macs(data, plan);
    else if (plan->bytes == ENCAPSULATION_IPV4_BYTES)
        rewrite_macs(data + ENCAPSULATION_IPV4_BYTES, plan);
    if (plan->network == 14)
        rewrite_ip(data + 14, plan);
    else if (plan->network == 18)
        rewrite_ip(data + 18, plan);
    else if (plan->network == 22)
        rewrite_ip(data + 22, plan);
}

/* The second beat to leave: the rest of a frame behind an encapsulation. */
HLS_INLINE void rewrite_second_beat(uint8_t *data, const struct rewrite_plan *plan)
{
    if (plan->operation == REWRITE_ENCAPSULATE && plan->bytes == ENCAPSULATION_IPV6_BYTES)
        rewrite_macs(data + 6, plan);
    if (plan->network == 64)
        rewrite_ip(data, plan);
    else if (plan->network == 68)
        rewrite_ip(data + 4, plan);
    else if (plan->network == 72)
        rewrite_ip(data + 8, plan);
    else if (plan->network == 84)
        rewrite_ip(data + 20, plan);
    else if (plan->network == 88)
        rewrite_ip(data + 24, plan);
    else if (plan->network == 92)
        rewrite_ip(data + 28, plan);
}

HLS_INLINE void rewrite_cut(uint8_t *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < BEAT_BYTES; i++)
        data[i] = i < bytes ? data[i] : (uint8_t)0;
}

HLS_INLINE void rewrite_tell(struct fate *fate, const struct rewrite_state *state)
{
    const struct rewrite_plan *plan = &state->plan;
    fate->read = plan->operation == REWRITE_COMMAND;
    fate->fate = state->error ? (uint8_t)STATISTIC_DROP_ERROR : plan->fate;
    fate->reason = state->error ? (uint8_t)PUNT_NONE : plan->reason;
    fate->source_row = plan->source_row;
    fate->destination_row = state->error ? (uint8_t)STATISTIC_ROW_NONE : plan->destination_row;
    fate->reserved = 0;
    fate->index = plan->index;
    fate->length = state->entered;
}

STEP(rewrite, struct rewrite_state *state, STREAM_IN_COND(struct beat, in),
     STREAM_IN_COND(struct rewrite_command, command), STREAM_OUT(struct beat, out), STREAM_OUT(struct fate, fate))
{
    STREAM_WAIT((state->phase >= REWRITE_SECOND || STREAM_CAN_READ(in)) &&
                (state->phase != REWRITE_START || STREAM_CAN_READ(command)) && STREAM_CAN_WRITE(out) &&
                STREAM_CAN_WRITE(fate));
    const struct rewrite_plan *plan = &state->plan;
    uint32_t phase = state->phase;
    uint8_t current[BEAT_BYTES];
    if (phase < REWRITE_SECOND) {
        STREAM_READ(struct beat, beat, in);
        HLS_COPY(current, beat->data, BEAT_BYTES);
        state->ended = beat->meta.last;
        state->error = beat->meta.last & beat->meta.error;
        if (phase == REWRITE_START)
            state->entered = beat->meta.length;
    } else {
        HLS_ZERO(current, BEAT_BYTES);
    }

    STREAM_OPEN(struct beat, made, out);
    bool ready = true; /* `made` is the next beat to leave */
    if (phase == REWRITE_START) {
        STREAM_READ(struct rewrite_command, order, command);
        HLS_COPY(&state->plan, &order->plan, sizeof state->plan);
        state->remaining = plan->meta.length;
        state->beats = 0;
        if (plan->operation == REWRITE_ENCAPSULATE && plan->bytes == ENCAPSULATION_IPV4_BYTES) {
            HLS_ALIGN(made->data, order->header + BEAT_BYTES, current, 64 - ENCAPSULATION_IPV4_BYTES);
        } else if (plan->operation == REWRITE_ENCAPSULATE) {
            HLS_ALIGN(made->data, order->header, order->header + BEAT_BYTES, 128 - ENCAPSULATION_IPV6_BYTES);
            HLS_COPY(state->header, order->header + BEAT_BYTES, BEAT_BYTES);
        } else {
            HLS_COPY(made->data, current, BEAT_BYTES);
            ready = plan->operation == REWRITE_PASS || plan->operation == REWRITE_COMMAND;
        }
    } else if (phase == REWRITE_SECOND) {
        HLS_ALIGN(made->data, state->header, state->previous, 128 - ENCAPSULATION_IPV6_BYTES);
    } else if (phase == REWRITE_TAIL) {
        HLS_COPY(made->data, state->previous, BEAT_BYTES);
    } else if (phase == REWRITE_BODY || phase == REWRITE_FLUSH) {
        if (plan->operation == REWRITE_ENCAPSULATE || plan->operation == REWRITE_STRIP)
            rewrite_align(made->data, state->previous, current,
                          (plan->operation == REWRITE_STRIP ? plan->bytes : 128u - plan->bytes) & 63u);
        else
            HLS_COPY(made->data, current, BEAT_BYTES);
    } else {
        ready = false;
    }

    bool dropped = plan->operation == REWRITE_DROP;
    bool final = ready && (state->remaining <= BEAT_BYTES || phase == REWRITE_FLUSH);
    bool leaves = ready && (!final || state->ended);
    bool wrong = phase == REWRITE_FLUSH && state->remaining > BEAT_BYTES; /* the packet was shorter than it said */
    bool finished = dropped ? state->ended != 0 : final && leaves;
    state->error |= wrong;

    if (ready && plan->edits != 0 && phase != REWRITE_TAIL) {
        if (state->beats == 0)
            rewrite_first_beat(made->data, plan);
        else if (state->beats == 1)
            rewrite_second_beat(made->data, plan);
    }
    if (final && plan->trim)
        rewrite_cut(made->data, state->remaining);

    if (state->beats == 0)
        HLS_COPY(&made->meta, &plan->meta, sizeof made->meta);
    else
        HLS_ZERO(&made->meta, sizeof made->meta);
    made->meta.bytes = (uint8_t)(state->remaining < BEAT_BYTES ? state->remaining : BEAT_BYTES);
    made->meta.last = final;
    made->meta.error = final & state->error;

    if (final && !leaves)
        HLS_COPY(state->previous, made->data, BEAT_BYTES);
    else if (phase != REWRITE_TAIL && phase != REWRITE_SECOND)
        HLS_COPY(state->previous, current, BEAT_BYTES);

    if (finished)
        state->phase = REWRITE_START;
    else if (dropped)
        state->phase = REWRITE_DISCARD;
    else if (final)
        state->phase = REWRITE_TAIL;
    else if (phase == REWRITE_START && plan->bytes > BEAT_BYTES && !state->ended)
        state->phase = plan->operation == REWRITE_STRIP ? REWRITE_SKIP : REWRITE_SECOND;
    else if (phase == REWRITE_START && plan->operation == REWRITE_ENCAPSULATE && plan->bytes > BEAT_BYTES)
        state->phase = REWRITE_SECOND;
    else
        state->phase = state->ended ? REWRITE_FLUSH : REWRITE_BODY;

    if (leaves) {
        state->remaining = (uint16_t)(state->remaining - made->meta.bytes);
        state->beats = state->beats < 2 ? (uint8_t)(state->beats + 1) : (uint8_t)2;
        STREAM_PUSH(struct beat, made, out);
    }
    if (finished && (plan->operation != REWRITE_COMMAND || plan->opcode == COMMAND_STATISTIC_READ)) {
        STREAM_OPEN(struct fate, told, fate);
        rewrite_tell(told, state);
        STREAM_PUSH(struct fate, told, fate);
    }
    STEP_END;
}
