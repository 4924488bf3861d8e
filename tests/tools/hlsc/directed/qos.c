/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes with rates and disks in common, whose commands wait, pass and end; tokens come round, and time goes on. */
#include "hls/include/block_path.h"
#include "tests/tools/hlsc/directed.h"

#define VOLUMES 6u
#define TAGS    200u

static uint64_t state;
static struct directed_queue again, in_flight, free_tags;
static uint32_t now, settings;
static bool tick_is_due;

static void reset(uint64_t seed)
{
    state = seed | 1u;
    again.first = again.behind = 0;
    in_flight.first = in_flight.behind = 0;
    free_tags.first = free_tags.behind = 0;
    for (uint16_t tag = 0; tag < TAGS; tag++)
        directed_put(&free_tags, &tag, sizeof tag);
    now = (uint32_t)random_next(&state);
    settings = 0;
    tick_is_due = false;
}

/* Rates of a few commands in the time that a visit takes, or none. */
static void set(struct qos_event *event)
{
    struct command_entry entry = {.opcode = COMMAND_VOLUME_SET, .target = TARGET_BLOCK};
    struct volume_setting setting = {.operations_burst = 1u + random_below(&state, 4), .bytes_burst = 65536};
    setting.operations = random_below(&state, 2) ? 100000u * (1u + random_below(&state, 5)) : 0;
    setting.bytes = random_below(&state, 3) ? 0 : 1000000000u;
    setting.disk = (uint16_t)random_below(&state, random_below(&state, 20) ? 2 : 2 * BLOCK_DISKS);
    setting.weight = (uint16_t)(random_below(&state, 20) ? 1u + random_below(&state, 1000) : 0u);
    setting.disk_limit = random_below(&state, 3) ? 1u + random_below(&state, 6) : 0;
    entry.index = random_below(&state, 50) ? random_below(&state, VOLUMES) : BLOCK_VOLUMES;
    entry.tag = (uint32_t)random_next(&state);
    memcpy(entry.data, &setting, sizeof setting);
    memcpy(event->issue.raw, &entry, sizeof entry);
    event->kind = QOS_COMMAND;
    event->volume = (uint16_t)(entry.index & (BLOCK_VOLUMES - 1u));
}

static bool issue(struct qos_event *event)
{
    const uint8_t opcodes[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_READ, BLOCK_FLUSH, BLOCK_WRITE_ZEROES};
    if (!directed_get(&free_tags, &event->tag, sizeof event->tag))
        return false;
    struct block_command *command = &event->issue.command;
    random_fill(&state, event->issue.raw, sizeof event->issue.raw);
    command->kind = random_below(&state, 20) ? BACKEND_COMMAND : BACKEND_RAW;
    command->opcode = opcodes[random_below(&state, 5)];
    command->tag = event->tag;
    command->volume = random_below(&state, VOLUMES + 1u);
    command->length = 512u * (1u + random_below(&state, 300));
    event->volume = (uint16_t)command->volume;
    event->kind = QOS_ISSUE;
    return true;
}

static bool record(const char *stream, uint8_t *to)
{
    struct qos_event event;
    struct qos_token token;
    (void)stream;
    memset(&event, 0, sizeof event);
    uint32_t what = random_below(&state, 100);
    bool given = true;
    if (settings < VOLUMES || what < 2) {
        settings++;
        set(&event);
    } else if (what < 35 && directed_get(&again, &token, sizeof token)) {
        event.kind = token.kind;
        event.volume = token.volume;
    } else if (what < 55 && directed_get(&in_flight, &event.tag, sizeof event.tag)) {
        event.kind = QOS_FINISHED;
        directed_put(&free_tags, &event.tag, sizeof event.tag);
    } else if (tick_is_due && what < 65) {
        now += random_below(&state, 12);
        event.kind = QOS_TICK;
        event.now = now;
        tick_is_due = false;
    } else {
        given = issue(&event);
    }
    memcpy(to, &event, sizeof event);
    return given;
}

static void seen(const char *stream, const uint8_t *from)
{
    if (strcmp(stream, "again") == 0) {
        directed_put(&again, from, sizeof(struct qos_token));
    } else if (strcmp(stream, "timer") == 0) {
        tick_is_due = true;
    } else if (strcmp(stream, "out") == 0) {
        struct block_issue passed;
        memcpy(&passed, from, sizeof passed);
        directed_put(&in_flight, &passed.command.tag, sizeof passed.command.tag);
    }
}

const struct directed directed = {reset, record, seen};
