/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user wire format: vhost-user.rst of QEMU's documentation. Host endian. */
#ifndef CIPU_VHOST_USER_PROTOCOL_H
#define CIPU_VHOST_USER_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum vhost_user_request {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_RESET_OWNER = 4,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_SET_VRING_ERR = 14,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_GET_QUEUE_NUM = 17,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_SET_CONFIG = 25,
    VHOST_USER_GET_INFLIGHT_FD = 31,
    VHOST_USER_SET_INFLIGHT_FD = 32,
    VHOST_USER_RESET_DEVICE = 34,
    VHOST_USER_GET_MAX_MEM_SLOTS = 36,
    VHOST_USER_ADD_MEM_REG = 37,
    VHOST_USER_REM_MEM_REG = 38,
    VHOST_USER_SET_STATUS = 39,
    VHOST_USER_GET_STATUS = 40,
};

enum vhost_user_backend_request { VHOST_USER_BACKEND_CONFIG_CHANGE = 2 };

enum vhost_user_flags {
    VHOST_USER_VERSION_MASK = 3,
    VHOST_USER_VERSION = 1,
    VHOST_USER_REPLY = 4,
    VHOST_USER_NEED_REPLY = 8,
};

#define VHOST_USER_F_PROTOCOL_FEATURES (UINT64_C(1) << 30) /* among the virtio features */

enum vhost_user_protocol_feature { /* bits */
                                   VHOST_USER_PROTOCOL_MQ = 0,
                                   VHOST_USER_PROTOCOL_REPLY_ACK = 3,
                                   VHOST_USER_PROTOCOL_BACKEND_REQ = 5,
                                   VHOST_USER_PROTOCOL_CONFIG = 9,
                                   VHOST_USER_PROTOCOL_BACKEND_SEND_FD = 10,
                                   VHOST_USER_PROTOCOL_INFLIGHT_SHMFD = 12,
                                   VHOST_USER_PROTOCOL_RESET_DEVICE = 13,
                                   VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
                                   VHOST_USER_PROTOCOL_STATUS = 16,
};

struct vhost_user_header {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of the payload */
};

struct vhost_user_state {
    uint32_t index;
    uint32_t number;
};

#define VHOST_USER_ADDRESS_LOG 1u /* flags */

struct vhost_user_address { /* the client's own addresses */
    uint32_t index;
    uint32_t flags;
    uint64_t descriptors;
    uint64_t used;
    uint64_t avail;
    uint64_t log;
};

struct vhost_user_region {
    uint64_t guest_address;
    uint64_t bytes;
    uint64_t user_address;
    uint64_t offset; /* of the descriptor that comes with it */
};

#define VHOST_USER_TABLE_REGIONS 8u

struct vhost_user_memory {
    uint32_t count;
    uint32_t padding;
    struct vhost_user_region regions[VHOST_USER_TABLE_REGIONS];
};

struct vhost_user_one_region {
    uint64_t padding;
    struct vhost_user_region region;
};

#define VHOST_USER_CONFIG_MAX 256u

struct vhost_user_config {
    uint32_t offset;
    uint32_t bytes;
    uint32_t flags;
    uint8_t data[VHOST_USER_CONFIG_MAX];
};

#define VHOST_USER_INFLIGHT_BYTES 20u /* on the wire; QEMU sends the structure with its padding */

struct vhost_user_inflight {
    uint64_t bytes;
    uint64_t offset;
    uint16_t queues;
    uint16_t entries;
    uint32_t padding;
};

/* Of SET_VRING_KICK, _CALL and _ERR: the queue, and that no descriptor comes with it. */
#define VHOST_USER_VRING_INDEX_MASK 0xffu
#define VHOST_USER_VRING_NO_FD      0x100u

union vhost_user_payload {
    uint64_t value;
    struct vhost_user_state state;
    struct vhost_user_address address;
    struct vhost_user_memory memory;
    struct vhost_user_one_region region;
    struct vhost_user_config config;
    struct vhost_user_inflight inflight;
    uint8_t bytes[512];
};

static_assert(sizeof(struct vhost_user_header) == 12, "message header");
static_assert(sizeof(struct vhost_user_state) == 8, "vring state");
static_assert(sizeof(struct vhost_user_address) == 40, "vring address");
static_assert(sizeof(struct vhost_user_region) == 32, "memory region");
static_assert(offsetof(struct vhost_user_memory, regions) == 8, "memory regions");
static_assert(sizeof(struct vhost_user_one_region) == 40, "single memory region");
static_assert(offsetof(struct vhost_user_config, data) == 12, "virtio device config space");
static_assert(sizeof(struct vhost_user_inflight) == 24, "inflight description");

#endif
