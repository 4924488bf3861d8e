/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and events from the card, packets to it. Everything from the card is copied first and checked then. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "driver/host_internal.h"

#define PACKETS_PER_DOORBELL 32u

static uint32_t data_entries(uint32_t length)
{
    return (length + RING_ENTRY_BYTES - 1) / RING_ENTRY_BYTES;
}

static void receive_events(struct cipu_host *host, cipu_event_handler handler, void *context)
{
    struct host_ring_memory *ring = &host->ring[RING_EVENT];
    uint32_t waiting = host_ring_waiting(host, RING_EVENT);
    for (uint32_t i = 0; i < waiting; i++) {
        struct event_entry event;
        host_ring_copy_out(ring, ring->position, &event, sizeof event);
        ring->position++;
        if (handler)
            handler(context, &event);
    }
    if (waiting != 0)
        host_ring_doorbell(host, RING_EVENT);
}

/* Takes one packet of `waiting` entries; returns its entries, 0 when they are no whole record. */
static uint32_t receive_packet(struct cipu_host *host, uint32_t waiting, cipu_packet_handler handler, void *context)
{
    struct host_ring_memory *ring = &host->ring[RING_PUNT];
    struct packet_entry entry;
    host_ring_copy_out(ring, ring->position, &entry, sizeof entry);
    uint32_t entries = 1 + data_entries(entry.length);
    if (entry.length < PACKET_BYTES_MIN || entry.length > PACKET_BYTES_MAX || entries > waiting)
        return 0;
    host_ring_copy_out(ring, ring->position + 1, host->packet, entry.length);
    if (handler)
        handler(context, &entry, host->packet);
    return entries;
}

static unsigned receive_packets(struct cipu_host *host, unsigned budget, cipu_packet_handler handler, void *context)
{
    struct host_ring_memory *ring = &host->ring[RING_PUNT];
    uint32_t waiting = host_ring_waiting(host, RING_PUNT);
    unsigned packets = 0;
    while (waiting != 0 && packets < budget) {
        uint32_t entries = receive_packet(host, waiting, handler, context);
        /* Where records begin is lost: go on behind everything that is there. */
        if (entries == 0) {
            ring->position += waiting;
            break;
        }
        ring->position += entries;
        waiting -= entries;
        packets++;
        if (packets % PACKETS_PER_DOORBELL == 0)
            host_ring_doorbell(host, RING_PUNT);
    }
    host_ring_doorbell(host, RING_PUNT);
    return packets;
}

int cipu_host_receive(struct cipu_host *host, unsigned budget, cipu_packet_handler packet, cipu_event_handler event,
                      void *context)
{
    uint64_t count;
    (void)!read(host->work_fd, &count, sizeof count);
    receive_events(host, event, context);
    unsigned packets = 0;
    if (host_ring_waiting(host, RING_PUNT) != 0)
        packets = receive_packets(host, budget, packet, context);
    /* What is left makes the descriptor readable again: no interrupt will come for it. */
    if (host_ring_waiting(host, RING_PUNT) != 0) {
        count = 1;
        (void)!write(host->work_fd, &count, sizeof count);
    }
    return (int)packets;
}

int cipu_host_inject(struct cipu_host *host, const struct packet_entry *entry, const uint8_t *data)
{
    static const uint8_t zeros[RING_ENTRY_BYTES];
    struct host_ring_memory *ring = &host->ring[RING_INJECT];
    if (entry->length < PACKET_BYTES_MIN || entry->length > PACKET_BYTES_MAX)
        return -EINVAL;
    uint32_t entries = 1 + data_entries(entry->length);
    if (host_ring_room(host, RING_INJECT) < entries)
        return -EAGAIN;
    uint32_t whole = entry->length / RING_ENTRY_BYTES;
    uint32_t rest = entry->length % RING_ENTRY_BYTES;
    host_ring_copy_in(ring, ring->position, entry, sizeof *entry);
    host_ring_copy_in(ring, ring->position + 1, data, (size_t)whole * RING_ENTRY_BYTES);
    if (rest != 0) {
        uint8_t last[RING_ENTRY_BYTES];
        memcpy(last, data + (size_t)whole * RING_ENTRY_BYTES, rest);
        memcpy(last + rest, zeros, RING_ENTRY_BYTES - rest);
        host_ring_copy_in(ring, ring->position + 1 + whole, last, sizeof last);
    }
    ring->position += entries;
    return host_ring_doorbell(host, RING_INJECT);
}

int cipu_host_fd(const struct cipu_host *host)
{
    return host->work_fd;
}

uint32_t cipu_host_dropped(const struct cipu_host *host, enum host_ring ring)
{
    return __atomic_load_n(&host->ring[ring].line->dropped, __ATOMIC_RELAXED);
}
