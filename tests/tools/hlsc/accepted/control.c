/* SPDX-License-Identifier: Apache-2.0 */
/* Switches with shared and falling cases, breaks and returns that do not depend on data, nested loops. */
#include "tests/tools/hlsc/accepted/common.h"

struct control_state {
    uint32_t count;
    uint8_t last;
    bool odd;
    uint8_t reserved[2];
};

enum control_kind { CONTROL_A = 3, CONTROL_B, CONTROL_C = 100 };

HLS_INLINE uint32_t control_of(enum control_kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case CONTROL_A:
        return a + b;
    case CONTROL_B:
        a ^= 0x55u; /* fall through */
    case CONTROL_C:
        if (b == 7)
            return 1;
        return a * 3u;
    default:
        break;
    }
    return a - b;
}

STEP(control, struct control_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    r->words[0] = control_of((enum control_kind)q->kind, q->a, q->b);
    switch (q->d & 15u) {
    case 0:
    case 1:
    case 2:
        r->words[1] = q->a;
        break;
    case 3:
        r->words[1] = q->b;
        state->count++;
        /* fall through */
    case 4:
        r->words[2] = state->count;
        break;
    case 9:
        state->last = q->d;
        break;
    default:
        r->words[1] = state->last;
        break;
    }
    for (uint32_t i = 0; i < 100; i++) {
        if (i == 5)
            break;
        if (i == 2)
            continue;
        for (uint32_t j = i; j < 6; j += 2)
            r->bytes[i + j] = (uint8_t)(q->bytes[i * 7 + j] + r->bytes[i + j]);
    }
    uint32_t found = 16;
    for (uint32_t i = 0; i < 16; i++)
        found = found == 16 && q->bytes[i] == q->d ? i : found;
    r->words[3] = found;
    state->odd = !state->odd && (q->a & 1u) != 0;
    r->wide = state->odd ? q->wide : ~q->wide;
    ANSWER_END;
}
