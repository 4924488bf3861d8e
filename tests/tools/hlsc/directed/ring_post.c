/* SPDX-License-Identifier: Apache-2.0 */
/* Admitted records, and a host that reads the ring. */
#include "hls/include/ring.h"
#include "tests/tools/hlsc/directed.h"

static uint64_t state;
static uint32_t left, source, dropped, published, consumed, wait;
static uint8_t generation;

static void reset(uint64_t seed)
{
    state = seed | 1u;
    left = dropped = published = consumed = wait = 0;
}

static void setting(struct ring_work *work)
{
    struct ring_setting setting = {.entries = random_next(&state), .index = random_next(&state), .enabled = 1};
    setting.entries_log2 = 4u + random_below(&state, 8);
    setting.ring = random_below(&state, RING_COUNT);
    work->kind = RING_WORK_SETTING;
    work->generation = ++generation;
    memcpy(work->data, &setting, sizeof setting);
    dropped = published = consumed = 0;
    wait = 200 + random_below(&state, 1000);
}

static bool record(const char *stream, uint8_t *to)
{
    struct ring_work work;
    (void)stream;
    memset(&work, 0, sizeof work);
    if (wait-- == 0) {
        setting(&work);
    } else if (random_below(&state, 10) == 0) {
        work.kind = RING_WORK_DOORBELL;
        work.value = consumed + random_below(&state, published - consumed + 1u);
        if (random_below(&state, 10) == 0)
            work.value = (uint32_t)random_next(&state);
        else
            consumed = work.value;
    } else {
        if (left == 0) {
            left = 1u + random_below(&state, 4);
            source = random_below(&state, RING_SOURCES);
            dropped += random_below(&state, 5) == 0;
        }
        left--;
        work.kind = RING_WORK_ENTRY;
        work.source = (uint8_t)source;
        work.value = dropped;
        work.admitted = random_below(&state, 8) != 0;
        work.last = left == 0;
        work.whole = work.last && work.admitted && random_below(&state, 8) != 0;
        work.more = random_below(&state, 3) != 0;
        random_fill(&state, work.data, sizeof work.data);
    }
    memcpy(to, &work, sizeof work);
    return true;
}

static void seen(const char *stream, const uint8_t *from)
{
    struct beat beat;
    if (strcmp(stream, "data") != 0)
        return;
    memcpy(&beat, from, sizeof beat);
    if (beat.meta.last)
        memcpy(&published, beat.data, sizeof published);
}

const struct directed directed = {reset, record, seen};
