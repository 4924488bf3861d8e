/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on a vhost-user socket: a header, a payload, and descriptors that travel with the first bytes. Used by both
 * ends. Each descriptor that arrives is owned by the message until somebody takes it.
 */
#ifndef CIPU_VHOST_USER_MESSAGE_H
#define CIPU_VHOST_USER_MESSAGE_H

#include <stdbool.h>

#include "runtime/frontend/socket_message.h"
#include "runtime/frontend/vhost_user_protocol.h"

#define VHOST_USER_SEND_MS 2000 /* a client is not waited for longer until it has taken a message */

struct vhost_user_message {
    struct vhost_user_header header;
    union vhost_user_payload payload; /* zeros behind the header's size */
    int fds[SOCKET_MESSAGE_FDS];
    unsigned fd_count;
    bool fds_lost; /* more came than fit */
};

/* Receives one whole message. 1, 0 at the end of the stream between messages, or a negative errno: -EPROTO when the
 * header's size is impossible (framing is lost), -ECONNRESET when the stream ends inside a message. Descriptors of an
 * earlier message are closed. */
int vhost_user_message_receive(int socket, struct vhost_user_message *message);
void vhost_user_message_close_fds(struct vhost_user_message *message);
/* The descriptor is the caller's from now on; -1 when there is none. */
int vhost_user_message_take_fd(struct vhost_user_message *message, unsigned number);

int vhost_user_message_send(int socket, uint32_t request, uint32_t flags, const void *payload, size_t bytes, int fd);

#endif
