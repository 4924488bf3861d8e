/* SPDX-License-Identifier: Apache-2.0 */
/* A pointer that is one of several objects, read and written; helpers with pointers; results in structs. */
#include "tests/tools/hlsc/accepted/common.h"

struct pointers_side {
    uint32_t sum;
    uint16_t count;
    uint8_t bytes[2];
};

struct pointers_state {
    struct pointers_side left;
    struct pointers_side right;
    struct pointers_side more[4];
};

struct pointers_pair {
    uint32_t low;
    uint32_t high;
};

HLS_INLINE struct pointers_pair pointers_sort(uint32_t a, uint32_t b)
{
    struct pointers_pair pair = {a < b ? a : b, a < b ? b : a};
    return pair;
}

HLS_INLINE void pointers_add(struct pointers_side *side, const uint8_t *bytes, uint32_t more)
{
    side->sum += more;
    side->count++;
    HLS_COPY(side->bytes, bytes, 2);
}

STEP(pointers, struct pointers_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    struct pointers_side local;
    HLS_ZERO(&local, sizeof local);
    struct pointers_side *side = q->kind & 1u ? &state->left : &state->right;
    if ((q->kind & 6u) == 6u)
        side = &state->more[q->d & 3u];
    else if ((q->kind & 6u) == 4u)
        side = &local;
    const uint8_t *bytes = q->a & 1u ? q->bytes : q->a & 2u ? q->bytes + 11 : r->bytes;
    pointers_add(side, bytes, q->b);
    struct pointers_pair pair = pointers_sort(side->sum, local.sum + q->a);
    r->words[0] = pair.low;
    r->words[1] = pair.high;
    r->words[2] = side->count;
    HLS_COPY(r->bytes, side, sizeof *side);
    ANSWER_END;
}
