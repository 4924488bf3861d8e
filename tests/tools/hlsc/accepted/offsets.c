/* SPDX-License-Identifier: Apache-2.0 */
/* Variable offsets into records, locals and state; windows; copies of structs within arrays; tables. */
#include "tests/tools/hlsc/accepted/common.h"

struct offsets_pair {
    uint16_t x;
    uint16_t y;
    uint8_t z[4];
};

struct offsets_state {
    struct offsets_pair pair[12];
    uint8_t grid[3][5];
    uint8_t reserved;
};

static const uint16_t offsets_table[10] = {1, 10, 100, 1000, 10000, 3, 30, 300, 3000, 30000};
static const struct offsets_pair offsets_pairs[3] = {{1, 2, {3, 4, 5, 6}}, {7, 8, {9, 10, 11, 12}}, {13, 14, {15}}};

STEP(offsets, struct offsets_state *state, STREAM_IN(struct question, in), STREAM_OUT(struct answer, out))
{
    ANSWER_BEGIN;
    uint32_t i = q->kind & 7u, j = q->d & 3u;
    const struct offsets_pair *chosen = &state->pair[i + 1];
    struct offsets_pair kept = *chosen;
    r->words[0] = (uint32_t)kept.x << 16 | state->pair[i + j].y;
    state->pair[i + 4].z[j] = q->d;
    state->pair[i].x = q->c;
    if (q->a & 1u)
        HLS_COPY(&state->pair[8 + j], &kept, sizeof kept);
    state->grid[j & 1u][(i & 3u) + 1] = q->d;
    r->bytes[0] = state->grid[2 - (i & 1u)][j];
    HLS_WINDOW(r->bytes + 1, 8, q->bytes, 40, (uint32_t)q->d & 63u);
    HLS_VIEW(view, 4, q->bytes, 40, i * 4u + j);
    r->words[1] = hls_be32(view);
    uint32_t at = 2u * j;
    if (q->a & 2u)
        at += q->a & 4u ? 12u : 20u;
    HLS_COPY(&r->words[2], q->bytes + at, 4);
    r->words[3] = offsets_table[i] + (uint32_t)offsets_table[j + 6] + offsets_pairs[j & 1u].z[i & 3u];
    uint8_t line[16];
    HLS_COPY(line, q->bytes, 16);
    line[q->c & 15u] ^= 0xffu;
    hls_put_be16(line + (q->c >> 8 & 7u) * 2u, q->a);
    HLS_COPY(&r->wide, line + 4, 8);
    ANSWER_END;
}
