/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/port_link.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void port_link_query(struct port_link *link)
{
    link->index = 0;
    link->up = false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct ifreq request = {0};
    memcpy(request.ifr_name, link->name, sizeof request.ifr_name);
    if (ioctl(fd, SIOCGIFINDEX, &request) == 0)
        link->index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFMTU, &request) == 0)
        link->mtu = request.ifr_mtu;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0)
        link->up = (request.ifr_flags & IFF_UP) && (request.ifr_flags & IFF_RUNNING);
    close(fd);
}

int port_link_open(struct port_link *link, struct port *port, const char *name, struct cipu_error *error)
{
    link->fd = -1;
    if (!*name || strlen(name) >= IFNAMSIZ)
        return cipu_fail(error, -EINVAL, "port: interface name '%s', expected 1 to %d characters", name, IFNAMSIZ - 1);
    memcpy(link->name, name, strlen(name) + 1);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    link->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (link->fd < 0 || bind(link->fd, (struct sockaddr *)&address, sizeof address) < 0)
        return cipu_fail(error, -errno, "port %s: cannot watch links: %s", name, strerror(errno));
    port_link_query(link);
    return port_watch(port, link->fd);
}

void port_link_close(struct port_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

bool port_link_changed(struct port_link *link)
{
    char buffer[8192];
    bool changed = false;
    /* What changed does not matter, nor does a lost message (ENOBUFS): the state is read anew. */
    while (recv(link->fd, buffer, sizeof buffer, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
        changed = true;
    if (changed)
        port_link_query(link);
    return changed;
}
