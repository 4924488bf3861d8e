/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving through AF_XDP sockets, one for each queue of the interface. The first is the sender's, because a queue has
 * room for one only. XDP tells nothing of a VLAN tag or a checksum that the sender left to its interface: checksums are
 * found by their value, tags have to be in the frame.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_packet_checksum.h"
#include "driver/port_packet_redirect.h"
#include "driver/port_packet_socket.h"

#define QUEUES_MAX 64u

struct queues {
    struct xdp_redirect redirect;
    int promiscuous; /* a socket that keeps the interface so */
    uint32_t count, opened, current;
    uint32_t lost; /* as look last counted */
    struct xdp_socket own[QUEUES_MAX];
    struct xdp_socket *sockets[QUEUES_MAX];
};

/* An interface that has no word for queues has one. */
static uint32_t count_queues(const struct port_link *link)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {.ifr_data = (void *)&channels};
    memcpy(request.ifr_name, link->name, sizeof request.ifr_name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 1;
    bool known = ioctl(fd, SIOCETHTOOL, &request) == 0;
    close(fd);
    uint32_t count = channels.rx_count + channels.combined_count;
    return known && count ? count : 1;
}

static int open_queues(struct queues *queues, struct packet_receiver *receiver, const struct port_link *link,
                       struct xdp_socket *first, struct cipu_error *error)
{
    for (uint32_t i = 0; i < queues->count; i++) {
        int result = 0;
        queues->sockets[i] = i ? &queues->own[i] : first;
        if (i) {
            queues->opened = i + 1;
            result = xdp_socket_open(queues->sockets[i], link, i, XDP_RECEIVES);
        }
        if (result == 0)
            result = port_watch(receiver->port, queues->sockets[i]->fd);
        if (result < 0)
            return cipu_fail(error, result, "AF_XDP, queue %u: %s", i, strerror(-result));
        if ((result = xdp_redirect_add(&queues->redirect, i, queues->sockets[i]->fd, error)) < 0)
            return result;
    }
    return 0;
}

static int xdp_open(struct packet_receiver *receiver, const struct port_link *link, struct packet_sender *sender,
                    struct cipu_error *error)
{
    if (sender->ops != &packet_send_xdp || !sender->receives)
        return cipu_fail(
            error, -EOPNOTSUPP,
            "no AF_XDP socket on the first queue: it is taken, the MTU is over %d or CAP_NET_ADMIN is missing",
            PACKET_MTU_SMALL);
    struct queues *queues = calloc(1, sizeof *queues);
    if (!queues)
        return cipu_fail(error, -ENOMEM, "out of memory");
    receiver->state = queues;
    queues->redirect = (struct xdp_redirect){-1, -1, -1};
    queues->count = count_queues(link);
    queues->promiscuous = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (queues->promiscuous < 0)
        return cipu_fail(error, -errno, "AF_PACKET: %s", strerror(errno));
    if (queues->count > QUEUES_MAX)
        return cipu_fail(error, -E2BIG, "%u queues, expected at most %u", queues->count, QUEUES_MAX);
    int result;
    if ((result = xdp_redirect_open(&queues->redirect, queues->count, error)) < 0 ||
        (result = open_queues(queues, receiver, link, sender->state, error)) < 0)
        return result;
    if ((result = packet_promiscuous(queues->promiscuous, link)) < 0)
        return cipu_fail(error, result, "AF_PACKET: %s", strerror(-result));
    return xdp_redirect_attach(&queues->redirect, link->index, error);
}

static void xdp_close(struct packet_receiver *receiver)
{
    struct queues *queues = receiver->state;
    if (!queues)
        return;
    xdp_redirect_close(&queues->redirect);
    for (uint32_t i = 1; i < queues->opened; i++)
        xdp_socket_close(&queues->own[i]);
    if (queues->promiscuous >= 0)
        close(queues->promiscuous);
    free(queues);
}

static void next_queue(struct queues *queues)
{
    queues->current = queues->current + 1 < queues->count ? queues->current + 1 : 0;
}

static uint8_t *next_frame(struct queues *queues, uint32_t *length)
{
    for (uint32_t i = 0; i < queues->count; i++) {
        uint8_t *frame = xdp_socket_receive(queues->sockets[queues->current], length);
        if (frame)
            return frame;
        next_queue(queues);
    }
    return NULL;
}

/* A queue that is never empty does not keep the others waiting. */
static void xdp_release(struct packet_receiver *receiver)
{
    struct queues *queues = receiver->state;
    if (!xdp_socket_release(queues->sockets[queues->current]))
        next_queue(queues);
}

static bool xdp_receive(struct packet_receiver *receiver, const uint8_t **frame, uint32_t *length)
{
    uint8_t *next = next_frame(receiver->state, length);
    if (!next)
        return false;
    packet_checksum_detect(next, *length);
    *frame = next;
    return true;
}

static uint32_t xdp_look(struct packet_receiver *receiver)
{
    struct queues *queues = receiver->state;
    uint32_t lost = 0;
    for (uint32_t i = 0; i < queues->count; i++) {
        struct xdp_statistics statistics;
        int code;
        socklen_t code_bytes = sizeof code, bytes = sizeof statistics;
        getsockopt(queues->sockets[i]->fd, SOL_SOCKET, SO_ERROR, &code, &code_bytes);
        if (getsockopt(queues->sockets[i]->fd, SOL_XDP, XDP_STATISTICS, &statistics, &bytes) == 0)
            lost += (uint32_t)(statistics.rx_dropped + statistics.rx_ring_full);
    }
    uint32_t since = lost - queues->lost;
    queues->lost = lost;
    return since;
}

const struct packet_receiver_ops packet_receive_xdp = {
    .open = xdp_open,
    .close = xdp_close,
    .receive = xdp_receive,
    .release = xdp_release,
    .look = xdp_look,
};
