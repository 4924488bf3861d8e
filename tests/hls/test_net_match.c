/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow lookup against a model: packets and commands that change the tables in one random order, behind the arbiter,
 * so that what each packet must see is known. Ways with other keys' tags, entries with other keys and empty actions are
 * all there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hls/include/dma.h"
#include "hls/include/host_ring.h"
#include "hls/include/packet.h"
#include "tests/hls/net_packets.h"
#include "tools/bench/graph_run.h"

extern const struct native_graph native_graph_chain;

#define KEYS     48u
#define ENTRIES  32u
#define ACTIONS  16u
#define SEED     0x5eedu
#define FUNCTION 9u
#define EVENTS   200000u
#define PENDING  4096u

/* What is to come out, in order. */
struct outcome {
    bool command;
    uint8_t destination; /* enum endpoint; ENDPOINT_NONE: nothing comes out */
    uint16_t id;
};

struct entry_model {
    unsigned key, action;
    bool written;
};

struct world {
    struct graph_run *run;
    struct graph_memory *memory;
    struct hls_fifo *in, *out, *entries;
    uint64_t random;
    struct flow_key key[KEYS];
    uint8_t frame[KEYS][64];
    struct flow_hash hash[KEYS];
    struct flow_way way[KEYS][FLOW_WAYS]; /* of the bucket of each key */
    struct entry_model entry[ENTRIES];
    uint16_t action[ACTIONS]; /* function that it forwards to; 0 = drop */
    struct outcome pending[PENDING];
    unsigned first, count;
    unsigned hits, misses, drops;
    uint32_t counted[ENTRIES];
};

static void expect(struct world *world, struct outcome outcome)
{
    assert_true(world->count < PENDING);
    world->pending[(world->first + world->count++) % PENDING] = outcome;
}

static void check_beat(struct world *world, const struct beat *beat)
{
    assert_true(world->count > 0);
    struct outcome outcome = world->pending[world->first];
    world->first = (world->first + 1) % PENDING;
    world->count--;
    assert_int_equal(beat->meta.source == ENDPOINT_NONE, outcome.command);
    if (!outcome.command) {
        assert_int_equal(beat->meta.destination, outcome.destination);
        assert_int_equal(beat->meta.destination_id, outcome.id);
        assert_int_equal(beat->meta.checksum_start, outcome.destination == ENDPOINT_HOST ? PUNT_MISS : 0);
    }
}

static unsigned pump(struct world *world)
{
    unsigned done = graph_run_round(world->run, 1 + random_below(&world->random, 64));
    struct hls_port port = hls_read_begin(world->out);
    for (; !hls_at_limit(&port); port.index++, done++)
        check_beat(world, hls_slot(&port, HLS_SLOT_BYTES(struct beat)));
    hls_read_end(world->out, &port);
    return done;
}

static void run_out(struct world *world)
{
    for (unsigned quiet = 0; quiet < 3; quiet++)
        if (pump(world))
            quiet = 0;
    assert_int_equal(world->count, 0);
}

static void send(struct world *world, const void *data, struct beat_meta meta)
{
    struct hls_port port = hls_write_begin(world->in);
    while (hls_at_limit(&port)) {
        pump(world);
        port = hls_write_begin(world->in);
    }
    struct beat *beat = hls_slot(&port, HLS_SLOT_BYTES(struct beat));
    meta.bytes = BEAT_BYTES;
    meta.length = BEAT_BYTES;
    meta.last = 1;
    memcpy(beat->data, data, BEAT_BYTES);
    beat->meta = meta;
    port.index++;
    hls_write_end(world->in, &port);
}

/* Both parts, as ingress sends them. */
static void command(struct world *world, uint16_t opcode, uint32_t index, uint32_t argument, const void *data,
                    size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    if (opcode == COMMAND_BUCKET_WRITE || opcode == COMMAND_FLOW_WRITE || opcode == COMMAND_ACTION_WRITE)
        send(world, &entry, (struct beat_meta){.source = ENDPOINT_NONE, .source_id = COMMAND_WRITE});
    expect(world, (struct outcome){.command = true});
    send(world, &entry, (struct beat_meta){.source = ENDPOINT_NONE, .source_id = COMMAND_WHOLE});
}

static void write_action(struct world *world, unsigned index, uint16_t function)
{
    struct action action = {.kind = function ? ACTION_FORWARD : ACTION_DROP,
                            .destination = function ? ENDPOINT_FUNCTION : ENDPOINT_NONE,
                            .destination_id = function};
    world->action[index] = function;
    command(world, COMMAND_ACTION_WRITE, index, 0, &action, sizeof action);
}

static void write_entry(struct world *world, unsigned index, unsigned key, unsigned action)
{
    struct packet_match match = {world->key[key], action};
    world->entry[index] = (struct entry_model){key, action, true};
    command(world, COMMAND_FLOW_WRITE, index, 0, &match, sizeof match);
}

static void write_way(struct world *world, unsigned key, unsigned way, uint32_t tag, unsigned entry)
{
    struct flow_way data = {tag, entry};
    world->way[key][way] = data;
    command(world, COMMAND_BUCKET_WRITE, world->hash[key].bucket & (FLOW_BUCKETS - 1), way, &data, sizeof data);
}

static void send_packet(struct world *world, unsigned key)
{
    struct outcome outcome = {.destination = ENDPOINT_HOST};
    uint32_t found = 0;
    bool any = false;
    for (unsigned i = 0; i < FLOW_WAYS; i++)
        if (world->way[key][i].tag == world->hash[key].tag) {
            found |= world->way[key][i].entry;
            any = true;
        }
    const struct entry_model *entry = &world->entry[found % ENTRIES];
    if (any && found < ENTRIES && entry->written && entry->key == key) {
        outcome.id = world->action[entry->action];
        outcome.destination = outcome.id ? ENDPOINT_FUNCTION : ENDPOINT_NONE;
        world->counted[found]++;
        world->hits++;
        world->drops += outcome.id == 0;
    } else {
        world->misses++;
    }
    if (outcome.destination != ENDPOINT_NONE)
        expect(world, outcome);
    send(world, world->frame[key], (struct beat_meta){.source = ENDPOINT_FUNCTION, .source_id = FUNCTION});
}

static void make_keys(struct world *world)
{
    for (unsigned i = 0; i < KEYS; i++) {
        struct frame_spec spec = {.version = i % 2 ? 4 : 6, .ttl = 64, .protocol = i % 3 ? 17 : 132, .length = 64};
        random_fill(&world->random, spec.source + (i % 2 ? 12 : 0), i % 2 ? 4 : 16);
        random_fill(&world->random, spec.destination + (i % 2 ? 12 : 0), i % 2 ? 4 : 16);
        spec.source_port = (uint16_t)random_below(&world->random, 65536);
        spec.destination_port = (uint16_t)(1000 + i);
        assert_int_equal(frame_write(&spec, world->frame[i], &world->random), 64);
        struct flow_key *key = &world->key[i];
        key->domain = FLOW_DOMAIN_FUNCTION | FUNCTION;
        memcpy(key->source, spec.source, 16);
        memcpy(key->destination, spec.destination, 16);
        key->protocol = spec.protocol;
        key->kind = i % 2 ? FLOW_IPV4 : FLOW_IPV6;
        if (spec.protocol == 17) {
            store16(key->source_port, spec.source_port);
            store16(key->destination_port, spec.destination_port);
        }
        world->hash[i] = flow_hash(key, SEED);
    }
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->random = 99;
    world->run = graph_run_create(&native_graph_chain);
    assert_non_null(world->run);
    world->memory = graph_memory_create(world->run);
    assert_non_null(world->memory);
    world->in = graph_run_fifo(world->run, "open_source", "packets");
    world->out = graph_run_fifo(world->run, "open_sink", "packets");
    world->entries = graph_run_fifo(world->run, "open_sink", "entries");
    make_keys(world);
    command(world, COMMAND_SEED_SET, 0, SEED, "", 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    graph_memory_destroy(world->memory);
    graph_run_destroy(world->run);
    test_free(world);
    return 0;
}

static void random_event(struct world *world)
{
    uint64_t *random = &world->random;
    unsigned what = random_below(random, 16), key = random_below(random, KEYS), other = random_below(random, KEYS);
    unsigned way = random_below(random, FLOW_WAYS), entry = random_below(random, ENTRIES);
    if (what < 10) {
        send_packet(world, key);
    } else if (what < 12) {
        write_entry(world, entry, random_below(random, 8) ? key : other, random_below(random, ACTIONS));
        for (unsigned i = 0; i < FLOW_WAYS; i++)
            if (random_below(random, 4))
                write_way(world, key, i, i == way ? world->hash[key].tag : 0, entry);
    } else if (what < 13) {
        write_way(world, key, way, world->hash[random_below(random, 2) ? key : other].tag, entry);
    } else if (what < 14) {
        write_way(world, key, way, 0, entry);
    } else {
        write_action(world, random_below(random, ACTIONS), (uint16_t)random_below(random, 4));
    }
}

static void lookups_and_commands(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < EVENTS; i++)
        random_event(world);
    run_out(world);
    assert_true(world->hits > EVENTS / 50 && world->misses > EVENTS / 50 && world->drops > EVENTS / 500);
}

/* Counters are exact, and reading them sees every packet before. */
static void counters(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < ENTRIES; i++) {
        write_entry(world, i, i, i % ACTIONS);
        for (unsigned way = 0; way < FLOW_WAYS; way++)
            write_way(world, i, way, way ? 0 : world->hash[i].tag, i);
    }
    run_out(world);
    memset(world->counted, 0, sizeof world->counted);
    for (unsigned i = 0; i < 20000; i++)
        send_packet(world, random_below(&world->random, ENTRIES));
    for (unsigned i = 0; i < ENTRIES; i++)
        command(world, COMMAND_FLOW_READ, i, 0, "", 0);
    for (unsigned i = 0; i < 1000; i++) /* these come too late */
        send_packet(world, 0);
    world->counted[0] -= 1000;
    run_out(world);
    struct hls_port port = hls_read_begin(world->entries);
    for (unsigned i = 0; i < ENTRIES; i++, port.index++) {
        struct flow_entry entry;
        assert_false(hls_at_limit(&port));
        memcpy(&entry, hls_slot(&port, HLS_SLOT_BYTES(struct memory_line)), sizeof entry);
        assert_int_equal(entry.packets, world->counted[i]);
        assert_int_equal(entry.bytes, 64u * world->counted[i]);
        assert_int_not_equal(entry.last_seen, 0);
        assert_int_equal(entry.action, i % ACTIONS);
    }
    assert_true(hls_at_limit(&port));
    hls_read_end(world->entries, &port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookups_and_commands),
        cmocka_unit_test(counters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
