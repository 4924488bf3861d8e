/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet:IFNAME[,receive=xdp]: an interface of this machine through sockets, without a system call for each frame.
 * Which interface, whether it is there, and how frames pass (port_packet.h has the ways, and what is lost where one
 * cannot be had).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_packet.h"

#define BUSY_TRIES        200u /* the kernel frees a closed AF_XDP socket's queue a little later */
#define BUSY_MICROSECONDS 500u

struct packet_port {
    struct port_link link;
    bool receive_xdp;
    int index; /* of the interface that the sockets are bound to; 0 = none */
    uint32_t frame_bytes;
    struct packet_receiver receiver;
    struct packet_sender sender;
    unsigned busy; /* how often a queue was found busy in a row */
    bool pending;  /* frames wait for another flush */
};

static void close_sender(struct packet_sender *sender)
{
    if (sender->ops)
        sender->ops->close(sender);
    *sender = (struct packet_sender){.fd = -1};
}

static void close_receiver(struct packet_receiver *receiver)
{
    if (receiver->ops)
        receiver->ops->close(receiver);
    *receiver = (struct packet_receiver){0};
}

/* -EBUSY: worth another try soon. */
static int open_sender(struct packet_port *state)
{
    static const struct packet_sender_ops *const kinds[] = {&packet_send_xdp, &packet_send_ring};
    int result = -ENODEV;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && result < 0; i++) {
        close_sender(&state->sender);
        if (result == -EBUSY && ++state->busy < BUSY_TRIES)
            return result;
        state->sender.ops = kinds[i];
        state->sender.receives = state->receive_xdp;
        result = kinds[i]->open(&state->sender, &state->link);
    }
    state->busy = 0;
    return result;
}

static int open_receiver(struct port *port, struct cipu_error *error)
{
    struct packet_port *state = port->state;
    struct packet_receiver *receiver = &state->receiver;
    if (state->receive_xdp) {
        struct cipu_error reason;
        *receiver = (struct packet_receiver){.ops = &packet_receive_xdp, .port = port};
        if (receiver->ops->open(receiver, &state->link, &state->sender, &reason) == 0)
            return 0;
        cipu_warn("port packet:%s: receives by AF_PACKET, receive=xdp is not to be had: %s", state->link.name,
                  reason.text);
        close_receiver(receiver);
    }
    *receiver = (struct packet_receiver){.ops = &packet_receive_ring, .port = port};
    return receiver->ops->open(receiver, &state->link, &state->sender, error);
}

static void unbind(struct port *port)
{
    struct packet_port *state = port->state;
    close_receiver(&state->receiver);
    close_sender(&state->sender);
    state->index = 0;
    state->pending = false;
    atomic_store(&port->link, 0);
}

static int bind_to_link(struct port *port, struct cipu_error *error)
{
    struct packet_port *state = port->state;
    struct cipu_error reason;
    int result = open_sender(state);
    if (result < 0)
        cipu_fail(&reason, result, "%s", strerror(-result));
    else
        result = open_receiver(port, &reason);
    if (result < 0) {
        unbind(port);
        port->attention = result == -EBUSY;
        return cipu_fail(error, result, "port packet:%s: %s", state->link.name, reason.text);
    }
    state->index = state->link.index;
    state->frame_bytes = packet_frame_bytes(state->link.mtu);
    port->frame_max = state->sender.frame_max;
    atomic_store(&port->link, state->link.up);
    return 0;
}

static int parse(struct packet_port *state, char *argument, const char **name, struct cipu_error *error)
{
    *name = strsep(&argument, ",");
    if (!argument)
        return 0;
    state->receive_xdp = strcmp(argument, "receive=xdp") == 0;
    return state->receive_xdp
               ? 0
               : cipu_fail(error, -EINVAL, "port packet:%s: option '%s', expected receive=xdp", *name, argument);
}

static int packet_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct packet_port *state = calloc(1, sizeof *state);
    char *copy = strdup(argument);
    const char *name;
    if (!state || !copy) {
        free(state);
        free(copy);
        return cipu_fail(error, -ENOMEM, "port packet: out of memory");
    }
    port->state = state;
    state->link.fd = state->sender.fd = -1;
    int result = parse(state, copy, &name, error);
    if (result == 0)
        result = port_link_open(&state->link, port, name, error);
    if (result == 0 && !state->link.index)
        result = cipu_fail(error, -ENODEV, "port packet:%s: there is no such interface", name);
    free(copy);
    if (result < 0)
        return result;
    while ((result = bind_to_link(port, error)) == -EBUSY)
        usleep(BUSY_MICROSECONDS);
    return result;
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

static bool packet_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct packet_port *state = port->state;
    return state->index && state->receiver.ops->receive(&state->receiver, frame, length);
}

static void packet_release(struct port *port)
{
    struct packet_port *state = port->state;
    if (state->index)
        state->receiver.ops->release(&state->receiver);
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

/* A card with frames that a live interface has not taken, or with a port that waits for its queue, stays awake. */
static bool packet_arm(struct port *port)
{
    struct packet_port *state = port->state;
    packet_flush(port);
    return port->attention || (state->pending && state->link.up);
}

/* An interface that goes down leaves ENETDOWN, which stays readable until it is fetched. */
static void look(struct port *port)
{
    struct packet_port *state = port->state;
    int code;
    socklen_t length = sizeof code;
    if (!state->index)
        return;
    getsockopt(state->sender.fd, SOL_SOCKET, SO_ERROR, &code, &length);
    port_count(&port->received_dropped, state->receiver.ops->look(&state->receiver));
    packet_flush(port);
}

static bool packet_wake(struct port *port)
{
    struct packet_port *state = port->state;
    look(port);
    if (!port_link_changed(&state->link) && !state->busy)
        return false;
    bool other = state->index &&
                 (state->link.index != state->index || packet_frame_bytes(state->link.mtu) != state->frame_bytes);
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
