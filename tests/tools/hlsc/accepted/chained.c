/* SPDX-License-Identifier: Apache-2.0 */
/* RAMs whose addresses come out of other RAMs, one port in branches that exclude each other. */
#include "tests/tools/hlsc/accepted/common.h"

struct chained_state {
    uint32_t first[128];
    uint32_t second[256];
    uint16_t third[512];
};

STEP(chained, struct chained_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    uint32_t found = state->first[q->d & 7u], other;
    if (found & 1u)
        other = state->second[found >> 1 & 7u];
    else if (q->kind & 1u)
        other = state->second[q->c & 7u];
    else
        other = 3;
    uint32_t place = other & 7u;
    uint32_t last = state->third[place];
    if (q->kind & 2u)
        state->first[q->d & 7u] = q->a ^ last;
    if (q->kind & 4u)
        state->second[found & 7u] = q->b + other;
    state->third[place] = (uint16_t)(last + found + 1u);
    r->words[0] = found;
    r->words[1] = other;
    r->words[2] = last;
    ANSWER_END;
}
