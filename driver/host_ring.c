/* SPDX-License-Identifier: Apache-2.0 */
/* The host rings in memory: where they lie, how they are started, how entries get in and out. */
#include "driver/host_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hls/include/registers.h"

#define HOST_PAGE_BYTES 4096u

/* Each opening has a place of its own in the host's window, so that what the card has still under way for the rings of
 * an earlier one is refused and does not land in these. */
#define HOST_BUS_BASE    ((uint64_t)FUNCTION_HOST << CIPU_WINDOW_SHIFT)
#define HOST_PLACE_SHIFT 24u
#define HOST_PLACES      4096u

/* A page of index lines, then each ring from a page boundary on. */
static const uint32_t ring_entries_log2[RING_COUNT] = {
    [RING_COMMAND] = HOST_COMMAND_SLOTS_LOG2,
    /* Twice: the card gives entries back one by one, and answers meanwhile what was sent in the slots that were free.
     */
    [RING_COMPLETION] = HOST_COMMAND_SLOTS_LOG2 + 1,
    [RING_PUNT] = 14, /* 655 packets of 1500 bytes, 72 of one source */
    [RING_INJECT] = 12,
    [RING_EVENT] = 10, /* 113 of one function */
    [RING_BACKEND] = HOST_BACKEND_ENTRIES_LOG2,
    [RING_BLOCK] = 14,
};

static_assert(RING_COUNT * sizeof(struct ring_index) <= HOST_PAGE_BYTES, "index lines fit one page");

uint32_t host_ring_index(const struct cipu_host *host, enum host_ring ring)
{
    return __atomic_load_n(&host->ring[ring].line->index, __ATOMIC_ACQUIRE);
}

uint32_t host_ring_waiting(const struct cipu_host *host, enum host_ring ring)
{
    uint32_t waiting = host_ring_index(host, ring) - host->ring[ring].position;
    return waiting <= host->ring[ring].size ? waiting : 0;
}

uint32_t host_ring_room(const struct cipu_host *host, enum host_ring ring)
{
    uint32_t used = host->ring[ring].position - host_ring_index(host, ring);
    return used <= host->ring[ring].size ? host->ring[ring].size - used : 0;
}

/* Bytes from an entry to the ring's end, at most `bytes`. */
static size_t straight_bytes(const struct host_ring_memory *ring, uint32_t position, size_t bytes)
{
    size_t to_end = (size_t)(ring->size - (position & (ring->size - 1))) * RING_ENTRY_BYTES;
    return bytes < to_end ? bytes : to_end;
}

static uint8_t *entry_at(const struct host_ring_memory *ring, uint32_t position)
{
    return ring->entries + (size_t)(position & (ring->size - 1)) * RING_ENTRY_BYTES;
}

void host_ring_copy_out(const struct host_ring_memory *ring, uint32_t position, void *to, size_t bytes)
{
    size_t straight = straight_bytes(ring, position, bytes);
    memcpy(to, entry_at(ring, position), straight);
    memcpy((uint8_t *)to + straight, ring->entries, bytes - straight);
}

void host_ring_copy_in(struct host_ring_memory *ring, uint32_t position, const void *from, size_t bytes)
{
    size_t straight = straight_bytes(ring, position, bytes);
    memcpy(entry_at(ring, position), from, straight);
    memcpy(ring->entries, (const uint8_t *)from + straight, bytes - straight);
}

int host_ring_doorbell(const struct cipu_host *host, enum host_ring ring)
{
    return cipu_card_doorbell(host->card, DOORBELL_HOST + ring, host->ring[ring].position);
}

static uint64_t next_place(void)
{
    static atomic_uint openings;
    return HOST_BUS_BASE + ((uint64_t)(atomic_fetch_add(&openings, 1) % HOST_PLACES) << HOST_PLACE_SHIFT);
}

int host_memory_open(struct cipu_host *host, struct cipu_error *error)
{
    size_t bytes = HOST_PAGE_BYTES;
    for (unsigned i = 0; i < RING_COUNT; i++)
        bytes += (size_t)RING_ENTRY_BYTES << ring_entries_log2[i];
    if (bytes > (size_t)1 << HOST_PLACE_SHIFT)
        return cipu_fail(error, -EFBIG, "ring memory: %zu bytes, expected at most %u", bytes, 1u << HOST_PLACE_SHIFT);
    host->memory_fd = memfd_create("cipu-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (host->memory_fd < 0)
        return cipu_fail(error, -errno, "ring memory: memfd_create: %s", strerror(errno));
    if (ftruncate(host->memory_fd, (off_t)bytes) != 0 ||
        fcntl(host->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return cipu_fail(error, -errno, "ring memory: %zu bytes: %s", bytes, strerror(errno));
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, host->memory_fd, 0);
    if (memory == MAP_FAILED)
        return cipu_fail(error, -errno, "ring memory: mmap of %zu bytes: %s", bytes, strerror(errno));
    host->memory = memory;
    host->memory_bytes = bytes;
    host->bus_base = next_place();
    uint8_t *entries = host->memory + HOST_PAGE_BYTES;
    for (unsigned i = 0; i < RING_COUNT; i++) {
        host->ring[i].line = (struct ring_index *)host->memory + i;
        host->ring[i].entries = entries;
        host->ring[i].size = 1u << ring_entries_log2[i];
        entries += (size_t)RING_ENTRY_BYTES << ring_entries_log2[i];
    }
    int result =
        cipu_card_dma_map(host->card, host->memory_fd, 0, host->bus_base, bytes, CIPU_DMA_READ | CIPU_DMA_WRITE, error);
    host->mapped = result == 0;
    return result;
}

void host_memory_close(struct cipu_host *host)
{
    if (host->mapped)
        cipu_card_dma_unmap(host->card, host->bus_base, host->memory_bytes);
    if (host->memory)
        munmap(host->memory, host->memory_bytes);
    if (host->memory_fd >= 0)
        close(host->memory_fd);
}

int host_rings_find(struct cipu_host *host, struct cipu_error *error)
{
    uint32_t offset = CARD_BLOCK_OFFSET;
    for (;;) {
        uint32_t type = cipu_card_read(host->card, offset + offsetof(struct register_block, type));
        uint32_t length = cipu_card_read(host->card, offset + offsetof(struct register_block, length));
        uint32_t next = cipu_card_read(host->card, offset + offsetof(struct register_block, next));
        if (type == BLOCK_RINGS && length >= sizeof(struct rings_block)) {
            host->registers = offset;
            return 0;
        }
        /* Offsets that only grow end the walk whatever the card says. */
        if (next <= offset || next % 4 != 0 || next > REGISTER_FILE_BYTES - sizeof(struct register_block))
            return cipu_fail(error, -ENODEV, "the card has no host rings: no block of type %d in its register file",
                             BLOCK_RINGS);
        offset = next;
    }
}

static void write_ring_register(struct cipu_host *host, unsigned ring, size_t member, uint32_t value)
{
    size_t offset =
        host->registers + offsetof(struct rings_block, ring) + ring * sizeof(struct ring_registers) + member;
    cipu_card_write(host->card, (uint32_t)offset, value);
}

static uint64_t bus_address(const struct cipu_host *host, const void *pointer)
{
    return host->bus_base + (uint64_t)((const uint8_t *)pointer - host->memory);
}

static void start_ring(struct cipu_host *host, unsigned ring)
{
    uint64_t entries = bus_address(host, host->ring[ring].entries);
    uint64_t index = bus_address(host, host->ring[ring].line);
    write_ring_register(host, ring, offsetof(struct ring_registers, entries_low), (uint32_t)entries);
    write_ring_register(host, ring, offsetof(struct ring_registers, entries_high), (uint32_t)(entries >> 32));
    write_ring_register(host, ring, offsetof(struct ring_registers, index_low), (uint32_t)index);
    write_ring_register(host, ring, offsetof(struct ring_registers, index_high), (uint32_t)(index >> 32));
    write_ring_register(host, ring, offsetof(struct ring_registers, entries_log2), ring_entries_log2[ring]);
    write_ring_register(host, ring, offsetof(struct ring_registers, enable), 1);
}

/* The command ring last: when it answers, the settings of the others have arrived too. */
void host_rings_start(struct cipu_host *host)
{
    for (unsigned ring = RING_COUNT; ring-- > 0;)
        start_ring(host, ring);
}

void host_rings_stop(struct cipu_host *host)
{
    for (unsigned ring = 0; ring < RING_COUNT; ring++)
        write_ring_register(host, ring, offsetof(struct ring_registers, enable), 0);
}
