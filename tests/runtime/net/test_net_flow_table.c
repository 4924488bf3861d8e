/* SPDX-License-Identifier: Apache-2.0 */
/* Placement of flows, sharing of actions, counters and ageing, on tables as the card has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "runtime/net/flow_table.h"
#include "tests/runtime/net/recorded_host.h"

#define MILLION 1000000u

struct fixture {
    struct cipu_host *host;
    struct outbox *outbox;
    struct action_table actions;
    struct flow_table flows;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->host = recorded_host_create();
    fixture->host->seed = 0x1234567;
    fixture->outbox = calloc(1, sizeof *fixture->outbox);
    fixture->outbox->host = fixture->host;
    assert_int_equal(action_table_create(&fixture->actions, 99), 0);
    assert_int_equal(flow_table_create(&fixture->flows, fixture->host->seed), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    flow_table_destroy(&fixture->flows);
    action_table_destroy(&fixture->actions);
    recorded_host_destroy(fixture->host);
    free(fixture->outbox);
    free(fixture);
    return 0;
}

static struct flow_key key_of(uint64_t number)
{
    struct flow_key key = {.domain = FLOW_DOMAIN_FUNCTION | (uint32_t)(number % 8), .protocol = 17, .kind = FLOW_IPV4};
    uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(key.source + 12, &mixed, 4);
    memcpy(key.destination + 12, (const uint8_t *)&mixed + 4, 4);
    memcpy(key.source_port, &number, 2);
    memcpy(key.destination_port, (const uint8_t *)&number + 2, 2);
    return key;
}

static uint32_t some_action(struct fixture *fixture, uint64_t now, unsigned number)
{
    struct action action = {.kind = ACTION_FORWARD,
                            .destination = ENDPOINT_FUNCTION,
                            .destination_id = (uint16_t)(number % 100),
                            .vni = number};
    uint32_t index;
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, now, &action, &index), 0);
    return index;
}

static int add(struct fixture *fixture, uint64_t now, uint64_t number)
{
    struct flow_key key = key_of(number);
    struct flow_owner owner = {.owner = (uint16_t)(number % 8), .function = FLOW_NO_FUNCTION, .vni = 1};
    uint32_t action = some_action(fixture, now, (unsigned)(number % 1000));
    struct flow *flow;
    int status = flow_table_add(&fixture->flows, fixture->outbox, now, &key, action, &owner, &flow);
    if (status != 0)
        action_release(&fixture->actions, now, action);
    return status;
}

/* Host and card agree about the flow; true if it is there. */
static bool both_find(struct fixture *fixture, uint64_t number)
{
    struct flow_key key = key_of(number);
    struct flow *flow = flow_table_find(&fixture->flows, &key);
    struct flow_entry *entry = recorded_host_lookup(fixture->host, &key);
    assert_int_equal(flow != NULL, entry != NULL);
    if (flow && entry) {
        assert_int_equal(entry->action, flow->action);
        assert_int_equal(fixture->host->actions[entry->action].vni, number % 1000);
    }
    return flow != NULL;
}

static bool is_odd(const struct flow *flow, const void *context)
{
    (void)context;
    return flow->key.source_port[0] & 1;
}

static void test_million(void **state)
{
    struct fixture *fixture = *state;
    uint32_t refused = 0;
    uint8_t *present = calloc(MILLION, 1);
    for (uint32_t i = 0; i < MILLION; i++) {
        present[i] = add(fixture, 0, i) == 0;
        refused += !present[i];
    }
    outbox_flush(fixture->outbox);
    print_message("# of %u random flows %u were refused\n", MILLION, refused);
    /* Poisson with a mean of 3.8 a bucket: 1.3 % of the flows find all 8 ways taken. */
    assert_in_range(refused, 1, MILLION / 50);
    for (uint32_t i = 0; i < MILLION; i++)
        assert_int_equal(both_find(fixture, i), present[i]);

    size_t removed = flow_table_remove_if(&fixture->flows, &fixture->actions, fixture->outbox, 1, is_odd, NULL);
    outbox_flush(fixture->outbox);
    assert_in_range(removed, MILLION / 2 - MILLION / 50, MILLION / 2);
    for (uint32_t i = 0; i < MILLION; i++)
        assert_int_equal(both_find(fixture, i), present[i] && !(i & 1));
    for (uint32_t i = 1; i < MILLION; i += 2)
        present[i] = add(fixture, 1, i) == 0;
    outbox_flush(fixture->outbox);
    for (uint32_t i = 0; i < MILLION; i++)
        assert_int_equal(both_find(fixture, i), present[i]);
    assert_false(fixture->host->out_of_order);
    assert_int_equal(add(fixture, 1, 0), -EEXIST);
    free(present);
}

static void test_owner_limit(void **state)
{
    struct fixture *fixture = *state;
    uint32_t added = 0;
    for (uint64_t i = 0; i < 8 * (uint64_t)(FLOW_OWNER_MAX + 20000); i += 8)
        added += add(fixture, 0, i) == 0;
    assert_int_equal(added, FLOW_OWNER_MAX);
    assert_int_equal(add(fixture, 0, 1), 0);
}

static void test_counters_and_age(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(add(fixture, 0, i), 0);
    outbox_flush(fixture->outbox);
    struct flow_key key = key_of(5);
    struct flow *flow = flow_table_find(&fixture->flows, &key);
    struct flow_entry *entry = recorded_host_lookup(fixture->host, &key);

    entry->packets = 0xfffffff0u;
    entry->bytes = UINT64_C(0x123456789abc);
    assert_int_equal(flow_table_sweep(&fixture->flows, &fixture->actions, fixture->outbox, 500, 10000, 1000), 0);
    entry->packets = 0x10; /* wrapped */
    entry->bytes += 32 * 100;
    assert_int_equal(flow_table_sweep(&fixture->flows, &fixture->actions, fixture->outbox, 900, 10000, 1000), 0);
    assert_int_equal(flow->packets, UINT64_C(0x100000010));
    assert_int_equal(flow->bytes, UINT64_C(0x123456789abc) + 3200);

    /* Only the flow that was seen at 900 stays, and goes at 1900. A small budget needs several sweeps for the same. */
    size_t expired = 0;
    for (unsigned i = 0; i < 10; i++)
        expired += flow_table_sweep(&fixture->flows, &fixture->actions, fixture->outbox, 1899, 100, 1000);
    assert_int_equal(expired, 999);
    assert_true(both_find(fixture, 5));
    assert_int_equal(flow_table_sweep(&fixture->flows, &fixture->actions, fixture->outbox, 1900, 10000, 1000), 1);
    outbox_flush(fixture->outbox);
    for (unsigned i = 0; i < 1000; i++)
        assert_false(both_find(fixture, i));
    assert_int_equal(fixture->flows.count, 0);
}

static void test_read_fails(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(add(fixture, 0, 1), 0);
    outbox_flush(fixture->outbox);
    fixture->host->fail = -ETIMEDOUT;
    assert_int_equal(flow_table_read(&fixture->flows, fixture->outbox, 0, 0, 10), -ETIMEDOUT);
    assert_int_equal(flow_table_sweep(&fixture->flows, &fixture->actions, fixture->outbox, 100000, 100, 1), 0);
    assert_true(fixture->flows.count == 1);
    fixture->host->fail = 0;
    assert_int_equal(flow_table_read(&fixture->flows, fixture->outbox, 0, 5000, 10), 0);
}

static void test_actions_shared(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = some_action(fixture, 0, 1), second = some_action(fixture, 0, 1),
             other = some_action(fixture, 0, 2);
    assert_int_equal(first, second);
    assert_int_not_equal(first, other);
    assert_int_not_equal(first, 0);
    action_release(&fixture->actions, 10, first);
    action_release(&fixture->actions, 10, first);
    /* At rest it is taken up again without a command. */
    outbox_flush(fixture->outbox);
    size_t commands = fixture->host->commands;
    assert_int_equal(some_action(fixture, 20, 1), first);
    outbox_flush(fixture->outbox);
    assert_int_equal(fixture->host->commands, commands);
    action_release(&fixture->actions, 30, first);
    assert_int_not_equal(some_action(fixture, 30 + ACTION_REST_MS - 1, 3), first);
    assert_int_equal(some_action(fixture, 30 + ACTION_REST_MS, 4), first);
    assert_int_not_equal(some_action(fixture, 30 + ACTION_REST_MS, 1), first);
}

static void test_actions_run_out(void **state)
{
    struct fixture *fixture = *state;
    struct action action = {.kind = ACTION_FORWARD, .destination = ENDPOINT_HOST};
    uint32_t index;
    for (uint32_t i = 1; i < FLOW_ACTIONS; i++)
        some_action(fixture, 0, i);
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, 0, &action, &index), -ENOSPC);
    action_release(&fixture->actions, 0, 77);
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, 1, &action, &index), -ENOSPC);
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, ACTION_REST_MS, &action, &index), 0);
    assert_int_equal(index, 77);
    action.mtu = 1400;
    action_change(&fixture->actions, fixture->outbox, index, &action);
    outbox_flush(fixture->outbox);
    assert_int_equal(fixture->host->actions[77].mtu, 1400);
    uint32_t again;
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, ACTION_REST_MS, &action, &again), 0);
    assert_int_equal(again, 77);
    action_table_forget(&fixture->actions);
    assert_int_equal(action_acquire(&fixture->actions, fixture->outbox, 0, &action, &again), 0);
    assert_int_equal(again, 1);
}

static void test_failed_command_keeps_packets_back(void **state)
{
    struct fixture *fixture = *state;
    uint8_t frame[60] = {0};
    uint32_t index = some_action(fixture, 0, 1);
    outbox_packet(fixture->outbox, ENDPOINT_HOST, 0, index, frame, sizeof frame);
    fixture->host->fail = -EIO;
    assert_int_equal(outbox_flush(fixture->outbox), -EIO);
    assert_int_equal(fixture->host->packet_count, 0);
    assert_true(fixture->outbox->broken);
    assert_int_equal(fixture->outbox->lost, 1);
    fixture->outbox->broken = false;
    fixture->host->fail = 0;
    fixture->host->ring_full = true;
    outbox_packet(fixture->outbox, ENDPOINT_HOST, 0, index, frame, sizeof frame);
    outbox_packet(fixture->outbox, ENDPOINT_HOST, 0, index, frame, 13);
    assert_int_equal(outbox_flush(fixture->outbox), 0);
    assert_int_equal(fixture->outbox->lost, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_million, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counters_and_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_actions_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_actions_run_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_command_keeps_packets_back, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("net flow table", tests, NULL, NULL);
}
