/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a packet's beats into their final form: headers added or stripped, which moves every byte by one of six
 * constant distances, fields edited, the tail cut off. One command per packet says how. A packet's last beat says
 * whether it is spoilt, so only then is it known what became of it.
 *
 * What is moved may end in a beat of its own behind the packet's last one. Both leave at once, on two streams, so that
 * the next packet's first beat, of which nothing may leave, need not wait.
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
};

/* What leaves in an activation. */
struct rewrite_leaves {
    bool out, tail;
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

/* What the packet's last beat leaves behind. */
HLS_INLINE void rewrite_rest_data(uint8_t *to, const uint8_t *last, uint32_t shift)
{
    uint8_t nothing[BEAT_BYTES];
    HLS_ZERO(nothing, BEAT_BYTES);
    if (shift == 0)
        HLS_COPY(to, nothing, BEAT_BYTES);
    else
        rewrite_align(to, last, nothing, shift);
}

HLS_INLINE void rewrite_edit(uint8_t *data, const struct rewrite_plan *plan, uint32_t next)
{
    if (next == REWRITE_NEXT_FIRST)
        rewrite_first_beat(data, plan);
    else if (next == REWRITE_NEXT_SECOND)
        rewrite_second_beat(data, plan);
}

/* The sideband of the last beat to leave, and what is beyond it is cut off. */
HLS_INLINE void rewrite_end(struct rewrite_state *state, struct beat *made, uint32_t remaining)
{
    bool wrong = remaining > BEAT_BYTES; /* the packet was shorter than it said */
    uint32_t bytes = wrong ? BEAT_BYTES : remaining;
    state->error |= wrong;
    if (HLS_SELDOM(state->plan.edits & EDIT_CUT))
        rewrite_cut(made->data, bytes);
    made->meta.bytes = (uint8_t)bytes;
    made->meta.last = BEAT_LAST;
    made->meta.error = state->error;
}

/* The last beat to leave. It does when the packet's last beat has come; until then it is held. Returns whether it
 * leaves. */
HLS_INLINE bool rewrite_last(struct rewrite_state *state, struct beat *made, uint32_t remaining)
{
    rewrite_end(state, made, remaining);
    state->phase = REWRITE_START;
    if (HLS_SELDOM(!state->ended)) {
        HLS_COPY(state->previous, made->data, BEAT_BYTES);
        state->remaining = remaining;
        state->phase = REWRITE_TAIL;
    }
    return state->ended;
}

/* A whole beat leaves and `remaining` bytes are left: they do as well when `from`, of which they are part, is the
 * packet's last beat. Returns whether they do. */
HLS_INLINE bool rewrite_whole(struct rewrite_state *state, struct beat *made, struct beat *rest, const uint8_t *from,
                              uint32_t remaining)
{
    bool ends = state->ended;
    made->meta.bytes = BEAT_BYTES;
    if (ends) {
        rewrite_rest_data(rest->data, from, state->plan.shift);
        HLS_ZERO(&rest->meta, sizeof rest->meta);
        rewrite_end(state, rest, remaining);
        made->meta.last = BEAT_LAST_IN_TAIL;
        state->phase = REWRITE_START;
    } else {
        HLS_COPY(state->previous, from, BEAT_BYTES);
        state->remaining = remaining;
        state->phase = REWRITE_BODY;
    }
    return ends;
}

/* A beat that is stripped, of which nothing leaves before the next one has come; should it be the last, all does. */
HLS_INLINE bool rewrite_strip(struct rewrite_state *state, struct beat *made, const uint8_t *current,
                              const struct rewrite_plan *plan)
{
    bool leaves = false, more = state->phase == REWRITE_START && plan->operation == REWRITE_STRIP_LONG;
    state->remaining = plan->meta.length;
    state->next = REWRITE_NEXT_FIRST;
    if (HLS_SELDOM(state->ended)) {
        rewrite_rest_data(made->data, current, plan->shift);
        rewrite_first_beat(made->data, plan);
        leaves = rewrite_last(state, made, plan->meta.length);
    } else {
        HLS_COPY(state->previous, current, BEAT_BYTES);
        state->phase = more ? REWRITE_SKIP : REWRITE_BODY;
    }
    return leaves;
}

/* A packet's first beat and its command. */
HLS_INLINE struct rewrite_leaves rewrite_begin(struct rewrite_state *state, struct beat *made, struct beat *rest,
                                               const uint8_t *current, const struct rewrite_command *order)
{
    const struct rewrite_plan *plan = &order->plan;
    uint32_t operation = plan->operation, remaining = plan->meta.length;
    struct rewrite_leaves leaves = {false, false};
    HLS_COPY(&state->plan, plan, sizeof state->plan);
    HLS_COPY(&made->meta, &plan->meta, sizeof made->meta);
    if (HLS_SELDOM(operation == REWRITE_DROP)) {
        state->phase = state->ended ? REWRITE_START : REWRITE_DISCARD;
    } else if (operation >= REWRITE_STRIP) {
        leaves.out = rewrite_strip(state, made, current, plan);
    } else {
        bool edits = plan->edits != 0;
        rewrite_first_data(state, made->data, current, order);
        if (edits)
            rewrite_first_beat(made->data, plan);
        state->next = edits ? REWRITE_NEXT_SECOND : REWRITE_NEXT_PLAIN;
        leaves.out = true;
        if (remaining <= BEAT_BYTES) {
            state->next = REWRITE_NEXT_FIRST; /* should it be held */
            leaves.out = rewrite_last(state, made, remaining);
        } else if (operation == REWRITE_ENCAPSULATE_IPV6) {
            made->meta.bytes = BEAT_BYTES;
            HLS_COPY(state->previous, current, BEAT_BYTES);
            state->remaining = remaining - BEAT_BYTES;
            state->phase = REWRITE_SECOND;
        } else {
            leaves.tail = rewrite_whole(state, made, rest, current, remaining - BEAT_BYTES);
            if (edits && leaves.tail)
                rewrite_second_beat(rest->data, plan);
        }
    }
    return leaves;
}

/* The next beat that leaves, and perhaps the one behind it. */
HLS_INLINE struct rewrite_leaves rewrite_next_beat(struct rewrite_state *state, struct beat *made, struct beat *rest,
                                                   const uint8_t *current)
{
    uint32_t next = state->next, remaining = state->remaining;
    bool held = state->phase == REWRITE_TAIL;
    struct rewrite_leaves leaves = {true, false};
    rewrite_later_data(state, made->data, current);
    HLS_ZERO(&made->meta, sizeof made->meta);
    if (next != REWRITE_NEXT_PLAIN) {
        if (next == REWRITE_NEXT_FIRST)
            HLS_COPY(&made->meta, &state->plan.meta, sizeof made->meta);
        if (state->plan.edits != 0 && !held)
            rewrite_edit(made->data, &state->plan, next);
    }
    if (remaining > BEAT_BYTES && !HLS_SELDOM(held)) {
        state->next = next == REWRITE_NEXT_FIRST ? REWRITE_NEXT_SECOND : REWRITE_NEXT_PLAIN;
        leaves.tail = rewrite_whole(state, made, rest, current, remaining - BEAT_BYTES);
    } else {
        leaves.out = rewrite_last(state, made, remaining);
    }
    return leaves;
}

/* A beat in the middle of a packet, as most are, leaves as it has come, but for its place. */
HLS_INLINE bool rewrite_in_middle(const struct rewrite_state *state)
{
    return state->phase == REWRITE_BODY && state->next == REWRITE_NEXT_PLAIN && !state->ended &&
           state->remaining > BEAT_BYTES;
}

HLS_INLINE void rewrite_middle(struct rewrite_state *state, struct beat *made, const uint8_t *current)
{
    rewrite_later_data(state, made->data, current);
    HLS_ZERO(&made->meta, sizeof made->meta);
    made->meta.bytes = BEAT_BYTES;
    HLS_COPY(state->previous, current, BEAT_BYTES);
    state->remaining -= BEAT_BYTES;
}

/* Later beats of a packet, or what is left of it. */
HLS_INLINE struct rewrite_leaves rewrite_go_on(struct rewrite_state *state, struct beat *made, struct beat *rest,
                                               const uint8_t *current)
{
    struct rewrite_leaves leaves = {false, false};
    if (HLS_SELDOM(state->phase == REWRITE_DISCARD)) {
        state->phase = state->ended ? REWRITE_START : REWRITE_DISCARD;
    } else if (HLS_SELDOM(state->phase == REWRITE_SKIP)) {
        HLS_COPY(&made->meta, &state->plan.meta, sizeof made->meta);
        leaves.out = rewrite_strip(state, made, current, &state->plan);
    } else {
        leaves = rewrite_next_beat(state, made, rest, current);
    }
    return leaves;
}

STEP(rewrite, struct rewrite_state *state, STREAM_IN_COND(struct beat, in),
     STREAM_IN_COND(struct rewrite_command, command), STREAM_OUT(struct beat, out), STREAM_OUT(struct beat, tail),
     STREAM_OUT(struct fate, fate))
{
    STREAM_WAIT((state->phase >= REWRITE_SECOND || STREAM_CAN_READ(in)) &&
                (state->phase != REWRITE_START || STREAM_CAN_READ(command)) && STREAM_CAN_WRITE(out) &&
                STREAM_CAN_WRITE(tail) && STREAM_CAN_WRITE(fate));
    const uint32_t phase = state->phase;
    uint8_t current[BEAT_BYTES]; /* the last beat that has come */
    if (phase < REWRITE_SECOND) {
        STREAM_READ(struct beat, beat, in);
        HLS_COPY(current, beat->data, BEAT_BYTES);
        state->ended = beat->meta.last;
        state->error = beat->meta.last & beat->meta.error;
    } else {
        HLS_COPY(current, state->previous, BEAT_BYTES);
    }

    STREAM_OPEN(struct beat, made, out);
    if (rewrite_in_middle(state)) {
        rewrite_middle(state, made, current);
        STREAM_PUSH(struct beat, made, out);
        STEP_END;
    }
    STREAM_OPEN(struct beat, rest, tail);
    struct rewrite_leaves leaves;
    if (phase == REWRITE_START) {
        STREAM_READ(struct rewrite_command, order, command);
        leaves = rewrite_begin(state, made, rest, current, order);
    } else {
        leaves = rewrite_go_on(state, made, rest, current);
    }
    if (leaves.out)
        STREAM_PUSH(struct beat, made, out);
    if (leaves.tail)
        STREAM_PUSH(struct beat, rest, tail);
    if (state->phase == REWRITE_START && state->plan.fate.kind != FATE_UNTOLD) {
        STREAM_OPEN(struct fate, told, fate);
        rewrite_tell(told, &state->plan, state->error);
        STREAM_PUSH(struct fate, told, fate);
    }
    STEP_END;
}
