/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler has to find, and what it has to refuse: small designs made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/hlsc/emit.h"

#define DELAYS "tools/hlsc/delays.txt"

enum { IN = 0, OUT = 1 };

struct fixture {
    struct design design;
    struct netlist *net;
    struct delay_table delays;
    struct schedule_options options;
    struct schedule schedule;
    char *messages; /* of the last try */
    net_id record;
};

/* An input of `bytes` and an output of 8 bytes, which takes the record's first 64 bits in every activation. */
static void begin(struct fixture *fixture, uint32_t bytes)
{
    char error[128];
    assert_int_equal(delay_read(&fixture->delays, DELAYS, error, sizeof error), 0);
    design_init(&fixture->design, "made", "made.c");
    fixture->net = &fixture->design.netlist;
    fixture->options = (struct schedule_options){2000, 3000, 8, 100000};
    fixture->messages = NULL;
    design_add_stream(&fixture->design, "in", STREAM_INPUT, bytes);
    design_add_stream(&fixture->design, "out", STREAM_OUTPUT, 8);
    fixture->record = net_stream_data(fixture->net, IN, 8 * bytes);
    net_id one = net_constant(fixture->net, 1, 1);
    fixture->design.streams[IN].fire = one;
    fixture->design.streams[OUT].fire = one;
    fixture->design.streams[OUT].data = net_slice(fixture->net, fixture->record, 0, 64);
    fixture->design.wait =
        net_and(fixture->net, net_stream_valid(fixture->net, IN), net_stream_room(fixture->net, OUT));
}

static net_id add_state(struct fixture *fixture, const char *name, uint32_t width)
{
    uint32_t index = design_add_register(&fixture->design, name, width);
    fixture->design.registers[index].initial = net_constant(fixture->net, width, 0);
    return net_register(fixture->net, index, width);
}

static net_id field(struct fixture *fixture, uint32_t i, uint32_t width)
{
    return net_slice(fixture->net, fixture->record, i * width, width);
}

static int try(struct fixture *fixture)
{
    size_t bytes;
    FILE *messages = open_memstream(&fixture->messages, &bytes);
    assert_non_null(messages);
    int result = schedule_design(&fixture->schedule, &fixture->design, &fixture->delays, &fixture->options, messages);
    fclose(messages);
    return result;
}

static void end(struct fixture *fixture)
{
    schedule_free(&fixture->schedule);
    design_free(&fixture->design);
    free(fixture->messages);
}

/* The words come as a chain that begins with the state; the loop must be one addition all the same. */
static void test_state_joins_last(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 128);
    net_id sum = add_state(&fixture, "sum", 32);
    for (uint32_t i = 0; i < 32; i++)
        sum = net_add(fixture.net, sum, field(&fixture, i, 32));
    fixture.design.registers[0].next = sum;
    assert_int_equal(try(&fixture), 0);
    assert_int_equal(fixture.schedule.interval, 1);
    assert_int_equal(fixture.schedule.loop_budget, fixture.options.budget);
    assert_int_equal(fixture.schedule.registers[0].read, fixture.schedule.registers[0].write);
    assert_true(fixture.schedule.stages <= 4);
    end(&fixture);
}

/* What state needs of itself sets the interval, and an interval that is not allowed is refused with the path. */
static void test_loop(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    net_id hash = add_state(&fixture, "hash", 64);
    for (uint32_t i = 0; i < 6; i++)
        hash = net_xor(fixture.net, net_add(fixture.net, hash, field(&fixture, i, 64)), field(&fixture, i + 1, 64));
    fixture.design.registers[0].next = hash;
    assert_int_equal(try(&fixture), 0);
    assert_in_range(fixture.schedule.interval, 2, 5);
    assert_int_equal(fixture.schedule.registers[0].write,
                     fixture.schedule.registers[0].read + fixture.schedule.interval - 1);
    schedule_free(&fixture.schedule);
    free(fixture.messages);

    fixture.options.interval_max = 1;
    assert_int_equal(try(&fixture), -1);
    assert_non_null(strstr(fixture.messages, "made.c: error: the next activation needs `hash`"));
    assert_non_null(strstr(fixture.messages, "add, 64 bits"));
    end(&fixture);
}

/* State that STREAM_WAIT asks for is written in the stage where an activation begins. */
static void test_wait_on_state(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    net_id busy = add_state(&fixture, "busy", 1), sum = field(&fixture, 0, 64);
    for (uint32_t i = 1; i < 7; i++)
        sum = net_xor(fixture.net, net_add(fixture.net, sum, field(&fixture, i, 64)), field(&fixture, i - 1, 64));
    fixture.design.registers[0].next = net_any(fixture.net, sum);
    fixture.design.wait = net_and(fixture.net, fixture.design.wait, net_not(fixture.net, busy));
    assert_int_equal(try(&fixture), 0);
    assert_int_equal(fixture.schedule.stage[fixture.design.wait], 0);
    assert_int_equal(fixture.schedule.registers[0].read, 0);
    assert_true(fixture.schedule.interval > 1);
    assert_int_equal(fixture.schedule.registers[0].write, fixture.schedule.interval - 1);
    end(&fixture);
}

static void add_table(struct fixture *fixture, net_id address, net_id (*next)(struct fixture *, net_id))
{
    uint32_t ram = design_add_ram(&fixture->design, "table", 256, 64);
    net_id word = net_ram_data(fixture->net, ram, 0, 64);
    struct design_ram *table = &fixture->design.rams[ram];
    table->read_count = 1;
    table->reads[0].address = address;
    table->write_enable = net_constant(fixture->net, 1, 1);
    table->write_address = address;
    table->write_data = next(fixture, word);
}

static net_id one_more(struct fixture *fixture, net_id word)
{
    return net_add(fixture->net, word, net_constant(fixture->net, 64, 1));
}

static net_id much_more(struct fixture *fixture, net_id word)
{
    for (uint32_t i = 0; i < 5; i++)
        word = net_xor(fixture->net, net_add(fixture->net, word, field(fixture, i, 64)), field(fixture, i + 1, 64));
    return word;
}

/* A counter is read and written back fast enough for its word to be forwarded. */
static void test_ram_forwards(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    add_table(&fixture, net_slice(fixture.net, fixture.record, 3, 8), one_more);
    assert_int_equal(try(&fixture), 0);
    assert_int_equal(fixture.schedule.interval, 1);
    assert_false(fixture.schedule.rams[0].guarded);
    assert_int_equal(fixture.schedule.rams[0].write, fixture.schedule.rams[0].address[0] + 1);
    end(&fixture);
}

/* Where that takes longer and the address is known at once, only activations of one word wait for each other. */
static void test_ram_is_guarded(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    add_table(&fixture, net_slice(fixture.net, fixture.record, 3, 8), much_more);
    assert_int_equal(try(&fixture), 0);
    assert_int_equal(fixture.schedule.interval, 1);
    assert_true(fixture.schedule.rams[0].guarded);
    assert_int_equal(fixture.schedule.rams[0].address[0], 0);
    end(&fixture);
}

/* With an address that has to be computed first, all wait. */
static void test_ram_with_late_address(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    net_id sum = net_add(fixture.net, field(&fixture, 0, 64),
                         net_add(fixture.net, field(&fixture, 1, 64), field(&fixture, 2, 64)));
    add_table(&fixture, net_slice(fixture.net, sum, 56, 8), much_more);
    assert_int_equal(try(&fixture), 0);
    assert_false(fixture.schedule.rams[0].guarded);
    assert_true(fixture.schedule.interval > 1);
    assert_true(fixture.schedule.rams[0].write <= fixture.schedule.rams[0].address[0] + fixture.schedule.interval);
    end(&fixture);
}

/* Of a record that goes through, what is needed late is carried, and no more. */
static void test_carries_bits_not_records(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 256);
    net_id sum = field(&fixture, 0, 64);
    for (uint32_t i = 1; i < 4; i++) /* differences do not balance */
        sum = net_sub(fixture.net, field(&fixture, i, 64), sum);
    net_id tag = net_slice(fixture.net, fixture.record, 1000, 8), low = net_slice(fixture.net, sum, 8, 56);
    fixture.design.streams[OUT].data = net_concat(fixture.net, (net_id[]){tag, low}, 2);
    assert_int_equal(try(&fixture), 0);
    uint32_t stages = fixture.schedule.stages;
    assert_true(stages >= 2);
    assert_true(fixture.schedule.pipeline_bits <= (stages - 1) * (8 + 3 * 64));
    end(&fixture);
}

static void test_register_limit(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    net_id held = add_state(&fixture, "held", 512);
    fixture.design.registers[0].next = net_xor(fixture.net, held, fixture.record);
    fixture.options.register_max = 500;
    assert_int_equal(try(&fixture), -1);
    assert_non_null(strstr(fixture.messages, "512 bits of registers"));
    end(&fixture);
}

/* An operation that no stage has time for is named. */
static void test_slow_operation(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    fixture.options.budget = fixture.options.loop_budget = 500;
    fixture.design.streams[OUT].data = net_add(fixture.net, field(&fixture, 0, 64), field(&fixture, 1, 64));
    assert_int_equal(try(&fixture), -1);
    assert_non_null(strstr(fixture.messages, "one operation takes longer than the 0.50 ns of a stage"));
    end(&fixture);
}

static char *emit(const struct schedule *schedule)
{
    char *text;
    size_t bytes;
    FILE *file = open_memstream(&text, &bytes);
    assert_non_null(file);
    emit_verilog(schedule, file);
    fclose(file);
    return text;
}

/* Names are C's, but for words that SystemVerilog keeps to itself; the same design gives the same text. */
static void test_names(void **unused)
{
    struct fixture fixture;
    (void)unused;
    begin(&fixture, 64);
    net_id state = add_state(&fixture, "reg", 64);
    net_id seen = add_state(&fixture, "in_data", 64);
    fixture.design.registers[0].next = net_xor(fixture.net, state, field(&fixture, 1, 64));
    fixture.design.registers[1].next = net_xor(fixture.net, seen, state);
    assert_int_equal(try(&fixture), 0);
    char *once = emit(&fixture.schedule), *again = emit(&fixture.schedule);
    assert_string_equal(once, again);
    assert_non_null(strstr(once, "reg [63:0] reg_v2;"));
    assert_non_null(strstr(once, "reg [63:0] in_data_v2;"));
    assert_non_null(strstr(once, "module made ("));
    free(once);
    free(again);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_joins_last),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_wait_on_state),
        cmocka_unit_test(test_ram_forwards),
        cmocka_unit_test(test_ram_is_guarded),
        cmocka_unit_test(test_ram_with_late_address),
        cmocka_unit_test(test_carries_bits_not_records),
        cmocka_unit_test(test_register_limit),
        cmocka_unit_test(test_slow_operation),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
