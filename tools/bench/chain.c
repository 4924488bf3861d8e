/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-chain: parser, flow lookup among a million flows at random, VXLAN encapsulation over IPv4, on one pinned core.
 * Packets are made in memory and copied out at the end; both are part of what is measured.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hls/include/beat.h"
#include "hls/include/host_ring.h"
#include "hls/include/packet.h"
#include "tools/bench/chain_command.h"
#include "tools/bench/graph_run.h"

extern const struct native_graph native_graph_chain;

#define FLOWS             1000000u
#define BUDGET            128u
#define SINK_BYTES        (256u << 10)
#define FUNCTION          5u
#define SEED              0x1badcafeu
#define SOURCE_NET        0x0a000000u
#define DESTINATION_NET   0x0a010000u
#define ROUNDS_PER_RESULT 100u
#define SMALL_BYTES       64u
#define LARGE_BYTES       1500u

struct chain {
    struct graph_run *run;
    struct hls_fifo *packets, *out, *tails;
    uint32_t length, rest;     /* of the packets; of the one that is being made */
    uint8_t first[BEAT_BYTES]; /* their first beat but for the addresses and ports */
    uint64_t random;
    uint64_t limit;      /* packets to make in all */
    uint64_t made, gone; /* packets made, packets that have left */
    uint64_t bytes;      /* that have left */
    uint8_t *sink;
    uint32_t sink_at;
};

/* A flow's addresses and ports as in the packet, out of its number. The addresses' low halves add up to 0xffff, so that
 * one IP checksum is right for all. */
struct tuple {
    uint32_t source, destination;
    uint32_t ports;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

static struct tuple tuple_of(uint32_t flow)
{
    uint64_t bits = mix(flow + 1);
    return (struct tuple){__builtin_bswap32(SOURCE_NET) | (uint32_t)bits << 16,
                          __builtin_bswap32(DESTINATION_NET) | (uint32_t)~bits << 16, (uint32_t)(bits >> 32)};
}

static void prepare(struct chain *chain, uint32_t length)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    uint8_t *frame = chain->first;
    memset(frame, 0, BEAT_BYTES);
    memcpy(frame, macs, 12);
    hls_put_be16(frame + 12, 0x0800);
    frame[14] = 0x45;
    hls_put_be16(frame + 16, length - 14);
    frame[22] = 64;
    frame[23] = 17;
    hls_put_be16(frame + 38, length - 34);
    chain->length = length;
    uint32_t sum = (SOURCE_NET >> 16) + (DESTINATION_NET >> 16) + 0xffff;
    for (unsigned i = 14; i < 34; i += 2)
        sum += hls_be16(frame + i);
    hls_put_be16(frame + 24, ~((sum & 0xffff) + (sum >> 16)));
}

static void make_first(struct chain *chain, struct beat *beat)
{
    chain->random = chain->random * 6364136223846793005u + 1442695040888963407u;
    struct tuple tuple = tuple_of((uint32_t)((chain->random >> 32) * FLOWS >> 32));
    memcpy(beat->data, chain->first, BEAT_BYTES);
    memcpy(beat->data + 26, &tuple, sizeof tuple);
    beat->meta =
        (struct beat_meta){.length = (uint16_t)chain->length, .source = ENDPOINT_FUNCTION, .source_id = FUNCTION};
}

static unsigned source(void *context, unsigned budget)
{
    struct chain *chain = context;
    struct hls_port port = hls_write_begin(chain->packets);
    uint32_t most = hls_chunk_bound(budget, &port), done = 0, rest = chain->rest;
    uint64_t made = chain->made;
    struct beat *beat = hls_slot(&port, HLS_SLOT_BYTES(struct beat));
    for (; done < most && made < chain->limit; done++) {
        if (rest == 0) {
            make_first(chain, beat);
            rest = chain->length;
        } else {
            memset(beat, 0, sizeof *beat);
        }
        bool last = rest <= BEAT_BYTES;
        uint32_t bytes = last ? rest : BEAT_BYTES;
        beat->meta.last = last;
        beat->meta.bytes = (uint8_t)bytes;
        rest -= bytes;
        made += last;
        beat = (struct beat *)((uint8_t *)beat + HLS_SLOT_BYTES(struct beat));
    }
    chain->rest = rest;
    chain->made = made;
    port.index += done;
    hls_write_end(chain->packets, &port);
    return done;
}

static unsigned sink_from(struct chain *chain, struct hls_fifo *fifo, unsigned budget)
{
    struct hls_port port = hls_read_begin(fifo);
    uint32_t most = hls_chunk_bound(budget, &port), at = chain->sink_at;
    uint32_t gone = 0, bytes = 0;
    const struct beat *beat = hls_slot(&port, HLS_SLOT_BYTES(struct beat));
    for (uint32_t done = 0; done < most; done++) {
        memcpy(chain->sink + at, beat->data, BEAT_BYTES);
        at = (at + BEAT_BYTES) % SINK_BYTES;
        gone += beat->meta.last == BEAT_LAST;
        bytes += beat->meta.bytes;
        beat = (const struct beat *)((const uint8_t *)beat + HLS_SLOT_BYTES(struct beat));
    }
    chain->sink_at = at;
    chain->gone += gone;
    chain->bytes += bytes;
    port.index += most;
    hls_read_end(fifo, &port);
    return most;
}

static unsigned sink(void *context, unsigned budget)
{
    struct chain *chain = context;
    return sink_from(chain, chain->out, budget) + sink_from(chain, chain->tails, budget);
}

static void command_part(struct chain *chain, const struct command_entry *entry, enum command_part part)
{
    struct hls_port port = hls_write_begin(chain->packets);
    chain_command_beat(hls_slot(&port, HLS_SLOT_BYTES(struct beat)), entry, part);
    port.index++;
    hls_write_end(chain->packets, &port);
}

static void command(struct chain *chain, uint16_t opcode, uint32_t index, uint32_t argument, const void *data,
                    size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    if (chain_command_writes(&entry))
        command_part(chain, &entry, COMMAND_WRITE);
    command_part(chain, &entry, COMMAND_WHOLE);
    if (hls_fifo_used(chain->packets) + 2 > chain->packets->mask)
        graph_run_round(chain->run, BUDGET);
}

static void drain(struct chain *chain)
{
    while (graph_run_round(chain->run, BUDGET))
        ;
}

/* Returns how many flows found no place in their bucket. */
static unsigned fill_tables(struct chain *chain)
{
    struct port_setting port = {.mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 1, 0}, .ipv4 = {192, 0, 2, 1}};
    struct action action = {.kind = ACTION_ENCAPSULATE_IPV4,
                            .destination = ENDPOINT_PORT,
                            .mtu = 1500,
                            .flags = ACTION_DONT_FRAGMENT | ACTION_INHERIT_DSCP,
                            .vni = 100,
                            .outer_destination_mac = {2, 0, 0, 0, 1, 1},
                            .outer_ttl = 64,
                            .remote = {[12] = 192, 0, 2, 2}};
    uint8_t *ways = calloc(FLOW_BUCKETS, 1);
    unsigned homeless = 0;
    command(chain, COMMAND_SEED_SET, 0, SEED, &port, 0);
    command(chain, COMMAND_PORT_SET, 0, 0, &port, sizeof port);
    command(chain, COMMAND_ACTION_WRITE, 7, 0, &action, sizeof action);
    for (uint32_t flow = 0; ways && flow < FLOWS; flow++) {
        struct tuple tuple = tuple_of(flow);
        struct packet_match match = {
            .key = {.domain = FLOW_DOMAIN_FUNCTION | FUNCTION, .protocol = 17, .kind = FLOW_IPV4}, .action = 7};
        memcpy(match.key.source + 12, &tuple.source, 4);
        memcpy(match.key.destination + 12, &tuple.destination, 4);
        memcpy(match.key.source_port, &tuple.ports, 4);
        struct flow_hash hash = flow_hash(&match.key, SEED);
        uint32_t bucket = hash.bucket & (FLOW_BUCKETS - 1);
        struct flow_way way = {hash.tag, flow};
        if (ways[bucket] == FLOW_WAYS) {
            homeless++;
            continue;
        }
        command(chain, COMMAND_FLOW_WRITE, flow, 0, &match, sizeof match);
        command(chain, COMMAND_BUCKET_WRITE, bucket, ways[bucket]++, &way, sizeof way);
    }
    free(ways);
    drain(chain);
    return homeless;
}

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Packets per second, the best of some rounds: other work on the machine only makes it slower. */
static double measure(struct chain *chain, uint32_t length, uint64_t packets)
{
    double best = 0;
    prepare(chain, length);
    for (unsigned round = 0; round < ROUNDS_PER_RESULT; round++) {
        chain->limit += packets;
        double from = seconds();
        drain(chain);
        double rate = (double)packets / (seconds() - from);
        best = rate > best ? rate : best;
    }
    return best;
}

/* Measures one size and prints its line; false = packets were lost or not encapsulated. */
static bool bench(struct chain *chain, uint32_t length, uint64_t packets, unsigned homeless)
{
    chain->made = chain->gone = chain->bytes = chain->limit = 0;
    double rate = measure(chain, length, packets);
    graph_run_report(chain->run);
    /* Packets of flows without a place leave as they came: more of them than that, and lookups did not hit. */
    uint64_t expected = ROUNDS_PER_RESULT * packets * (length + ENCAPSULATION_IPV4_BYTES);
    uint64_t least = expected - expected / FLOWS * (homeless + FLOWS / 100);
    if (chain->gone != chain->made || chain->bytes < least || chain->bytes > expected) {
        fprintf(stderr, "bench-chain: %llu packets in, %llu out with %llu bytes, expected %llu to %llu\n",
                (unsigned long long)chain->made, (unsigned long long)chain->gone, (unsigned long long)chain->bytes,
                (unsigned long long)least, (unsigned long long)expected);
        return false;
    }
    if (length == SMALL_BYTES)
        printf("{\"name\":\"native.chain.64\",\"value\":%.2f,\"unit\":\"Mpps\"}\n", rate / 1e6);
    else
        printf("{\"name\":\"native.chain.1500\",\"value\":%.2f,\"unit\":\"Gbit/s\"}\n", rate * length * 8 / 1e9);
    return true;
}

static int pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static const char usage[] = "Usage: bench-chain [--cpu N] [--packets N] [--bytes 64|1500] [--profile]\n"
                            "Prints the speed of the packet pipeline on one core as lines of JSON.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"cpu", required_argument, NULL, 'c'},   {"packets", required_argument, NULL, 'n'},
        {"bytes", required_argument, NULL, 'b'}, {"profile", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0}};
    int cpu = sched_getcpu(), option;
    uint64_t packets = 400000;
    uint32_t only = 0; /* 0 = both sizes */
    bool profile = false;
    while ((option = getopt_long(argc, argv, "c:n:b:ph", options, NULL)) != -1) {
        if (option == 'c')
            cpu = atoi(optarg);
        else if (option == 'n')
            packets = strtoull(optarg, NULL, 0);
        else if (option == 'b')
            only = (uint32_t)strtoul(optarg, NULL, 0);
        else if (option == 'p')
            profile = true;
        else
            return fputs(usage, option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
    }
    if (pin(cpu) < 0)
        return perror("bench-chain: cannot pin to a core"), 1;

    static uint8_t sent_bytes[SINK_BYTES];
    struct chain chain = {.random = 1, .run = graph_run_create(&native_graph_chain), .sink = sent_bytes};
    struct graph_memory *memory = chain.run ? graph_memory_create(chain.run) : NULL;
    if (!memory)
        return fputs("bench-chain: out of memory\n", stderr), 1;
    chain.packets = graph_run_fifo(chain.run, "open_source", "packets");
    chain.out = graph_run_fifo(chain.run, "open_sink", "packets");
    chain.tails = graph_run_fifo(chain.run, "open_sink", "tails");
    graph_run_set(chain.run, "open_source", source, &chain);
    graph_run_set(chain.run, "open_sink", sink, &chain);
    unsigned homeless = fill_tables(&chain);
    fprintf(stderr, "bench-chain: %u flows, %u without a place\n", FLOWS - homeless, homeless);

    if (profile)
        graph_run_profile(chain.run);
    bool right = only == LARGE_BYTES || bench(&chain, SMALL_BYTES, packets, homeless);
    right = right && (only == SMALL_BYTES || bench(&chain, LARGE_BYTES, packets / 8, homeless));
    graph_memory_destroy(memory);
    graph_run_destroy(chain.run);
    return right ? 0 : 1;
}
