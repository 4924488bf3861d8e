/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/depth_world.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/flow.h"
#include "hls/include/packet_key.h"
#include "hls/include/virtio.h"
#include "tests/hls/stream.h"

extern const struct native_graph native_graph_card;

#define ENTRIES      16u
#define BUFFER_BYTES 9472u /* a header and the longest packet */
#define HEADER_BYTES ((uint32_t)sizeof(struct virtio_net_header))
#define TRANSMIT     0x0u
#define RECEIVE      0x1000u
#define DESCRIPTORS  0x0u
#define AVAIL        0x200u
#define USED         0x400u
#define BUFFERS      0x2000u
#define MEMORY_BYTES ((BUFFERS + 2u * ENTRIES * BUFFER_BYTES + 4095u) / 4096u * 4096u)
#define STILL_LOOKS  2000u /* of a millisecond, in which no record moves */
#define PUNTS_A_LOOK 64u
#define INJECT_TRIES 100000u

static const struct port_setting ports[CARD_PORTS] = {{.mode = PORT_UPLINK, .promiscuous = 1},
                                                      {.mode = PORT_UPLINK, .promiscuous = 1}};

static void command(struct world *world, uint16_t opcode, uint8_t target, uint32_t index, uint32_t argument,
                    const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    assert_int_equal(cipu_host_command(world->host, &entry, 1), 0);
}

static uint16_t load(const struct world_function *function, uint32_t offset)
{
    return atomic_load((_Atomic uint16_t *)(void *)(function->memory + offset));
}

static void store(struct world_function *function, uint32_t offset, uint16_t value)
{
    atomic_store((_Atomic uint16_t *)(void *)(function->memory + offset), value);
}

/* Ethernet, IPv4, UDP; the addresses tell the sender, so that each has a flow of its own. */
static void make_frame(uint16_t sender, uint32_t length, uint8_t *frame)
{
    memset(frame, (int)(length & 0xff), length);
    const uint8_t head[42] = {2,
                              0,
                              0,
                              0,
                              0,
                              9,
                              2,
                              0,
                              0,
                              0,
                              0,
                              1,
                              8,
                              0,
                              0x45,
                              0,
                              (uint8_t)((length - 14) >> 8),
                              (uint8_t)(length - 14),
                              0,
                              0,
                              0,
                              0,
                              64,
                              17,
                              0,
                              0,
                              10,
                              0,
                              0,
                              (uint8_t)sender,
                              10,
                              1,
                              0,
                              1,
                              0x12,
                              0x34,
                              0x56,
                              0x78,
                              (uint8_t)((length - 34) >> 8),
                              (uint8_t)(length - 34),
                              0,
                              0};
    memcpy(frame, head, sizeof head);
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

static uint16_t receiver_of(const struct world *world, uint16_t sender)
{
    return (uint16_t)(sender % world->functions + 1);
}

static bool by_wire(uint16_t sender)
{
    return sender % 4 == 3;
}

static bool by_host(uint16_t sender)
{
    return sender % 8 == 5;
}

static void write_flow(struct world *world, uint16_t sender, unsigned source, uint16_t source_id, uint32_t entry,
                       uint32_t action)
{
    uint8_t frame[64], data[48] = {0};
    struct headers headers;
    make_frame(sender, sizeof frame, frame);
    packet_headers(frame, sizeof frame, source, source_id, ports, &headers);
    const struct flow_key *key = &headers.match.key;
    struct flow_hash hash = flow_hash(key, 0);
    struct flow_way way = {hash.tag, entry};
    memcpy(data, key, sizeof *key);
    memcpy(data + sizeof *key, &action, sizeof action);
    command(world, COMMAND_FLOW_WRITE, TARGET_NET, entry, 0, data, sizeof data);
    command(world, COMMAND_BUCKET_WRITE, TARGET_NET, hash.bucket & (FLOW_BUCKETS - 1), entry % FLOW_WAYS, &way,
            sizeof way);
}

/* Action N leads to the receiver of function N's packets, action 128 out of port 0. */
static void write_flows(struct world *world)
{
    const struct action wire = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT};
    command(world, COMMAND_ACTION_WRITE, TARGET_NET, CARD_FUNCTIONS, 0, &wire, sizeof wire);
    for (unsigned i = 0; i < CARD_PORTS; i++)
        command(world, COMMAND_PORT_SET, TARGET_NET, i, 0, &ports[i], sizeof ports[i]);
    for (uint16_t sender = 1; sender <= world->functions; sender++) {
        const struct action action = {
            .kind = ACTION_FORWARD, .destination = ENDPOINT_FUNCTION, .destination_id = receiver_of(world, sender)};
        command(world, COMMAND_ACTION_WRITE, TARGET_NET, sender, 0, &action, sizeof action);
        if (by_wire(sender)) {
            write_flow(world, sender, ENDPOINT_FUNCTION, sender, sender, CARD_FUNCTIONS);
            write_flow(world, sender, ENDPOINT_PORT, 1, CARD_FUNCTIONS + sender, sender);
        } else if (!by_host(sender)) {
            write_flow(world, sender, ENDPOINT_FUNCTION, sender, sender, sender);
        }
    }
}

static void start_queue(struct world *world, uint16_t function, bool transmit)
{
    static const uint8_t targets[][2] = {{TARGET_RX_USED, TARGET_RX}, {TARGET_TX_USED, TARGET_TX}};
    uint32_t base = transmit ? TRANSMIT : RECEIVE;
    const struct window_setting window = {(uint64_t)function << CIPU_WINDOW_SHIFT, CIPU_WINDOW_BYTES};
    const struct queue_setting setting = {.descriptors = base + DESCRIPTORS,
                                          .avail = base + AVAIL,
                                          .used = base + USED,
                                          .entries = ENTRIES,
                                          .flags = QUEUE_CHECKSUM,
                                          .vector = 0xffff,
                                          .function = function};
    for (unsigned i = 0; i < 2; i++) {
        command(world, COMMAND_WINDOW_SET, targets[transmit][i], function, 0, &window, sizeof window);
        command(world, COMMAND_QUEUE_SET, targets[transmit][i], 2u * function + transmit, 0, &setting, sizeof setting);
    }
}

static void offer_buffers(struct world *world, struct world_function *function, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++, function->receivable++) {
        uint16_t slot = function->receivable % ENTRIES;
        store(function, RECEIVE + AVAIL + VIRTQ_AVAIL_RING + 2u * slot, slot);
    }
    store(function, RECEIVE + AVAIL + VIRTQ_AVAIL_INDEX, function->receivable);
    cipu_card_doorbell(world->card, 2u * function->number, 0);
}

static void open_function(struct world *world, uint16_t number)
{
    static const struct filter_setting filter = {.flags = FILTER_PROMISCUOUS};
    struct world_function *function = &world->function[number];
    function->number = number;
    int fd = memfd_create("function", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, MEMORY_BYTES) == 0);
    function->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(function->memory, MAP_FAILED);
    assert_int_equal(cipu_card_dma_map(world->card, fd, 0, (uint64_t)number << CIPU_WINDOW_SHIFT, MEMORY_BYTES,
                                       CIPU_DMA_READ | CIPU_DMA_WRITE, NULL),
                     0);
    close(fd);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct virtq_descriptor receive = {BUFFERS + (ENTRIES + i) * BUFFER_BYTES, BUFFER_BYTES, VIRTQ_WRITE, 0};
        memcpy(function->memory + RECEIVE + DESCRIPTORS + i * sizeof receive, &receive, sizeof receive);
    }
    command(world, COMMAND_FILTER_SET, TARGET_RX, number, 0, &filter, sizeof filter);
    start_queue(world, number, false);
    start_queue(world, number, true);
    offer_buffers(world, function, ENTRIES);
}

void world_open(struct world *world, world_card open, const uint32_t *depths, uint16_t functions)
{
    static unsigned worlds;
    struct cipu_error error = {{0}};
    char uri[256];
    memset(world, 0, sizeof *world);
    world->functions = functions;
    world->random = 1;
    world->graph = native_graph_card;
    world->streams = calloc(world->graph.stream_count, sizeof *world->streams);
    assert_non_null(world->streams);
    memcpy(world->streams, native_graph_card.streams, world->graph.stream_count * sizeof *world->streams);
    for (size_t i = 0; depths && i < world->graph.stream_count; i++)
        world->streams[i].depth = depths[i];
    world->graph.streams = world->streams;
    snprintf(world->cable, sizeof world->cable, "/tmp/cipu-depths-%d-%u", (int)getpid(), worlds++);
    snprintf(uri, sizeof uri, "?port0=unix:%s&port1=unix:%s", world->cable, world->cable);
    if (open(&world->graph, uri, &world->card, &error) != 0 || cipu_host_open(world->card, &world->host, &error) != 0)
        fail_msg("%s", error.text);
    write_flows(world);
    for (uint16_t i = 1; i <= functions; i++)
        open_function(world, i);
}

void world_close(struct world *world)
{
    cipu_host_close(world->host);
    cipu_card_close(world->card);
    for (uint16_t i = 1; i <= world->functions; i++)
        munmap(world->function[i].memory, MEMORY_BYTES);
    free(world->streams);
    unlink(world->cable);
}

/* Short ones mostly, some of the longest. */
static uint32_t random_length(struct world *world, bool host)
{
    uint32_t kind = random_below(&world->random, 16);
    return host        ? 60 + 8 * kind
           : kind == 0 ? PACKET_BYTES_MAX
           : kind < 4  ? 60 + random_below(&world->random, 1458)
                       : 60 + 4 * kind;
}

static void write_packet(struct world *world, struct world_function *function, uint16_t slot)
{
    uint32_t buffer = BUFFERS + slot * BUFFER_BYTES, length = random_length(world, by_host(function->number));
    struct virtio_net_header header = {0};
    if (random_below(&world->random, 2))
        header = (struct virtio_net_header){
            .flags = VIRTIO_NET_HEADER_NEEDS_CHECKSUM, .checksum_start = 34, .checksum_offset = 6};
    memcpy(function->memory + buffer, &header, sizeof header);
    make_frame(function->number, length, function->memory + buffer + HEADER_BYTES);
    struct virtq_descriptor descriptor = {buffer, HEADER_BYTES + length, 0, 0};
    memcpy(function->memory + TRANSMIT + DESCRIPTORS + slot * sizeof descriptor, &descriptor, sizeof descriptor);
    store(function, TRANSMIT + AVAIL + VIRTQ_AVAIL_RING + 2u * slot, slot);
}

static uint32_t less(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What a function may send now: no more than its receiver has buffers for, its own ring has places, and the cable or
 * the host's ring can hold of it. */
static uint32_t room(const struct world *world, const struct world_function *function)
{
    const struct world_function *receiver = &world->function[receiver_of(world, function->number)];
    uint16_t arrived = load(receiver, RECEIVE + USED + VIRTQ_USED_INDEX);
    uint16_t under_way = (uint16_t)(function->sent - arrived);
    uint16_t unsent = (uint16_t)(function->sent - load(function, TRANSMIT + USED + VIRTQ_USED_INDEX));
    uint32_t most = by_host(function->number) ? 2 : by_wire(function->number) ? 3 : ENTRIES;
    uint32_t buffers = (uint16_t)(receiver->receivable - function->sent);
    return less(less(buffers, ENTRIES - unsent), most > under_way ? most - under_way : 0);
}

static bool act(struct world *world, struct world_function *function)
{
    bool moved = false;
    uint16_t arrived = load(function, RECEIVE + USED + VIRTQ_USED_INDEX);
    uint16_t consumed = (uint16_t)(arrived + ENTRIES - function->receivable);
    if (consumed) {
        offer_buffers(world, function, consumed);
        moved = true;
    }
    uint32_t count = less(room(world, function), function->wanted);
    if (count == 0)
        return moved;
    count = 1 + random_below(&world->random, count);
    for (uint32_t i = 0; i < count; i++, function->sent++)
        write_packet(world, function, function->sent % ENTRIES);
    function->wanted -= count;
    store(function, TRANSMIT + AVAIL + VIRTQ_AVAIL_INDEX, function->sent);
    cipu_card_doorbell(world->card, 2u * function->number + 1u, 0);
    return true;
}

/* The host sends on what it is handed. What it cannot, as the card takes nothing, is missed in the end. */
static void punted(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct world *world = context;
    struct packet_entry back = {
        .length = entry->length, .source = entry->source, .source_id = entry->source_id, .action = entry->source_id};
    world->punted++;
    for (unsigned i = 0; cipu_host_inject(world->host, &back, data) == -EAGAIN && i < INJECT_TRIES; i++)
        sched_yield();
}

static void event(void *context, const struct event_entry *entry)
{
    (void)context;
    fail_msg("event %u", entry->kind);
}

/* Of a function's packets: those that have left, those in the receiver's buffers, and those that found none at hand. */
struct account {
    uint16_t left, arrived, dropped;
};

static bool is_complete(const struct world_function *function, const struct account *account)
{
    return !function->wanted && account->left == function->sent &&
           (uint16_t)(account->arrived + account->dropped) == function->sent;
}

static struct account account_of(const struct world *world, uint16_t number)
{
    const struct world_function *function = &world->function[number];
    const struct world_function *receiver = &world->function[receiver_of(world, number)];
    return (struct account){load(function, TRANSMIT + USED + VIRTQ_USED_INDEX),
                            load(receiver, RECEIVE + USED + VIRTQ_USED_INDEX), 0};
}

/* Once the card stands still. */
static struct account whole_account_of(const struct world *world, uint16_t number)
{
    struct account account = account_of(world, number);
    struct command_entry read = {
        .opcode = COMMAND_QUEUE_READ, .target = TARGET_RX, .index = 2u * receiver_of(world, number)};
    struct queue_position position;
    if (cipu_host_command(world->host, &read, 1) == 0) {
        memcpy(&position, read.data, sizeof position);
        account.dropped = (uint16_t)position.dropped;
    }
    return account;
}

static bool done(const struct world *world, struct account (*account)(const struct world *world, uint16_t number))
{
    bool all = true;
    for (uint16_t i = 1; all && i <= world->functions; i++) {
        struct account found = account(world, i);
        all = is_complete(&world->function[i], &found);
    }
    return all;
}

/* Another number whenever a record has moved in the card. */
static uint64_t moves(const struct world *world)
{
    const struct native_card *card = (const struct native_card *)world->card;
    uint64_t sum = 0;
    for (size_t i = 0; i < world->graph.stream_count; i++)
        sum += (uint64_t)card->fifo[i].head + card->fifo[i].tail;
    return sum;
}

bool world_run(struct world *world, uint32_t packets)
{
    const struct timespec millisecond = {0, 1000000};
    uint64_t before = 0, now;
    for (uint16_t i = 1; i <= world->functions; i++)
        world->function[i].wanted = packets;
    for (unsigned still = 0; still < STILL_LOOKS;) {
        bool moved = cipu_host_receive(world->host, PUNTS_A_LOOK, punted, event, world) != 0;
        for (uint16_t i = 1; i <= world->functions; i++)
            moved |= act(world, &world->function[i]);
        if (done(world, account_of))
            return true;
        now = moves(world);
        still = moved || now != before ? 0 : still + 1;
        before = now;
        if (still)
            nanosleep(&millisecond, NULL);
    }
    return world_blocked(world, 0) == world->graph.stream_count && done(world, whole_account_of);
}

size_t world_blocked(const struct world *world, size_t first)
{
    const struct native_card *card = (const struct native_card *)world->card;
    while (first < world->graph.stream_count && hls_fifo_used(&card->fifo[first]) == 0)
        first++;
    return first;
}

void world_tell(const struct world *world)
{
    for (size_t i = 0; (i = world_blocked(world, i)) < world->graph.stream_count; i++)
        print_message("stands still: %s\n", world->graph.streams[i].name);
    for (uint16_t i = 1; i <= world->functions; i++) {
        const struct world_function *function = &world->function[i];
        struct account found = account_of(world, i);
        if (!is_complete(function, &found))
            print_message("function %u: %u published, %u left, %u arrived, %u to come\n", i, function->sent, found.left,
                          found.arrived, function->wanted);
    }
}
