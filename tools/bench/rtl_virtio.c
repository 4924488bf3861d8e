/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's packets cost on the way from its transmit queue to a port, on the rtl card: cycles, and PCIe
 * transaction layer packets besides those of the packet itself (one read of its buffer, one completion). Cycles and
 * packets are counted, not timed, so the figures are those of any machine.
 *
 * The driver posts batches of packets of one flow, rings the doorbell, and waits for the interrupt.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "driver/host.h"
#include "driver/rtl/rtl.h"
#include "hls/include/flow.h"
#include "hls/include/packet_key.h"
#include "hls/include/virtio.h"

#define FUNCTION     1u
#define QUEUE        (2u * FUNCTION + 1u)
#define ENTRIES      256u
#define MEMORY_BYTES (1u << 20)
#define DESCRIPTORS  0x0u
#define AVAIL        0x2000u
#define USED         0x4000u
#define BUFFERS      0x10000u
#define BUFFER_BYTES 2048u
#define FRAME_BYTES  60u
#define HEADER_BYTES ((uint32_t)sizeof(struct virtio_net_header))

struct guest {
    struct cipu_card *card;
    struct cipu_host *host;
    uint8_t *memory;
    int event;
    uint16_t posted;
    uint64_t interrupts;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-rtl-virtio: %s\n", what);
    exit(1);
}

/* Ethernet, IPv4, UDP; the IPv4 checksum is right. */
static void make_frame(uint8_t *frame)
{
    static const uint8_t head[42] = {0x52, 0x54, 0,  0,  0, 2, 0x52, 0x54, 0,    0,    0, 1,  8,  0,
                                     0x45, 0,    0,  46, 0, 0, 0,    0,    64,   17,   0, 0,  10, 0,
                                     0,    1,    10, 0,  0, 2, 0x12, 0x34, 0x56, 0x78, 0, 26, 0,  0};
    memset(frame, 0, FRAME_BYTES);
    memcpy(frame, head, sizeof head);
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

static void command(struct guest *guest, uint16_t opcode, uint8_t target, uint32_t index, uint32_t argument,
                    const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    if (cipu_host_command(guest->host, &entry, 1) != 0)
        fail("the card refused a command");
}

/* The one flow: out of port 0. */
static void write_flow(struct guest *guest, const uint8_t *frame)
{
    static const struct port_setting ports[CARD_PORTS];
    const struct action action = {.kind = ACTION_FORWARD, .destination = ENDPOINT_PORT};
    struct headers headers;
    packet_headers(frame, FRAME_BYTES, ENDPOINT_FUNCTION, FUNCTION, ports, &headers);
    const struct flow_key *key = &headers.match.key;
    struct flow_hash hash = flow_hash(key, 0);
    struct flow_way way = {hash.tag, 1};
    uint8_t entry[48] = {0};
    uint32_t number = 1;
    memcpy(entry, key, sizeof *key);
    memcpy(entry + sizeof *key, &number, sizeof number);
    command(guest, COMMAND_ACTION_WRITE, TARGET_NET, number, 0, &action, sizeof action);
    command(guest, COMMAND_FLOW_WRITE, TARGET_NET, 1, 0, entry, sizeof entry);
    command(guest, COMMAND_BUCKET_WRITE, TARGET_NET, hash.bucket & (FLOW_BUCKETS - 1), 0, &way, sizeof way);
}

static void start_queue(struct guest *guest)
{
    const struct window_setting window = {(uint64_t)FUNCTION << CIPU_WINDOW_SHIFT, CIPU_WINDOW_BYTES};
    const struct queue_setting setting = {.descriptors = DESCRIPTORS,
                                          .avail = AVAIL,
                                          .used = USED,
                                          .entries = ENTRIES,
                                          .flags = QUEUE_EVENT_INDEX,
                                          .vector = VECTOR_QUEUE + QUEUE,
                                          .function = FUNCTION};
    static const uint8_t targets[] = {TARGET_TX_USED, TARGET_TX};
    for (unsigned i = 0; i < 2; i++) {
        command(guest, COMMAND_WINDOW_SET, targets[i], FUNCTION, 0, &window, sizeof window);
        command(guest, COMMAND_QUEUE_SET, targets[i], QUEUE, 0, &setting, sizeof setting);
    }
}

static void open_guest(struct guest *guest)
{
    struct cipu_error error = {{0}};
    int fd = memfd_create("guest", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, MEMORY_BYTES) < 0)
        fail("no memory");
    guest->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    guest->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (guest->memory == MAP_FAILED || guest->event < 0)
        fail("no memory");
    if (cipu_card_open("rtl:", &guest->card, &error) != 0 || cipu_host_open(guest->card, &guest->host, &error) != 0 ||
        cipu_card_dma_map(guest->card, fd, 0, (uint64_t)FUNCTION << CIPU_WINDOW_SHIFT, MEMORY_BYTES,
                          CIPU_DMA_READ | CIPU_DMA_WRITE, &error) != 0)
        fail(error.text);
    cipu_card_interrupt(guest->card, VECTOR_QUEUE + QUEUE, guest->event);
    close(fd);
    uint8_t frame[FRAME_BYTES];
    make_frame(frame);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t buffer = BUFFERS + i * BUFFER_BYTES;
        struct virtq_descriptor descriptor = {buffer, HEADER_BYTES + FRAME_BYTES, 0, 0};
        memcpy(guest->memory + DESCRIPTORS + i * sizeof descriptor, &descriptor, sizeof descriptor);
        memcpy(guest->memory + buffer + HEADER_BYTES, frame, FRAME_BYTES);
    }
    write_flow(guest, frame);
    start_queue(guest);
}

static uint16_t load(const struct guest *guest, uint32_t offset)
{
    return atomic_load((_Atomic uint16_t *)(void *)(guest->memory + offset));
}

static void store(struct guest *guest, uint32_t offset, uint16_t value)
{
    atomic_store((_Atomic uint16_t *)(void *)(guest->memory + offset), value);
}

/* Posts `count` packets and waits for the interrupt that is asked for with the last one. */
static void send_batch(struct guest *guest, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        uint16_t slot = (uint16_t)(guest->posted + i) % ENTRIES;
        store(guest, AVAIL + VIRTQ_AVAIL_RING + 2u * slot, slot);
    }
    guest->posted = (uint16_t)(guest->posted + count);
    store(guest, AVAIL + VIRTQ_AVAIL_USED_EVENT(ENTRIES), (uint16_t)(guest->posted - 1));
    store(guest, AVAIL + VIRTQ_AVAIL_INDEX, guest->posted);
    cipu_card_doorbell(guest->card, QUEUE, 0);
    while (load(guest, USED + VIRTQ_USED_INDEX) != guest->posted) {
        struct pollfd wait = {.fd = guest->event, .events = POLLIN};
        uint64_t signals = 0;
        if (poll(&wait, 1, 10000) != 1 || read(guest->event, &signals, sizeof signals) < 0)
            fail("no interrupt within ten seconds");
        guest->interrupts += signals;
    }
}

/* Until nothing moves any more: what follows a batch belongs to it. */
static struct rtl_card_figures settled(struct guest *guest)
{
    struct rtl_card_figures before, after;
    rtl_card_figures(guest->card, &after);
    do {
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
        before = after;
        rtl_card_figures(guest->card, &after);
    } while (after.cycles != before.cycles);
    return after;
}

static void result(unsigned batch, const char *name, const char *unit, double value)
{
    printf("{\"name\":\"rtl.virtio_tx.batch_%u.%s\",\"value\":%.2f,\"unit\":\"%s\"}\n", batch, name, value, unit);
}

static void measure(struct guest *guest, uint16_t batch, unsigned rounds)
{
    send_batch(guest, batch);
    struct rtl_card_figures before = settled(guest);
    guest->interrupts = 0;
    for (unsigned i = 0; i < rounds; i++)
        send_batch(guest, batch);
    struct rtl_card_figures after = settled(guest);
    double packets = (double)batch * rounds;
    double reads = (double)(after.host.read_requests - before.host.read_requests) / packets;
    double completions = (double)(after.host.completions - before.host.completions) / packets;
    double writes = (double)(after.host.write_packets - before.host.write_packets) / packets;
    result(batch, "tlps", "TLPs per packet besides its data", reads + completions + writes - 2.0);
    result(batch, "reads", "read requests per packet", reads);
    result(batch, "writes", "writes per packet", writes);
    result(batch, "interrupts", "interrupts per packet", (double)guest->interrupts / packets);
    result(batch, "cycles", "cycles per packet", (double)(after.cycles - before.cycles) / packets);
    fflush(stdout);
}

int main(void)
{
    struct guest guest = {0};
    open_guest(&guest);
    measure(&guest, 1, 16);
    measure(&guest, 4, 8);
    measure(&guest, 16, 4);
    measure(&guest, 64, 4);
    measure(&guest, ENTRIES, 2);
    cipu_host_close(guest.host);
    cipu_card_close(guest.card);
    return 0;
}
