/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/block_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

void world_start_all(struct world *world)
{
    for (unsigned i = 0; i < WORLD_CONTROLLERS; i++)
        world_start(world, &world->controllers[i], (uint16_t)(3 + i), (uint16_t)(10 + i * 8), i % 2 == 1);
}

void world_stop_all(struct world *world)
{
    for (unsigned i = 0; i < WORLD_CONTROLLERS; i++)
        world_stop(world, &world->controllers[i]);
}

/* One look at everything: the host answers, completions are checked. Returns whether anything came. */
bool world_look(struct world *world)
{
    bool some = world_serve(world) != 0;
    for (unsigned c = 0; c < WORLD_CONTROLLERS; c++) {
        struct world_controller *controller = &world->controllers[c];
        for (unsigned q = 1; controller->memory && q <= WORLD_QUEUES; q++) {
            const struct nvme_completion *completion;
            while ((completion = world_completion(controller, &controller->pairs[q])) != NULL) {
                world_check(world, controller, &controller->pairs[q], completion);
                world_take(world, controller, &controller->pairs[q]);
                some = true;
            }
        }
    }
    return some;
}

static unsigned in_flight(const struct world *world)
{
    unsigned sum = 0;
    for (unsigned c = 0; c < WORLD_CONTROLLERS; c++)
        for (unsigned q = 0; q <= WORLD_QUEUES; q++)
            sum += world->controllers[c].pairs[q].in_flight;
    return sum;
}

void world_give_up(const struct world *world)
{
    for (unsigned c = 0; c < WORLD_CONTROLLERS; c++)
        for (unsigned q = 0; q <= WORLD_QUEUES; q++)
            print_message("controller %u queue %u: %u in flight, tail %u, head %u\n", c, q,
                          world->controllers[c].pairs[q].in_flight, world->controllers[c].pairs[q].tail,
                          world->controllers[c].pairs[q].head);
    fail_msg("no completion within %d s; %llu commands, %llu raw, %llu moved came", WORLD_PATIENCE_SECONDS,
             (unsigned long long)world->commands, (unsigned long long)world->raws, (unsigned long long)world->moves);
}

/* A look; `since` is when anything came last. */
static void look_or_give_up(struct world *world, time_t *since)
{
    if (world_look(world))
        *since = time(NULL);
    else if (time(NULL) - *since > WORLD_PATIENCE_SECONDS)
        world_give_up(world);
}

void world_drain(struct world *world)
{
    time_t since = time(NULL);
    while (in_flight(world))
        look_or_give_up(world, &since);
}

static void wait_for_slot(struct world *world, const struct world_slot *slot)
{
    time_t since = time(NULL);
    while (slot->busy)
        look_or_give_up(world, &since);
}

void world_load(struct world *world, uint32_t commands)
{
    for (uint32_t n = 0; n < commands; n++) {
        for (unsigned c = 0; c < WORLD_CONTROLLERS; c++) {
            struct world_controller *controller = &world->controllers[c];
            for (unsigned q = 1; q <= WORLD_QUEUES; q++) {
                struct world_pair *pair = &controller->pairs[q];
                unsigned slot = world_random(world, WORLD_COMMANDS);
                wait_for_slot(world, &pair->slots[slot]);
                world_random_command(world, controller, pair, slot);
                world_submit(world, controller, pair, slot);
            }
        }
        if (world_random(world, 4) == 0)
            world_look(world);
    }
    world_drain(world);
}
