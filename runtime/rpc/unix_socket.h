/* SPDX-License-Identifier: Apache-2.0 */
/* Listening UNIX sockets that survive a killed predecessor. */
#ifndef CIPU_UNIX_SOCKET_H
#define CIPU_UNIX_SOCKET_H

#include <stdbool.h>

#include "driver/card.h"

/* Listens on `path`, which only its owner may use; a stale socket is replaced, one that answers is -EADDRINUSE, another
 * file -EEXIST. Returns a non-blocking descriptor or a negative errno. Changes the process's umask for a moment. */
int unix_socket_listen(const char *path, struct cipu_error *error);

/* Holds "PATH.lock" so that no two processes replace one socket: a descriptor, or -EADDRINUSE. */
int unix_socket_lock(const char *path, struct cipu_error *error);
void unix_socket_unlock(const char *path, int fd);

#endif
