/* SPDX-License-Identifier: Apache-2.0 */
/* qos in simulated time: rates, bursts, order, and the sharing of disks. */
#include "tests/hls/qos_bench.h"

static void unlimited_volumes_pass(void **context)
{
    struct world *world = *context;
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t k = 0; k < 50; k++)
            send(world, i, BACKEND_COMMAND, BLOCK_WRITE, 4096), settle(world);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(world->volume[i].passed, 50);
    assert_int_equal(world->ticks, 0);
}

static void operations_keep_their_rate(void **context)
{
    struct world *world = *context;
    const uint32_t operations[] = {97, 1000, 12345, 100000, 500000};
    const uint32_t bursts[] = {1, 10, 1, 64, 2};
    for (uint32_t i = 0; i < 5; i++) {
        struct volume_setting setting = rates(operations[i], bursts[i], 0, 0);
        uint64_t ticks = 2000000000ull / operations[i] + 200000;
        struct volume *volume = &world->volume[i];
        volume->length = 4096;
        assert_int_equal(set(world, i, &setting).status, STATUS_OK);
        volume->greedy = true;
        run(world, 50000);
        uint32_t before = volume->passed;
        run(world, ticks);
        assert_near((volume->passed - before) / seconds(ticks), operations[i], 0.01);
        volume->greedy = false;
        setting = rates(0, 0, 0, 0);
        set(world, i, &setting);
        run(world, 1000);
    }
}

static void bytes_keep_their_rate(void **context)
{
    struct world *world = *context;
    const uint64_t bytes[] = {10000000, 250000000, 3000000000ull};
    const uint32_t lengths[] = {512, 65536, BLOCK_DATA_MAX};
    for (uint32_t i = 0; i < 3; i++) {
        struct volume_setting setting = rates(0, 0, bytes[i], 65536);
        uint64_t ticks = lengths[i] * 3000ull * 1000000 / bytes[i] * 1000 / 1024 + 10000;
        struct volume *volume = &world->volume[i];
        volume->length = lengths[i];
        set(world, i, &setting);
        volume->greedy = true;
        run(world, 20000);
        uint32_t before = volume->passed;
        run(world, ticks);
        assert_near((double)(volume->passed - before) * lengths[i] / seconds(ticks), (double)bytes[i], 0.01);
        volume->greedy = false;
        setting = rates(0, 0, 0, 0);
        set(world, i, &setting);
        run(world, 1000);
    }
}

/* Both limits at once: the lower one holds. Many volumes do not disturb each other. */
static void volumes_are_apart(void **context)
{
    struct world *world = *context;
    for (uint32_t i = 0; i < VOLUMES; i++) {
        struct volume_setting setting = rates(1000 * (i + 1), 4, i % 2 ? 4096u * 700u * (i + 1) : 0, 4096);
        set(world, i, &setting);
        world->volume[i].length = 4096;
        world->volume[i].greedy = true;
    }
    run(world, 100000);
    uint32_t before[VOLUMES];
    for (uint32_t i = 0; i < VOLUMES; i++)
        before[i] = world->volume[i].passed;
    run(world, 2000000);
    for (uint32_t i = 0; i < VOLUMES; i++)
        assert_near((world->volume[i].passed - before[i]) / seconds(2000000), (i % 2 ? 700.0 : 1000.0) * (i + 1), 0.01);
}

/* Below its rate a volume does not wait but for its bucket's look at the clock. */
static void bursts_pass_at_once(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1000, 20, 0, 0);
    set(world, 0, &setting);
    run(world, 5000);
    for (uint32_t round = 0; round < 5; round++) {
        uint32_t before = world->volume[0].passed;
        for (uint32_t k = 0; k < 25; k++)
            send(world, 0, BACKEND_COMMAND, BLOCK_READ, 512);
        settle(world);
        assert_int_equal(world->volume[0].passed - before, 20);
        run(world, 4000); /* the other five are due within 5 ms */
        assert_int_equal(world->volume[0].passed - before, 24);
        run(world, 1100);
        assert_int_equal(world->volume[0].passed - before, 25);
        run(world, 100000);
    }
}

static void order_is_kept(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1000, 1, 0, 0);
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 12; k++)
        send(world, 0, BACKEND_COMMAND, k % 3 == 2 ? BLOCK_FLUSH : BLOCK_WRITE, 512);
    settle(world);
    assert_int_equal(world->volume[0].passed, 1);
    /* run_host compares the order. Eight writes, one of them at once; flushes take no time of their own. */
    run(world, 7 * 977 - 20);
    assert_int_equal(world->volume[0].passed, 10);
    run(world, 40);
    assert_int_equal(world->volume[0].passed, 12);
    send(world, 0, BACKEND_COMMAND, BLOCK_FLUSH, 0); /* nothing before it: at once */
    settle(world);
    assert_int_equal(world->volume[0].passed, 13);
}

static void raw_commands_pass(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1, 1, 0, 0);
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 5; k++)
        send(world, 0, BACKEND_COMMAND, BLOCK_WRITE, 512);
    send(world, 1, BACKEND_RAW, 0, 0);
    settle(world);
    assert_int_equal(world->volume[0].passed, 1);
    assert_int_equal(world->volume[1].passed, 1);
}

/* Those of virtio-blk wait for their turn, and for nothing else. */
static void virtio_keeps_its_order(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1000, 1, 0, 0);
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 12; k++)
        if (k % 3 == 2)
            send_flagged(world, 0, BACKEND_RAW, BLOCK_VIRTIO, 0, 0);
        else
            send_flagged(world, 0, BACKEND_COMMAND, BLOCK_VIRTIO, BLOCK_WRITE, 512);
    settle(world);
    assert_int_equal(world->volume[0].passed, 1);
    run(world, 7 * 977 - 20);
    assert_int_equal(world->volume[0].passed, 10);
    run(world, 40);
    assert_int_equal(world->volume[0].passed, 12);
    send_flagged(world, 0, BACKEND_RAW, BLOCK_VIRTIO, 0, 0);
    settle(world);
    assert_int_equal(world->volume[0].passed, 13);
    /* A place at the disk is given back by them as by all others. */
    setting.disk = 1;
    setting.disk_limit = 2;
    setting.operations = 0;
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 40; k++)
        send_flagged(world, 0, k % 2 ? BACKEND_RAW : BACKEND_COMMAND, BLOCK_VIRTIO, k % 2 ? 0 : BLOCK_WRITE, 512);
    run(world, 100000);
    assert_int_equal(world->volume[0].finished, 53);
    assert_int_equal(world->state.disk[1].in_flight, 0);
}

/* Whatever time it is when the first command comes, or the first one after a long rest. */
static void time_may_be_any(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1000, 1, 0, 0);
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 20; k++) {
        world->now += 0x1fffffff;
        uint32_t before = world->volume[0].passed;
        for (uint32_t n = 0; n < 3; n++)
            send(world, 0, BACKEND_COMMAND, BLOCK_WRITE, 512);
        run(world, 3000);
        assert_int_equal(world->volume[0].passed - before, 3);
    }
}

static void a_setting_without_rates_lets_all_out(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1, 1, 1, 1);
    set(world, 0, &setting);
    for (uint32_t k = 0; k < 60; k++)
        send(world, 0, BACKEND_COMMAND, BLOCK_WRITE, 512);
    settle(world);
    assert_int_equal(world->volume[0].passed, 1);
    setting = rates(0, 0, 0, 0);
    set(world, 0, &setting);
    settle(world);
    assert_int_equal(world->volume[0].passed, 60);
    assert_int_equal(world->state.volumes, 0);
}

/* Weights decide who gets the disk, which is never idle and never beyond its limit. */
static void share_by_weight(struct world *world, const uint16_t *weights, uint32_t count, uint32_t limit)
{
    uint32_t total = 0, before[VOLUMES], sum = 0;
    uint64_t ticks = 4000000;
    world->latency = 90;
    for (uint32_t i = 0; i < count; i++) {
        struct volume_setting setting = shared(3, weights[i], limit);
        assert_int_equal(set(world, i, &setting).status, STATUS_OK);
        world->volume[i].length = 4096;
        world->volume[i].greedy = true;
        total += weights[i];
    }
    run(world, 20000);
    for (uint32_t i = 0; i < count; i++)
        before[i] = world->volume[i].passed;
    run(world, ticks);
    for (uint32_t i = 0; i < count; i++)
        sum += world->volume[i].passed - before[i];
    assert_near(sum, (double)limit * (double)ticks / 90, 0.02);
    for (uint32_t i = 0; i < count; i++)
        assert_near(world->volume[i].passed - before[i], (double)sum * weights[i] / total, 0.03);
    assert_true(world->most <= limit);
}

static void equal_weights_share_equally(void **context)
{
    const uint16_t weights[] = {100, 100, 100, 100};
    share_by_weight(*context, weights, 4, 1);
}

static void weights_share_in_proportion(void **context)
{
    const uint16_t weights[] = {1000, 300, 200, 50};
    share_by_weight(*context, weights, 4, 16);
}

static void the_lightest_is_not_starved(void **context)
{
    const uint16_t weights[] = {1000, 2};
    share_by_weight(*context, weights, 2, 8);
}

/* A disk that waits for nobody serves whoever comes. */
static void light_volumes_use_a_free_disk(void **context)
{
    struct world *world = *context;
    struct volume_setting heavy = shared(3, 1000, 8), light = shared(3, 1, 8);
    world->latency = 90;
    set(world, 0, &heavy);
    set(world, 1, &light);
    world->volume[1].length = 512;
    world->volume[1].greedy = true;
    run(world, 1000);
    uint32_t before = world->volume[1].passed;
    run(world, 90000);
    assert_near(world->volume[1].passed - before, 8 * 1000, 0.02);
}

/* Rates hold on a shared disk too, and what they leave others take. */
static void rates_and_disks_agree(void **context)
{
    struct world *world = *context;
    struct volume_setting slow = shared(5, 1000, 4), fast = shared(5, 10, 4);
    slow.operations = 5000;
    slow.operations_burst = 2;
    world->latency = 100; /* 4 in flight: 39,062 a second */
    set(world, 0, &slow);
    set(world, 1, &fast);
    for (uint32_t i = 0; i < 2; i++) {
        world->volume[i].length = 4096;
        world->volume[i].greedy = true;
    }
    run(world, 100000);
    uint32_t before[] = {world->volume[0].passed, world->volume[1].passed};
    run(world, 2000000);
    assert_near((world->volume[0].passed - before[0]) / seconds(2000000), 5000, 0.01);
    assert_near((world->volume[1].passed - before[1]) / seconds(2000000), 39062 - 5000, 0.03);
}

static void refuses_bad_settings(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = shared(BLOCK_DISKS, 100, 1);
    assert_int_equal(set(world, 0, &setting).status, STATUS_BAD_DATA);
    setting = shared(0, 0, 1);
    assert_int_equal(set(world, 0, &setting).status, STATUS_BAD_DATA);
    setting = shared(0, 1001, 1);
    assert_int_equal(set(world, 0, &setting).status, STATUS_BAD_DATA);
    setting = shared(0, 100, 1);
    assert_int_equal(set(world, BLOCK_VOLUMES, &setting).status, STATUS_BAD_INDEX);
    /* The disk stays while something waits for it. */
    assert_int_equal(set(world, 0, &setting).status, STATUS_OK);
    world->latency = 1000;
    send(world, 0, BACKEND_COMMAND, BLOCK_READ, 512);
    send(world, 0, BACKEND_COMMAND, BLOCK_READ, 512);
    settle(world);
    setting.disk = 1;
    assert_int_equal(set(world, 0, &setting).status, STATUS_BUSY);
    run(world, 3000);
    assert_int_equal(world->volume[0].finished, 2);
    assert_int_equal(set(world, 0, &setting).status, STATUS_OK);
    struct command_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.opcode = COMMAND_QUEUE_SET;
    assert_true(stream_put(&world->command, &entry));
    settle(world);
    assert_true(stream_get(&world->completion, &entry));
    assert_int_equal(entry.status, STATUS_BAD_OPCODE);
}

/* A volume that waits for its rates keeps nobody from a disk that has room: commands of others pass in the same tick.
 */
static void rates_are_in_nobodys_way(void **context)
{
    struct world *world = *context;
    struct volume_setting noisy = shared(3, 100, 200), quiet = shared(3, 100, 200);
    noisy.operations = 1000;
    noisy.operations_burst = 1;
    set(world, 0, &noisy);
    set(world, 1, &quiet);
    world->latency = 50;
    world->volume[0].greedy = true;
    world->volume[0].length = 4096;
    run(world, 5000);
    for (uint32_t i = 0; i < 2000; i++) {
        send(world, 1, BACKEND_COMMAND, BLOCK_READ, 4096);
        settle(world);
        assert_int_equal(world->volume[1].passed, world->volume[1].sent);
        run(world, 37);
    }
}

/* How long a command was held back travels with it. */
static void waiting_is_told(void **context)
{
    struct world *world = *context;
    struct volume_setting setting = rates(1000, 1, 0, 0);
    set(world, 0, &setting);
    settle(world);
    send(world, 0, BACKEND_COMMAND, BLOCK_READ, 512);
    send(world, 0, BACKEND_COMMAND, BLOCK_READ, 512);
    settle(world);
    struct qos_row *row = &world->state.volume[0];
    assert_int_equal(row->count, 1);
    uint64_t began = world->now;
    struct block_issue issue;
    while (!stream_get(&world->out, &issue)) {
        while (run_events(world) || run_qos(world) || run_timer(world))
            ;
        world->now++;
    }
    assert_near(issue.command.waited, (double)(world->now - 1 - began), 0.01);
    assert_near(issue.command.waited, 977, 0.02);
}

static int setup(void **context)
{
    struct world *world = aligned_alloc(64, sizeof *world);
    memset(world, 0, sizeof *world);
    stream_open(&world->issue, 64, sizeof(struct block_issue));
    stream_open(&world->command, 4, sizeof(struct command_entry));
    stream_open(&world->tick, 4, sizeof(struct timer_tick));
    stream_open(&world->finished, 1024, sizeof(struct block_finished));
    stream_open(&world->event, 4, sizeof(struct qos_event));
    stream_open(&world->out, 4, sizeof(struct block_issue));
    stream_open(&world->completion, 4, sizeof(struct command_entry));
    stream_open(&world->timer, 4, sizeof(struct timer_request));
    stream_open(&world->again, 2048, sizeof(struct qos_token));
    stream_open(&world->wake, 4, sizeof(struct qos_token));
    /* The clock wraps around early in each test. */
    world->now = UINT64_C(0x1ffff0000);
    struct timer_tick tick = {(uint32_t)world->now, 0};
    assert_true(stream_put(&world->tick, &tick));
    settle(world);
    *context = world;
    return 0;
}

static int teardown(void **context)
{
    struct world *world = *context;
    struct stream *streams[] = {&world->issue, &world->command,    &world->tick,  &world->finished, &world->event,
                                &world->out,   &world->completion, &world->timer, &world->again,    &world->wake};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        stream_close(streams[i]);
    free(world);
    return 0;
}

#define QOS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QOS_TEST(unlimited_volumes_pass),
        QOS_TEST(operations_keep_their_rate),
        QOS_TEST(bytes_keep_their_rate),
        QOS_TEST(volumes_are_apart),
        QOS_TEST(bursts_pass_at_once),
        QOS_TEST(order_is_kept),
        QOS_TEST(raw_commands_pass),
        QOS_TEST(virtio_keeps_its_order),
        QOS_TEST(time_may_be_any),
        QOS_TEST(a_setting_without_rates_lets_all_out),
        QOS_TEST(equal_weights_share_equally),
        QOS_TEST(weights_share_in_proportion),
        QOS_TEST(the_lightest_is_not_starved),
        QOS_TEST(light_volumes_use_a_free_disk),
        QOS_TEST(rates_and_disks_agree),
        QOS_TEST(refuses_bad_settings),
        QOS_TEST(rates_are_in_nobodys_way),
        QOS_TEST(waiting_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
