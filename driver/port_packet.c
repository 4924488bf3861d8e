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
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_link.h"
#include "hls/include/hls.h"

#define FRAMES            1024u
#define FRAME_BYTES_SMALL 2048u
#define FRAME_BYTES_LARGE 16384u
#define BLOCK_BYTES       65536u
#define MTU_SMALL         1600
#define SEND_OFFSET       (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

struct ring {
    int fd;
    uint8_t *memory;
    uint32_t frame_bytes;
    uint32_t next;
};

struct packet_port {
    struct port_link link;
    int index; /* of the interface that the sockets are bound to */
    struct ring receive, send;
    bool pending; /* frames that were handed over and not yet asked to be sent */
};

static struct tpacket2_hdr *frame_at(const struct ring *ring)
{
    return (struct tpacket2_hdr *)(void *)(ring->memory + (size_t)(ring->next % FRAMES) * ring->frame_bytes);
}

static uint32_t status_of(const struct tpacket2_hdr *header)
{
    return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *header, uint32_t status)
{
    __atomic_store_n(&header->tp_status, status, __ATOMIC_RELEASE);
}

static void close_ring(struct ring *ring)
{
    if (ring->memory)
        munmap(ring->memory, (size_t)FRAMES * ring->frame_bytes);
    if (ring->fd >= 0)
        close(ring->fd);
    *ring = (struct ring){.fd = -1};
}

static int set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value);
}

static uint32_t frame_bytes_for(int mtu)
{
    return mtu <= MTU_SMALL ? FRAME_BYTES_SMALL : FRAME_BYTES_LARGE;
}

/* A socket with a mapped ring, bound to the interface. */
static int open_ring(struct ring *ring, int option, const struct port_link *link, uint16_t protocol)
{
    ring->frame_bytes = frame_bytes_for(link->mtu);
    ring->next = 0;
    struct tpacket_req request = {.tp_block_size = BLOCK_BYTES,
                                  .tp_block_nr = FRAMES / (BLOCK_BYTES / ring->frame_bytes),
                                  .tp_frame_size = ring->frame_bytes,
                                  .tp_frame_nr = FRAMES};
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = hls_be16((const uint8_t *)&protocol), .sll_ifindex = link->index};
    size_t bytes = (size_t)FRAMES * ring->frame_bytes;
    if (setsockopt(ring->fd, SOL_PACKET, option, &request, sizeof request) < 0)
        return -errno;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    ring->memory = memory;
    return bind(ring->fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

static int open_receive(struct packet_port *state)
{
    struct ring *ring = &state->receive;
    struct packet_mreq promiscuous = {.mr_ifindex = state->link.index, .mr_type = PACKET_MR_PROMISC};
    ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ring->fd < 0 || set_option(ring->fd, PACKET_VERSION, TPACKET_V2) < 0 ||
        set_option(ring->fd, PACKET_VNET_HDR, 1) < 0 || set_option(ring->fd, PACKET_IGNORE_OUTGOING, 1) < 0 ||
        setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0)
        return -errno;
    return open_ring(ring, PACKET_RX_RING, &state->link, ETH_P_ALL);
}

static int open_send(struct packet_port *state)
{
    struct ring *ring = &state->send;
    ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* PACKET_LOSS: a frame that the interface refuses is lost, as on any wire, and does not stop the ring. */
    if (ring->fd < 0 || set_option(ring->fd, PACKET_VERSION, TPACKET_V2) < 0 ||
        set_option(ring->fd, PACKET_LOSS, 1) < 0 || set_option(ring->fd, PACKET_QDISC_BYPASS, 1) < 0)
        return -errno;
    return open_ring(ring, PACKET_TX_RING, &state->link, 0);
}

static void unbind(struct port *port)
{
    struct packet_port *state = port->state;
    close_ring(&state->receive);
    close_ring(&state->send);
    state->index = 0;
    state->pending = false;
    atomic_store(&port->link, 0);
}

static int bind_to_link(struct port *port, struct cipu_error *error)
{
    struct packet_port *state = port->state;
    int result = open_receive(state);
    if (result == 0)
        result = open_send(state);
    if (result == 0)
        result = port_watch(port, state->receive.fd);
    if (result < 0) {
        unbind(port);
        return cipu_fail(error, result, "port packet:%s: %s", state->link.name, strerror(-result));
    }
    state->index = state->link.index;
    port->frame_max = state->send.frame_bytes - SEND_OFFSET < PACKET_BYTES_MAX
                          ? state->send.frame_bytes - (uint32_t)SEND_OFFSET
                          : PACKET_BYTES_MAX;
    atomic_store(&port->link, state->link.up);
    return 0;
}

static int packet_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct packet_port *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    port->state = state;
    state->receive.fd = state->send.fd = -1;
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
    set_status(frame_at(&state->receive), TP_STATUS_KERNEL);
    state->receive.next++;
}

static bool packet_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct packet_port *state = port->state;
    while (state->receive.memory) {
        struct tpacket2_hdr *header = frame_at(&state->receive);
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
    struct ring *ring = &state->send;
    if (!ring->memory)
        return NULL;
    struct tpacket2_hdr *header = frame_at(ring);
    return status_of(header) == TP_STATUS_AVAILABLE ? (uint8_t *)header + SEND_OFFSET : NULL;
}

static void packet_commit(struct port *port, uint32_t length)
{
    struct packet_port *state = port->state;
    struct tpacket2_hdr *header = frame_at(&state->send);
    header->tp_len = length;
    set_status(header, TP_STATUS_SEND_REQUEST);
    state->send.next++;
    state->pending = true;
}

static void packet_flush(struct port *port)
{
    struct packet_port *state = port->state;
    if (!state->pending)
        return;
    /* Whatever the kernel could not take now stays in the ring for the next call. */
    state->pending = send(state->send.fd, NULL, 0, MSG_DONTWAIT) < 0;
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
        getsockopt(state->send.fd, SOL_SOCKET, SO_ERROR, &code, &length);
    }
    count_kernel_drops(port);
    packet_flush(port);
    if (!port_link_changed(&state->link))
        return false;
    bool other = state->index &&
                 (state->link.index != state->index || frame_bytes_for(state->link.mtu) != state->receive.frame_bytes);
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
    .wake = packet_wake,
};
