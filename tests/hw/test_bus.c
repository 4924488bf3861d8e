/* SPDX-License-Identifier: Apache-2.0 */
/* The bus model: every rule is noticed when it is broken, nothing is when none is; latency, order and counters. */
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hw/platform/sim/bus.h"

extern const struct rtl_model rtl_model_bus_puppet;

#define MEMORY_BYTES 65536u

struct puppet {
    struct rtl rtl;
    struct bus bus;
    uint8_t memory[MEMORY_BYTES];
    char broken[256]; /* the first message; "" = none */
};

static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    struct puppet *puppet = context;
    if (address >= MEMORY_BYTES)
        return false;
    memcpy(line, puppet->memory + address, BUS_LINE_BYTES);
    return true;
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    struct puppet *puppet = context;
    for (unsigned i = 0; address < MEMORY_BYTES && i < BUS_LINE_BYTES; i++)
        if (enable >> i & 1)
            puppet->memory[address + i] = line[i];
    return address < MEMORY_BYTES;
}

static void broken(void *context, const char *text)
{
    struct puppet *puppet = context;
    if (!puppet->broken[0])
        snprintf(puppet->broken, sizeof puppet->broken, "%s", text);
}

static void puppet_open(struct puppet *puppet, const struct bus_settings *settings)
{
    memset(puppet, 0, sizeof *puppet);
    struct bus_memory memory = {read_line, write_line, puppet};
    assert_int_equal(rtl_open(&puppet->rtl, &rtl_model_bus_puppet), 0);
    assert_int_equal(bus_open(&puppet->bus, &puppet->rtl, "bus", settings, &memory), 0);
    puppet->bus.broken = broken;
    puppet->bus.broken_context = puppet;
}

static void puppet_close(struct puppet *puppet)
{
    bus_close(&puppet->bus);
    rtl_close(&puppet->rtl);
}

static void put(struct puppet *puppet, const char *name, uint64_t value)
{
    struct rtl_pin pin = rtl_pin(&puppet->rtl, name, 0);
    rtl_put(&pin, 0, pin.bits < 64 ? pin.bits : 64, value);
}

static uint64_t get(struct puppet *puppet, const char *name)
{
    struct rtl_pin pin = rtl_pin(&puppet->rtl, name, 0);
    return rtl_get(&pin, 0, pin.bits < 64 ? pin.bits : 64);
}

/* One cycle; the answer pins hold what was there in it. */
static void cycle(struct puppet *puppet)
{
    bus_drive(&puppet->bus);
    rtl_settle(&puppet->rtl);
    bus_sample(&puppet->bus);
    rtl_tick(&puppet->rtl);
}

static void request_read(struct puppet *puppet, uint64_t address, uint32_t lines, uint32_t id)
{
    put(puppet, "set_araddr", address);
    put(puppet, "set_arlen", lines - 1);
    put(puppet, "set_arid", id);
    put(puppet, "set_arvalid", 1);
    do
        cycle(puppet);
    while (!get(puppet, "bus_arready"));
    put(puppet, "set_arvalid", 0);
}

static void request_write(struct puppet *puppet, uint64_t address, uint32_t lines)
{
    put(puppet, "set_awaddr", address);
    put(puppet, "set_awlen", lines - 1);
    put(puppet, "set_awvalid", 1);
    do
        cycle(puppet);
    while (!get(puppet, "bus_awready"));
    put(puppet, "set_awvalid", 0);
}

static void write_word(struct puppet *puppet, uint64_t enable, bool last)
{
    put(puppet, "set_wdata", 0x1122334455667788u);
    put(puppet, "set_wstrb", enable);
    put(puppet, "set_wlast", last);
    put(puppet, "set_wvalid", 1);
    do
        cycle(puppet);
    while (!get(puppet, "bus_wready"));
    put(puppet, "set_wvalid", 0);
}

static const struct bus_settings plain = {
    .read_latency = 10, .write_latency = 5, .rate = 64, .reads_max = 8, .one_read_per_id = true, .seed = 1};

static void break_alignment(struct puppet *puppet)
{
    request_read(puppet, 8, 1, 0);
}

static void break_page(struct puppet *puppet)
{
    request_read(puppet, 4096 - 128, 3, 0);
}

static void break_page_write(struct puppet *puppet)
{
    request_write(puppet, 8192 - 64, 2);
}

static void break_id(struct puppet *puppet)
{
    request_read(puppet, 0, 1, 3);
    request_read(puppet, 64, 1, 3);
}

static void break_request(struct puppet *puppet)
{
    put(puppet, "set_arvalid", 1);
    rtl_settle(&puppet->rtl);
    puppet->bus.settings.stalls = 256;
    cycle(puppet);
    put(puppet, "set_arvalid", 0);
    cycle(puppet);
}

static void break_data(struct puppet *puppet)
{
    request_write(puppet, 0, 2);
    puppet->bus.settings.stalls = 256;
    put(puppet, "set_wvalid", 1);
    put(puppet, "set_wstrb", 1);
    cycle(puppet);
    put(puppet, "set_wstrb", 3);
    cycle(puppet);
}

static void break_last(struct puppet *puppet)
{
    request_write(puppet, 0, 2);
    write_word(puppet, 1, true);
}

static void break_enable(struct puppet *puppet)
{
    request_write(puppet, 0, 1);
    write_word(puppet, 0, true);
}

static void break_nothing(struct puppet *puppet)
{
    request_read(puppet, 4096 - 512, 8, 1);
    request_read(puppet, 0, 64, 2);
    request_write(puppet, 4096, 2);
    write_word(puppet, 0xff, false);
    write_word(puppet, UINT64_MAX, true);
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        void (*act)(struct puppet *puppet);
        const char *message; /* part of it; NULL = none */
    } cases[] = {
        {break_alignment, "read at 0x8, expected whole lines of 64 bytes"},
        {break_page, "read of 3 lines at 0xf80 crosses 4 KiB"},
        {break_page_write, "write of 2 lines at 0x1fc0 crosses 4 KiB"},
        {break_id, "read at 0x40 with id 3, which has one outstanding"},
        {break_request, "arvalid fell before it was taken"},
        {break_data, "w changed before it was taken"},
        {break_last, "line 1 of 2: wlast is 1"},
        {break_enable, "no byte is enabled"},
        {break_nothing, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct puppet puppet;
        puppet_open(&puppet, &plain);
        cases[i].act(&puppet);
        if (cases[i].message ? !strstr(puppet.broken, cases[i].message) : puppet.broken[0] != 0)
            fail_msg("case %zu: found '%s', expected '%s'", i, puppet.broken, cases[i].message ? cases[i].message : "");
        puppet_close(&puppet);
    }
}

static void test_transfers(void **state)
{
    (void)state;
    struct puppet puppet;
    puppet_open(&puppet, &plain);
    request_write(&puppet, 128, 1);
    write_word(&puppet, 0x0f, true);
    assert_int_equal(puppet.memory[128], 0); /* not before the response */
    unsigned cycles = 0;
    for (; !get(&puppet, "bus_bvalid"); cycles++)
        cycle(&puppet);
    assert_in_range(cycles, 4, 6);
    assert_int_equal(puppet.memory[128], 0x88);
    assert_int_equal(puppet.memory[131], 0x55);
    assert_int_equal(puppet.memory[132], 0);

    request_read(&puppet, 128, 1, 5);
    for (cycles = 0; !get(&puppet, "bus_rvalid"); cycles++)
        cycle(&puppet);
    assert_in_range(cycles, 9, 11);
    assert_int_equal(get(&puppet, "bus_rid"), 5);
    assert_int_equal(get(&puppet, "bus_rresp"), 0);
    assert_int_equal(get(&puppet, "bus_rlast"), 1);
    assert_int_equal(get(&puppet, "bus_rdata"), 0x55667788u);
    cycle(&puppet);

    request_read(&puppet, MEMORY_BYTES, 1, 6);
    while (!get(&puppet, "bus_rvalid"))
        cycle(&puppet);
    assert_int_equal(get(&puppet, "bus_rresp"), 3);
    cycle(&puppet);
    assert_true(bus_idle(&puppet.bus));
    request_read(&puppet, 0, 12, 1);
    assert_int_equal(puppet.bus.counters.reads, 3);
    assert_int_equal(puppet.bus.counters.read_requests, 4);   /* 512 bytes each */
    assert_int_equal(puppet.bus.counters.completions, 2 + 3); /* 256 bytes each */
    assert_int_equal(puppet.bus.counters.write_bytes, 4);
    assert_int_equal(puppet.bus.counters.error_responses, 1);
    puppet_close(&puppet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_transfers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
