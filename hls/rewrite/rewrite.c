/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a packet's beats into their final form: headers added or stripped, which moves every byte by one of six
 * constant distances, fields edited, the tail cut off. One command per packet says how. A packet's last beat says
 * whether it is spoilt, so only then is it known what became of it.
 */
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"
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

/* Which beat leaves next. */
enum rewrite_next {
    REWRITE_NEXT_PLAIN = 0, /* one without edits and sideband */
    REWRITE_NEXT_FIRST = 1,
    REWRITE_NEXT_SECOND = 2, /* of a packet with edits */
};

struct rewrite_state {
    uint8_t previous[BEAT_BYTES]; /* the beat before the current one; in REWRITE_TAIL the beat to leave */
    uint8_t header[BEAT_BYTES];   /* end of a header that is longer than a beat */
    struct rewrite_plan plan;
    uint32_t remaining; /* bytes that have not left */
    uint8_t phase;      /* enum rewrite_phase */
    uint8_t next;       /* enum rewrite_next */
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
    if (plan->operation == REWRITE_ENCAPSULATE_IPV4)
        rewrite_macs(data + ENCAPSULATION_IPV4_BYTES, plan);
    else if (plan->operation != REWRITE_ENCAPSULATE_IPV6)
        rewrite_macs(data, plan);
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
    if (plan->operation == REWRITE_ENCAPSULATE_IPV6)
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

HLS_INLINE void rewrite_tell(struct fate *told, const struct rewrite_plan *plan, uint32_t error)
{
    HLS_COPY(told, &plan->fate, sizeof *told);
    if (error) {
        told->fate = STATISTIC_DROP_ERROR;
        told->reason = PUNT_NONE;
        told->destination_row = STATISTIC_ROW_NONE;
    }
}

/* The first beat to leave, but for edits, out of the packet's first beat and its command. */
HLS_INLINE void rewrite_first_data(struct rewrite_state *state, uint8_t *to, const uint8_t *current,
                                   const struct rewrite_command *order)
{
    if (order->plan.operation == REWRITE_ENCAPSULATE_IPV4) {
        HLS_ALIGN(to, order->header + BEAT_BYTES, current, 64 - ENCAPSULATION_IPV4_BYTES);
    } else if (order->plan.operation == REWRITE_ENCAPSULATE_IPV6) {
        HLS_ALIGN(to, order->header, order->header + BEAT_BYTES, 128 - ENCAPSULATION_IPV6_BYTES);
        HLS_COPY(state->header, order->header + BEAT_BYTES, BEAT_BYTES);
    } else {
        HLS_COPY(to, current, BEAT_BYTES);
    }
}

/* The beat that leaves in later phases, but for edits. */
HLS_INLINE void rewrite_later_data(const struct rewrite_state *state, uint8_t *to, const uint8_t *current)
{
    if (HLS_SELDOM(state->phase == REWRITE_TAIL))
        HLS_COPY(to, state->previous, BEAT_BYTES);
    else if (HLS_SELDOM(state->phase == REWRITE_SECOND))
        HLS_ALIGN(to, state->header, state->previous, 128 - ENCAPSULATION_IPV6_BYTES);
    else if (state->plan.shift == 0)
        HLS_COPY(to, current, BEAT_BYTES);
    else
        rewrite_align(to, state->previous, current, state->plan.shift);
}

/* The phase after the first beat, when more is to leave or to come. */
HLS_INLINE uint8_t rewrite_second_phase(uint32_t operation, uint32_t ended)
{
    uint8_t phase = ended ? REWRITE_FLUSH : REWRITE_BODY;
    if (HLS_SELDOM(operation == REWRITE_ENCAPSULATE_IPV6))
        phase = REWRITE_SECOND;
    else if (HLS_SELDOM(operation == REWRITE_STRIP_LONG && !ended))
        phase = REWRITE_SKIP;
    else if (HLS_SELDOM(operation == REWRITE_DROP))
        phase = ended ? REWRITE_START : REWRITE_DISCARD;
    return phase;
}

HLS_INLINE void rewrite_edit(uint8_t *data, const struct rewrite_plan *plan, uint32_t next)
{
    if (next == REWRITE_NEXT_FIRST)
        rewrite_first_beat(data, plan);
    else if (next == REWRITE_NEXT_SECOND)
        rewrite_second_beat(data, plan);
}

/* The last beat to leave. It does when the packet's last beat has come; until then it is held. Returns whether it
 * leaves. */
HLS_INLINE bool rewrite_last(struct rewrite_state *state, struct beat *made, uint32_t remaining)
{
    bool wrong = remaining > BEAT_BYTES; /* the packet was shorter than it said */
    uint32_t bytes = wrong ? BEAT_BYTES : remaining;
    state->error |= wrong;
    if (HLS_SELDOM(state->plan.edits & EDIT_CUT))
        rewrite_cut(made->data, bytes);
    made->meta.bytes = (uint8_t)bytes;
    made->meta.last = 1;
    made->meta.error = state->error;
    state->phase = REWRITE_START;
    if (HLS_SELDOM(!state->ended)) {
        HLS_COPY(state->previous, made->data, BEAT_BYTES);
        state->remaining = remaining;
        state->phase = REWRITE_TAIL;
    }
    return state->ended;
}

/* A packet's first beat and its command. Returns whether `made` leaves. */
HLS_INLINE bool rewrite_begin(struct rewrite_state *state, struct beat *made, const uint8_t *current,
                              const struct rewrite_command *order)
{
    uint32_t operation = order->plan.operation, remaining = order->plan.meta.length;
    bool leaves = operation != REWRITE_DROP && operation < REWRITE_STRIP;
    HLS_COPY(&state->plan, &order->plan, sizeof state->plan);
    HLS_COPY(&made->meta, &order->plan.meta, sizeof made->meta);
    rewrite_first_data(state, made->data, current, order);
    state->next = REWRITE_NEXT_FIRST;
    if (leaves) {
        bool edits = order->plan.edits != 0;
        if (edits)
            rewrite_first_beat(made->data, &order->plan);
        state->next = edits ? REWRITE_NEXT_SECOND : REWRITE_NEXT_PLAIN;
    }
    if (leaves && remaining <= BEAT_BYTES) {
        state->next = REWRITE_NEXT_FIRST; /* should it be held */
        leaves = rewrite_last(state, made, remaining);
    } else {
        HLS_COPY(state->previous, current, BEAT_BYTES);
        state->remaining = leaves ? remaining - BEAT_BYTES : remaining;
        state->phase = rewrite_second_phase(operation, state->ended);
    }
    return leaves;
}

/* Later beats of a packet, or what is left of it. Returns whether `made` leaves. */
HLS_INLINE bool rewrite_go_on(struct rewrite_state *state, struct beat *made, const uint8_t *current)
{
    uint32_t phase = state->phase, next = state->next, remaining = state->remaining;
    bool leaves = true;
    rewrite_later_data(state, made->data, current);
    HLS_ZERO(&made->meta, sizeof made->meta);
    if (phase == REWRITE_BODY && next == REWRITE_NEXT_PLAIN && remaining > BEAT_BYTES) {
        made->meta.bytes = BEAT_BYTES;
        HLS_COPY(state->previous, current, BEAT_BYTES);
        state->remaining = remaining - BEAT_BYTES;
        if (state->ended)
            state->phase = REWRITE_FLUSH;
    } else if (phase == REWRITE_FLUSH && next == REWRITE_NEXT_PLAIN) {
        leaves = rewrite_last(state, made, remaining);
    } else if (HLS_SELDOM(phase == REWRITE_SKIP || phase == REWRITE_DISCARD)) {
        leaves = false;
        HLS_COPY(state->previous, current, BEAT_BYTES);
        if (phase == REWRITE_SKIP)
            state->phase = state->ended ? REWRITE_FLUSH : REWRITE_BODY;
        else
            state->phase = state->ended ? REWRITE_START : REWRITE_DISCARD;
    } else {
        if (next == REWRITE_NEXT_FIRST)
            HLS_COPY(&made->meta, &state->plan.meta, sizeof made->meta);
        if (state->plan.edits != 0 && phase != REWRITE_TAIL)
            rewrite_edit(made->data, &state->plan, next);
        if (remaining > BEAT_BYTES && phase != REWRITE_FLUSH) {
            made->meta.bytes = BEAT_BYTES;
            if (phase != REWRITE_SECOND)
                HLS_COPY(state->previous, current, BEAT_BYTES);
            state->remaining = remaining - BEAT_BYTES;
            state->next = next == REWRITE_NEXT_FIRST ? REWRITE_NEXT_SECOND : REWRITE_NEXT_PLAIN;
            state->phase = state->ended ? REWRITE_FLUSH : REWRITE_BODY;
        } else {
            leaves = rewrite_last(state, made, remaining);
        }
    }
    return leaves;
}

STEP(rewrite, struct rewrite_state *state, STREAM_IN_COND(struct beat, in),
     STREAM_IN_COND(struct rewrite_command, command), STREAM_OUT(struct beat, out), STREAM_OUT(struct fate, fate))
{
    STREAM_WAIT((state->phase >= REWRITE_SECOND || STREAM_CAN_READ(in)) &&
                (state->phase != REWRITE_START || STREAM_CAN_READ(command)) && STREAM_CAN_WRITE(out) &&
                STREAM_CAN_WRITE(fate));
    const uint32_t phase = state->phase;
    uint8_t current[BEAT_BYTES];
    if (phase < REWRITE_SECOND) {
        STREAM_READ(struct beat, beat, in);
        HLS_COPY(current, beat->data, BEAT_BYTES);
        state->ended = beat->meta.last;
        state->error = beat->meta.last & beat->meta.error;
    } else {
        HLS_ZERO(current, BEAT_BYTES);
    }

    STREAM_OPEN(struct beat, made, out);
    bool leaves;
    if (phase == REWRITE_START) {
        STREAM_READ(struct rewrite_command, order, command);
        leaves = rewrite_begin(state, made, current, order);
    } else {
        leaves = rewrite_go_on(state, made, current);
    }
    if (leaves)
        STREAM_PUSH(struct beat, made, out);
    if (state->phase == REWRITE_START && state->plan.fate.kind != FATE_UNTOLD) {
        STREAM_OPEN(struct fate, told, fate);
        rewrite_tell(told, &state->plan, state->error);
        STREAM_PUSH(struct fate, told, fate);
    }
    STEP_END;
}
