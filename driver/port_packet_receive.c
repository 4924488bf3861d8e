/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving through a ring of an AF_PACKET socket (packet(7), Documentation/networking/packet_mmap.rst in the kernel's
 * source): TPACKET_V2, because V3 holds frames back until a block is full or a timer runs out. The socket asks for
 * virtio headers, which say what checksum a sender on this machine left unfinished.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "driver/port_packet.h"
#include "driver/port_packet_checksum.h"
#include "hls/include/hls.h"

static uint32_t status_of(const struct tpacket2_hdr *header)
{
    return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
}

static int open_ring(struct packet_receiver *receiver, const struct port_link *link)
{
    struct packet_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    receiver->state = ring;
    ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ring->fd < 0)
        return -errno;
    int result;
    if ((result = packet_option(ring->fd, PACKET_VERSION, TPACKET_V2)) < 0 ||
        (result = packet_option(ring->fd, PACKET_VNET_HDR, 1)) < 0 ||
        (result = packet_option(ring->fd, PACKET_IGNORE_OUTGOING, 1)) < 0 ||
        (result = packet_promiscuous(ring->fd, link)) < 0 ||
        (result = packet_ring_open(ring, PACKET_RX_RING, link, ETH_P_ALL)) < 0)
        return result;
    return port_watch(receiver->port, ring->fd);
}

static int ring_open(struct packet_receiver *receiver, const struct port_link *link, struct packet_sender *sender,
                     struct cipu_error *error)
{
    (void)sender;
    int result = open_ring(receiver, link);
    return result < 0 ? cipu_fail(error, result, "AF_PACKET: %s", strerror(-result)) : 0;
}

static void ring_close(struct packet_receiver *receiver)
{
    if (receiver->state)
        packet_ring_close(receiver->state);
    free(receiver->state);
}

/* The checksum that the sender left to its hardware; false if the header is out of bounds. */
static bool finish_checksum(uint8_t *frame, uint32_t length, const struct virtio_net_hdr *header)
{
    if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return true;
    return packet_checksum_finish(frame, length, header->csum_start, header->csum_offset);
}

/* The kernel takes a frame's VLAN tag out of it; there is room before the frame to put it back. */
static uint8_t *restore_vlan(uint8_t *frame, uint32_t *length, const struct tpacket2_hdr *header)
{
    if (!(header->tp_status & TP_STATUS_VLAN_VALID))
        return frame;
    memmove(frame - 4, frame, 2 * ETH_ALEN);
    frame -= 4;
    hls_put_be16(frame + 12, header->tp_status & TP_STATUS_VLAN_TPID_VALID ? header->tp_vlan_tpid : ETH_P_8021Q);
    hls_put_be16(frame + 14, header->tp_vlan_tci);
    *length += 4;
    return frame;
}

/* False: a frame that is cut, or larger than any wire's because its sender left the segmentation to hardware. */
static bool take_frame(struct tpacket2_hdr *header, const uint8_t **frame, uint32_t *length)
{
    struct virtio_net_hdr offload;
    uint8_t *data = (uint8_t *)header + header->tp_mac;
    if (header->tp_snaplen < header->tp_len || header->tp_len < ETH_HLEN)
        return false;
    memcpy(&offload, data - sizeof offload, sizeof offload);
    if (offload.gso_type != VIRTIO_NET_HDR_GSO_NONE || !finish_checksum(data, header->tp_len, &offload))
        return false;
    *length = header->tp_len;
    *frame = restore_vlan(data, length, header);
    return true;
}

static void ring_release(struct packet_receiver *receiver)
{
    struct packet_ring *ring = receiver->state;
    __atomic_store_n(&packet_ring_frame(ring)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring->next++;
}

static bool ring_receive(struct packet_receiver *receiver, const uint8_t **frame, uint32_t *length)
{
    struct packet_ring *ring = receiver->state;
    for (;;) {
        struct tpacket2_hdr *header = packet_ring_frame(ring);
        if (!(status_of(header) & TP_STATUS_USER))
            return false;
        if (take_frame(header, frame, length))
            return true;
        port_count(&receiver->port->received_dropped, 1);
        ring_release(receiver);
    }
}

static uint32_t ring_look(struct packet_receiver *receiver)
{
    const struct packet_ring *ring = receiver->state;
    struct tpacket_stats stats;
    int code;
    socklen_t code_bytes = sizeof code, stats_bytes = sizeof stats;
    getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &code, &code_bytes);
    if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &stats_bytes) < 0)
        return 0;
    return stats.tp_drops;
}

const struct packet_receiver_ops packet_receive_ring = {
    .open = ring_open,
    .close = ring_close,
    .receive = ring_receive,
    .release = ring_release,
    .look = ring_look,
};
