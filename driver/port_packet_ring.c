/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of AF_PACKET sockets, and sending through one. */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_packet.h"
#include "hls/include/hls.h"

#define BLOCK_BYTES 65536u
#define SEND_OFFSET ((uint32_t)(TPACKET2_HDRLEN - sizeof(struct sockaddr_ll)))

int packet_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) < 0 ? -errno : 0;
}

int packet_promiscuous(int fd, const struct port_link *link)
{
    struct packet_mreq promiscuous = {.mr_ifindex = link->index, .mr_type = PACKET_MR_PROMISC};
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0 ? -errno : 0;
}

int packet_ring_open(struct packet_ring *ring, int option, const struct port_link *link, uint16_t protocol)
{
    ring->frame_bytes = packet_frame_bytes(link->mtu);
    ring->next = 0;
    struct tpacket_req request = {.tp_block_size = BLOCK_BYTES,
                                  .tp_block_nr = PACKET_FRAMES / (BLOCK_BYTES / ring->frame_bytes),
                                  .tp_frame_size = ring->frame_bytes,
                                  .tp_frame_nr = PACKET_FRAMES};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = hls_be16((const uint8_t *)&protocol), .sll_ifindex = link->index};
    if (setsockopt(ring->fd, SOL_PACKET, option, &request, sizeof request) < 0)
        return -errno;
    void *memory =
        mmap(NULL, (size_t)PACKET_FRAMES * ring->frame_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    ring->memory = memory;
    return bind(ring->fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

void packet_ring_close(struct packet_ring *ring)
{
    if (ring->memory)
        munmap(ring->memory, (size_t)PACKET_FRAMES * ring->frame_bytes);
    if (ring->fd >= 0)
        close(ring->fd);
    *ring = (struct packet_ring){.fd = -1};
}

static int ring_open(struct packet_sender *sender, const struct port_link *link)
{
    struct packet_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    sender->state = ring;
    sender->fd = ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ring->fd < 0)
        return -errno;
    int result;
    /* PACKET_LOSS: a frame that the interface refuses is lost, as on any wire, and does not stop the ring. */
    if ((result = packet_option(ring->fd, PACKET_VERSION, TPACKET_V2)) < 0 ||
        (result = packet_option(ring->fd, PACKET_LOSS, 1)) < 0 ||
        (result = packet_option(ring->fd, PACKET_QDISC_BYPASS, 1)) < 0 ||
        (result = packet_ring_open(ring, PACKET_TX_RING, link, 0)) < 0)
        return result;
    uint32_t room = ring->frame_bytes - SEND_OFFSET;
    sender->frame_max = room < PACKET_BYTES_MAX ? room : PACKET_BYTES_MAX;
    return 0;
}

static void ring_close(struct packet_sender *sender)
{
    if (sender->state)
        packet_ring_close(sender->state);
    free(sender->state);
}

static uint8_t *ring_reserve(struct packet_sender *sender)
{
    struct tpacket2_hdr *header = packet_ring_frame(sender->state);
    if (__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
        return NULL;
    return (uint8_t *)header + SEND_OFFSET;
}

static void ring_commit(struct packet_sender *sender, uint32_t length)
{
    struct packet_ring *ring = sender->state;
    struct tpacket2_hdr *header = packet_ring_frame(ring);
    header->tp_len = length;
    __atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
    ring->next++;
}

static bool ring_flush(struct packet_sender *sender)
{
    return send(sender->fd, NULL, 0, MSG_DONTWAIT) >= 0;
}

const struct packet_sender_ops packet_send_ring = {
    .open = ring_open,
    .close = ring_close,
    .reserve = ring_reserve,
    .commit = ring_commit,
    .flush = ring_flush,
};
