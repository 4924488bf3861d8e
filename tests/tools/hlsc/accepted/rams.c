/* SPDX-License-Identifier: Apache-2.0 */
/* RAMs: several reads, a read behind a write of the same entry, fields that a write leaves, writes in branches. */
#include "tests/tools/hlsc/accepted/common.h"

struct rams_row {
    uint32_t sum;
    uint16_t count;
    uint8_t bytes[6];
};

struct rams_state {
    struct rams_row row[200];
    uint32_t word[256];
    uint8_t byte[128];
    uint16_t matrix[130][3];
    uint32_t position;
};

STEP(rams, struct rams_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    uint32_t i = q->a & 7u, j = q->b & 7u;
    struct rams_row row = state->row[i + 100];
    if (q->kind & 1u) {
        row.sum += q->c;
        row.bytes[q->d & 3u] = q->d;
        state->row[i + 100] = row;
    } else if (q->kind & 2u) {
        state->row[i + 100].count++;
    }
    r->words[0] = state->row[i + 100].sum;
    r->words[1] = state->row[j + 100].count;
    HLS_COPY(r->bytes, state->row[j + 100].bytes, 6);
    if (q->kind & 4u) {
        state->word[i] = q->b;
        r->words[2] = state->word[j];
    } else {
        r->words[2] = state->word[state->position & 255u];
        state->word[j + 8] = q->a;
    }
    state->byte[q->c & 127u] = q->d;
    r->bytes[8] = state->byte[q->c & 127u];
    r->bytes[9] = state->byte[(q->c & 3u) + 1];
    uint32_t line = q->d & 3u;
    state->matrix[line][1] = (uint16_t)(state->matrix[line][1] + 1u);
    r->words[3] = state->matrix[line][0] + ((uint32_t)state->matrix[line][1] << 16);
    state->position = row.count;
    ANSWER_END;
}
