/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on a vfio-user socket: a header, a payload, and descriptors that travel with the first bytes. Used by both
 * ends. Each descriptor that arrives is owned by the message until somebody takes it.
 */
#ifndef CIPU_VFIO_USER_MESSAGE_H
#define CIPU_VFIO_USER_MESSAGE_H

#include <stdbool.h>

#include "runtime/frontend/vfio_user_protocol.h"

/* A client is not waited for longer until it has taken a message. */
#define VFIO_USER_SEND_MS 2000

#define VFIO_USER_MESSAGE_FDS 64u /* received before a message is judged; more than any end may send */

struct vfio_user_message {
    struct vfio_user_header header;
    uint8_t *payload; /* of the receiver, VFIO_USER_MAX_PAYLOAD bytes */
    size_t bytes;     /* of the payload */
    int fds[VFIO_USER_MESSAGE_FDS];
    unsigned fd_count;
    bool fds_lost; /* more came than fit: the kernel closed them */
};

/* A message without payload memory of its own: `payload` is the caller's buffer of VFIO_USER_MAX_PAYLOAD bytes. */
void vfio_user_message_init(struct vfio_user_message *message, uint8_t *payload);
void vfio_user_message_close_fds(struct vfio_user_message *message);

/* Receives one whole message. 1, 0 at the end of the stream between messages, or a negative errno: -EPROTO when the
 * header's size is impossible (framing is lost), -ECONNRESET when the stream ends inside a message. Descriptors of an
 * earlier message are closed. */
int vfio_user_message_receive(int socket, struct vfio_user_message *message);

/* Sends header and payload parts with one sendmsg (continued only if the kernel takes less). header->size is filled in.
 * A negative errno: -EAGAIN when the client took nothing in time; after any other one no message can follow. */
int vfio_user_message_send(int socket, struct vfio_user_header *header, const void *first, size_t first_bytes,
                           const void *second, size_t second_bytes, int fd);

#endif
