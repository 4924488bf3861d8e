/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/split_ring.h"

#include <errno.h>
#include <stdatomic.h>

#include "hls/include/virtio.h"

void split_ring_init(struct split_ring *ring, uint16_t position)
{
    ring->next_avail = ring->next_used = ring->published = ring->avail_index = position;
}

static int read_16(struct split_ring *ring, uint64_t address, uint16_t *value)
{
    return guest_memory_read(ring->memory, address, value, sizeof *value);
}

/* 2.7.13.3: the entries are read after the index. */
static int read_avail_index(struct split_ring *ring)
{
    int result = read_16(ring, ring->avail + VIRTQ_AVAIL_INDEX, &ring->avail_index);
    if (result)
        return result;
    atomic_thread_fence(memory_order_acquire);
    uint16_t ahead = (uint16_t)(ring->avail_index - ring->next_avail);
    return ahead > ring->entries ? -EPROTO : ahead > 0;
}

/* 2.7.4: descriptors to read come before those to write, none is empty. */
static int add_segment(struct split_chain *chain, const struct virtq_descriptor *descriptor)
{
    bool writable = descriptor->flags & VIRTQ_WRITE;
    if (descriptor->length == 0 || descriptor->address + (descriptor->length - 1) < descriptor->address)
        return -EPROTO;
    if (chain->readable + chain->writable == SPLIT_RING_SEGMENTS || (!writable && chain->writable))
        return -EPROTO;
    chain->segments[chain->readable + chain->writable] =
        (struct split_segment){descriptor->address, descriptor->length};
    if (writable) {
        chain->writable++;
        chain->writable_bytes += descriptor->length;
    } else {
        chain->readable++;
        chain->readable_bytes += descriptor->length;
    }
    return 0;
}

struct table {
    uint64_t address;
    uint32_t entries;
    bool indirect;
};

/* 2.7.5.3: an indirect table is the only one in its chain's last descriptor, and holds no other. */
static int enter_indirect(struct split_ring *ring, struct table *table, const struct virtq_descriptor *descriptor)
{
    uint32_t entries = descriptor->length / sizeof *descriptor;
    if (!ring->indirect || table->indirect || descriptor->flags & VIRTQ_NEXT)
        return -EPROTO;
    if (entries == 0 || descriptor->length % sizeof *descriptor || entries > ring->entries)
        return -EPROTO;
    *table = (struct table){descriptor->address, entries, true};
    return 0;
}

static int walk(struct split_ring *ring, uint16_t head, struct split_chain *chain)
{
    struct table table = {ring->descriptors, ring->entries, false};
    uint16_t index = head;
    chain->head = head;
    chain->readable = chain->writable = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    /* A chain has at most as many descriptors as the queue; one more leads to an indirect table. */
    for (uint32_t steps = 0; steps <= ring->entries; steps++) {
        struct virtq_descriptor descriptor;
        if (index >= table.entries)
            return -EPROTO;
        int result = guest_memory_read(ring->memory, table.address + (uint64_t)index * sizeof descriptor, &descriptor,
                                       sizeof descriptor);
        if (result)
            return result;
        if (descriptor.flags & VIRTQ_INDIRECT) {
            result = enter_indirect(ring, &table, &descriptor);
            if (result)
                return result;
            index = 0;
            continue;
        }
        result = add_segment(chain, &descriptor);
        if (result || !(descriptor.flags & VIRTQ_NEXT))
            return result;
        index = descriptor.next;
    }
    return -EPROTO;
}

int split_ring_take(struct split_ring *ring, struct split_chain *chain)
{
    if (ring->avail_index == ring->next_avail) {
        int more = read_avail_index(ring);
        if (more <= 0)
            return more;
    }
    uint16_t head;
    int result = read_16(ring, ring->avail + VIRTQ_AVAIL_RING + 2u * (ring->next_avail % ring->entries), &head);
    if (!result)
        result = walk(ring, head, chain);
    if (result)
        return result;
    ring->next_avail++;
    return 1;
}

int split_ring_chain(struct split_ring *ring, uint16_t head, struct split_chain *chain)
{
    int result = walk(ring, head, chain);
    return result ? result : 1;
}

void split_ring_untake(struct split_ring *ring)
{
    ring->next_avail--;
}

int split_ring_arm(struct split_ring *ring)
{
    if (ring->event_index) { /* 2.7.10.1 */
        int result = guest_memory_write(ring->memory, ring->used + VIRTQ_USED_AVAIL_EVENT(ring->entries),
                                        &ring->next_avail, sizeof ring->next_avail);
        if (result)
            return result;
        atomic_thread_fence(memory_order_seq_cst);
    }
    return read_avail_index(ring);
}

int split_ring_use(struct split_ring *ring, uint16_t head, uint32_t length)
{
    const struct virtq_used_element element = {head, length};
    int result = guest_memory_write(ring->memory,
                                    ring->used + VIRTQ_USED_RING + sizeof element * (ring->next_used % ring->entries),
                                    &element, sizeof element);
    if (!result)
        ring->next_used++;
    return result;
}

/* 2.7.7: whether the driver wants to hear of what was used since it was last told. It is told if it cannot be asked: it
 * sees the used index already. */
static bool wants_interrupt(struct split_ring *ring, uint16_t before)
{
    uint16_t value;
    if (ring->event_index) {
        int result = read_16(ring, ring->avail + VIRTQ_AVAIL_USED_EVENT(ring->entries), &value);
        return result || (uint16_t)(ring->published - value - 1) < (uint16_t)(ring->published - before);
    }
    int result = read_16(ring, ring->avail + VIRTQ_AVAIL_FLAGS, &value);
    return result || !(value & VIRTQ_AVAIL_NO_INTERRUPT);
}

int split_ring_publish(struct split_ring *ring)
{
    uint16_t before = ring->published;
    if (before == ring->next_used)
        return 0;
    atomic_thread_fence(memory_order_release);
    int result =
        guest_memory_write(ring->memory, ring->used + VIRTQ_USED_INDEX, &ring->next_used, sizeof ring->next_used);
    if (result)
        return result;
    ring->published = ring->next_used;
    atomic_thread_fence(memory_order_seq_cst);
    return wants_interrupt(ring, before);
}

static int copy(struct split_ring *ring, const struct split_segment *segments, unsigned count, size_t offset,
                uint8_t *data, size_t bytes, bool write)
{
    for (unsigned i = 0; i < count && bytes > 0; i++) {
        if (offset >= segments[i].length) {
            offset -= segments[i].length;
            continue;
        }
        size_t step = segments[i].length - offset;
        step = step < bytes ? step : bytes;
        int result = write ? guest_memory_write(ring->memory, segments[i].address + offset, data, step)
                           : guest_memory_read(ring->memory, segments[i].address + offset, data, step);
        if (result)
            return result;
        data += step;
        bytes -= step;
        offset = 0;
    }
    return bytes ? -EPROTO : 0;
}

int split_chain_read(struct split_ring *ring, const struct split_chain *chain, size_t offset, void *data, size_t bytes)
{
    return copy(ring, chain->segments, chain->readable, offset, data, bytes, false);
}

int split_chain_write(struct split_ring *ring, const struct split_chain *chain, size_t offset, const void *data,
                      size_t bytes)
{
    return copy(ring, chain->segments + chain->readable, chain->writable, offset, (uint8_t *)(uintptr_t)data, bytes,
                true);
}
