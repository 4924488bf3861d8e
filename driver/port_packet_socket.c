/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/port_packet_socket.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BUFFER (4 << 20)
#define SENDS_MAX   64u  /* system calls in one flush, of 32 frames each unless the kernel agrees to more */
#define SEND_BUDGET 256u /* frames that one system call may send */

#define OPTION_SEND_BUDGET 9 /* XDP_MAX_TX_SKB_BUDGET, Linux 6.17 */

#define LOOK_AHEAD 64u /* frames */

static int set_option(int fd, int option, uint32_t value)
{
    return setsockopt(fd, SOL_XDP, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int map_ring(struct xdp_ring *ring, int fd, const struct xdp_ring_offset *offset, size_t entry_bytes,
                    uint64_t place)
{
    size_t bytes = offset->desc + PACKET_FRAMES * entry_bytes;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)place);
    if (memory == MAP_FAILED)
        return -errno;
    *ring =
        (struct xdp_ring){memory, bytes, (uint32_t *)(void *)((uint8_t *)memory + offset->producer),
                          (uint32_t *)(void *)((uint8_t *)memory + offset->consumer), (uint8_t *)memory + offset->desc};
    return 0;
}

static void unmap_ring(struct xdp_ring *ring)
{
    if (ring->memory)
        munmap(ring->memory, ring->bytes);
}

static int create_umem(struct xdp_socket *socket, unsigned frames)
{
    size_t bytes = (size_t)frames * PACKET_FRAME_SMALL;
    void *umem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (umem == MAP_FAILED)
        return -errno;
    socket->umem = umem;
    socket->umem_bytes = bytes;
    struct xdp_umem_reg registration = {
        .addr = (uint64_t)(uintptr_t)umem, .len = bytes, .chunk_size = PACKET_FRAME_SMALL};
    return setsockopt(socket->fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) < 0 ? -errno : 0;
}

/* The kernel wants the fill and the completion ring of every socket with memory of its own. */
static int create_rings(struct xdp_socket *socket, unsigned directions)
{
    int fd = socket->fd, result;
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    if ((result = set_option(fd, XDP_UMEM_FILL_RING, PACKET_FRAMES)) < 0 ||
        (result = set_option(fd, XDP_UMEM_COMPLETION_RING, PACKET_FRAMES)) < 0)
        return result;
    if (directions & XDP_SENDS && (result = set_option(fd, XDP_TX_RING, PACKET_FRAMES)) < 0)
        return result;
    if (directions & XDP_RECEIVES && (result = set_option(fd, XDP_RX_RING, PACKET_FRAMES)) < 0)
        return result;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) < 0)
        return -errno;
    if (length != sizeof offsets)
        return -EPROTO;
    struct xdp_sending *sending = &socket->sending;
    struct xdp_receiving *receiving = &socket->receiving;
    const size_t desc = sizeof(struct xdp_desc), address = sizeof(uint64_t);
    if (directions & XDP_SENDS &&
        ((result = map_ring(&sending->ring, fd, &offsets.tx, desc, XDP_PGOFF_TX_RING)) < 0 ||
         (result = map_ring(&sending->completion, fd, &offsets.cr, address, XDP_UMEM_PGOFF_COMPLETION_RING)) < 0))
        return result;
    if (directions & XDP_RECEIVES &&
        ((result = map_ring(&receiving->ring, fd, &offsets.rx, desc, XDP_PGOFF_RX_RING)) < 0 ||
         (result = map_ring(&receiving->fill, fd, &offsets.fr, address, XDP_UMEM_PGOFF_FILL_RING)) < 0))
        return result;
    return 0;
}

/* Each direction has frames of its own: what is received cannot use up what there is to send with. */
static void share_out(struct xdp_socket *socket, unsigned directions)
{
    uint64_t frame = 0;
    if (directions & XDP_SENDS)
        for (; socket->sending.free_count < PACKET_FRAMES; frame += PACKET_FRAME_SMALL)
            socket->sending.free[socket->sending.free_count++] = frame;
    if (directions & XDP_RECEIVES) {
        uint64_t *entries = socket->receiving.fill.entries;
        for (; socket->receiving.filled < PACKET_FRAMES; frame += PACKET_FRAME_SMALL)
            entries[socket->receiving.filled++] = frame;
        __atomic_store_n(socket->receiving.fill.producer, socket->receiving.filled, __ATOMIC_RELEASE);
    }
}

static int open_sending(struct xdp_socket *socket)
{
    int bytes = SEND_BUFFER;
    if (setsockopt(socket->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        return -errno;
    /* A kernel that does not know it sends 32 at a time. */
    set_option(socket->fd, OPTION_SEND_BUDGET, SEND_BUDGET);
    return 0;
}

int xdp_socket_open(struct xdp_socket *socket_, const struct port_link *link, uint32_t queue, unsigned directions)
{
    *socket_ = (struct xdp_socket){.fd = -1};
    if (packet_frame_bytes(link->mtu) != PACKET_FRAME_SMALL)
        return -EMSGSIZE;
    socket_->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (socket_->fd < 0)
        return -errno;
    unsigned frames = directions == (XDP_SENDS | XDP_RECEIVES) ? 2 * PACKET_FRAMES : PACKET_FRAMES;
    int result;
    if ((result = create_umem(socket_, frames)) < 0 || (result = create_rings(socket_, directions)) < 0 ||
        (directions & XDP_SENDS && (result = open_sending(socket_)) < 0))
        return result;
    share_out(socket_, directions);
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = (uint32_t)link->index, .sxdp_queue_id = queue};
    return bind(socket_->fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

void xdp_socket_close(struct xdp_socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    unmap_ring(&socket->sending.ring);
    unmap_ring(&socket->sending.completion);
    unmap_ring(&socket->receiving.ring);
    unmap_ring(&socket->receiving.fill);
    if (socket->umem)
        munmap(socket->umem, socket->umem_bytes);
    *socket = (struct xdp_socket){.fd = -1};
}

void xdp_socket_take_back(struct xdp_sending *sending)
{
    const uint64_t *entries = sending->completion.entries;
    uint32_t produced = __atomic_load_n(sending->completion.producer, __ATOMIC_ACQUIRE);
    uint32_t consumed = *sending->completion.consumer;
    for (; consumed != produced && sending->free_count < PACKET_FRAMES; consumed++)
        sending->free[sending->free_count++] = xdp_socket_frame(entries[consumed % PACKET_FRAMES]);
    __atomic_store_n(sending->completion.consumer, consumed, __ATOMIC_RELEASE);
}

bool xdp_socket_flush(struct xdp_socket *socket)
{
    struct xdp_sending *sending = &socket->sending;
    __atomic_store_n(sending->ring.producer, sending->produced, __ATOMIC_RELEASE);
    uint32_t before = __atomic_load_n(sending->ring.consumer, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < SENDS_MAX && before != sending->produced; i++) {
        if (sendto(socket->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
            break;
        uint32_t now = __atomic_load_n(sending->ring.consumer, __ATOMIC_ACQUIRE);
        if (now == before)
            break;
        before = now;
    }
    return before == sending->produced;
}

void xdp_socket_give_back(struct xdp_receiving *receiving)
{
    __atomic_store_n(receiving->ring.consumer, receiving->next, __ATOMIC_RELEASE);
    __atomic_store_n(receiving->fill.producer, receiving->filled, __ATOMIC_RELEASE);
}

void xdp_socket_look(struct xdp_socket *socket)
{
    struct xdp_receiving *receiving = &socket->receiving;
    const struct xdp_desc *entries = receiving->ring.entries;
    xdp_socket_give_back(receiving);
    uint32_t count = __atomic_load_n(receiving->ring.producer, __ATOMIC_ACQUIRE) - receiving->next;
    receiving->end = receiving->next + (count < LOOK_AHEAD ? count : LOOK_AHEAD);
    for (uint32_t i = receiving->next; i != receiving->end; i++)
        __builtin_prefetch(socket->umem + entries[i % PACKET_FRAMES].addr);
}
