/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hls/net_card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/packet.h"
#include "tests/hls/stream.h"

extern const struct native_graph native_graph_net, native_graph_net_copying;

struct net_collector {
    struct hls_fifo *fifo;
    struct net_packet packet;
    bool inside;
};

struct net_card {
    struct graph_run *run;
    struct graph_memory *memory;
    struct hls_fifo *input[NET_INPUTS], *command, *completion;
    struct net_collector output[NET_OUTPUTS];
    net_receiver receiver;
    void *context;
    struct command_entry completed; /* the newest */
    uint64_t completions;
    uint8_t *ways; /* used ways of each bucket */
    uint64_t random;
    unsigned budget, faults;
};

struct net_card *net_card_create(bool copying, net_receiver receiver, void *context)
{
    static const char *const inputs[NET_INPUTS][2] = {
        {"port", "rx0"}, {"port", "rx1"}, {"ends", "function"}, {"ends", "host"}};
    static const char *const outputs[NET_OUTPUTS][2] = {
        {"port", "tx0"}, {"port", "tx1"}, {"ends", "to_function"}, {"ends", "to_host"}};
    struct net_card *card = calloc(1, sizeof *card);
    if (!card)
        return NULL;
    card->run = graph_run_create(copying ? &native_graph_net_copying : &native_graph_net);
    card->memory = card->run ? graph_memory_create(card->run) : NULL;
    card->ways = calloc(FLOW_BUCKETS, 1);
    if (!card->memory || !card->ways) {
        net_card_destroy(card);
        return NULL;
    }
    for (unsigned i = 0; i < NET_INPUTS; i++)
        card->input[i] = graph_run_fifo(card->run, inputs[i][0], inputs[i][1]);
    for (unsigned i = 0; i < NET_OUTPUTS; i++) {
        card->output[i].fifo = graph_run_fifo(card->run, outputs[i][0], outputs[i][1]);
        card->output[i].packet.output = (enum net_output)i;
    }
    card->command = graph_run_fifo(card->run, "ends", "command");
    card->completion = graph_run_fifo(card->run, "ends", "completion");
    card->receiver = receiver;
    card->context = context;
    card->random = 88172645463325252u;
    card->budget = 64;
    return card;
}

void net_card_destroy(struct net_card *card)
{
    if (card->memory)
        graph_memory_destroy(card->memory);
    if (card->run)
        graph_run_destroy(card->run);
    free(card->ways);
    free(card);
}

static void fault(struct net_card *card, const char *what)
{
    fprintf(stderr, "net card: %s\n", what);
    card->faults++;
}

unsigned net_card_faults(const struct net_card *card)
{
    return card->faults;
}

static void check_beat(struct net_card *card, const struct net_collector *collector, const struct beat *beat)
{
    static const struct beat_meta none;
    struct beat_meta rest = beat->meta;
    rest.bytes = rest.last = rest.error = 0;
    if (collector->inside && memcmp(&rest, &none, sizeof rest) != 0)
        fault(card, "sideband in a beat that is not the first");
    if (beat->meta.bytes < 1 || beat->meta.bytes > BEAT_BYTES || (!beat->meta.last && beat->meta.bytes != BEAT_BYTES))
        fault(card, "a wrong number of bytes in a beat");
    if (beat->meta.last > 1 || beat->meta.error > beat->meta.last)
        fault(card, "last or error is wrong");
    for (unsigned i = beat->meta.bytes; i < BEAT_BYTES; i++)
        if (beat->data[i] != 0) {
            fault(card, "bytes after a beat's end are not zero");
            break;
        }
}

static void collect_beat(struct net_card *card, struct net_collector *collector, const struct beat *beat)
{
    struct net_packet *packet = &collector->packet;
    check_beat(card, collector, beat);
    if (!collector->inside) {
        packet->meta = beat->meta;
        packet->length = 0;
    }
    if (packet->length + beat->meta.bytes > PACKET_BYTES_MAX) {
        fault(card, "a packet is too long");
        packet->length = 0;
    }
    memcpy(packet->bytes + packet->length, beat->data, beat->meta.bytes);
    packet->length += beat->meta.bytes;
    packet->meta.error = beat->meta.error;
    collector->inside = !beat->meta.last;
    if (beat->meta.last) {
        if (packet->length != packet->meta.length)
            fault(card, "a packet's length is not what its first beat said");
        card->receiver(card->context, packet);
    }
}

static unsigned collect(struct net_card *card)
{
    unsigned done = 0;
    for (unsigned i = 0; i < NET_OUTPUTS; i++) {
        struct hls_port port = hls_read_begin(card->output[i].fifo);
        /* Sometimes a consumer is slow. */
        for (unsigned limit = random_below(&card->random, 3) ? 64 : 1; limit && !hls_at_limit(&port); limit--) {
            collect_beat(card, &card->output[i], hls_slot(&port, HLS_SLOT_BYTES(struct beat)));
            port.index++;
            done++;
        }
        hls_read_end(card->output[i].fifo, &port);
    }
    struct hls_port port = hls_read_begin(card->completion);
    for (; !hls_at_limit(&port); port.index++, done++, card->completions++)
        memcpy(&card->completed, hls_slot(&port, HLS_SLOT_BYTES(struct command_entry)), sizeof card->completed);
    hls_read_end(card->completion, &port);
    return done;
}

static unsigned pump(struct net_card *card)
{
    unsigned done = graph_run_round(card->run, 1 + random_below(&card->random, card->budget));
    return done + collect(card);
}

void net_card_budget(struct net_card *card, unsigned most)
{
    card->budget = most;
}

void net_card_run(struct net_card *card)
{
    /* Memory answers one visit later, so one quiet round is not the end. */
    for (unsigned quiet = 0; quiet < 3; quiet++)
        if (pump(card))
            quiet = 0;
}

static void *slot_for(struct net_card *card, struct hls_fifo *fifo, struct hls_port *port)
{
    for (;;) {
        *port = hls_write_begin(fifo);
        if (!hls_at_limit(port))
            return hls_slot(port, fifo->slot_bytes);
        pump(card);
    }
}

void net_card_send(struct net_card *card, enum net_input input, const void *bytes, size_t length,
                   const struct beat_meta *meta, bool error)
{
    for (size_t at = 0; at == 0 || at < length; at += BEAT_BYTES) {
        struct hls_port port;
        struct beat *beat = slot_for(card, card->input[input], &port);
        size_t rest = length - at;
        memset(beat, 0, sizeof *beat);
        if (at == 0) {
            beat->meta = *meta;
            beat->meta.length = (uint16_t)length;
        }
        beat->meta.last = rest <= BEAT_BYTES;
        beat->meta.bytes = (uint8_t)(rest < BEAT_BYTES ? rest : BEAT_BYTES);
        beat->meta.error = beat->meta.last && error;
        memcpy(beat->data, (const uint8_t *)bytes + at, beat->meta.bytes);
        port.index++;
        hls_write_end(card->input[input], &port);
    }
}

void net_card_command_send(struct net_card *card, const struct command_entry *entry)
{
    struct hls_port port;
    memcpy(slot_for(card, card->command, &port), entry, sizeof *entry);
    port.index++;
    hls_write_end(card->command, &port);
}

void net_card_command(struct net_card *card, struct command_entry *entry)
{
    net_card_run(card); /* so that the next completion is this one's */
    uint64_t before = card->completions;
    net_card_command_send(card, entry);
    net_card_run(card);
    if (card->completions != before + 1)
        fault(card, "a command did not complete once");
    *entry = card->completed;
}

int net_card_set(struct net_card *card, uint16_t opcode, uint32_t index, uint32_t argument, const void *data,
                 size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .index = index, .argument = argument};
    if (bytes)
        memcpy(entry.data, data, bytes);
    net_card_command(card, &entry);
    return entry.status;
}

struct net_counter net_card_statistic(struct net_card *card, uint32_t index)
{
    struct command_entry entry = {.opcode = COMMAND_STATISTIC_READ, .index = index};
    struct net_counter counter;
    net_card_command(card, &entry);
    if (entry.status != STATUS_OK)
        fault(card, "a counter cannot be read");
    memcpy(&counter, entry.data, sizeof counter);
    return counter;
}

bool net_card_flow(struct net_card *card, const struct flow_key *key, uint32_t seed, uint32_t entry, uint32_t action)
{
    struct flow_hash hash = flow_hash(key, seed);
    uint32_t bucket = hash.bucket & (FLOW_BUCKETS - 1);
    struct packet_match match = {*key, action};
    struct flow_way way = {hash.tag, entry};
    if (card->ways[bucket] == FLOW_WAYS)
        return false;
    struct command_entry write = {.opcode = COMMAND_FLOW_WRITE, .index = entry};
    memcpy(write.data, &match, sizeof match);
    net_card_command_send(card, &write);
    struct command_entry place = {.opcode = COMMAND_BUCKET_WRITE, .index = bucket, .argument = card->ways[bucket]++};
    memcpy(place.data, &way, sizeof way);
    net_card_command_send(card, &place);
    return true;
}
