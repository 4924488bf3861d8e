/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/block_tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "tests/driver/block_load.h"

static struct world *open_world(const struct block_test *job)
{
    struct cipu_error error;
    struct cipu_card *card;
    struct world *world = malloc(sizeof *world);
    if (cipu_card_open(job->uri, &card, &error) != 0)
        fail_msg("%s", error.text);
    world_open(world, card);
    return world;
}

static void close_world(struct world *world)
{
    world_close(world);
    free(world);
}

/* Random commands of all queues of two controllers, one of them with shadow doorbells. */
static void test_random(void **state)
{
    const struct block_test *job = &block_test_card;
    (void)state;
    struct world *world = open_world(job);
    world_start_all(world);
    world_load(world, job->commands);
    assert_memory_equal(world->volume, world->shadow, WORLD_VOLUME_BYTES);
    assert_true(world->commands > job->commands && world->moves > 0);
    world_stop_all(world);
    close_world(world);
}

/* Waits for one completion of a queue. */
static struct nvme_completion wait_for(struct world *world, struct world_controller *controller,
                                       struct world_pair *pair)
{
    const struct nvme_completion *completion;
    time_t since = time(NULL);
    while (!(completion = world_completion(controller, pair))) {
        world_serve(world);
        if (time(NULL) - since > WORLD_PATIENCE_SECONDS)
            world_give_up(world);
    }
    struct nvme_completion copy = *completion;
    world_take(world, controller, pair);
    pair->slots[copy.identifier].busy = false;
    return copy;
}

/* Admin and unknown commands go to the host as they are. */
static void test_raw(void **state)
{
    const struct block_test *job = &block_test_card;
    (void)state;
    struct world *world = open_world(job);
    world_start_all(world);
    struct world_controller *controller = &world->controllers[0];
    for (uint32_t n = 0; n < 200; n++) {
        struct world_pair *pair = &controller->pairs[n % (WORLD_QUEUES + 1)];
        struct nvme_command *command = &pair->slots[n % WORLD_COMMANDS].command;
        *command = (struct nvme_command){.opcode = 0xc1, .namespace_id = 1, .dword10 = n * 77};
        world_submit(world, controller, pair, n % WORLD_COMMANDS);
        struct nvme_completion completion = wait_for(world, controller, pair);
        assert_int_equal(completion.status >> 1, NVME_INVALID_OPCODE | NVME_DO_NOT_RETRY);
        assert_int_equal(completion.result, n * 77);
        assert_int_equal(completion.sq_head, pair->tail);
    }
    assert_int_equal(world->raws, 200);
    world_stop_all(world);
    close_world(world);
}

static uint16_t status_of(struct world *world, struct world_pair *pair, uint8_t opcode, uint64_t prp1, uint64_t prp2,
                          uint32_t blocks)
{
    struct nvme_command *command = &pair->slots[0].command;
    *command =
        (struct nvme_command){.opcode = opcode, .namespace_id = 1, .prp1 = prp1, .prp2 = prp2, .dword12 = blocks - 1};
    world_submit(world, &world->controllers[0], pair, 0);
    struct nvme_completion completion = wait_for(world, &world->controllers[0], pair);
    return (uint16_t)(completion.status >> 1 & 0x7ffu);
}

/* Bad PRPs, memory outside the window, a failing host: the right status, and the other controller goes on. */
static void test_errors(void **state)
{
    const struct block_test *job = &block_test_card;
    (void)state;
    struct world *world = open_world(job);
    world_start_all(world);
    struct world_pair *pair = &world->controllers[0].pairs[1];
    static const uint8_t opcodes[] = {NVME_READ, NVME_WRITE};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t opcode = opcodes[i];
        assert_int_equal(status_of(world, pair, opcode, 0x200000, 0, 8), 0);
        assert_int_equal(status_of(world, pair, opcode, 0x200001, 0, 1), NVME_PRP_OFFSET);
        assert_int_equal(status_of(world, pair, opcode, 0x200000, 0x300004, 16), NVME_PRP_OFFSET);
        assert_int_equal(status_of(world, pair, opcode, 0x200000, 0x300004, 24), NVME_PRP_OFFSET);
        assert_int_equal(status_of(world, pair, opcode, WORLD_GUEST_BYTES, 0, 1), NVME_DATA_TRANSFER_ERROR);
        assert_int_equal(status_of(world, pair, opcode, UINT64_MAX - 4095, 0, 8), NVME_DATA_TRANSFER_ERROR);
        assert_int_equal(status_of(world, pair, opcode, 0x200000, WORLD_GUEST_BYTES, 16), NVME_DATA_TRANSFER_ERROR);
        assert_int_equal(status_of(world, pair, opcode, 0x200000, WORLD_GUEST_BYTES, 24), NVME_DATA_TRANSFER_ERROR);
    }
    world->fail_status = NVME_INTERNAL_ERROR;
    assert_int_equal(status_of(world, pair, NVME_READ, 0x200000, 0, 8), NVME_INTERNAL_ERROR);
    world->fail_status = 0;
    /* What the bad ones wrote went into the volume's first bytes, if anywhere. */
    memcpy(world->shadow, world->volume, WORLD_VOLUME_BYTES);
    world_load(world, job->commands / 4);
    world_stop_all(world);
    close_world(world);
}

/* Queues stop and start again under load. */
static void test_restart(void **state)
{
    const struct block_test *job = &block_test_card;
    (void)state;
    struct world *world = open_world(job);
    for (unsigned round = 0; round < 4; round++) {
        world_start_all(world);
        world_load(world, job->commands / 8);
        world_stop_all(world);
        memset(world->controllers, 0, sizeof world->controllers);
    }
    assert_memory_equal(world->volume, world->shadow, WORLD_VOLUME_BYTES);
    close_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_raw),
                                       cmocka_unit_test(test_errors), cmocka_unit_test(test_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
