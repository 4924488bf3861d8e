/* SPDX-License-Identifier: Apache-2.0 */
/* qos_events and qos, a timer, guests that send commands and a host that ends them, in simulated time. */
#ifndef CIPU_TEST_QOS_BENCH_H
#define CIPU_TEST_QOS_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hls/qos/qos.c"
#include "hls/qos_events/qos_events.c"
#include "tests/hls/stream.h"

#define VOLUMES 8u
#define DEPTH   64u /* tags of a volume: as many commands as it has under way */

struct volume {
    uint32_t sent, passed, finished; /* commands */
    bool greedy;                     /* always as many commands as it may have */
    uint32_t length;
};

struct flight {
    uint64_t due;
    uint16_t tag;
};

struct world {
    struct qos_events_state events_state;
    struct qos_state state;
    struct stream issue, command, tick, finished, event, out, completion, timer, again, wake;
    struct volume volume[VOLUMES];
    uint32_t order[BLOCK_TAGS]; /* number of the command with the tag */
    uint64_t now;               /* ticks */
    uint64_t due;               /* of the timer */
    uint64_t told;              /* by its last tick */
    bool armed;
    uint32_t latency; /* of the disk, in ticks */
    struct flight flights[1024];
    uint32_t in_flight, most; /* and the most that were */
    uint32_t ticks;
    uint64_t random;
};

#define QOS_IN(name)      struct hls_port name = hls_read_begin(&world->name.fifo)
#define QOS_OUT(name)     struct hls_port name = hls_write_begin(&world->name.fifo)
#define QOS_IN_END(name)  hls_read_end(&world->name.fifo, &name)
#define QOS_OUT_END(name) hls_write_end(&world->name.fifo, &name)

static inline bool run_events(struct world *world)
{
    struct hls_port out = hls_write_begin(&world->event.fifo);
    QOS_IN(issue);
    QOS_IN(command);
    QOS_IN(tick);
    QOS_IN(finished);
    QOS_IN(again);
    QOS_IN(wake);
    int ran = qos_events(&world->events_state, &issue, &command, &tick, &finished, &again, &wake, &out);
    QOS_IN_END(issue);
    QOS_IN_END(command);
    QOS_IN_END(tick);
    QOS_IN_END(finished);
    QOS_IN_END(again);
    QOS_IN_END(wake);
    hls_write_end(&world->event.fifo, &out);
    return ran;
}

static inline bool run_qos(struct world *world)
{
    QOS_IN(event);
    QOS_OUT(out);
    QOS_OUT(completion);
    QOS_OUT(timer);
    QOS_OUT(again);
    QOS_OUT(wake);
    int ran = qos(&world->state, &event, &out, &completion, &timer, &again, &wake);
    QOS_IN_END(event);
    QOS_OUT_END(out);
    QOS_OUT_END(completion);
    QOS_OUT_END(timer);
    QOS_OUT_END(again);
    QOS_OUT_END(wake);
    return ran;
}

/* The shell's timer. */
static inline bool run_timer(struct world *world)
{
    struct timer_request request;
    bool busy = false;
    while (stream_get(&world->timer, &request)) {
        uint32_t wanted = request.at - (uint32_t)world->told;
        world->due = (int32_t)wanted <= 0 ? world->now : world->told + wanted;
        world->armed = true;
        busy = true;
    }
    if (world->armed && world->due <= world->now) {
        struct timer_tick tick = {(uint32_t)world->now, 0};
        assert_true(stream_put(&world->tick, &tick));
        world->told = world->now;
        world->armed = false;
        world->ticks++;
        busy = true;
    }
    return busy;
}

static inline bool run_host(struct world *world)
{
    struct block_issue issue;
    bool busy = false;
    while (world->in_flight < 1024 && stream_get(&world->out, &issue)) {
        uint32_t number = issue.command.tag / BLOCK_SLOTS;
        struct volume *volume = &world->volume[number % VOLUMES];
        assert_int_equal(world->order[issue.command.tag], volume->passed);
        volume->passed++;
        struct flight flight = {world->now + world->latency, issue.command.tag};
        world->flights[world->in_flight++] = flight;
        world->most = world->in_flight > world->most ? world->in_flight : world->most;
        busy = true;
    }
    for (uint32_t i = 0; i < world->in_flight; i++) {
        struct flight *flight = &world->flights[i];
        struct block_finished finished = {flight->tag, {0}};
        if (flight->due <= world->now && stream_put(&world->finished, &finished)) {
            world->volume[flight->tag / BLOCK_SLOTS].finished++;
            *flight = world->flights[--world->in_flight];
            i--;
            busy = true;
        }
    }
    return busy;
}

static inline void send_flagged(struct world *world, uint32_t number, uint8_t kind, uint32_t flags, uint8_t opcode,
                                uint32_t length)
{
    struct volume *volume = &world->volume[number];
    struct block_issue issue;
    memset(&issue, 0, sizeof issue);
    issue.command.kind = kind;
    issue.command.opcode = opcode;
    issue.command.tag = (uint16_t)(number * BLOCK_SLOTS + volume->sent % BLOCK_SLOTS);
    issue.command.flags = flags;
    issue.command.volume = kind == BACKEND_RAW && !(flags & BLOCK_VIRTIO) ? 0xffffffffu : number;
    issue.command.length = length;
    world->order[issue.command.tag] = volume->sent;
    volume->sent++;
    assert_true(stream_put(&world->issue, &issue));
}

static inline void send(struct world *world, uint32_t number, uint8_t kind, uint8_t opcode, uint32_t length)
{
    send_flagged(world, number, kind, 0, opcode, length);
}

static inline bool run_guests(struct world *world)
{
    bool busy = false;
    for (uint32_t i = 0; i < VOLUMES; i++) {
        struct volume *volume = &world->volume[i];
        while (volume->greedy && volume->sent - volume->finished < DEPTH && stream_room(&world->issue)) {
            send(world, i, BACKEND_COMMAND, BLOCK_READ, volume->length);
            busy = true;
        }
    }
    return busy;
}

/* All that happens at this time. */
static inline void settle(struct world *world)
{
    for (uint32_t rounds = 0, busy = 1; busy; rounds++) {
        busy = run_events(world);
        busy |= (uint32_t)run_qos(world);
        if (!busy)
            busy = (uint32_t)run_timer(world) | (uint32_t)run_host(world) | (uint32_t)run_guests(world);
        assert_true(rounds < 1000000);
    }
}

/* From one event to the next, until `ticks` have passed. */
static inline void run(struct world *world, uint64_t ticks)
{
    uint64_t end = world->now + ticks;
    for (settle(world); world->now < end; settle(world)) {
        uint64_t next = end;
        if (world->armed && world->due < next)
            next = world->due;
        for (uint32_t i = 0; i < world->in_flight; i++)
            next = world->flights[i].due < next ? world->flights[i].due : next;
        world->now = next > world->now ? next : world->now + 1;
    }
}

static inline struct command_entry set(struct world *world, uint32_t number, const struct volume_setting *setting)
{
    struct command_entry entry = {0}, back = {0};
    entry.opcode = COMMAND_VOLUME_SET;
    entry.target = TARGET_BLOCK;
    entry.index = number;
    entry.tag = 4711;
    memcpy(entry.data, setting, sizeof *setting);
    assert_true(stream_put(&world->command, &entry));
    settle(world);
    assert_true(stream_get(&world->completion, &back));
    assert_int_equal(back.tag, 4711);
    return back;
}

static inline struct volume_setting rates(uint32_t operations, uint32_t operations_burst, uint64_t bytes,
                                          uint64_t bytes_burst)
{
    struct volume_setting setting;
    memset(&setting, 0, sizeof setting);
    setting.operations = operations;
    setting.operations_burst = operations_burst;
    setting.bytes = bytes;
    setting.bytes_burst = bytes_burst;
    setting.weight = 100;
    return setting;
}

static inline struct volume_setting shared(uint16_t disk, uint16_t weight, uint32_t limit)
{
    struct volume_setting setting = rates(0, 0, 0, 0);
    setting.disk = disk;
    setting.weight = weight;
    setting.disk_limit = limit;
    return setting;
}

static inline void assert_near(double value, double expected, double part)
{
    if (value < expected * (1 - part) || value > expected * (1 + part))
        fail_msg("%.1f is not %.1f", value, expected);
}

static inline double seconds(uint64_t ticks)
{
    return (double)ticks * BLOCK_TICK_NANOSECONDS / 1e9;
}

#endif
