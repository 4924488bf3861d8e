/* SPDX-License-Identifier: Apache-2.0 */
/* A card of tests/runtime/device/block_card.h, a block engine, a volume and a virtio-blk function of it behind a
 * vfio-user server, with a client and a driver. */
#ifndef CIPU_SERVED_BLK_H
#define CIPU_SERVED_BLK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/device/virtio_blk.h"
#include "runtime/device/virtio_pci.h"
#include "runtime/frontend/vfio_user_server.h"
#include "tests/peers/virtio_blk_driver.h"
#include "tests/runtime/device/block_card.h"

#define BLK_FUNCTION  3u
#define GUEST_ADDRESS UINT64_C(0x100000000)
#define VOLUME_BYTES  (UINT64_C(16) << 20)
#define GUEST_QUEUES  4u

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u
#define T_SECURE_ERASE 14u
#define S_OK           0
#define S_IOERR        1
#define S_UNSUPP       2
#define ALL_FEATURES   UINT64_MAX

struct served_blk {
    char folder[32];
    char path[64];
    struct cipu_card *card;
    struct cipu_host *host;
    struct block_engine *engine;
    struct block_volume *volume;
    struct virtio_blk *device;
    struct vfio_user_server *server;
    struct vfio_user_client *client;
    struct virtio_blk_driver driver;
    uint8_t *memory;
};

static inline void served_blk_event(void *context, const struct event_entry *event)
{
    virtio_blk_queue_fault(context, event);
}

static inline int served_blk_open(struct served_blk *served, const struct volume_settings *volume)
{
    struct cipu_error error = {{0}};
    snprintf(served->folder, sizeof served->folder, "/tmp/cipu-test-XXXXXX");
    if (!mkdtemp(served->folder))
        return -1;
    snprintf(served->path, sizeof served->path, "%s/socket", served->folder);
    int result = block_card_open(&served->card, &served->host);
    if (!result)
        result = block_engine_open(served->card, served->host, &served->engine, &error);
    if (!result)
        result = block_volume_open(served->engine, volume, &served->volume, &error);
    const struct virtio_blk_settings settings = {
        .function = BLK_FUNCTION, .volume = served->volume, .queues = GUEST_QUEUES, .serial = "serial-0001"};
    if (!result)
        result = virtio_blk_create(served->card, served->host, served->engine, &settings, &served->device, &error);
    served->card->event_context = served->device;
    served->card->event = served_blk_event;
    if (!result)
        result = vfio_user_server_create(served->path, &virtio_pci_device_ops, served->device, &served->server, &error);
    if (!result)
        result = vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &served->client);
    if (!result)
        result = vfio_user_client_memory(served->client, CLIENT_MEMORY_SHARED, GUEST_ADDRESS,
                                         GUEST_QUEUES * BLOCK_RING_BYTES, &served->memory);
    if (result)
        print_error("setup: %d %s\n", result, error.text);
    return result;
}

static inline int served_blk_teardown(void **state)
{
    struct served_blk *served = *state;
    vfio_user_client_close(served->client);
    vfio_user_server_destroy(served->server);
    int result = block_card_is_clean(served->card, BLK_FUNCTION) ? 0 : -1;
    virtio_blk_destroy(served->device);
    result = result ? result : block_volume_close(served->volume);
    block_engine_close(served->engine);
    block_card_close(served->card, served->host);
    rmdir(served->folder);
    free(served);
    return result;
}

static inline void served_blk_start(struct served_blk *served, uint64_t features)
{
    assert_int_equal(virtio_blk_driver_start(&served->driver, served->client, features, GUEST_QUEUES, 128,
                                             served->memory, GUEST_ADDRESS),
                     0);
}

static inline int served_blk_request(struct served_blk *served, uint32_t type, uint64_t sector, void *data,
                                     uint32_t bytes, bool writable)
{
    return virtio_blk_driver_request(&served->driver, 0, type, sector, data, bytes, writable);
}

static inline bool served_blk_broken(struct served_blk *served)
{
    for (unsigned i = 0; i < 500; i++) {
        uint8_t status;
        assert_int_equal(virtio_driver_read(&served->driver.pci, VIRTIO_PCI_STATUS, &status, 1), 0);
        if (status & VIRTIO_STATUS_NEEDS_RESET)
            return true;
        usleep(10000);
    }
    return false;
}

#endif
