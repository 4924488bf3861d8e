/* SPDX-License-Identifier: Apache-2.0 */
/* Packets with commands that fit them: every operation, every edit; now and then a length that is not so. */
#include "hls/include/packet.h"
#include "tests/tools/hlsc/directed.h"

static uint64_t state;
static struct directed_queue beats, commands;

static void packet(uint32_t length)
{
    for (uint32_t at = 0; at < length; at += BEAT_BYTES) {
        struct beat beat;
        uint32_t left = length - at;
        memset(&beat, 0, sizeof beat);
        beat.meta.bytes = (uint8_t)(left < BEAT_BYTES ? left : BEAT_BYTES);
        beat.meta.last = left <= BEAT_BYTES;
        beat.meta.error = beat.meta.last && random_below(&state, 20) == 0;
        beat.meta.length = (uint16_t)(at == 0 ? length : 0);
        random_fill(&state, beat.data, beat.meta.bytes);
        directed_put(&beats, &beat, sizeof beat);
    }
}

/* Bytes that leave, and where in the beats. */
static uint32_t shape(struct rewrite_plan *plan, uint32_t length)
{
    static const uint8_t strips[] = {0, 6, 10, 14, 50, 54, 58};
    uint32_t leaves = length;
    plan->operation = (uint8_t)random_below(&state, 6);
    if (plan->operation == REWRITE_ENCAPSULATE_IPV4) {
        plan->shift = BEAT_BYTES - ENCAPSULATION_IPV4_BYTES;
        leaves = length + ENCAPSULATION_IPV4_BYTES;
    } else if (plan->operation == REWRITE_ENCAPSULATE_IPV6) {
        plan->shift = 2 * BEAT_BYTES - ENCAPSULATION_IPV6_BYTES;
        leaves = length + ENCAPSULATION_IPV6_BYTES;
    } else if (plan->operation >= REWRITE_STRIP) {
        plan->shift = strips[random_below(&state, 7)];
        leaves = length - plan->shift - (plan->operation == REWRITE_STRIP_LONG ? BEAT_BYTES : 0u);
    }
    return leaves;
}

static void command(uint32_t length)
{
    static const uint8_t networks[] = {0, 14, 18, 22, 64, 68, 72, 84, 88, 92};
    struct rewrite_command made;
    struct rewrite_plan *plan = &made.plan;
    memset(&made, 0, sizeof made);
    uint32_t leaves = shape(plan, length);
    random_fill(&state, made.header, sizeof made.header);
    random_fill(&state, plan->destination_mac, sizeof plan->destination_mac);
    random_fill(&state, plan->source_mac, sizeof plan->source_mac);
    plan->edits = (uint8_t)(random_below(&state, 3) ? random_below(&state, 16) : 0);
    if (random_below(&state, 5) == 0) {
        plan->edits |= EDIT_CUT;
        leaves = leaves > 20 ? leaves - random_below(&state, 20) : leaves;
    }
    plan->network = networks[random_below(&state, 10)];
    plan->second_byte = (uint8_t)random_next(&state);
    plan->ttl = (uint8_t)random_next(&state);
    plan->checksum = (uint16_t)random_next(&state);
    plan->meta.length = (uint16_t)(leaves + (random_below(&state, 50) == 0 ? 100u : 0u));
    plan->meta.bytes = (uint8_t)(leaves < BEAT_BYTES ? leaves : BEAT_BYTES);
    plan->meta.destination = (uint8_t)(1 + random_below(&state, 3));
    plan->fate.kind = (uint8_t)random_below(&state, 3);
    plan->fate.fate = (uint8_t)random_below(&state, 12);
    plan->fate.length = length;
    directed_put(&commands, &made, sizeof made);
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    beats.first = beats.behind = commands.first = commands.behind = 0;
}

static bool record(const char *stream, uint8_t *to)
{
    if (beats.first == beats.behind || commands.first == commands.behind) {
        uint32_t length = 140 + random_below(&state, 300);
        packet(length);
        command(length);
    }
    return strcmp(stream, "in") == 0 ? directed_get(&beats, to, sizeof(struct beat))
                                     : directed_get(&commands, to, sizeof(struct rewrite_command));
}

static void seen(const char *stream, const uint8_t *from)
{
    (void)stream;
    (void)from;
}

const struct directed directed = {reset, record, seen};
