/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-blk queues from the driver's doorbell to its used ring: traffic of all kinds, and drivers that break rules. */
#include "tests/hls/blk_world.h"

/* Requests of both queues at random, until `total` are done. */
static void traffic(struct world *world, uint32_t total)
{
    uint32_t asked = 0;
    for (uint32_t turns = 0; world->queue[0].done + world->queue[1].done < total; turns++) {
        uint32_t number = world_below(world, WORLD_QUEUES), slot = world_below(world, WORLD_SLOTS);
        struct world_queue *queue = &world->queue[number];
        if (asked < total && !queue->request[slot].active && queue->free_count >= WORLD_DESCRIPTORS) {
            world_request(world, number, slot);
            asked++;
        }
        world_turn(world);
        if (world_below(world, 4) == 0)
            world_collect(world, number);
        assert_true(turns < 200000);
    }
}

static void no_alerts(struct world *world)
{
    assert_int_equal(hls_fifo_used(&world->bench->virtq_alert.fifo), 0);
    assert_int_equal(hls_fifo_used(&world->bench->used_alert.fifo), 0);
    assert_int_equal(world->core->block_context.stray, 0);
}

static void serves_drivers(void **context)
{
    struct world *world = *context;
    const uint16_t flags[] = {0, QUEUE_INDIRECT, QUEUE_EVENT_INDEX, QUEUE_INDIRECT | QUEUE_EVENT_INDEX};
    world_start(world, 0, flags[world_below(world, 4)]);
    world_start(world, 1, QUEUE_INDIRECT | QUEUE_EVENT_INDEX);
    traffic(world, 4000);
    no_alerts(world);
    assert_true(world->raws > 500 && world->raws < 3000);
    assert_true(world->bench->interrupts != 0);
}

/* As many requests as the ring holds, before the host answers any. */
static void takes_a_full_ring(void **context)
{
    struct world *world = *context;
    world_start(world, 0, QUEUE_INDIRECT);
    world->deaf = true;
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
            if (world->queue[0].free_count >= WORLD_DESCRIPTORS)
                world_request(world, 0, slot);
        uint32_t under_way = 0;
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
            under_way += world->queue[0].request[slot].active;
        while (world_turn(world))
            ;
        world->deaf = false;
        for (uint32_t done = world->queue[0].done; world->queue[0].done != done + under_way;) {
            world_turn(world);
            world_collect(world, 0);
        }
        world->deaf = true;
    }
    no_alerts(world);
}

static void settle(struct world *world)
{
    for (uint32_t i = 0; i < 200; i++)
        world_turn(world);
}

static void assert_alert(struct world *world, uint16_t fault)
{
    struct event_entry event = {0};
    settle(world);
    assert_true(stream_get(&world->bench->virtq_alert, &event));
    assert_int_equal(event.kind, EVENT_QUEUE_STOPPED);
    assert_int_equal(event.detail, fault);
    assert_int_equal(event.function, BENCH_GUEST);
    assert_int_equal(event.queue, 0);
    assert_int_equal(event.generation, 3);
    assert_int_equal(hls_fifo_used(&world->bench->virtq_alert.fifo), 0);
}

static void stop(struct world *world, uint32_t number)
{
    struct command_entry entry = world_entry(COMMAND_QUEUE_STOP, TARGET_BLK, number);
    assert_int_equal(world_command(world, &entry).status, STATUS_OK);
    entry.target = TARGET_BLK_USED;
    assert_int_equal(world_command(world, &entry).status, STATUS_OK);
}

/* A chain of three descriptors, as given but for the links. */
static void kick(struct world *world, struct virtq_descriptor a, struct virtq_descriptor b, struct virtq_descriptor c)
{
    struct virtq_descriptor chain[3] = {a, b, c};
    chain[0].flags |= VIRTQ_NEXT;
    chain[1].flags |= VIRTQ_NEXT;
    for (uint16_t i = 0; i < 3; i++) {
        chain[i].next = (uint16_t)(i + 1);
        memcpy(world_memory(world, world_base(0) + i * 16u), &chain[i], 16);
    }
    world_kick(world, 0, 0);
}

static struct virtq_descriptor part(uint64_t address, uint32_t length, uint16_t flags)
{
    struct virtq_descriptor descriptor = {address, length, flags, 0};
    return descriptor;
}

static void stops_bad_chains(void **context)
{
    struct world *world = *context;
    const struct virtq_descriptor header = part(0x4000, 16, 0), data = part(WORLD_DATA, 512, VIRTQ_WRITE);
    const struct virtq_descriptor status = part(0x5000, 1, VIRTQ_WRITE);
    world_start(world, 0, 0);
    kick(world, data, header, status); /* readable behind writable */
    assert_alert(world, FAULT_DIRECTION);
    stop(world, 0);
    world_start(world, 0, 0);
    kick(world, header, data, part(0x5000, 1, 0)); /* no place for the status */
    assert_alert(world, FAULT_DIRECTION);
    stop(world, 0);
    world_start(world, 0, 0);
    kick(world, header, part(WORLD_DATA, 0, VIRTQ_WRITE), status);
    assert_alert(world, FAULT_DESCRIPTOR_LENGTH);
    stop(world, 0);
    world_start(world, 0, 0);
    kick(world, header, part(WORLD_DATA, (1u << 31) - 16u, VIRTQ_WRITE), status);
    assert_alert(world, FAULT_DESCRIPTOR_LENGTH);
    stop(world, 0);
    world_start(world, 0, 0);
    kick(world, header, part(0x4000, 16, VIRTQ_INDIRECT), status);
    assert_alert(world, FAULT_INDIRECT);
    stop(world, 0);
}

static void stops_heads_in_flight(void **context)
{
    struct world *world = *context;
    const struct virtq_descriptor header = part(0x4000, 16, 0), data = part(WORLD_DATA, 512, VIRTQ_WRITE);
    world_start(world, 0, 0);
    world->deaf = true;
    memset(world_memory(world, 0x4000), 0, 16);
    kick(world, header, data, part(0x5000, 1, VIRTQ_WRITE));
    settle(world);
    kick(world, header, data, part(0x5000, 1, VIRTQ_WRITE));
    assert_alert(world, FAULT_BUSY_HEAD);
    kick(world, header, data, part(0x5000, 1, VIRTQ_WRITE));
    settle(world);
    assert_int_equal(hls_fifo_used(&world->bench->virtq_alert.fifo), 0);
}

static void complete(struct world *world, uint16_t tag, uint32_t flags)
{
    struct block_answer answer;
    memset(&answer, 0, sizeof answer);
    answer.tag = tag;
    answer.flags = flags | ANSWER_COMPLETE;
    answer.written = 1;
    bench_answer(world->core, &answer);
    settle(world);
}

static void stops_where_no_status_can_be(void **context)
{
    struct world *world = *context;
    world_start(world, 0, 0);
    world->deaf = true;
    memset(world_memory(world, 0x4000), 0, 16);
    kick(world, part(0x4000, 16, 0), part(WORLD_DATA, 512, VIRTQ_WRITE), part(BENCH_MEMORY - 1, 2, VIRTQ_WRITE));
    settle(world);
    complete(world, 0, 0);
    assert_alert(world, FAULT_ADDRESS);
    assert_int_equal(world_load16(world, world_base(0) + 0x2000u + 2), 0);
}

/* Headers in no memory go to the host as if they were split. */
static void leaves_bad_headers_to_the_host(void **context)
{
    struct world *world = *context;
    world_start(world, 0, 0);
    world->deaf = true;
    kick(world, part(BENCH_MEMORY, 16, 0), part(WORLD_DATA, 512, VIRTQ_WRITE), part(0x5000, 1, VIRTQ_WRITE));
    settle(world);
    assert_true(world->commands[0].active && world->commands[0].raw);
    assert_int_equal(world->commands[0].command.readable, 16);
    assert_int_equal(world->commands[0].command.writable, 512);
}

static void knows_what_it_can_do(void **context)
{
    struct world *world = *context;
    const struct {
        uint32_t type;
        uint64_t sector;
        uint32_t length; /* of data */
        uint8_t opcode;  /* 0 = raw */
    } cases[] = {
        {VIRTIO_BLK_IN, 1, 512, BLOCK_READ},
        {VIRTIO_BLK_IN, 1, 511, 0},
        {VIRTIO_BLK_IN, (UINT64_C(1) << 55) - 1, 512, BLOCK_READ},
        {VIRTIO_BLK_IN, UINT64_C(1) << 55, 512, 0},
        {VIRTIO_BLK_IN, 7, BLOCK_DATA_MAX, BLOCK_READ},
        {VIRTIO_BLK_IN, 7, BLOCK_DATA_MAX + 512, 0},
        {VIRTIO_BLK_OUT, 9, 4096, BLOCK_WRITE},
        {VIRTIO_BLK_OUT, 9, 4097, 0},
        {VIRTIO_BLK_OUT, 9, BLOCK_DATA_MAX, BLOCK_WRITE},
        {VIRTIO_BLK_OUT, 9, BLOCK_DATA_MAX + 512, 0},
        {VIRTIO_BLK_FLUSH, 0, 512, BLOCK_FLUSH},
        {11, 0, 512, 0},
        {0xffffffff, 0, 512, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct virtio_blk_request header = {cases[i].type, 0x12345678, cases[i].sector};
        bool out = cases[i].type == VIRTIO_BLK_OUT;
        world_start(world, 0, 0);
        world->deaf = true;
        memcpy(world_memory(world, 0x4000), &header, sizeof header);
        kick(world, part(0x4000, 16, 0), part(WORLD_DATA, cases[i].length, out ? 0 : VIRTQ_WRITE),
             part(0x5000, 1, VIRTQ_WRITE));
        settle(world);
        struct world_command *command = &world->commands[0];
        assert_true(command->active);
        assert_int_equal(command->raw, cases[i].opcode == 0);
        assert_int_equal(command->command.opcode, cases[i].opcode);
        bool moves = cases[i].opcode == BLOCK_READ || cases[i].opcode == BLOCK_WRITE;
        assert_int_equal(command->command.length, moves ? cases[i].length : 0);
        assert_int_equal(command->command.offset, moves ? cases[i].sector * 512 : 0);
        if (command->raw)
            assert_memory_equal(&command->header, &header, sizeof header);
        command->active = false;
        complete(world, 0, ANSWER_SILENT);
        stop(world, 0);
        world->deaf = false;
    }
}

static void kick_flush(struct world *world, uint16_t head)
{
    uint64_t at = 0x10000 + head * 64u;
    struct virtio_blk_request header = {VIRTIO_BLK_FLUSH, 0, 0};
    struct virtq_descriptor table[2] = {part(at, 16, VIRTQ_NEXT), part(at + 16, 1, VIRTQ_WRITE)};
    struct virtq_descriptor outer = part(at + 32, sizeof table, VIRTQ_INDIRECT);
    table[0].next = 1;
    memcpy(world_memory(world, at), &header, sizeof header);
    memcpy(world_memory(world, at + 32), table, sizeof table);
    memcpy(world_memory(world, head * 16u), &outer, sizeof outer);
    world_store16(world, 0x1000 + 4 + 2 * (world->queue[0].avail++ % BLOCK_SLOTS), head);
    world_store16(world, 0x1000 + 2, world->queue[0].avail);
    struct doorbell doorbell = {DOORBELL_BLOCK, 0, 0, 0};
    stream_put(&world->bench->doorbell, &doorbell);
}

/* With as many chains in flight as the card keeps, credit comes back in time, whatever the order of completions. */
static void holds_a_queue_of_the_largest_size(void **context)
{
    struct world *world = *context;
    struct queue_setting setting = world_setting(0, QUEUE_INDIRECT);
    setting.entries = BLOCK_SLOTS;
    for (unsigned target = TARGET_BLK; target <= TARGET_BLK_USED; target++) {
        struct command_entry entry = world_entry(COMMAND_QUEUE_SET, (uint8_t)target, 0);
        memcpy(entry.data, &setting, sizeof setting);
        assert_int_equal(world_command(world, &entry).status, STATUS_OK);
    }
    world->deaf = true;
    for (uint16_t head = 0; head < BLOCK_SLOTS; head++)
        kick_flush(world, head);
    while (world_turn(world))
        ;
    for (uint16_t tag = 0; tag < BLOCK_SLOTS; tag++)
        assert_true(world->commands[tag].active);
    uint32_t done = 0;
    for (uint32_t round = 0; done < 1500; round++) {
        for (uint16_t tag = 0; tag < BLOCK_SLOTS; tag++) {
            if (!world->commands[tag].active || world_below(world, 60) != 0)
                continue;
            struct block_answer answer;
            memset(&answer, 0, sizeof answer);
            answer.tag = tag;
            answer.flags = ANSWER_COMPLETE;
            answer.written = 1;
            world->commands[tag].active = false;
            bench_answer(world->core, &answer);
        }
        for (uint32_t i = 0; i < 20; i++)
            world_turn(world);
        for (uint16_t index = world_load16(world, 0x2000 + 2); world->queue[0].used != index; done++) {
            uint64_t at = 0x2000 + 4 + 8 * (world->queue[0].used++ % BLOCK_SLOTS);
            kick_flush(world, world_load16(world, at));
        }
        assert_true(round < 20000);
    }
    no_alerts(world);
}

/* A queue that is reset with commands at the host: they end silently, and it serves again. */
static void starts_again(void **context)
{
    struct world *world = *context;
    for (uint32_t round = 0; round < 6; round++) {
        world_start(world, 0, QUEUE_INDIRECT);
        world_start(world, 1, 0);
        traffic(world, 300);
        world->deaf = true;
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
            if (!world->queue[0].request[slot].active && world->queue[0].free_count >= WORLD_DESCRIPTORS)
                world_request(world, 0, slot);
        for (uint32_t i = world_below(world, 100); i != 0; i--)
            world_turn(world);
        stop(world, 0);
        stop(world, 1);
        while (world_turn(world))
            ;
        uint16_t used = world_load16(world, world_base(0) + 0x2000u + 2);
        for (uint16_t tag = 0; tag < WORLD_ENTRIES; tag++) {
            if (world->commands[tag].active)
                complete(world, tag, ANSWER_SILENT);
            world->commands[tag].active = false;
        }
        assert_int_equal(world_load16(world, world_base(0) + 0x2000u + 2), used);
        no_alerts(world);
        /* What was a read left the driver's memory as it was, whatever it expected. */
        memcpy(world->shadow, world_memory(world, WORLD_DATA), sizeof world->disk);
        world->deaf = false;
    }
}

static void refuses_bad_settings(void **context)
{
    struct world *world = *context;
    for (unsigned target = TARGET_BLK; target <= TARGET_BLK_USED; target++) {
        struct command_entry entry = world_entry(COMMAND_QUEUE_SET, (uint8_t)target, 0);
        struct queue_setting good = world_setting(0, 0), bad = good;
        bad.flags = 0;
        memcpy(entry.data, &bad, sizeof bad);
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_DATA);
        bad = good;
        bad.function = FUNCTION_HOST;
        memcpy(entry.data, &bad, sizeof bad);
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_DATA);
        bad.function = 0x7fff;
        memcpy(entry.data, &bad, sizeof bad);
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_DATA);
        bad = good;
        bad.entries = 2 * BLOCK_SLOTS;
        memcpy(entry.data, &bad, sizeof bad);
        if (target == TARGET_BLK)
            assert_int_equal(world_command(world, &entry).status, STATUS_BAD_DATA);
        memcpy(entry.data, &good, sizeof good);
        entry.index = BLOCK_QUEUES;
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_INDEX);
        entry.opcode = COMMAND_QUEUE_STOP;
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_INDEX);
        entry.opcode = COMMAND_NAMESPACE_SET;
        assert_int_equal(world_command(world, &entry).status, STATUS_BAD_OPCODE);
        /* Queues of the network are no block queues. */
        entry = world_entry(COMMAND_QUEUE_SET, target == TARGET_BLK ? TARGET_TX : TARGET_TX_USED, 11);
        memcpy(entry.data, &good, sizeof good);
        bool used = target == TARGET_BLK_USED;
        struct stream *command = used ? &world->bench->used_command : &world->bench->command;
        assert_true(stream_put(command, &entry));
        settle(world);
        assert_true(stream_get(used ? &world->bench->used_completion : &world->bench->completion, &entry));
        assert_int_equal(entry.status, STATUS_BAD_DATA);
    }
}

/* The window reaches every channel that carries the guest's addresses before it is said to be set. */
static void windows_reach_all_channels(void **context)
{
    struct world *world = *context;
    struct command_entry entry = world_entry(COMMAND_WINDOW_SET, TARGET_BLK, 33), back;
    struct window_setting window = {0x123000, 0x8000};
    memcpy(entry.data, &window, sizeof window);
    assert_true(stream_put(&world->bench->command, &entry));
    settle(world);
    assert_true(stream_get(&world->core->window_done, &back));
    assert_memory_equal(&back, &entry, sizeof back);
    const struct dma_request *windows[] = {&world->bench->reader[BLK_READ_RING].window,
                                           &world->bench->reader[BLK_READ_HEADER].window,
                                           &world->bench->writer[BLK_WRITE_EVENT].window,
                                           &world->bench->writer[BLK_WRITE_STATUS].window,
                                           &world->core->reader[READER_LIST].window,
                                           &world->core->reader[READER_MORE].window,
                                           &world->core->window[0],
                                           &world->core->window[1]};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        assert_int_equal(windows[i]->address, 0x123000);
        assert_int_equal(windows[i]->length, 0x8000);
        assert_int_equal(windows[i]->function, 33);
    }
    assert_int_equal(hls_fifo_used(&world->bench->completion.fifo), 0);
}

static int setup(void **context)
{
    *context = world_new(3, 4);
    return 0;
}

static int teardown(void **context)
{
    world_free(*context);
    return 0;
}

#define VIRTIO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTIO_TEST(serves_drivers),
        VIRTIO_TEST(takes_a_full_ring),
        VIRTIO_TEST(stops_bad_chains),
        VIRTIO_TEST(stops_heads_in_flight),
        VIRTIO_TEST(stops_where_no_status_can_be),
        VIRTIO_TEST(leaves_bad_headers_to_the_host),
        VIRTIO_TEST(knows_what_it_can_do),
        VIRTIO_TEST(holds_a_queue_of_the_largest_size),
        VIRTIO_TEST(starts_again),
        VIRTIO_TEST(refuses_bad_settings),
        VIRTIO_TEST(windows_reach_all_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
