/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/block_ring.h"

#include <string.h>
#include <time.h>

#define SLOTS   16384u
#define STATUS  16u /* of a slot */
#define TABLE   64u
#define POLL_NS 50000

void block_ring_init(struct block_ring *ring, uint8_t *memory, uint64_t address, uint32_t entries)
{
    *ring = (struct block_ring){.memory = memory, .address = address, .entries = entries, .free_count = entries};
    memset(memory, 0, SLOTS);
    for (unsigned i = 0; i < entries; i++)
        ring->free_heads[i] = (uint16_t)(entries - 1 - i);
}

static uint8_t *slot(const struct block_ring *ring, unsigned head)
{
    return ring->memory + SLOTS + (size_t)head * BLOCK_RING_SLOT_BYTES;
}

uint64_t block_ring_address(const struct block_ring *ring, unsigned head, uint32_t offset)
{
    return ring->address + SLOTS + (uint64_t)head * BLOCK_RING_SLOT_BYTES + offset;
}

int block_ring_claim(struct block_ring *ring)
{
    return ring->free_count ? ring->free_heads[--ring->free_count] : -1;
}

uint8_t *block_ring_data(struct block_ring *ring, unsigned head)
{
    return slot(ring, head) + BLOCK_RING_DATA;
}

uint8_t block_ring_status(const struct block_ring *ring, unsigned head)
{
    return slot(ring, head)[STATUS];
}

void block_ring_submit_table(struct block_ring *ring, unsigned head, const struct virtq_descriptor *table,
                             unsigned count)
{
    uint16_t *avail = (uint16_t *)(ring->memory + BLOCK_RING_AVAIL);
    const struct virtq_descriptor indirect = {block_ring_address(ring, head, TABLE), count * (uint32_t)sizeof *table,
                                              VIRTQ_INDIRECT, 0};
    memcpy(slot(ring, head) + TABLE, table, count * sizeof *table);
    memcpy(ring->memory + head * sizeof indirect, &indirect, sizeof indirect);
    slot(ring, head)[STATUS] = 0xff;
    ring->busy[head] = true;
    avail[2 + ring->avail % ring->entries] = (uint16_t)head;
    __atomic_store_n(&avail[1], ++ring->avail, __ATOMIC_SEQ_CST);
}

void block_ring_submit(struct block_ring *ring, unsigned head, uint32_t type, uint64_t sector, uint32_t bytes,
                       bool writable)
{
    const struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = {type, 0, sector};
    const uint16_t direction = writable ? VIRTQ_WRITE : 0;
    struct virtq_descriptor table[3] = {
        {block_ring_address(ring, head, 0), 16, VIRTQ_NEXT, 1},
        {block_ring_address(ring, head, BLOCK_RING_DATA), bytes, (uint16_t)(VIRTQ_NEXT | direction), 2},
        {block_ring_address(ring, head, STATUS), 1, VIRTQ_WRITE, 0}};
    memcpy(slot(ring, head), &header, sizeof header);
    if (!bytes)
        table[1] = table[2];
    block_ring_submit_table(ring, head, table, bytes ? 3 : 2);
}

int block_ring_take(struct block_ring *ring)
{
    struct virtq_used_element element;
    const uint8_t *used = ring->memory + BLOCK_RING_USED;
    if (__atomic_load_n((const uint16_t *)(used + VIRTQ_USED_INDEX), __ATOMIC_ACQUIRE) == ring->used_seen)
        return -1;
    memcpy(&element, used + VIRTQ_USED_RING + ring->used_seen % ring->entries * sizeof element, sizeof element);
    ring->used_seen++;
    if (ring->event_index)
        __atomic_store_n((uint16_t *)(ring->memory + BLOCK_RING_AVAIL + VIRTQ_AVAIL_USED_EVENT(ring->entries)),
                         ring->used_seen, __ATOMIC_SEQ_CST);
    if (element.id >= ring->entries || !ring->busy[element.id])
        return -2;
    ring->busy[element.id] = false;
    ring->used_length[element.id] = element.length;
    ring->free_heads[ring->free_count++] = (uint16_t)element.id;
    return (int)element.id;
}

int block_ring_wait(struct block_ring *ring, unsigned head, unsigned milliseconds)
{
    for (uint64_t waited = 0; waited <= milliseconds * UINT64_C(1000000); waited += POLL_NS) {
        int taken;
        while ((taken = block_ring_take(ring)) >= 0)
            ;
        if (taken == -2)
            return -2;
        if (!ring->busy[head])
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    return -1;
}

int block_ring_drain(struct block_ring *ring, unsigned milliseconds)
{
    for (unsigned head = 0; head < ring->entries; head++) {
        int result = ring->busy[head] ? block_ring_wait(ring, head, milliseconds) : 0;
        if (result)
            return result;
    }
    return 0;
}
