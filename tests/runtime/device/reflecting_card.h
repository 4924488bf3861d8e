/* SPDX-License-Identifier: Apache-2.0 */
/* A native card without ports, a virtio-net function of it, a server, a client; the host sends every frame back to the
 * function. */
#ifndef CIPU_REFLECTING_CARD_H
#define CIPU_REFLECTING_CARD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/device/virtio_net.h"
#include "runtime/device/virtio_pci.h"
#include "runtime/frontend/vfio_user_server.h"
#include "tests/peers/virtio_net_driver.h"

#define REFLECTING_FUNCTION 5u
#define GUEST_ADDRESS       UINT64_C(0x100000000)

struct reflecting_card {
    char folder[32];
    char path[64];
    struct cipu_card *card;
    struct cipu_host *host;
    struct virtio_net *device;
    struct vfio_user_server *server;
    struct vfio_user_client *client;
    struct virtio_net_driver driver;
    uint8_t *memory;
    pthread_t reflector;
    atomic_bool stop;
    atomic_uint frames, stopped_queues;
    atomic_uint last_fault;
    atomic_bool hold_events; /* the device learns nothing; the last one is kept */
    struct event_entry held;
};

int reflecting_card_setup(void **state);
int reflecting_card_teardown(void **state);

/* Adds guest memory at GUEST_ADDRESS and starts the driver in it. */
void reflecting_card_start(struct reflecting_card *reflecting, enum vfio_user_memory_kind kind, uint64_t features);

struct virtio_net_state reflecting_card_state(struct reflecting_card *reflecting);
/* Waits at most 5 s for NEEDS_RESET. */
bool reflecting_card_broken(struct reflecting_card *reflecting);

#endif
