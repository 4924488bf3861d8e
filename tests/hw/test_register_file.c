/* SPDX-License-Identifier: Apache-2.0 */
/* register_file against the native card's registers: the same writes leave the same values and settings. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "hls/include/registers.h"
#include "tests/hw/bench.h"
#include "tests/hw/native_shell.h"

extern const struct rtl_model rtl_model_register_file;

#define CLOCK_KHZ    250000u
#define STUCK_CYCLES 1000000u
#define STUCK        UINT64_C(0x900000006)

struct registers {
    struct bench bench;
    struct bench_end rings;
    struct native_shell oracle;
    size_t node;
};

static void put(struct registers *registers, const char *pin, uint32_t bits, uint64_t value)
{
    struct rtl_pin found = rtl_pin(&registers->bench.rtl, pin, bits);
    rtl_put(&found, 0, bits, value);
}

static uint64_t get(struct registers *registers, const char *pin, uint32_t bits)
{
    struct rtl_pin found = rtl_pin(&registers->bench.rtl, pin, bits);
    return rtl_get(&found, 0, bits);
}

/* The monitors: the word that the module names, of the oracle's counters. */
static void show_word(void *context)
{
    struct registers *registers = context;
    uint32_t word = (uint32_t)get(registers, "monitor_word", 9);
    const struct native_passed *passed = &registers->oracle.card.passed[word / 8 % MONITOR_STREAMS];
    const uint64_t counters[] = {passed->packets, passed->bytes, 0, 0};
    put(registers, "monitor_value", 32, counters[word / 2 % 4] >> (word % 2 ? 32 : 0) & UINT32_MAX);
}

static void open_registers(struct registers *registers, uint64_t seed)
{
    static const char *const ports[] = {"rings"};
    static const uint32_t bytes[] = {sizeof(struct ring_setting)};
    memset(registers, 0, sizeof *registers);
    bench_open(&registers->bench, &rtl_model_register_file, seed);
    bench_sink(&registers->bench, &registers->rings, "rings", 0, sizeof(struct ring_setting));
    native_shell_open(&registers->oracle);
    pthread_mutex_init(&registers->oracle.card.settings_lock, NULL);
    registers->node = native_shell_add(&registers->oracle, native_registers_create, ports, bytes, 1);
    put(registers, "lite_wstrb", 4, 15);
    put(registers, "stuck", MONITOR_STREAMS, STUCK);
    registers->bench.before = show_word;
    registers->bench.context = registers;
}

static void close_registers(struct registers *registers)
{
    pthread_mutex_destroy(&registers->oracle.card.settings_lock);
    native_shell_close(&registers->oracle);
    bench_close(&registers->bench);
}

/* Address and data come in either order, the answer is taken when it pleases. */
static void write_register(struct registers *registers, uint32_t offset, uint32_t value)
{
    struct bench *bench = &registers->bench;
    bool address = true, data = true;
    uint32_t address_delay = bench_random(bench, 3), data_delay = bench_random(bench, 3);
    put(registers, "lite_awaddr", 16, offset);
    put(registers, "lite_wdata", 32, value);
    for (unsigned i = 0; address || data; i++) {
        assert_true(i < 5000);
        put(registers, "lite_awvalid", 1, address && i >= address_delay);
        put(registers, "lite_wvalid", 1, data && i >= data_delay);
        rtl_settle(&bench->rtl);
        bool address_moves = address && i >= address_delay && get(registers, "lite_awready", 1);
        bool data_moves = data && i >= data_delay && get(registers, "lite_wready", 1);
        bench_cycle(bench);
        address &= !address_moves;
        data &= !data_moves;
    }
    put(registers, "lite_awvalid", 1, 0);
    put(registers, "lite_wvalid", 1, 0);
    for (unsigned i = 0;; i++) {
        assert_true(i < 5000);
        bool ready = bench_random(bench, 2);
        put(registers, "lite_bready", 1, ready);
        rtl_settle(&bench->rtl);
        bool answered = ready && get(registers, "lite_bvalid", 1);
        bench_cycle(bench);
        if (answered)
            break;
    }
    put(registers, "lite_bready", 1, 0);
}

static uint32_t read_register(struct registers *registers, uint32_t offset)
{
    struct bench *bench = &registers->bench;
    put(registers, "lite_araddr", 16, offset);
    put(registers, "lite_arvalid", 1, 1);
    bench_cycle(bench);
    put(registers, "lite_arvalid", 1, 0);
    for (unsigned i = 1 + bench_random(bench, 3); i; i--)
        bench_cycle(bench);
    rtl_settle(&bench->rtl);
    assert_int_equal(get(registers, "lite_rvalid", 1), 1);
    uint32_t value = (uint32_t)get(registers, "lite_rdata", 32);
    put(registers, "lite_rready", 1, 1);
    bench_cycle(bench);
    put(registers, "lite_rready", 1, 0);
    return value;
}

static void compare_all(struct registers *registers)
{
    for (uint32_t offset = 0; offset < REGISTER_FILE_BYTES + 64; offset += offset < 0x800 ? 4 : 252) {
        uint32_t expected = native_register_read(&registers->oracle.card.base, offset);
        if (offset == offsetof(struct card_block, clock_khz))
            expected = CLOCK_KHZ;
        if (offset == STREAMS_BLOCK_OFFSET + offsetof(struct streams_block, stuck_cycles))
            expected = STUCK_CYCLES;
        if (offset == STREAMS_BLOCK_OFFSET + offsetof(struct streams_block, stuck_low))
            expected = (uint32_t)STUCK;
        if (offset == STREAMS_BLOCK_OFFSET + offsetof(struct streams_block, stuck_high))
            expected = (uint32_t)(STUCK >> 32);
        uint32_t found = read_register(registers, offset);
        if (found != expected)
            fail_msg("register 0x%03x reads 0x%08x, expected 0x%08x", offset, found, expected);
    }
    assert_int_equal(read_register(registers, 2), UINT32_MAX);
}

static void test_equals_native(void **state)
{
    (void)state;
    struct registers registers;
    open_registers(&registers, 1);
    struct bench *bench = &registers.bench;
    /* Counters and link of each port. */
    struct rtl_pin pin = rtl_pin(&bench->rtl, "port_registers", CARD_PORTS * 5 * 32);
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct port *port = &registers.oracle.card.ports[i];
        _Atomic uint32_t *const values[] = {&port->link, &port->received_packets, &port->received_dropped,
                                            &port->sent_packets, &port->send_dropped};
        for (unsigned n = 0; n < 5; n++) {
            *values[n] = bench_random(bench, UINT32_MAX);
            rtl_put(&pin, (i * 5 + n) * 32, 32, *values[n]);
        }
    }
    for (unsigned i = 0; i < MONITOR_STREAMS; i++) {
        registers.oracle.card.passed[i].packets =
            (uint64_t)bench_random(bench, 16) << 32 | bench_random(bench, UINT32_MAX);
        registers.oracle.card.passed[i].bytes =
            (uint64_t)bench_random(bench, 16) << 32 | bench_random(bench, UINT32_MAX);
    }
    compare_all(&registers);
    for (unsigned i = 0; i < 300; i++) {
        uint32_t offset = bench_random(bench, 5) ? RINGS_BLOCK_OFFSET + 16 + bench_random(bench, RING_COUNT * 8) * 4
                                                 : bench_random(bench, 0x400);
        uint32_t value = bench_random(bench, 3) ? bench_random(bench, UINT32_MAX) : bench_random(bench, 30);
        if (offset == offsetof(struct card_block, reset))
            continue;
        write_register(&registers, offset, value);
        native_register_write(&registers.oracle.card.base, offset, value);
        native_shell_run(&registers.oracle, registers.node);
    }
    compare_all(&registers);
    registers.rings.full_speed = true;
    for (unsigned i = 0; i < 100; i++)
        bench_cycle(bench);
    const struct ring_setting *expected;
    unsigned settings = 0;
    while ((expected = native_shell_next(&registers.oracle, registers.node, "rings")) != NULL) {
        const struct ring_setting *setting = bench_next(&registers.rings);
        assert_non_null(setting);
        assert_memory_equal(setting, expected, sizeof *setting);
        settings++;
    }
    assert_null(bench_next(&registers.rings));
    assert_true(settings > 10);
    close_registers(&registers);
}

static void test_reset(void **state)
{
    (void)state;
    struct registers registers;
    open_registers(&registers, 2);
    put(&registers, "reset_busy", 1, 1);
    assert_int_equal(read_register(&registers, offsetof(struct card_block, reset)), 1);
    put(&registers, "reset_busy", 1, 0);
    assert_int_equal(read_register(&registers, offsetof(struct card_block, reset)), 0);
    /* Seen for exactly one cycle after the write. */
    put(&registers, "lite_awaddr", 16, offsetof(struct card_block, reset));
    put(&registers, "lite_wdata", 32, 1);
    put(&registers, "lite_awvalid", 1, 1);
    put(&registers, "lite_wvalid", 1, 1);
    put(&registers, "lite_bready", 1, 1);
    bench_cycle(&registers.bench);
    put(&registers, "lite_awvalid", 1, 0);
    put(&registers, "lite_wvalid", 1, 0);
    rtl_settle(&registers.bench.rtl);
    assert_int_equal(get(&registers, "reset_request", 1), 1);
    bench_cycle(&registers.bench);
    rtl_settle(&registers.bench.rtl);
    assert_int_equal(get(&registers, "reset_request", 1), 0);
    close_registers(&registers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_native), cmocka_unit_test(test_reset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
