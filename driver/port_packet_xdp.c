/* SPDX-License-Identifier: Apache-2.0 */
/* Sending through an AF_XDP socket, on an interface's first queue; it needs no XDP program. */
#include <errno.h>
#include <stdlib.h>

#include "driver/port_packet_socket.h"

static int xdp_open(struct packet_sender *sender, const struct port_link *link)
{
    struct xdp_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        return -ENOMEM;
    sender->state = socket;
    int result = xdp_socket_open(socket, link, 0, XDP_SENDS | (sender->receives ? XDP_RECEIVES : 0));
    sender->fd = socket->fd;
    sender->frame_max = PACKET_FRAME_SMALL;
    return result;
}

static void xdp_close(struct packet_sender *sender)
{
    if (sender->state)
        xdp_socket_close(sender->state);
    free(sender->state);
}

static uint8_t *xdp_reserve(struct packet_sender *sender)
{
    return xdp_socket_reserve(sender->state);
}

static void xdp_commit(struct packet_sender *sender, uint32_t length)
{
    xdp_socket_commit(sender->state, length);
}

static bool xdp_flush(struct packet_sender *sender)
{
    return xdp_socket_flush(sender->state);
}

const struct packet_sender_ops packet_send_xdp = {
    .open = xdp_open,
    .close = xdp_close,
    .reserve = xdp_reserve,
    .commit = xdp_commit,
    .flush = xdp_flush,
};
