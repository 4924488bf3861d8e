/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a port's kind by its scheme; the port that is not there. */
#include "driver/port.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static const struct port_ops *const kinds[] = {&port_none, &port_tap, &port_packet, &port_unix, &port_pcap};

int port_open(struct port *port, const char *spec, int epoll, struct cipu_error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(spec, kinds[i]->scheme, length) != 0 || (spec[length] != ':' && spec[length] != 0))
            continue;
        port->ops = kinds[i];
        port->epoll = epoll;
        port->frame_max = PACKET_BYTES_MAX;
        int result = port->ops->open(port, spec[length] ? spec + length + 1 : "", error);
        if (result < 0)
            port_close(port);
        return result;
    }
    return cipu_fail(
        error, -EINVAL,
        "port '%s': expected tap:IFNAME, packet:IFNAME[,receive=xdp], unix:PATH, pcap:READ[,WRITE] or none", spec);
}

void port_close(struct port *port)
{
    if (port->ops)
        port->ops->close(port);
    port->ops = NULL;
    port->state = NULL;
}

int port_watch(struct port *port, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (port->epoll < 0)
        return 0;
    return epoll_ctl(port->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int none_open(struct port *port, const char *argument, struct cipu_error *error)
{
    (void)port;
    return *argument ? cipu_fail(error, -EINVAL, "port 'none:%s': expected none", argument) : 0;
}

static void none_close(struct port *port)
{
    (void)port;
}

static bool none_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    (void)port, (void)frame, (void)length;
    return false;
}

static uint8_t *none_reserve(struct port *port)
{
    (void)port;
    return NULL;
}

static void none_commit(struct port *port, uint32_t length)
{
    (void)port, (void)length;
}

const struct port_ops port_none = {
    .scheme = "none",
    .open = none_open,
    .close = none_close,
    .receive = none_receive,
    .release = none_close,
    .reserve = none_reserve,
    .commit = none_commit,
    .flush = none_close,
};
