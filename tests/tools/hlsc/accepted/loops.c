/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that end early, count in other ways than by one, or run down. */
#include "tests/tools/hlsc/accepted/common.h"
struct loops_state {
    uint32_t words[8];
};

HLS_INLINE uint32_t loops_find(const uint8_t *bytes, uint8_t wanted)
{
    for (uint32_t i = 0; i < 12; i++) {
        if (bytes[i] == wanted)
            return i;
    }
    return 99;
}

STEP(loops, struct loops_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    uint32_t mixed = 0;
    for (uint32_t i = 1; i < 64; i <<= 1)
        mixed ^= q->a >> (i & 31u);
    for (uint32_t i = 8; i-- > 0;) {
        if (state->words[i] == q->b)
            break;
        mixed = mixed * 3 + i;
    }
    uint32_t place = 0;
    do {
        place += 3;
        mixed += q->bytes[place];
    } while (place < 20);
    r->words[0] = mixed;
    r->words[1] = loops_find(q->bytes, q->d);
    uint32_t ones = 0;
    while (ones < 6 && (q->a >> ones & 1u))
        ones++;
    r->words[2] = ones;
    for (int i = 5; i >= 0; i--) {
        if (i == 3)
            continue;
        if (q->bytes[i] & 1u)
            state->words[i] = q->b;
    }
    uint8_t sorted[8];
    HLS_COPY(sorted, q->bytes, 8);
    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t j = 0; j + 1 < 8 - i; j++) {
            if (sorted[j] > sorted[j + 1]) {
                uint8_t larger = sorted[j];
                sorted[j] = sorted[j + 1];
                sorted[j + 1] = larger;
            }
        }
    }
    HLS_COPY(r->bytes, sorted, 8);
    r->words[3] = q->kind < 8 ? state->words[q->kind] : (q->a ? 1u : 2u);
    ANSWER_END;
}
