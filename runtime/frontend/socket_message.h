/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and descriptors on stream sockets: what the protocols of this folder have in common. */
#ifndef CIPU_SOCKET_MESSAGE_H
#define CIPU_SOCKET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#define SOCKET_MESSAGE_FDS 64u /* received at once; more are lost */

/* Where descriptors that arrive go. Each is the receiver's to close. */
struct socket_fds {
    int *fds;
    unsigned room;
    unsigned *count;
    bool *lost; /* set when more came than fit: those are closed */
};

/* Receives exactly `bytes`: 1, 0 at the end of the stream before the first byte, or a negative errno: -ECONNRESET when
 * the stream ends inside. */
int socket_receive(int socket, const struct socket_fds *fds, void *data, size_t bytes);

#define SOCKET_SEND_PARTS 4u

/* Sends all parts with one sendmsg (continued only if the kernel takes less), with a descriptor unless fd = -1. Waits
 * for room so many milliseconds at most. A negative errno: -EAGAIN when the other end took nothing in time; after any
 * other one no message can follow. */
int socket_send(int socket, const struct iovec *parts, unsigned count, int fd, int milliseconds);

#endif
