/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hw/bench.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PACE_CYCLES 256u

uint32_t bench_random(struct bench *bench, uint32_t below)
{
    /* xorshift64*, Vigna 2014 */
    bench->random ^= bench->random >> 12;
    bench->random ^= bench->random << 25;
    bench->random ^= bench->random >> 27;
    uint64_t value = bench->random * UINT64_C(0x2545f4914f6cdd1d);
    return (uint32_t)((value >> 32) * below >> 32);
}

void bench_open(struct bench *bench, const struct rtl_model *model, uint64_t seed)
{
    *bench = (struct bench){.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    assert_int_equal(rtl_open(&bench->rtl, model), 0);
}

void bench_close(struct bench *bench)
{
    for (size_t i = 0; i < bench->end_count; i++)
        free(bench->ends[i]->records);
    rtl_close(&bench->rtl);
}

static void add(struct bench *bench, struct bench_end *end, const char *stream, uint32_t index, uint32_t bytes)
{
    assert_true(bench->end_count < sizeof bench->ends / sizeof bench->ends[0]);
    *end = (struct bench_end){.stream = rtl_stream(&bench->rtl, stream, index, bytes)};
    bench->ends[bench->end_count++] = end;
}

void bench_source(struct bench *bench, struct bench_end *end, const char *stream, uint32_t index, uint32_t bytes)
{
    add(bench, end, stream, index, bytes);
    end->source = true;
}

void bench_sink(struct bench *bench, struct bench_end *end, const char *stream, uint32_t index, uint32_t bytes)
{
    add(bench, end, stream, index, bytes);
}

static void append(struct bench_end *end, const void *record)
{
    if (end->count == end->capacity) {
        end->capacity = end->capacity ? end->capacity * 2 : 64;
        uint8_t *larger = realloc(end->records, end->capacity * end->stream.bytes);
        assert_non_null(larger);
        end->records = larger;
    }
    memcpy(end->records + end->count++ * end->stream.bytes, record, end->stream.bytes);
}

void bench_push(struct bench_end *source, const void *record)
{
    append(source, record);
}

const void *bench_next(struct bench_end *sink)
{
    return sink->moved < sink->count ? sink->records + sink->moved++ * sink->stream.bytes : NULL;
}

bool bench_sent(const struct bench_end *source)
{
    return source->moved == source->count;
}

static void redraw(struct bench *bench, struct bench_end *end)
{
    static const uint32_t paces[] = {256, 256, 200, 128, 40, 6, 0};
    end->pace = paces[bench_random(bench, sizeof paces / sizeof paces[0])];
}

void bench_cycle(struct bench *bench)
{
    for (size_t i = 0; i < bench->end_count; i++) {
        struct bench_end *end = bench->ends[i];
        if (bench->rtl.cycles % PACE_CYCLES == i % PACE_CYCLES)
            redraw(bench, end);
        bool willing = end->full_speed || (!end->stopped && bench_random(bench, 256) < end->pace);
        if (!end->source) {
            rtl_accept(&end->stream, willing);
        } else {
            end->offered = end->offered || (willing && end->moved < end->count);
            rtl_offer(&end->stream, end->offered ? end->records + end->moved * end->stream.bytes : NULL);
        }
    }
    if (bench->before)
        bench->before(bench->context);
    rtl_settle(&bench->rtl);
    for (size_t i = 0; i < bench->end_count; i++) {
        struct bench_end *end = bench->ends[i];
        if (!rtl_moves(&end->stream))
            continue;
        if (end->source) {
            end->moved++;
            end->offered = false;
        } else {
            append(end, end->stream.data);
        }
    }
    if (bench->after)
        bench->after(bench->context);
    rtl_tick(&bench->rtl);
}
