/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that is started, and killed, again and again, with an NVMe driver on one of its controllers. */
#ifndef CIPU_KILLED_DAEMON_H
#define CIPU_KILLED_DAEMON_H

#include <sys/types.h>

#include "tests/peers/nvme_initiator.h"

struct killed_daemon {
    const char *path, *config, *socket; /* of the controller */
    pid_t process;
    struct vfio_user_client *client;
    struct nvme_initiator initiator;
    uint64_t random; /* the state, not 0 */
};

/* Starts it and enables the controller, with an admin queue and one of `entries`. 0 or a negative errno. */
int killed_daemon_start(struct killed_daemon *daemon, size_t memory_bytes, uint32_t entries);
void killed_daemon_kill(struct killed_daemon *daemon); /* SIGKILL */

uint32_t killed_daemon_random(struct killed_daemon *daemon, uint32_t below);
uint64_t killed_daemon_now_us(void);

#endif
