/* SPDX-License-Identifier: Apache-2.0 */
/* A listening UNIX socket with a file of its own. */
#ifndef CIPU_LISTENER_H
#define CIPU_LISTENER_H

#include <sys/types.h>
#include <sys/un.h>

#include "driver/card.h"

struct listener {
    int fd; /* non-blocking; -1 = closed */
    struct sockaddr_un address;
    dev_t device;
    ino_t inode;
};

/* A stale socket file is replaced, a live one is -EADDRINUSE. To be closed also after a failure. */
int listener_open(struct listener *listener, const char *path, struct cipu_error *error);
/* Removes the file, if it is still the one that was made. */
void listener_close(struct listener *listener);

#endif
