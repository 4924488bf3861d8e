/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hw/card_traffic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/host.h"
#include "hls/include/flow.h"
#include "hls/include/packet_key.h"
#include "hls/include/registers.h"
#include "hls/include/virtio.h"

/* Host memory: rings of 64-byte entries, their index lines; then a megabyte for each of two guests. */
#define RING_BYTES   0x20000u
#define RING_LOG2    10u
#define INDEX_LINES  0xf0000u
#define SENDER       1u
#define RECEIVER     2u
#define GUEST(f)     ((f) * 0x100000u)
#define GUEST_BYTES  0x100000u
#define TX_QUEUE     (2u * SENDER + 1u)
#define RX_QUEUE     (2u * RECEIVER)
#define ENTRIES      128u
#define DESCRIPTORS  0x0u
#define AVAIL        0x2000u
#define USED         0x4000u
#define BUFFERS      0x10000u
#define BUFFER_BYTES 4096u
#define HEADER_BYTES ((uint32_t)sizeof(struct virtio_net_header))

extern const struct native_graph native_graph_card;

static uint32_t draw(uint64_t *random, uint32_t below)
{
    /* xorshift64*, Vigna 2014 */
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (uint32_t)(((*random * UINT64_C(0x2545f4914f6cdd1d)) >> 32) * below >> 32);
}

/* ---- frames ---- */

/* Ethernet, IPv4, UDP to 10.0.0.`to`; the IPv4 checksum is right. */
static void make_frame(uint8_t *frame, uint32_t length, uint8_t to)
{
    static const uint8_t head[34] = {0x52, 0x54, 0, 0, 0, 2,  0x52, 0x54, 0, 0,  0, 1, 8, 0,  0x45, 0, 0,
                                     0,    0,    0, 0, 0, 64, 17,   0,    0, 10, 0, 0, 1, 10, 0,    0, 0};
    uint32_t total = length - 14, sum = 0;
    for (uint32_t i = 34; i < length; i++)
        frame[i] = (uint8_t)(i * 7 + length);
    memcpy(frame, head, sizeof head);
    frame[16] = (uint8_t)(total >> 8);
    frame[17] = (uint8_t)total;
    frame[33] = to;
    memset(frame + 34, 0x12, 4);
    frame[38] = (uint8_t)((total - 20) >> 8);
    frame[39] = (uint8_t)(total - 20);
    frame[40] = frame[41] = 0;
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

/* To a port, through a tunnel, to the receiver, or to nobody that is known; some are spoilt. */
static uint32_t random_frame(uint64_t *random, uint8_t *frame, uint32_t most)
{
    static const uint32_t limits[] = {64, 200, 1514, 9000};
    uint32_t limit = limits[draw(random, 20) ? draw(random, 3) : 3];
    uint32_t length = 60 + draw(random, (limit < most ? limit : most) - 59);
    make_frame(frame, length, (uint8_t)(2 + draw(random, draw(random, 8) ? 3 : 8)));
    if (draw(random, 30) == 0)
        frame[24] ^= 1;
    if (draw(random, 60) == 0)
        return 1 + draw(random, 13);
    return length;
}

/* ---- ports ---- */

static void close_wire(struct port *port)
{
    (void)port;
}

static bool receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct traffic_wire *wire = port->state;
    if (draw(&wire->random, 1024) >= wire->eagerness)
        return false;
    *length = random_frame(&wire->random, wire->received, PACKET_BYTES_MAX);
    *frame = wire->received;
    return true;
}

/* Now and then there is no room. */
static uint8_t *reserve(struct port *port)
{
    struct traffic_wire *wire = port->state;
    return draw(&wire->random, 20) ? wire->sent : NULL;
}

static void commit(struct port *port, uint32_t length)
{
    struct traffic_wire *wire = port->state;
    (void)length;
    wire->frames_sent++;
}

static const struct port_ops wire_ops = {.close = close_wire,
                                         .receive = receive,
                                         .release = close_wire,
                                         .reserve = reserve,
                                         .commit = commit,
                                         .flush = close_wire};

/* ---- the host ---- */

static uint8_t *ring_entry(struct traffic *traffic, enum host_ring ring, uint32_t index)
{
    return traffic->memory + (size_t)ring * RING_BYTES + (size_t)(index & ((1u << RING_LOG2) - 1)) * RING_ENTRY_BYTES;
}

static uint32_t ring_index(const struct traffic *traffic, enum host_ring ring)
{
    uint32_t index;
    memcpy(&index, traffic->memory + INDEX_LINES + (size_t)ring * 64, sizeof index);
    return index;
}

static void write_ring(struct traffic *traffic, uint32_t ring, uint32_t offset, uint32_t value)
{
    cipu_card_write(traffic->card,
                    (uint32_t)(RINGS_BLOCK_OFFSET + offsetof(struct rings_block, ring) +
                               ring * sizeof(struct ring_registers) + offset),
                    value);
}

static void start_rings(struct traffic *traffic)
{
    for (uint32_t ring = 0; ring < RING_COUNT; ring++) {
        write_ring(traffic, ring, offsetof(struct ring_registers, entries_low), ring * RING_BYTES);
        write_ring(traffic, ring, offsetof(struct ring_registers, entries_high), 0);
        write_ring(traffic, ring, offsetof(struct ring_registers, index_low), INDEX_LINES + ring * 64);
        write_ring(traffic, ring, offsetof(struct ring_registers, index_high), 0);
        write_ring(traffic, ring, offsetof(struct ring_registers, entries_log2), RING_LOG2);
        write_ring(traffic, ring, offsetof(struct ring_registers, enable), 1);
    }
}

static void command(struct traffic *traffic, uint16_t opcode, uint8_t target, uint32_t index, const void *data,
                    size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .tag = traffic->commands, .index = index};
    memcpy(entry.data, data, bytes);
    memcpy(ring_entry(traffic, RING_COMMAND, traffic->commands++), &entry, sizeof entry);
}

static void write_flow(struct traffic *traffic, uint32_t number, uint8_t to, const struct action *action)
{
    static const struct port_setting ports[CARD_PORTS];
    struct headers headers;
    uint8_t frame[60], entry[48] = {0};
    make_frame(frame, sizeof frame, to);
    packet_headers(frame, sizeof frame, ENDPOINT_FUNCTION, SENDER, ports, &headers);
    struct flow_hash hash = flow_hash(&headers.match.key, 0);
    struct flow_way way = {hash.tag, number};
    memcpy(entry, &headers.match.key, sizeof headers.match.key);
    memcpy(entry + sizeof headers.match.key, &number, sizeof number);
    command(traffic, COMMAND_ACTION_WRITE, TARGET_NET, number, action, sizeof *action);
    command(traffic, COMMAND_FLOW_WRITE, TARGET_NET, number, entry, sizeof entry);
    command(traffic, COMMAND_BUCKET_WRITE, TARGET_NET, hash.bucket & (FLOW_BUCKETS - 1), &way, sizeof way);
}

static void write_tables(struct traffic *traffic)
{
    const struct port_setting port = {.mode = PORT_ACCESS, .promiscuous = 1, .function = SENDER, .ipv4 = {10, 1, 0, 1}};
    const struct action forward = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT, .destination_id = 1};
    const struct action tunnel = {.kind = ACTION_ENCAPSULATE_IPV4,
                                  .destination = ENDPOINT_PORT,
                                  .vni = 77,
                                  .outer_ttl = 64,
                                  .remote = {[12] = 10, 1, 0, 2}};
    const struct action deliver = {
        .kind = ACTION_FORWARD, .destination = ENDPOINT_FUNCTION, .destination_id = RECEIVER};
    for (uint32_t i = 0; i < CARD_PORTS; i++)
        command(traffic, COMMAND_PORT_SET, TARGET_NET, i, &port, sizeof port);
    write_flow(traffic, 1, 2, &forward);
    write_flow(traffic, 2, 3, &tunnel);
    write_flow(traffic, 3, 4, &deliver);
}

static void start_queue(struct traffic *traffic, uint32_t function, uint32_t queue, const uint8_t targets[2])
{
    const struct window_setting window = {(uint64_t)function << CIPU_WINDOW_SHIFT, CIPU_WINDOW_BYTES};
    const struct queue_setting setting = {.descriptors = DESCRIPTORS,
                                          .avail = AVAIL,
                                          .used = USED,
                                          .entries = ENTRIES,
                                          .flags = QUEUE_EVENT_INDEX | QUEUE_MERGEABLE,
                                          .vector = (uint16_t)(VECTOR_QUEUE + queue),
                                          .function = (uint16_t)function};
    for (unsigned i = 0; i < 2; i++) {
        command(traffic, COMMAND_WINDOW_SET, targets[i], function, &window, sizeof window);
        command(traffic, COMMAND_QUEUE_SET, targets[i], queue, &setting, sizeof setting);
    }
}

static void start_queues(struct traffic *traffic)
{
    const struct filter_setting filter = {.flags = FILTER_PROMISCUOUS};
    start_queue(traffic, SENDER, TX_QUEUE, (const uint8_t[]){TARGET_TX_USED, TARGET_TX});
    start_queue(traffic, RECEIVER, RX_QUEUE, (const uint8_t[]){TARGET_RX_USED, TARGET_RX});
    command(traffic, COMMAND_FILTER_SET, TARGET_RX, RECEIVER, &filter, sizeof filter);
}

/* ---- the guests ---- */

static uint16_t guest_load(const struct traffic *traffic, uint32_t function, uint32_t offset)
{
    uint16_t value;
    memcpy(&value, traffic->memory + GUEST(function) + offset, sizeof value);
    return value;
}

static void guest_store(struct traffic *traffic, uint32_t function, uint32_t offset, uint16_t value)
{
    memcpy(traffic->memory + GUEST(function) + offset, &value, sizeof value);
}

static void put_buffer(struct traffic *traffic, uint32_t function, uint16_t index, uint32_t length, uint16_t flags)
{
    uint32_t slot = index % ENTRIES;
    struct virtq_descriptor descriptor = {BUFFERS + slot * BUFFER_BYTES, length, flags, 0};
    memcpy(traffic->memory + GUEST(function) + DESCRIPTORS + slot * sizeof descriptor, &descriptor, sizeof descriptor);
    guest_store(traffic, function, AVAIL + VIRTQ_AVAIL_RING + 2 * slot, (uint16_t)slot);
}

static uint32_t room(const struct traffic *traffic, uint32_t function, uint16_t posted)
{
    return ENTRIES - (uint16_t)(posted - guest_load(traffic, function, USED + VIRTQ_USED_INDEX));
}

static void post(struct traffic *traffic, uint32_t function, uint32_t queue, uint16_t index)
{
    guest_store(traffic, function, AVAIL + VIRTQ_AVAIL_INDEX, index);
    guest_store(traffic, function, AVAIL + VIRTQ_AVAIL_USED_EVENT(ENTRIES), (uint16_t)(index - 1));
    cipu_card_doorbell(traffic->card, queue, index);
}

static void send_some(struct traffic *traffic)
{
    uint32_t count = 1 + draw(&traffic->random, 8), free = room(traffic, SENDER, traffic->posted_tx);
    for (uint32_t i = 0; i < count && i < free; i++) {
        uint16_t index = traffic->posted_tx++;
        uint8_t *buffer = traffic->memory + GUEST(SENDER) + BUFFERS + index % ENTRIES * BUFFER_BYTES;
        memset(buffer, 0, HEADER_BYTES);
        uint32_t length = random_frame(&traffic->random, buffer + HEADER_BYTES, 1514);
        put_buffer(traffic, SENDER, index, HEADER_BYTES + length, 0);
    }
    post(traffic, SENDER, TX_QUEUE, traffic->posted_tx);
}

static void receive_some(struct traffic *traffic, uint32_t count)
{
    uint32_t free = room(traffic, RECEIVER, traffic->posted_rx);
    for (uint32_t i = 0; i < count && i < free; i++)
        put_buffer(traffic, RECEIVER, traffic->posted_rx++, 1 + HEADER_BYTES + draw(&traffic->random, 2000),
                   VIRTQ_WRITE);
    post(traffic, RECEIVER, RX_QUEUE, traffic->posted_rx);
}

static void inject_one(struct traffic *traffic)
{
    uint8_t frame[TRAFFIC_FRAMES_MAX] = {0};
    if (traffic->injected - ring_index(traffic, RING_INJECT) > (1u << RING_LOG2) / 2)
        return;
    uint32_t length = random_frame(&traffic->random, frame, 600);
    struct packet_entry entry = {.length = (uint16_t)length,
                                 .source = ENDPOINT_FUNCTION,
                                 .source_id = SENDER,
                                 .action = draw(&traffic->random, 2) ? INJECT_LOOKUP : 1};
    memcpy(ring_entry(traffic, RING_INJECT, traffic->injected++), &entry, sizeof entry);
    for (uint32_t at = 0; at < length; at += RING_ENTRY_BYTES)
        memcpy(ring_entry(traffic, RING_INJECT, traffic->injected++), frame + at, RING_ENTRY_BYTES);
    cipu_card_doorbell(traffic->card, DOORBELL_HOST + RING_INJECT, traffic->injected);
}

/* The host has seen all that is there. */
static void empty_rings(struct traffic *traffic)
{
    static const enum host_ring rings[] = {RING_COMPLETION, RING_PUNT, RING_EVENT};
    for (unsigned i = 0; i < 3; i++)
        cipu_card_doorbell(traffic->card, DOORBELL_HOST + rings[i], ring_index(traffic, rings[i]));
}

/* ---- all of it ---- */

static void map(struct traffic *traffic, uint64_t iova, uint32_t offset, uint32_t bytes)
{
    struct cipu_error error;
    if (cipu_card_dma_map(traffic->card, traffic->fd, offset, iova, bytes, CIPU_DMA_READ | CIPU_DMA_WRITE, &error) != 0)
        fail_msg("%s", error.text);
}

void traffic_open(struct traffic *traffic, const struct rtl_card_how *how, const char *uri, uint64_t seed)
{
    struct cipu_error error;
    struct rtl_card_how halted = *how;
    *traffic = (struct traffic){.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    halted.halted = true;
    if (rtl_card_open_as(&halted, &native_graph_card, uri, &traffic->card, &error) != 0)
        fail_msg("%s", error.text);
    traffic->fd = memfd_create("traffic", MFD_CLOEXEC);
    assert_int_equal(ftruncate(traffic->fd, TRAFFIC_MEMORY), 0);
    traffic->memory = mmap(NULL, TRAFFIC_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, traffic->fd, 0);
    assert_true(traffic->memory != MAP_FAILED);
    map(traffic, 0, 0, GUEST_BYTES);
    map(traffic, (uint64_t)SENDER << CIPU_WINDOW_SHIFT, GUEST(SENDER), GUEST_BYTES);
    map(traffic, (uint64_t)RECEIVER << CIPU_WINDOW_SHIFT, GUEST(RECEIVER), GUEST_BYTES);
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        struct port *port = &((struct native_card *)traffic->card)->ports[i];
        traffic->wires[i] = (struct traffic_wire){.random = seed * 77 + i + 1};
        port->ops = &wire_ops;
        port->state = &traffic->wires[i];
        port->link = 1;
    }
}

void traffic_close(struct traffic *traffic)
{
    rtl_card_run(traffic->card);
    cipu_card_close(traffic->card);
    munmap(traffic->memory, TRAFFIC_MEMORY);
    close(traffic->fd);
}

void traffic_rest(struct traffic *traffic, unsigned cycles)
{
    for (unsigned i = 0; i < CARD_PORTS; i++)
        traffic->wires[i].eagerness = 0;
    for (unsigned i = 0; i < cycles; i++)
        rtl_card_step(traffic->card);
}

void traffic_reset(struct traffic *traffic)
{
    assert_int_equal(cipu_card_reset(traffic->card), 0);
    traffic_rest(traffic, TRAFFIC_CLEARING);
}

void traffic_start(struct traffic *traffic)
{
    memset(traffic->memory, 0, TRAFFIC_MEMORY);
    traffic->commands = traffic->injected = 0;
    traffic->posted_tx = traffic->posted_rx = 0;
    start_rings(traffic);
    write_tables(traffic);
    start_queues(traffic);
    cipu_card_doorbell(traffic->card, DOORBELL_HOST + RING_COMMAND, traffic->commands);
    traffic_rest(traffic, 4000);
    receive_some(traffic, ENTRIES);
}

void traffic_run(struct traffic *traffic, unsigned cycles)
{
    for (unsigned i = 0; i < cycles; i++) {
        if (i % 512 == 0)
            for (unsigned n = 0; n < CARD_PORTS; n++)
                traffic->wires[n].eagerness = draw(&traffic->random, 4) ? draw(&traffic->random, 100) : 1024;
        if (draw(&traffic->random, 300) == 0)
            send_some(traffic);
        if (draw(&traffic->random, 300) == 0)
            receive_some(traffic, draw(&traffic->random, 32));
        if (draw(&traffic->random, 400) == 0)
            inject_one(traffic);
        if (draw(&traffic->random, 500) == 0)
            empty_rings(traffic);
        if (draw(&traffic->random, 1000) == 0)
            cipu_card_read(traffic->card, draw(&traffic->random, REGISTER_FILE_BYTES / 4) * 4);
        rtl_card_step(traffic->card);
    }
}

struct traffic_results traffic_results(const struct traffic *traffic)
{
    struct traffic_results results = {.completions = ring_index(traffic, RING_COMPLETION),
                                      .punts = ring_index(traffic, RING_PUNT),
                                      .transmitted = guest_load(traffic, SENDER, USED + VIRTQ_USED_INDEX),
                                      .delivered = guest_load(traffic, RECEIVER, USED + VIRTQ_USED_INDEX)};
    for (uint32_t i = 0; i < results.completions; i++) {
        struct command_entry entry;
        memcpy(&entry, traffic->memory + (size_t)RING_COMPLETION * RING_BYTES + (size_t)i * sizeof entry, sizeof entry);
        results.failed_commands += entry.status != STATUS_OK;
    }
    for (unsigned i = 0; i < CARD_PORTS; i++)
        results.sent[i] = traffic->wires[i].frames_sent;
    return results;
}
