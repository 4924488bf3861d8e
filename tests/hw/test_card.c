/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One card, twice: hw/shell/card.sv with the mover's kernels verilated as one model, and the same modules joined by the
 * rtl card's FIFOs in C. Whatever crosses PCIe must do so in the same cycles, counted from the first read on.
 */
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/rtl/rtl.h"
#include "tests/driver/mover_card.h"

extern const struct rtl_model rtl_model_card_mover, rtl_model_mover, rtl_model_mover_fetch, rtl_model_mover_status,
    rtl_model_mover_interrupt;

const struct rtl_kernel rtl_kernels[] = {{"mover", &rtl_model_mover},
                                         {"mover_fetch", &rtl_model_mover_fetch},
                                         {"mover_status", &rtl_model_mover_status},
                                         {"mover_interrupt", &rtl_model_mover_interrupt},
                                         {NULL, NULL}};

#define CYCLES     4000u
#define COPIES     12u
#define EVENTS_MAX 4000u

/* The counters of the bus after a cycle in which they changed. */
struct event {
    uint64_t cycle;
    struct bus_counters counters;
};

struct log {
    struct event events[EVENTS_MAX];
    size_t count;
};

static void note(struct log *log, uint64_t cycle, const struct bus_counters *counters)
{
    static const struct bus_counters none;
    const struct bus_counters *before = log->count ? &log->events[log->count - 1].counters : &none;
    if (memcmp(before, counters, sizeof *counters) == 0)
        return;
    assert_true(log->count < EVENTS_MAX);
    log->events[log->count++] = (struct event){cycle, *counters};
}

static void fill_memory(uint8_t *memory)
{
    for (uint32_t i = 0; i < MOVER_MEMORY; i++)
        memory[i] = (uint8_t)(i * 2654435761u >> 13);
    memset(memory + MOVER_STATUS, 0, MOVER_DESCRIPTORS * 8);
    for (uint32_t i = 0; i < COPIES; i++) {
        uint32_t length = 1 + i * 397;
        struct mover_descriptor move = {
            MOVER_DATA + i * 5000u, 0x100000u + i * 7001u, length, length, DMA_LAST, DMA_LAST, (uint16_t)i, {0}};
        memcpy(memory + (size_t)i * sizeof move, &move, sizeof move);
    }
}

static const struct bus_settings settings = {
    .read_latency = 100, .write_latency = 40, .rate = 64, .one_read_per_id = true, .reads_max = 32, .seed = 1};

static void run_joined(struct log *log, uint8_t *memory)
{
    struct mover mover;
    struct rtl_card_figures figures;
    rtl_host_bus = settings;
    mover_card_open = rtl_card_open;
    mover_open(&mover, &native_graph_mover, "");
    fill_memory(mover.memory);
    rtl_card_halt(mover.card);
    mover.posted = COPIES;
    mover_ring(&mover);
    for (uint32_t i = 0; i < CYCLES; i++) {
        rtl_card_step(mover.card);
        rtl_card_figures(mover.card, &figures);
        note(log, i, &figures.host);
    }
    memcpy(memory, mover.memory, MOVER_MEMORY);
    rtl_card_run(mover.card);
    mover_close(&mover);
}

static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    const uint8_t *memory = context;
    if (address >= MOVER_MEMORY)
        return false;
    memcpy(line, memory + address, BUS_LINE_BYTES);
    return true;
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    uint8_t *memory = context;
    for (unsigned i = 0; address < MOVER_MEMORY && i < BUS_LINE_BYTES; i++)
        if (enable >> i & 1)
            memory[address + i] = line[i];
    return address < MOVER_MEMORY;
}

static void put(struct rtl *rtl, const char *name, uint64_t value)
{
    struct rtl_pin pin = rtl_pin(rtl, name, 0);
    rtl_put(&pin, 0, pin.bits, value);
}

static void run_whole(struct log *log, uint8_t *memory)
{
    struct rtl rtl;
    struct bus host, card;
    struct bus_memory behind = {read_line, write_line, memory};
    assert_int_equal(rtl_open(&rtl, &rtl_model_card_mover), 0);
    assert_int_equal(bus_open(&host, &rtl, "host", &settings, &behind), 0);
    assert_int_equal(bus_open(&card, &rtl, "memory", &settings, &behind), 0);
    fill_memory(memory);
    put(&rtl, "message_ready", 1);
    put(&rtl, "doorbell_page", DOORBELL_HOST);
    put(&rtl, "doorbell_value", COPIES);
    struct rtl_pin message = rtl_pin(&rtl, "message_valid", 1), vector = rtl_pin(&rtl, "message_data", 16);
    struct rtl_pin idle = rtl_pin(&rtl, "idle", 1);
    unsigned messages = 0;
    for (uint32_t i = 0; i < CYCLES; i++) {
        put(&rtl, "doorbell_write", i == 40); /* after the platform's reset */
        bus_drive(&host);
        bus_drive(&card);
        rtl_settle(&rtl);
        bus_sample(&host);
        bus_sample(&card);
        if (rtl_get(&message, 0, 1)) {
            assert_int_equal(rtl_get(&vector, 0, 16), MOVER_VECTOR);
            messages++;
        }
        note(log, i, &host.counters);
        rtl_tick(&rtl);
    }
    assert_int_equal(rtl_get(&idle, 0, 1), 1);
    assert_in_range(messages, 1, COPIES);
    bus_close(&host);
    bus_close(&card);
    rtl_close(&rtl);
}

static void test_joined_equals_whole(void **state)
{
    (void)state;
    struct log *joined = calloc(1, sizeof *joined), *whole = calloc(1, sizeof *whole);
    uint8_t *joined_memory = malloc(MOVER_MEMORY), *whole_memory = malloc(MOVER_MEMORY);
    run_joined(joined, joined_memory);
    run_whole(whole, whole_memory);
    assert_memory_equal(joined_memory, whole_memory, MOVER_MEMORY);
    assert_int_equal(joined->count, whole->count);
    assert_true(joined->count > COPIES * 4);
    for (size_t i = 0; i < joined->count; i++) {
        assert_memory_equal(&joined->events[i].counters, &whole->events[i].counters, sizeof(struct bus_counters));
        assert_int_equal(joined->events[i].cycle - joined->events[0].cycle,
                         whole->events[i].cycle - whole->events[0].cycle);
    }
    print_message("%zu events on the bus in %llu cycles, each in the same cycle\n", joined->count,
                  (unsigned long long)(joined->events[joined->count - 1].cycle - joined->events[0].cycle));
    free(joined);
    free(whole);
    free(joined_memory);
    free(whole_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joined_equals_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
