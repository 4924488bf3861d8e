/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/rtl_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hls/include/flow.h"
#include "hls/include/packet_key.h"

void guest_fail(const char *what)
{
    fprintf(stderr, "bench-rtl-virtio: %s\n", what);
    exit(1);
}

static void command(const struct guest_card *of, uint16_t opcode, uint8_t target, uint32_t index, uint32_t argument,
                    const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    if (cipu_host_command(of->host, &entry, 1) != 0)
        guest_fail("the card refused a command");
}

void guest_card_open(struct guest_card *of)
{
    static const struct port_setting uplink = {.mode = PORT_UPLINK, .promiscuous = 1};
    struct cipu_error error = {{0}};
    if (cipu_card_open("rtl:", &of->card, &error) != 0 || cipu_host_open(of->card, &of->host, &error) != 0)
        guest_fail(error.text);
    command(of, COMMAND_PORT_SET, TARGET_NET, 0, 0, &uplink, sizeof uplink);
}

void guest_card_close(struct guest_card *of)
{
    cipu_host_close(of->host);
    cipu_card_close(of->card);
}

/* Ethernet, IPv4, UDP; the IPv4 checksum is right. The source port tells the function. */
void guest_frame(uint32_t function, uint8_t *frame)
{
    static const uint8_t head[42] = {0x52, 0x54, 0,  0,  0, 2, 0x52, 0x54, 0,    0,    0, 1,  8,  0,
                                     0x45, 0,    0,  46, 0, 0, 0,    0,    64,   17,   0, 0,  10, 0,
                                     0,    1,    10, 0,  0, 2, 0x12, 0x34, 0x56, 0x78, 0, 26, 0,  0};
    memset(frame, 0, GUEST_FRAME_BYTES);
    memcpy(frame, head, sizeof head);
    frame[35] = (uint8_t)function;
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
}

/* The function's one flow: out of port 0, or from there. */
static void write_flow(const struct guest *guest, enum guest_direction direction)
{
    static const struct port_setting ports[CARD_PORTS] = {{.mode = PORT_UPLINK, .promiscuous = 1}};
    bool sends = direction == GUEST_SENDS;
    struct action action = {.kind = ACTION_FORWARD, .destination = sends ? ENDPOINT_PORT : ENDPOINT_FUNCTION};
    action.destination_id = (uint16_t)(sends ? 0 : guest->function);
    uint8_t frame[GUEST_FRAME_BYTES];
    guest_frame(guest->function, frame);
    struct headers headers;
    packet_headers(frame, sizeof frame, sends ? ENDPOINT_FUNCTION : ENDPOINT_PORT, sends ? guest->function : 0, ports,
                   &headers);
    const struct flow_key *key = &headers.match.key;
    struct flow_hash hash = flow_hash(key, 0);
    uint32_t number = guest->function, bucket = hash.bucket & (FLOW_BUCKETS - 1);
    struct flow_way way = {hash.tag, number};
    uint8_t entry[48] = {0};
    memcpy(entry, key, sizeof *key);
    memcpy(entry + sizeof *key, &number, sizeof number);
    command(guest->of, COMMAND_ACTION_WRITE, TARGET_NET, number, 0, &action, sizeof action);
    command(guest->of, COMMAND_FLOW_WRITE, TARGET_NET, number, 0, entry, sizeof entry);
    command(guest->of, COMMAND_BUCKET_WRITE, TARGET_NET, bucket, number % FLOW_WAYS, &way, sizeof way);
}

static void start_queue(const struct guest *guest, enum guest_direction direction)
{
    static const uint8_t targets[][2] = {{TARGET_TX_USED, TARGET_TX}, {TARGET_RX_USED, TARGET_RX}};
    const struct window_setting window = {(uint64_t)guest->function << CIPU_WINDOW_SHIFT, CIPU_WINDOW_BYTES};
    const struct queue_setting setting = {.descriptors = GUEST_DESCRIPTORS,
                                          .avail = GUEST_AVAIL,
                                          .used = GUEST_USED,
                                          .entries = GUEST_ENTRIES,
                                          .flags = QUEUE_EVENT_INDEX | QUEUE_MERGEABLE,
                                          .vector = (uint16_t)(VECTOR_QUEUE + guest->queue),
                                          .function = (uint16_t)guest->function};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t target = targets[direction == GUEST_RECEIVES][i];
        command(guest->of, COMMAND_WINDOW_SET, target, guest->function, 0, &window, sizeof window);
        command(guest->of, COMMAND_QUEUE_SET, target, guest->queue, 0, &setting, sizeof setting);
    }
}

static void make_descriptors(struct guest *guest, enum guest_direction direction)
{
    bool sends = direction == GUEST_SENDS;
    uint8_t frame[GUEST_FRAME_BYTES];
    guest_frame(guest->function, frame);
    for (uint32_t i = 0; i < GUEST_ENTRIES; i++) {
        uint32_t buffer = GUEST_BUFFERS + i * GUEST_BUFFER_BYTES;
        struct virtq_descriptor descriptor = {buffer, GUEST_BUFFER_BYTES, VIRTQ_WRITE, 0};
        if (sends)
            descriptor = (struct virtq_descriptor){buffer, GUEST_HEADER_BYTES + GUEST_FRAME_BYTES, 0, 0};
        memcpy(guest->memory + GUEST_DESCRIPTORS + i * sizeof descriptor, &descriptor, sizeof descriptor);
        if (sends)
            memcpy(guest->memory + buffer + GUEST_HEADER_BYTES, frame, sizeof frame);
    }
}

void guest_open(struct guest *guest, struct guest_card *of, uint32_t function, enum guest_direction direction)
{
    struct cipu_error error = {{0}};
    *guest = (struct guest){of, function, 2u * function + (direction == GUEST_SENDS), NULL};
    int fd = memfd_create("guest", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, GUEST_MEMORY_BYTES) < 0)
        guest_fail("no memory");
    guest->memory = mmap(NULL, GUEST_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (guest->memory == MAP_FAILED)
        guest_fail("no memory");
    if (cipu_card_dma_map(of->card, fd, 0, (uint64_t)function << CIPU_WINDOW_SHIFT, GUEST_MEMORY_BYTES,
                          CIPU_DMA_READ | CIPU_DMA_WRITE, &error) != 0)
        guest_fail(error.text);
    close(fd);
    make_descriptors(guest, direction);
    write_flow(guest, direction);
    start_queue(guest, direction);
}

void guest_close(struct guest *guest)
{
    munmap(guest->memory, GUEST_MEMORY_BYTES);
}

uint16_t guest_fill(struct guest *guest, uint16_t posted, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        uint16_t slot = (uint16_t)(posted + i) % GUEST_ENTRIES;
        guest_store(guest, GUEST_AVAIL + VIRTQ_AVAIL_RING + 2u * slot, slot);
    }
    return (uint16_t)(posted + count);
}
