/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending through an AF_XDP socket in copy mode, which every interface has and which needs no XDP program. The kernel
 * gives a frame back through the completion ring, in any order, when its copy has been consumed.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_packet.h"

#define UMEM_BYTES  ((size_t)PACKET_FRAMES * PACKET_FRAME_SMALL)
#define SEND_BUFFER (4 << 20)
#define SENDS_MAX   64u /* system calls in one flush; the kernel takes 32 frames in each */

struct xdp_ring {
    void *memory;
    size_t bytes;
    uint32_t *producer, *consumer;
    void *entries;
};

struct xdp_state {
    uint8_t *umem;
    struct xdp_ring send, completion;
    uint32_t produced;
    uint32_t free_count;
    uint64_t reserved;
    uint64_t free[PACKET_FRAMES]; /* a stack: the frame used last is in the cache */
};

static int set_option(int fd, int option, uint32_t value)
{
    return setsockopt(fd, SOL_XDP, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int map_ring(struct xdp_ring *ring, int fd, const struct xdp_ring_offset *offset, size_t entry_bytes,
                    off_t place)
{
    size_t bytes = offset->desc + PACKET_FRAMES * entry_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, place);
    if (memory == MAP_FAILED)
        return -errno;
    *ring =
        (struct xdp_ring){memory, bytes, (uint32_t *)(void *)((uint8_t *)memory + offset->producer),
                          (uint32_t *)(void *)((uint8_t *)memory + offset->consumer), (uint8_t *)memory + offset->desc};
    return 0;
}

static int create_umem(struct xdp_state *state, int fd)
{
    void *umem = mmap(NULL, UMEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (umem == MAP_FAILED)
        return -errno;
    state->umem = umem;
    struct xdp_umem_reg registration = {
        .addr = (uint64_t)(uintptr_t)umem, .len = UMEM_BYTES, .chunk_size = PACKET_FRAME_SMALL};
    if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) < 0)
        return -errno;
    for (uint32_t i = 0; i < PACKET_FRAMES; i++)
        state->free[i] = (uint64_t)i * PACKET_FRAME_SMALL;
    state->free_count = PACKET_FRAMES;
    return 0;
}

static int create_rings(struct xdp_state *state, int fd)
{
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    int result;
    if ((result = set_option(fd, XDP_UMEM_FILL_RING, PACKET_FRAMES)) < 0 ||
        (result = set_option(fd, XDP_UMEM_COMPLETION_RING, PACKET_FRAMES)) < 0 ||
        (result = set_option(fd, XDP_TX_RING, PACKET_FRAMES)) < 0)
        return result;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) < 0)
        return -errno;
    if (length != sizeof offsets)
        return -EPROTO;
    result = map_ring(&state->send, fd, &offsets.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
    if (result == 0)
        result = map_ring(&state->completion, fd, &offsets.cr, sizeof(uint64_t), (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
    return result;
}

static int xdp_open(struct packet_sender *sender, const struct port_link *link)
{
    struct xdp_state *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    sender->state = state;
    if (packet_frame_bytes(link->mtu) != PACKET_FRAME_SMALL)
        return -EMSGSIZE;
    sender->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (sender->fd < 0)
        return -errno;
    int result;
    if ((result = create_umem(state, sender->fd)) < 0 || (result = create_rings(state, sender->fd)) < 0)
        return result;
    int bytes = SEND_BUFFER;
    if (setsockopt(sender->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        return -errno;
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = (uint32_t)link->index};
    if (bind(sender->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    sender->frame_max = PACKET_FRAME_SMALL;
    return 0;
}

static void xdp_close(struct packet_sender *sender)
{
    struct xdp_state *state = sender->state;
    if (sender->fd >= 0)
        close(sender->fd);
    if (!state)
        return;
    if (state->send.memory)
        munmap(state->send.memory, state->send.bytes);
    if (state->completion.memory)
        munmap(state->completion.memory, state->completion.bytes);
    if (state->umem)
        munmap(state->umem, UMEM_BYTES);
    free(state);
}

static void take_back(struct xdp_state *state)
{
    const uint64_t *entries = state->completion.entries;
    uint32_t produced = __atomic_load_n(state->completion.producer, __ATOMIC_ACQUIRE);
    uint32_t consumed = *state->completion.consumer;
    for (; consumed != produced && state->free_count < PACKET_FRAMES; consumed++)
        state->free[state->free_count++] = entries[consumed % PACKET_FRAMES] & ~(uint64_t)(PACKET_FRAME_SMALL - 1);
    __atomic_store_n(state->completion.consumer, consumed, __ATOMIC_RELEASE);
}

static uint8_t *xdp_reserve(struct packet_sender *sender)
{
    struct xdp_state *state = sender->state;
    if (!state->free_count)
        take_back(state);
    if (!state->free_count)
        return NULL;
    state->reserved = state->free[state->free_count - 1];
    return state->umem + state->reserved;
}

static void xdp_commit(struct packet_sender *sender, uint32_t length)
{
    struct xdp_state *state = sender->state;
    struct xdp_desc *entries = state->send.entries;
    /* As many entries as frames: the ring cannot be full. */
    entries[state->produced++ % PACKET_FRAMES] = (struct xdp_desc){state->reserved, length, 0};
    state->free_count--;
}

static bool xdp_flush(struct packet_sender *sender)
{
    struct xdp_state *state = sender->state;
    __atomic_store_n(state->send.producer, state->produced, __ATOMIC_RELEASE);
    uint32_t before = __atomic_load_n(state->send.consumer, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < SENDS_MAX && before != state->produced; i++) {
        if (sendto(sender->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
            break;
        uint32_t now = __atomic_load_n(state->send.consumer, __ATOMIC_ACQUIRE);
        if (now == before)
            break;
        before = now;
    }
    return before == state->produced;
}

const struct packet_sender_ops packet_send_xdp = {
    .open = xdp_open,
    .close = xdp_close,
    .reserve = xdp_reserve,
    .commit = xdp_commit,
    .flush = xdp_flush,
};
