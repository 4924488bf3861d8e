/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of one transmit queue, written from VIRTIO 1.2 alone: makes packets in descriptor chains of every shape,
 * tells the device when the specification says so, and holds what comes out against what it put in.
 */
#ifndef CIPU_TEST_TRANSMIT_DRIVER_H
#define CIPU_TEST_TRANSMIT_DRIVER_H

#include "tests/hls/transmit_card.h"

#define DRIVER_SLOTS         48u
#define DRIVER_SEGMENTS      256u
#define DRIVER_ENTRIES_MAX   1024u
#define DRIVER_DESCRIPTORS   0x0u
#define DRIVER_AVAIL         0x4000u
#define DRIVER_USED          0x5000u
#define DRIVER_TABLE(slot)   (0x10000u + (slot) * 0x1000u)
#define DRIVER_BUFFERS(slot) (0x40000u + (slot) * 0x6000u)
#define DRIVER_BUFFER_BYTES  0x6000u

struct driver_segment {
    uint32_t address;
    uint32_t length;
};

struct driver_packet {
    uint8_t frame[PACKET_BYTES_MAX + 16];
    struct virtio_net_header header;
    struct driver_segment segment[DRIVER_SEGMENTS];
    uint16_t descriptors[DRIVER_SEGMENTS];
    uint32_t bytes; /* of the frame */
    uint32_t segments;
    uint32_t direct;  /* descriptors in the queue's table, with the one that leads to an indirect table */
    uint32_t table;   /* bytes of the indirect table */
    uint32_t asked;   /* segments that the card has read */
    uint16_t verdict; /* enum queue_fault; FAULT_NONE: it is sent */
    bool sent;
};

struct driver {
    uint8_t *memory; /* of the function */
    uint64_t *random;
    struct driver_packet packets[DRIVER_SLOTS]; /* a ring in the order of the avail ring */
    uint16_t verdicts[4 * DRIVER_SLOTS];        /* of packets that are dropped, a ring */
    uint32_t lengths[4 * DRIVER_SLOTS];
    uint16_t free[DRIVER_ENTRIES_MAX];
    uint32_t free_count;
    uint32_t entries;
    uint16_t function, queue, flags, mtu;
    uint16_t avail;                                            /* next position of the ring */
    uint16_t published;                                        /* the index in memory */
    uint16_t kicked;                                           /* the index when a kick was considered last */
    uint16_t position;                                         /* buffers used, as an index */
    uint32_t made, asking, sent, used, drops_made, drops_seen; /* counts of packets */
    uint32_t kicks;
    uint32_t plain;  /* bytes of each frame, without corners; 0: everything */
    uint32_t pieces; /* descriptors of each plain frame */
    uint64_t transfers[CHANNELS];
    bool sequential; /* descriptors are taken in order */
    bool rung;       /* a doorbell is on its way to the card */
    bool running;    /* between QUEUE_SET and the completion of QUEUE_STOP */
    bool wild;       /* hostile: what comes out is not compared */
    bool failing;    /* its transfers fail now and then */
    bool broken;     /* a packet of it left spoilt: nothing may follow */
    uint32_t end;    /* the first packet that could not be read */
    uint32_t drops_end;
    uint32_t stops; /* EVENT_QUEUE_STOPPED */
    uint16_t fault;
    uint64_t fault_value;
};

static inline void driver_put(struct driver *driver, uint32_t address, uint16_t value)
{
    memcpy(driver->memory + address, &value, 2);
}

static inline uint16_t driver_get(struct driver *driver, uint32_t address)
{
    uint16_t value;
    memcpy(&value, driver->memory + address, 2);
    return value;
}

/* Rings and tables as a driver has them after its reset. */
static inline void driver_reset(struct driver *driver, uint32_t entries, uint16_t position)
{
    memset(driver->memory + DRIVER_AVAIL, 0, DRIVER_TABLE(0) - DRIVER_AVAIL);
    random_fill(driver->random, driver->memory + DRIVER_DESCRIPTORS, 16 * entries);
    driver->entries = entries;
    driver->free_count = entries;
    for (uint32_t i = 0; i < entries; i++)
        driver->free[i] = (uint16_t)i;
    driver->avail = driver->published = driver->kicked = driver->position = position;
    driver->made = driver->asking = driver->sent = driver->used = driver->drops_made = driver->drops_seen = 0;
    driver->stops = 0;
    driver->broken = false;
    driver->end = driver->drops_end = UINT32_MAX;
    driver->fault = FAULT_NONE;
    driver_put(driver, DRIVER_AVAIL + 2, position);
}

/* The host's generation of the queue's setting. */
static inline uint16_t driver_generation(const struct driver *driver)
{
    return (uint16_t)(driver->queue * 257u + 1u);
}

static inline void driver_setting(const struct driver *driver, struct command_entry *entry)
{
    struct queue_setting setting;
    memset(&setting, 0, sizeof setting);
    setting.descriptors = DRIVER_DESCRIPTORS;
    setting.avail = DRIVER_AVAIL;
    setting.used = DRIVER_USED;
    setting.entries = driver->entries;
    setting.flags = driver->flags;
    setting.position = driver->position;
    setting.vector = 0xffff;
    setting.function = driver->function;
    setting.mtu = driver->mtu;
    setting.generation = driver_generation(driver);
    entry->opcode = COMMAND_QUEUE_SET;
    entry->index = driver->queue;
    memcpy(entry->data, &setting, sizeof setting);
}

/* What section 5.1.6.2.1 and the card's limits say of a packet. */
static inline uint16_t driver_verdict(const struct driver *driver, const struct driver_packet *packet)
{
    uint32_t longest = driver->mtu && driver->mtu + 18u < PACKET_BYTES_MAX ? driver->mtu + 18u : PACKET_BYTES_MAX;
    if (packet->bytes < 14 || packet->bytes > longest)
        return FAULT_DESCRIPTOR_LENGTH;
    if (packet->header.gso_type)
        return FAULT_HEADER;
    if (!(packet->header.flags & 1))
        return FAULT_NONE;
    uint32_t start = packet->header.checksum_start, field = start + packet->header.checksum_offset;
    bool good = (driver->flags & QUEUE_CHECKSUM) && start >= 14 && field + 2 <= packet->bytes;
    return good ? FAULT_NONE : FAULT_HEADER;
}

static inline uint32_t driver_pick(uint64_t *random, const uint32_t *choices, uint32_t count)
{
    return choices[random_below(random, count)];
}

static inline void driver_content(struct driver *driver, struct driver_packet *packet)
{
    uint64_t *random = driver->random;
    const uint32_t corners[] = {0,
                                1,
                                13,
                                14,
                                51,
                                52,
                                53,
                                64,
                                116,
                                117,
                                1514,
                                PACKET_BYTES_MAX - 1,
                                PACKET_BYTES_MAX,
                                driver->mtu + 18u,
                                driver->mtu + 19u};
    uint32_t kind = random_below(random, 16);
    memset(&packet->header, 0, sizeof packet->header);
    packet->bytes = kind < 8    ? 14 + random_below(random, 80)
                    : kind < 13 ? 14 + random_below(random, 1505)
                    : kind < 14 ? 14 + random_below(random, PACKET_BYTES_MAX - 13)
                                : driver_pick(random, corners, sizeof corners / sizeof corners[0]);
    if (driver->plain)
        packet->bytes = driver->plain;
    if (packet->bytes > PACKET_BYTES_MAX)
        packet->bytes = PACKET_BYTES_MAX;
    random_fill(random, packet->frame, packet->bytes);
    if (!driver->plain) {
        uint32_t frame = packet->bytes;
        const uint32_t starts[] = {0, 13, 14, 34, 34, 34, frame - 2, frame - 1, frame, 0xffff};
        packet->header.flags = (uint8_t)(random_below(random, 3) ? 0 : 1 | (random_next(random) & 0xfe));
        packet->header.gso_type = (uint8_t)(random_below(random, 30) ? 0 : 1 + random_below(random, 255));
        packet->header.gso_size = (uint16_t)random_next(random);
        packet->header.buffers = (uint16_t)random_next(random);
        packet->header.checksum_start = (uint16_t)driver_pick(random, starts, 10);
        uint32_t rest = frame - packet->header.checksum_start;
        const uint32_t offsets[] = {0, 6, 16, 16, rest - 2, rest - 1, rest, 0xffff};
        packet->header.checksum_offset = (uint16_t)driver_pick(random, offsets, 8);
    }
    packet->verdict = driver_verdict(driver, packet);
}

/* Cuts header and frame into segments and lays them into the slot with gaps between them. */
static inline void driver_cut(struct driver *driver, struct driver_packet *packet, uint32_t slot, uint32_t limit)
{
    uint64_t *random = driver->random;
    uint32_t left = packet->bytes + 12, kind = driver->plain ? 6 : random_below(random, 6);
    uint32_t spread = kind == 1 ? 2 : 1 + random_below(random, 1 + limit);
    packet->segments = 0;
    do {
        uint32_t length = left;
        bool final = packet->segments + 1 == limit;
        if (kind == 1 && packet->segments == 0)
            length = 12; /* the header alone */
        else if (kind == 2 || (kind == 6 && packet->segments + 1 < driver->pieces))
            length = 1;
        else if (kind >= 3 && kind <= 5 && packet->segments + 1 < spread)
            length = 1 + random_below(random, left);
        else if (kind == 4)
            length = 1 + random_below(random, 64);
        if (final || length > left)
            length = left;
        packet->segment[packet->segments++].length = length;
        left -= length;
    } while (left);
    uint32_t address = DRIVER_BUFFERS(slot);
    uint32_t spare = (DRIVER_BUFFER_BYTES - packet->bytes - 12) / packet->segments;
    for (uint32_t i = 0; i < packet->segments; i++) {
        address += random_below(random, spare < 64 ? spare : 64);
        packet->segment[i].address = address;
        address += packet->segment[i].length;
    }
}

static inline void driver_fill(struct driver *driver, const struct driver_packet *packet)
{
    uint8_t whole[PACKET_BYTES_MAX + 28];
    memcpy(whole, &packet->header, 12);
    memcpy(whole + 12, packet->frame, packet->bytes);
    uint32_t done = 0;
    for (uint32_t i = 0; i < packet->segments; i++) {
        memcpy(driver->memory + packet->segment[i].address, whole + done, packet->segment[i].length);
        done += packet->segment[i].length;
    }
}

static inline uint16_t driver_take(struct driver *driver)
{
    uint32_t at = driver->sequential ? 0 : random_below(driver->random, driver->free_count);
    uint16_t taken = driver->free[at];
    driver->free_count--;
    if (driver->sequential)
        memmove(driver->free, driver->free + 1, driver->free_count * sizeof driver->free[0]);
    else
        driver->free[at] = driver->free[driver->free_count];
    return taken;
}

static inline void driver_descriptor(struct driver *driver, uint32_t table, uint32_t index, uint64_t address,
                                     uint32_t length, uint32_t flags, uint32_t next)
{
    struct virtq_descriptor descriptor = {address, length, (uint16_t)flags, (uint16_t)next};
    memcpy(driver->memory + table + 16 * index, &descriptor, sizeof descriptor);
}

/* The segments from `first` on in a table of their own, in any order and among garbage. */
static inline void driver_indirect(struct driver *driver, struct driver_packet *packet, uint32_t slot, uint32_t first)
{
    uint32_t count = packet->segments - first;
    uint32_t most = driver->entries < DRIVER_SEGMENTS ? driver->entries : DRIVER_SEGMENTS;
    uint32_t size = count + random_below(driver->random, most - count + 1), order[DRIVER_SEGMENTS];
    packet->table = 16 * size;
    random_fill(driver->random, driver->memory + DRIVER_TABLE(slot), packet->table);
    for (uint32_t i = 0; i < size; i++)
        order[i] = i;
    for (uint32_t i = 1; i < size && !driver->sequential; i++) {
        uint32_t j = i + random_below(driver->random, size - i), swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct driver_segment *segment = &packet->segment[first + i];
        bool more = i + 1 < count;
        driver_descriptor(driver, DRIVER_TABLE(slot), order[i], segment->address, segment->length,
                          more ? VIRTQ_NEXT : 0, more ? order[i + 1] : (uint32_t)random_next(driver->random));
    }
}

/* Puts a packet into the ring, not yet published. False: no room. */
static inline bool driver_make(struct driver *driver)
{
    uint64_t *random = driver->random;
    uint32_t slot = driver->made % DRIVER_SLOTS;
    if (driver->made - driver->used == DRIVER_SLOTS || driver->free_count == 0 ||
        driver->drops_made - driver->drops_seen > 3 * DRIVER_SLOTS)
        return false;
    struct driver_packet *packet = &driver->packets[slot];
    bool indirect = (driver->flags & QUEUE_INDIRECT) && !driver->plain && random_below(random, 2);
    uint32_t limit = driver->entries < DRIVER_SEGMENTS ? driver->entries : DRIVER_SEGMENTS;
    if (!indirect && limit > driver->free_count)
        limit = driver->free_count;
    driver_content(driver, packet);
    driver_cut(driver, packet, slot, limit);
    driver_fill(driver, packet);
    /* 2.7.5.3.2: direct descriptors may precede the one that leads to the table. */
    uint32_t first = packet->segments;
    if (indirect) {
        first = random_below(random, 3) ? 0 : random_below(random, packet->segments);
        if (first + 1 > driver->free_count)
            first = 0;
        driver_indirect(driver, packet, slot, first);
    }
    packet->direct = first + indirect;
    packet->asked = 0;
    packet->sent = false;
    for (uint32_t i = 0; i < packet->direct; i++)
        packet->descriptors[i] = driver_take(driver);
    for (uint32_t i = 0; i < packet->direct; i++) {
        bool more = i + 1 < packet->direct;
        uint32_t next = more ? packet->descriptors[i + 1] : (uint32_t)random_next(random);
        if (i == first)
            driver_descriptor(driver, DRIVER_DESCRIPTORS, packet->descriptors[i], DRIVER_TABLE(slot), packet->table,
                              VIRTQ_INDIRECT, next);
        else
            driver_descriptor(driver, DRIVER_DESCRIPTORS, packet->descriptors[i], packet->segment[i].address,
                              packet->segment[i].length, more ? VIRTQ_NEXT : 0, next);
    }
    driver_put(driver, DRIVER_AVAIL + 4 + 2 * (driver->avail & (driver->entries - 1)), packet->descriptors[0]);
    if (packet->verdict != FAULT_NONE) {
        uint32_t drop = driver->drops_made++ % (4 * DRIVER_SLOTS);
        driver->verdicts[drop] = packet->verdict;
        driver->lengths[drop] = packet->bytes + 12;
    }
    driver->avail++;
    driver->made++;
    return true;
}

static inline void driver_publish(struct driver *driver)
{
    driver->published = driver->avail;
    driver_put(driver, DRIVER_AVAIL + 2, driver->avail);
}

/* 2.7.13.4.1 */
static inline void driver_kick(struct driver *driver)
{
    bool needed = true;
    if (driver->flags & QUEUE_EVENT_INDEX) {
        uint16_t event = driver_get(driver, DRIVER_USED + VIRTQ_USED_AVAIL_EVENT(driver->entries));
        needed = (uint16_t)(driver->published - event - 1) < (uint16_t)(driver->published - driver->kicked);
    }
    if (driver->published == driver->kicked)
        return;
    driver->kicked = driver->published;
    if (needed) {
        driver->rung = true;
        driver->kicks++;
    }
}

/* The oldest packet is used: its memory becomes something else at once. */
static inline void driver_release(struct driver *driver)
{
    uint32_t slot = driver->used % DRIVER_SLOTS;
    struct driver_packet *packet = &driver->packets[slot];
    for (uint32_t i = 0; i < packet->direct; i++) {
        random_fill(driver->random, driver->memory + DRIVER_DESCRIPTORS + 16 * packet->descriptors[i], 16);
        driver->free[driver->free_count++] = packet->descriptors[i];
    }
    memset(driver->memory + DRIVER_BUFFERS(slot), (int)random_next(driver->random), DRIVER_BUFFER_BYTES);
    memset(driver->memory + DRIVER_TABLE(slot), (int)random_next(driver->random), 0x1000);
    if (driver->sent == driver->used)
        driver->sent++;
    driver->used++;
    driver->position++;
}

static inline bool driver_owns(const struct driver *driver, uint64_t address, uint64_t length)
{
    if (address == DRIVER_AVAIL + 2)
        return length == 2;
    if (address >= DRIVER_AVAIL + 4 && address < DRIVER_USED)
        return address + length <= DRIVER_AVAIL + 4 + 2 * driver->entries;
    if (address < DRIVER_AVAIL)
        return address % 64 == 0 && address + length <= 16 * driver->entries;
    for (uint32_t i = driver->used; i != driver->made; i++) {
        uint32_t table = DRIVER_TABLE(i % DRIVER_SLOTS);
        if (address >= table && address + length <= table + driver->packets[i % DRIVER_SLOTS].table)
            return true;
    }
    return false;
}

/* A well-behaved queue's transfers: only what it named, data in the order of its chains. */
static inline void driver_watch(struct driver *driver, enum card_channel channel, const struct dma_request *request)
{
    uint64_t address = request->address - (uint64_t)driver->function * MEMORY_BYTES;
    CARD_CHECK((request->tag & (CARD_QUEUES - 1u)) == driver->queue && driver->running);
    CARD_CHECK(!(request->flags & DMA_REFUSED));
    if (channel == CHANNEL_READ) {
        CARD_CHECK(driver_owns(driver, address, request->length));
    } else if (channel == CHANNEL_WRITE) {
        CARD_CHECK(driver->flags & QUEUE_EVENT_INDEX);
        CARD_CHECK(address == DRIVER_USED + VIRTQ_USED_AVAIL_EVENT(driver->entries) && request->length == 2);
    } else {
        struct driver_packet *packet = &driver->packets[driver->asking % DRIVER_SLOTS];
        CARD_CHECK(driver->asking - driver->used < driver->made - driver->used);
        CARD_CHECK(address == packet->segment[packet->asked].address);
        CARD_CHECK(request->length == packet->segment[packet->asked].length);
        bool last = ++packet->asked == packet->segments;
        CARD_CHECK(last == (request->flags & DMA_LAST));
        driver->asking += last;
    }
}

/* A transfer fails, just after driver_watch saw it. */
static inline void driver_failed(struct driver *driver, enum card_channel channel, const struct dma_request *request)
{
    uint32_t packet = request->flags & DMA_LAST ? driver->asking - 1 : driver->asking;
    if (channel == CHANNEL_DATA && packet < driver->end)
        driver->end = packet;
}

static inline void driver_skip_dropped(struct driver *driver)
{
    while (driver->sent != driver->made && driver->packets[driver->sent % DRIVER_SLOTS].verdict != FAULT_NONE)
        driver->sent++;
}

/* The packet that could not be read left spoilt. Its predecessors may still be reported. */
static inline void driver_spoilt(struct driver *driver)
{
    CARD_CHECK(!driver->broken && driver->end < driver->made);
    for (uint32_t i = driver->sent; i < driver->end; i++)
        CARD_CHECK(driver->packets[i % DRIVER_SLOTS].verdict != FAULT_NONE);
    driver->broken = true;
    driver->drops_end = driver->drops_made;
    for (uint32_t i = driver->end; i != driver->made; i++)
        driver->drops_end -= driver->packets[i % DRIVER_SLOTS].verdict != FAULT_NONE;
}

/* A whole packet has left the card. */
static inline void driver_sent(struct driver *driver, const uint8_t *frame, const struct beat_meta *meta,
                               uint32_t bytes)
{
    driver_skip_dropped(driver);
    CARD_CHECK(driver->sent < driver->made && driver->sent < driver->end);
    struct driver_packet *packet = &driver->packets[driver->sent++ % DRIVER_SLOTS];
    bool checksum = packet->header.flags & 1;
    CARD_CHECK(bytes == packet->bytes && meta->length == bytes);
    CARD_CHECK(memcmp(frame, packet->frame, bytes) == 0);
    CARD_CHECK(meta->source == ENDPOINT_FUNCTION && meta->source_id == driver->function);
    CARD_CHECK(meta->flags == (checksum ? BEAT_CHECKSUM_NEEDED : 0));
    CARD_CHECK(meta->checksum_start == (checksum ? packet->header.checksum_start : 0));
    CARD_CHECK(meta->checksum_offset == (checksum ? packet->header.checksum_offset : 0));
    CARD_CHECK(meta->destination == 0 && meta->destination_id == 0);
    packet->sent = true;
}

static inline void driver_used(struct driver *driver, const struct queue_used *used)
{
    CARD_CHECK(driver->used != driver->made && driver->used < driver->end);
    struct driver_packet *packet = &driver->packets[driver->used % DRIVER_SLOTS];
    CARD_CHECK(used->head == packet->descriptors[0] && used->length == 0);
    CARD_CHECK(packet->sent == (packet->verdict == FAULT_NONE));
    CARD_CHECK(packet->asked == packet->segments);
    driver_release(driver);
}

static inline void driver_dropped(struct driver *driver, const struct event_entry *event)
{
    CARD_CHECK(driver->drops_seen != driver->drops_made && driver->drops_seen < driver->drops_end);
    uint32_t drop = driver->drops_seen++ % (4 * DRIVER_SLOTS);
    CARD_CHECK(event->detail == driver->verdicts[drop] && event->address == driver->lengths[drop]);
    CARD_CHECK(event->function == driver->function);
}

#endif
