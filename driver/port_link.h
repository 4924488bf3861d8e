/* SPDX-License-Identifier: Apache-2.0 */
/* A network interface by name: whether it is there and up, and word of its changes (rtnetlink(7)). */
#ifndef CIPU_PORT_LINK_H
#define CIPU_PORT_LINK_H

#include <net/if.h>
#include <stdbool.h>

#include "driver/port.h"

struct port_link {
    char name[IFNAMSIZ];
    int fd;    /* rtnetlink */
    int index; /* 0 = not there */
    int mtu;
    bool up; /* up and with carrier */
};

/* Fails for a bad name, not for an interface that is not there. */
int port_link_open(struct port_link *link, struct port *port, const char *name, struct cipu_error *error);
void port_link_close(struct port_link *link);

/* Reads index, mtu and up now. */
void port_link_query(struct port_link *link);

/* True if anything changed on any interface since the last call; the fields are fresh then. Never blocks. */
bool port_link_changed(struct port_link *link);

#endif
