/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet:IFNAME: a raw socket on an interface (packet(7), Documentation/networking/packet_mmap.rst in the kernel's
 * source). Frames pass through rings shared with the kernel, without a system call for each: TPACKET_V2, because V3
 * holds frames back until a block is full or a timer runs out. Two sockets: the receiving one asks for virtio headers,
 * which say what checksum a sender on this machine left unfinished.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_packet.h"
#include "hls/include/hls.h"

struct packet_port {
    struct port_link link;
    int index; /* of the interface that the sockets are bound to; 0 = none */
    struct packet_ring receive;
    struct packet_sender sender;
    bool pending; /* frames wait for another flush */
};

static uint32_t status_of(const struct tpacket2_hdr *header)
{
    return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *header, uint32_t status)
{
    __atomic_store_n(&header->tp_status, status, __ATOMIC_RELEASE);
}

static int open_receive(struct packet_port *state)
{
    struct packet_ring *ring = &state->receive;
    struct packet_mreq promiscuous = {.mr_ifindex = state->link.index, .mr_type = PACKET_MR_PROMISC};
    ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ring->fd < 0)
        return -errno;
    int result;
    if ((result = packet_option(ring->fd, PACKET_VERSION, TPACKET_V2)) < 0 ||
        (result = packet_option(ring->fd, PACKET_VNET_HDR, 1)) < 0 ||
        (result = packet_option(ring->fd, PACKET_IGNORE_OUTGOING, 1)) < 0)
        return result;
    if (setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0)
        return -errno;
    return packet_ring_open(ring, PACKET_RX_RING, &state->link, ETH_P_ALL);
}

static void close_sender(struct packet_sender *sender)
{
    if (sender->ops)
        sender->ops->close(sender);
    *sender = (struct packet_sender){.fd = -1};
}

static int open_sender(struct packet_port *state)
{
    static const struct packet_sender_ops *const kinds[] = {&packet_send_xdp, &packet_send_ring};
    int result = -ENODEV;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && result < 0; i++) {
        close_sender(&state->sender);
        state->sender.ops = kinds[i];
        result = kinds[i]->open(&state->sender, &state->link);
    }
    return result;
}

static void unbind(struct port *port)
{
    struct packet_port *state = port->state;
    packet_ring_close(&state->receive);
    close_sender(&state->sender);
    state->index = 0;
    state->pending = false;
    atomic_store(&port->link, 0);
}

static int bind_to_link(struct port *port, struct cipu_error *error)
{
    struct packet_port *state = port->state;
    int result = open_receive(state);
    if (result == 0)
        result = open_sender(state);
    if (result == 0)
        result = port_watch(port, state->receive.fd);
    if (result < 0) {
        unbind(port);
        return cipu_fail(error, result, "port packet:%s: %s", state->link.name, strerror(-result));
    }
    state->index = state->link.index;
    port->frame_max = state->sender.frame_max;
    atomic_store(&port->link, state->link.up);
    return 0;
}

static int packet_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct packet_port *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    port->state = state;
    state->receive.fd = state->sender.fd = -1;
    int result = port_link_open(&state->link, port, argument, error);
    if (result < 0)
        return result;
    if (!state->link.index)
        return cipu_fail(error, -ENODEV, "port packet:%s: there is no such interface", argument);
    return bind_to_link(port, error);
}

static void packet_close(struct port *port)
{
    struct packet_port *state = port->state;
    if (!state)
        return;
    unbind(port);
    port_link_close(&state->link);
    free(state);
}

/* RFC 1071 */
static uint16_t internet_checksum(const uint8_t *data, uint32_t length)
{
    uint64_t sum = 0;
    for (; length >= 4; data += 4, length -= 4) {
        uint32_t word;
        memcpy(&word, data, 4);
        sum += word;
    }
    uint8_t rest[4] = {0};
    memcpy(rest, data, length);
    uint32_t word;
    memcpy(&word, rest, 4);
    sum += word;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The checksum that the sender left to its hardware; false if the header is out of bounds. */
static bool finish_checksum(uint8_t *frame, uint32_t length, const struct virtio_net_hdr *header)
{
    if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return true;
    uint32_t start = header->csum_start, place = start + header->csum_offset;
    if (start >= length || place + 2 > length)
        return false;
    uint16_t sum = internet_checksum(frame + start, length - start);
    memcpy(frame + place, &sum, sizeof sum);
    return true;
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

static void packet_release(struct port *port)
{
    struct packet_port *state = port->state;
    if (!state->receive.memory)
        return;
    set_status(packet_ring_frame(&state->receive), TP_STATUS_KERNEL);
    state->receive.next++;
}

static bool packet_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct packet_port *state = port->state;
    while (state->receive.memory) {
        struct tpacket2_hdr *header = packet_ring_frame(&state->receive);
        if (!(status_of(header) & TP_STATUS_USER))
            return false;
        if (take_frame(header, frame, length))
            return true;
        port_count(&port->received_dropped, 1);
        packet_release(port);
    }
    return false;
}

static uint8_t *packet_reserve(struct port *port)
{
    struct packet_port *state = port->state;
    return state->index ? state->sender.ops->reserve(&state->sender) : NULL;
}

static void packet_commit(struct port *port, uint32_t length)
{
    struct packet_port *state = port->state;
    state->sender.ops->commit(&state->sender, length);
    state->pending = true;
}

static void packet_flush(struct port *port)
{
    struct packet_port *state = port->state;
    if (state->pending)
        state->pending = !state->sender.ops->flush(&state->sender);
}

/* A card with frames that a live interface has not taken stays awake. */
static bool packet_arm(struct port *port)
{
    struct packet_port *state = port->state;
    packet_flush(port);
    return state->pending && state->link.up;
}

static void count_kernel_drops(struct port *port)
{
    struct packet_port *state = port->state;
    struct tpacket_stats stats;
    socklen_t length = sizeof stats;
    if (state->receive.fd >= 0 && getsockopt(state->receive.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0 &&
        stats.tp_drops)
        port_count(&port->received_dropped, stats.tp_drops);
}

static bool packet_wake(struct port *port)
{
    struct packet_port *state = port->state;
    int code;
    socklen_t length = sizeof code;
    /* An interface that goes down leaves ENETDOWN, which stays readable until it is fetched. */
    if (state->index) {
        getsockopt(state->receive.fd, SOL_SOCKET, SO_ERROR, &code, &length);
        getsockopt(state->sender.fd, SOL_SOCKET, SO_ERROR, &code, &length);
    }
    count_kernel_drops(port);
    packet_flush(port);
    if (!port_link_changed(&state->link))
        return false;
    bool other = state->index && (state->link.index != state->index ||
                                  packet_frame_bytes(state->link.mtu) != state->receive.frame_bytes);
    if (other)
        unbind(port);
    if (!state->index && state->link.index)
        bind_to_link(port, NULL);
    atomic_store(&port->link, state->index && state->link.up);
    return other;
}

const struct port_ops port_packet = {
    .scheme = "packet",
    .open = packet_open,
    .close = packet_close,
    .receive = packet_receive,
    .release = packet_release,
    .reserve = packet_reserve,
    .commit = packet_commit,
    .flush = packet_flush,
    .arm = packet_arm,
    .wake = packet_wake,
};
