/* SPDX-License-Identifier: Apache-2.0 */
/* Records of many sources for a ring that the host reads now and then. */
#include "hls/include/ring.h"
#include "tests/tools/hlsc/directed.h"

static uint64_t state;
static struct directed_queue held; /* entries in the ring */
static uint32_t left, source, wait;
static uint8_t generation;
static bool enabled;

static void reset(uint64_t seed)
{
    state = seed | 1u;
    held.first = held.behind = 0;
    left = 0;
    enabled = false;
    wait = random_below(&state, 20);
}

static void setting(struct ring_work *work)
{
    struct ring_setting setting = {.entries_log2 = 3u + random_below(&state, 6), .enabled = 1};
    work->kind = RING_WORK_SETTING;
    memcpy(work->data, &setting, sizeof setting);
    enabled = true;
    wait = 300 + random_below(&state, 1000);
    held.first = held.behind;
}

static void entry(struct ring_work *work)
{
    bool first = left == 0;
    if (first) {
        source = random_below(&state, 4) ? random_below(&state, 6) : random_below(&state, RING_SOURCES);
        left = 1u + random_below(&state, 5);
        work->entries = (uint16_t)(left + (random_below(&state, 20) == 0));
    }
    left--;
    work->kind = RING_WORK_ENTRY;
    work->source = (uint8_t)source;
    work->last = left == 0;
    work->error = work->last && random_below(&state, 10) == 0;
    work->more = (uint8_t)random_below(&state, 2);
    random_fill(&state, work->data, sizeof work->data);
}

static bool record(const char *stream, uint8_t *to)
{
    struct ring_work work;
    (void)stream;
    memset(&work, 0, sizeof work);
    if (wait-- == 0) {
        setting(&work);
    } else if (enabled && random_below(&state, 3) == 0 && directed_get(&held, &work.source, 1)) {
        work.kind = RING_WORK_RELEASE;
        work.generation = (uint8_t)(generation - (random_below(&state, 20) == 0));
    } else if (random_below(&state, 30) == 0) {
        work.kind = RING_WORK_DOORBELL;
        work.value = (uint32_t)random_next(&state);
    } else {
        entry(&work);
    }
    memcpy(to, &work, sizeof work);
    return true;
}

/* Entries of records that turn out spoilt are not held, so these are given back only by the next setting. */
static void seen(const char *stream, const uint8_t *from)
{
    struct ring_work work;
    (void)stream;
    memcpy(&work, from, sizeof work);
    generation = work.generation;
    if (work.kind == RING_WORK_ENTRY && work.whole)
        directed_put(&held, &work.source, 1);
}

const struct directed directed = {reset, record, seen};
