/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtqueues in the memory of two guests: the input is what they write into rings, descriptors and indirect tables,
 * their doorbells, packets for them, and the order in which the card's kernels run. No access may leave a guest's
 * memory, no stream may be misused, the card comes to rest after a bounded number of steps, and every queue can then be
 * stopped.
 */
#include <stdio.h>
#include <stdlib.h>

#define CARD_CHECK(condition) ((condition) ? (void)0 : card_fail(#condition, __LINE__))
static _Noreturn void card_fail(const char *condition, int line)
{
    fprintf(stderr, "line %d: %s\n", line, condition);
    abort();
}

#include "tests/fuzz/receive_card.h"

#define GUESTS          2u
#define GUEST_BYTES     0x8000u /* what the windows open */
#define GUEST_QUEUE(rx) ((rx) ? 0x0u : 0x2000u)
#define QUEUE_AVAIL     0x1000u
#define QUEUE_USED_RING 0x1400u
#define QUEUE_TABLE     0x1800u
#define QUEUES          (2u * GUESTS)
#define TARGETS         4u
#define PARTS           (CARD_PARTS + RECEIVE_PARTS + 2u * USED_PARTS)
#define SETTLE_SWEEPS   400000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rings {
    struct transmit_card card;
    struct receive_group receive;
    struct used_group transmit_used, receive_used;
    const uint8_t *data;
    size_t left;
    uint32_t entries[QUEUES];
    uint16_t flags[QUEUES];
    bool running[QUEUES][TARGETS]; /* from QUEUE_SET to the completion of QUEUE_STOP */
    bool stopping[QUEUES][TARGETS];
    uint32_t stops[QUEUES][TARGETS];
    uint32_t waiting;   /* commands without completion */
    uint32_t left_over; /* bytes of the packet that is leaving */
};

static uint8_t take(struct rings *rings)
{
    if (!rings->left)
        return 0;
    rings->left--;
    return *rings->data++;
}

static uint16_t take16(struct rings *rings)
{
    uint16_t low = take(rings);
    return (uint16_t)(low | (uint32_t)take(rings) << 8);
}

static void count_stop(struct rings *rings, struct stream *alert, enum command_target target)
{
    struct event_entry event;
    while (stream_get(alert, &event)) {
        CARD_CHECK(event.queue < QUEUES && event.function == event.queue / 2);
        if (event.kind == EVENT_QUEUE_STOPPED)
            CARD_CHECK(rings->running[event.queue][target - 1] && ++rings->stops[event.queue][target - 1] == 1);
    }
}

static void take_completions(struct rings *rings, struct stream *completion, enum command_target target)
{
    struct command_entry entry;
    while (stream_get(completion, &entry)) {
        CARD_CHECK(entry.target == target && entry.status <= STATUS_BUSY && rings->waiting-- != 0);
        if (entry.status == STATUS_OK && entry.opcode == COMMAND_QUEUE_STOP)
            rings->running[entry.index][target - 1] = rings->stopping[entry.index][target - 1] = false;
    }
}

/* Packets that leave, completions, events, interrupts. */
static void drain(struct rings *rings)
{
    struct beat beat;
    struct interrupt_request interrupt;
    while (stream_get(&rings->card.packet, &beat)) {
        if (!rings->left_over)
            rings->left_over = beat.meta.length;
        CARD_CHECK(beat.meta.bytes >= 1 && beat.meta.bytes <= rings->left_over);
        rings->left_over -= beat.meta.bytes;
        CARD_CHECK((rings->left_over == 0) == beat.meta.last);
    }
    while (stream_get(&rings->transmit_used.interrupt, &interrupt) ||
           stream_get(&rings->receive_used.interrupt, &interrupt))
        CARD_CHECK(interrupt.vector >= VECTOR_QUEUE && interrupt.vector < VECTOR_QUEUE + QUEUES);
    count_stop(rings, &rings->card.alert, TARGET_TX);
    count_stop(rings, &rings->card.packet_alert, TARGET_TX);
    count_stop(rings, &rings->receive.alert, TARGET_RX);
    count_stop(rings, &rings->transmit_used.alert, TARGET_TX_USED);
    count_stop(rings, &rings->receive_used.alert, TARGET_RX_USED);
    take_completions(rings, &rings->card.completion, TARGET_TX);
    take_completions(rings, &rings->receive.completion, TARGET_RX);
    take_completions(rings, &rings->transmit_used.completion, TARGET_TX_USED);
    take_completions(rings, &rings->receive_used.completion, TARGET_RX_USED);
}

static bool step(struct rings *rings, uint32_t part)
{
    if (part < CARD_PARTS)
        return card_step(&rings->card, part);
    part -= CARD_PARTS;
    if (part < RECEIVE_PARTS)
        return receive_step(&rings->card, &rings->receive, part);
    part -= RECEIVE_PARTS;
    return part < USED_PARTS ? used_step(&rings->card, &rings->transmit_used, part)
                             : used_step(&rings->card, &rings->receive_used, part - USED_PARTS);
}

static bool sweep(struct rings *rings)
{
    bool moved = false;
    for (uint32_t part = 0; part < PARTS; part++)
        moved |= step(rings, part);
    drain(rings);
    return moved;
}

static void settle(struct rings *rings)
{
    for (uint32_t sweeps = 0; sweep(rings); sweeps++)
        CARD_CHECK(sweeps < SETTLE_SWEEPS);
}

static struct stream *command_stream(struct rings *rings, enum command_target target)
{
    struct stream *streams[] = {&rings->card.command, &rings->transmit_used.command, &rings->receive.command,
                                &rings->receive_used.command};
    return streams[target - TARGET_TX];
}

static void send(struct rings *rings, enum command_target target, uint16_t opcode, uint32_t index, const void *data)
{
    struct command_entry entry = {.opcode = opcode, .target = (uint8_t)target, .index = index};
    memcpy(entry.data, data, sizeof entry.data);
    for (uint32_t tries = 0; !stream_put(command_stream(rings, target), &entry); tries++) {
        CARD_CHECK(tries < SETTLE_SWEEPS);
        sweep(rings);
    }
    rings->waiting++;
}

/* Both kernels of the queue's side. Sent to queues that have stopped, so that it is clear which setting an event is of.
 */
static void set_queue(struct rings *rings, uint32_t queue)
{
    bool receive = queue % 2 == 0;
    uint64_t base = GUEST_QUEUE(receive);
    struct queue_setting setting = {.descriptors = base,
                                    .avail = base + QUEUE_AVAIL,
                                    .used = base + QUEUE_USED_RING,
                                    .entries = rings->entries[queue],
                                    .flags = rings->flags[queue],
                                    .vector = (uint16_t)(VECTOR_QUEUE + queue),
                                    .function = (uint16_t)(queue / 2)};
    enum command_target first = receive ? TARGET_RX : TARGET_TX;
    if (rings->running[queue][first - 1] || rings->running[queue][first])
        return;
    for (uint32_t i = 0; i < 2; i++) {
        rings->running[queue][first - 1 + i] = true;
        rings->stops[queue][first - 1 + i] = 0;
        send(rings, (enum command_target)(first + i), COMMAND_QUEUE_SET, queue, &setting);
    }
}

static void stop_queue(struct rings *rings, uint32_t queue)
{
    uint8_t nothing[48] = {0};
    enum command_target first = queue % 2 == 0 ? TARGET_RX : TARGET_TX;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t target = first + i;
        if (!rings->running[queue][target - 1] || rings->stopping[queue][target - 1])
            continue;
        rings->stopping[queue][target - 1] = true;
        send(rings, (enum command_target)target, COMMAND_QUEUE_STOP, queue, nothing);
    }
}

static uint8_t *queue_memory(struct rings *rings, uint32_t queue, uint32_t offset)
{
    return rings->card.memory + queue / 2 * MEMORY_BYTES + GUEST_QUEUE(queue % 2 == 0) + offset;
}

/* Addresses mostly inside, sometimes at the window's edge, sometimes anything. */
static void write_descriptor(struct rings *rings, uint8_t *to)
{
    uint8_t shape = take(rings);
    struct virtq_descriptor descriptor = {take16(rings), take(rings), shape & 7u, take(rings)};
    if (shape & 8)
        descriptor.length *= 16;
    if ((shape & 0x30) == 0x10)
        descriptor.address = GUEST_BYTES - (descriptor.address & 0xff);
    if ((shape & 0x30) == 0x20)
        descriptor.address &= 0x3ff0;
    if ((shape & 0xc0) == 0x40)
        descriptor.address = ~descriptor.address;
    if ((shape & 0xc0) == 0x80)
        descriptor.length = ~descriptor.length;
    if ((shape & 0xc0) == 0xc0)
        descriptor.length <<= 4;
    memcpy(to, &descriptor, sizeof descriptor);
}

static void send_packet(struct rings *rings)
{
    uint8_t where = take(rings);
    uint32_t bytes = PACKET_BYTES_MIN + take16(rings) % (PACKET_BYTES_MAX - PACKET_BYTES_MIN + 1), left = bytes;
    if (where & 0x80)
        bytes = left = PACKET_BYTES_MIN + bytes % 200;
    while (left) {
        struct beat beat = {.meta = {.bytes = (uint8_t)(left < BEAT_BYTES ? left : BEAT_BYTES)}};
        beat.meta.last = left == beat.meta.bytes;
        if (left == bytes) {
            beat.meta.length = (uint16_t)bytes;
            beat.meta.flags = where & 0x40 ? BEAT_CHECKSUM_VALID : 0;
            beat.meta.destination = ENDPOINT_FUNCTION;
            beat.meta.destination_id = where % GUESTS;
        }
        left -= beat.meta.bytes;
        for (uint32_t tries = 0; !stream_put(&rings->receive.in, &beat); tries++) {
            CARD_CHECK(tries < SETTLE_SWEEPS);
            sweep(rings);
        }
    }
}

static void act(struct rings *rings)
{
    uint8_t what = take(rings);
    uint32_t queue = what >> 4 & 3;
    uint16_t index;
    struct doorbell doorbell = {.page = queue};
    switch (what & 15) {
    case 0:
    case 1:
        write_descriptor(rings, queue_memory(rings, queue, 16 * (take(rings) & (rings->entries[queue] - 1))));
        break;
    case 2:
        write_descriptor(rings, queue_memory(rings, queue, QUEUE_TABLE + 16 * (take(rings) & 63)));
        break;
    case 3:
        index = take(rings);
        memcpy(queue_memory(rings, queue, QUEUE_AVAIL + 4 + 2 * (take(rings) & (rings->entries[queue] - 1))), &index,
               2);
        break;
    case 4:
    case 5: /* some more buffers, and a doorbell */
        memcpy(&index, queue_memory(rings, queue, QUEUE_AVAIL + 2), 2);
        index = (uint16_t)(index + take(rings) % (rings->entries[queue] + 1));
        memcpy(queue_memory(rings, queue, QUEUE_AVAIL + 2), &index, 2);
        stream_put(queue % 2 ? &rings->card.doorbell : &rings->receive.doorbell, &doorbell);
        break;
    case 6:
        index = take16(rings);
        memcpy(queue_memory(rings, queue, QUEUE_AVAIL + 2), &index, 2);
        break;
    case 7:
        queue_memory(rings, queue, QUEUE_AVAIL)[take(rings) & 1 ? 0 : 4 + 2 * rings->entries[queue]] = take(rings);
        break;
    case 8:
        stream_put(queue % 2 ? &rings->card.doorbell : &rings->receive.doorbell, &doorbell);
        break;
    case 9:
        send_packet(rings);
        break;
    case 10:
        stop_queue(rings, queue);
        break;
    case 11:
        set_queue(rings, queue);
        break;
    case 12:
    case 13: { /* one part runs alone for a while */
        uint32_t part = take(rings) % PARTS;
        for (uint32_t count = 1 + (what >> 4); count && step(rings, part); count--)
            ;
        break;
    }
    case 14:
        settle(rings);
        break;
    default:
        for (uint32_t count = 1 + (what >> 4); count; count--)
            sweep(rings);
    }
}

/* The card is built once; each input begins with a copy of what it was then. */
static struct rings *rings_open(const uint8_t *data, size_t size)
{
    static struct rings *rings, *fresh;
    size_t bytes = (sizeof *rings + 63) / 64 * 64;
    if (!rings) {
        rings = aligned_alloc(64, bytes);
        fresh = aligned_alloc(64, bytes);
        memset(rings, 0, bytes);
        transmit_card_open(&rings->card, GUESTS, 64);
        receive_open(&rings->receive);
        used_open(&rings->transmit_used, &rings->card.used);
        used_open(&rings->receive_used, &rings->receive.out);
        memcpy(fresh, rings, bytes);
    }
    memcpy(rings, fresh, bytes);
    rings->data = data;
    rings->left = size;
    for (uint32_t function = 0; function < GUESTS; function++) {
        struct window_setting window = {(uint64_t)function * MEMORY_BYTES, GUEST_BYTES};
        uint8_t entry[48] = {0};
        memset(rings->card.memory + function * MEMORY_BYTES, 0, GUEST_BYTES);
        memcpy(entry, &window, sizeof window);
        for (uint32_t target = TARGET_TX; target <= TARGET_RX_USED; target++)
            send(rings, (enum command_target)target, COMMAND_WINDOW_SET, function, entry);
    }
    return rings;
}

/* Rings in good order: what the input does to them comes later. */
static void rings_fill(struct rings *rings, uint32_t queue)
{
    uint8_t shape = take(rings);
    rings->entries[queue] = 2u << (shape & 7) % 7;
    rings->flags[queue] = shape >> 4;
    for (uint32_t i = 0; i < rings->entries[queue]; i++) {
        struct virtq_descriptor descriptor = {0x4000 + 0x40 * i, 0x80, queue % 2 ? 0 : VIRTQ_WRITE, 0};
        memcpy(queue_memory(rings, queue, 16 * i), &descriptor, sizeof descriptor);
        queue_memory(rings, queue, QUEUE_AVAIL + 4)[2 * i] = (uint8_t)i;
    }
    set_queue(rings, queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rings *rings = rings_open(data, size);
    for (uint32_t queue = 0; queue < QUEUES; queue++)
        rings_fill(rings, queue);
    settle(rings);
    for (uint32_t acts = 0; rings->left && acts < 3000; acts++)
        act(rings);
    settle(rings);
    CARD_CHECK(rings->left_over == 0);
    for (uint32_t queue = 0; queue < QUEUES; queue++)
        stop_queue(rings, queue);
    settle(rings);
    CARD_CHECK(rings->waiting == 0);
    for (uint32_t queue = 0; queue < QUEUES; queue++)
        for (uint32_t target = 0; target < TARGETS; target++)
            CARD_CHECK(!rings->running[queue][target]);
    return 0;
}
