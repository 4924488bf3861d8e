/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program that sends each frame of an interface to the AF_XDP socket of the queue that it came in by, and
 * passes the frames of a queue without one to the kernel's stack. It ends with the descriptors: a process that is
 * killed leaves nothing behind.
 */
#ifndef CIPU_PORT_PACKET_REDIRECT_H
#define CIPU_PORT_PACKET_REDIRECT_H

#include <stdint.h>

#include "driver/card.h"

struct xdp_redirect {
    int map, program, link;
};

/* Makes the map and the program; negative errno with a message. Close in either case. */
int xdp_redirect_open(struct xdp_redirect *redirect, uint32_t queues, struct cipu_error *error);
int xdp_redirect_add(const struct xdp_redirect *redirect, uint32_t queue, int socket, struct cipu_error *error);
/* From here on frames come. The interface's driver has to run XDP itself (native mode). */
int xdp_redirect_attach(struct xdp_redirect *redirect, int interface, struct cipu_error *error);
void xdp_redirect_close(struct xdp_redirect *redirect);

#endif
