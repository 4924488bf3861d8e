/* SPDX-License-Identifier: Apache-2.0 */
/* The vfio-user wire format: vfio-user.rst 0.9.1. Host endian; all structures follow the header without padding. */
#ifndef CIPU_VFIO_USER_PROTOCOL_H
#define CIPU_VFIO_USER_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum vfio_user_command {
    VFIO_USER_VERSION = 1,
    VFIO_USER_DMA_MAP = 2,
    VFIO_USER_DMA_UNMAP = 3,
    VFIO_USER_DEVICE_GET_INFO = 4,
    VFIO_USER_DEVICE_GET_REGION_INFO = 5,
    VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
    VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
    VFIO_USER_DEVICE_SET_IRQS = 8,
    VFIO_USER_REGION_READ = 9,
    VFIO_USER_REGION_WRITE = 10,
    VFIO_USER_DMA_READ = 11,  /* server to client */
    VFIO_USER_DMA_WRITE = 12, /* server to client */
    VFIO_USER_DEVICE_RESET = 13,
    VFIO_USER_REGION_WRITE_MULTI = 15,
    VFIO_USER_DEVICE_FEATURE = 16,
    VFIO_USER_MIG_DATA_READ = 17,
    VFIO_USER_MIG_DATA_WRITE = 18,
};

enum vfio_user_flags {
    VFIO_USER_TYPE_MASK = 0xf,
    VFIO_USER_COMMAND = 0,
    VFIO_USER_REPLY = 1,
    VFIO_USER_NO_REPLY = 0x10,
    VFIO_USER_ERROR = 0x20,
};

struct vfio_user_header {
    uint16_t id; /* the sender's */
    uint16_t command;
    uint32_t size; /* with this header */
    uint32_t flags;
    uint32_t error; /* positive errno */
};

struct vfio_user_version {
    uint16_t major;
    uint16_t minor;
    /* JSON text, NUL-terminated, may be absent */
};

enum vfio_user_dma_flags { VFIO_USER_DMA_FLAG_READ = 1, VFIO_USER_DMA_FLAG_WRITE = 2 };
enum vfio_user_unmap_flags { VFIO_USER_UNMAP_ALL = 2 };

struct vfio_user_dma_map {
    uint32_t argsz;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t length;
};

struct vfio_user_dma_unmap {
    uint32_t argsz;
    uint32_t flags;
    uint64_t address;
    uint64_t length;
};

enum vfio_user_device_flags { VFIO_USER_DEVICE_RESETTABLE = 1, VFIO_USER_DEVICE_PCI = 2 };

struct vfio_user_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t regions;
    uint32_t irqs;
};

enum vfio_user_region_flags {
    VFIO_USER_REGION_READABLE = 1,
    VFIO_USER_REGION_WRITABLE = 2,
    VFIO_USER_REGION_MMAP = 4,
    VFIO_USER_REGION_CAPS = 8,
};

struct vfio_user_region_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t cap_offset;
    uint64_t size;
    uint64_t offset; /* of the region in the descriptor that is passed for mmap */
};

#define VFIO_USER_CAP_SPARSE_MMAP 1

/* Capability header, then the sparse mmap areas; one area here. */
struct vfio_user_sparse_mmap {
    uint16_t id;
    uint16_t version;
    uint32_t next;
    uint32_t areas;
    uint32_t reserved;
    uint64_t offset;
    uint64_t size;
};

struct vfio_user_region_io_fds {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

enum vfio_user_irq_info_flags { VFIO_USER_IRQ_EVENTFD = 1 };

struct vfio_user_irq_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

enum vfio_user_irq_set_flags {
    VFIO_USER_IRQ_DATA_NONE = 1,
    VFIO_USER_IRQ_DATA_BOOL = 2,
    VFIO_USER_IRQ_DATA_EVENTFD = 4,
    VFIO_USER_IRQ_DATA_MASK = 7,
    VFIO_USER_IRQ_MASK = 8,
    VFIO_USER_IRQ_UNMASK = 0x10,
    VFIO_USER_IRQ_TRIGGER = 0x20,
    VFIO_USER_IRQ_ACTION_MASK = 0x38,
};

struct vfio_user_irq_set {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t start;
    uint32_t count;
};

struct vfio_user_region_access {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
};

#define VFIO_USER_WRITE_MULTI_MAX 200u

struct vfio_user_write_multi {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
    uint8_t data[8];
};

struct vfio_user_dma_access {
    uint64_t address;
    uint64_t count;
};

enum vfio_user_feature_flags {
    VFIO_USER_FEATURE_GET = 1 << 16,
    VFIO_USER_FEATURE_SET = 1 << 17,
    VFIO_USER_FEATURE_PROBE = 1 << 18,
};

struct vfio_user_feature {
    uint32_t argsz;
    uint32_t flags;
};

/* What this side can take; the client's own limits come with its version message. */
#define VFIO_USER_MAX_FDS      8u
#define VFIO_USER_MAX_TRANSFER (1u << 20)
#define VFIO_USER_MAX_MAPS     65535u
#define VFIO_USER_MAX_PAYLOAD  (VFIO_USER_MAX_TRANSFER + 4096u)

static_assert(sizeof(struct vfio_user_header) == 16, "message header");
static_assert(sizeof(struct vfio_user_version) == 4, "version");
static_assert(sizeof(struct vfio_user_dma_map) == 32, "dma map");
static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "dma unmap");
static_assert(sizeof(struct vfio_user_device_info) == 16, "struct vfio_device_info");
static_assert(sizeof(struct vfio_user_region_info) == 32, "struct vfio_region_info");
static_assert(sizeof(struct vfio_user_sparse_mmap) == 32, "struct vfio_region_info_cap_sparse_mmap with one area");
static_assert(sizeof(struct vfio_user_region_io_fds) == 16, "region io fds");
static_assert(sizeof(struct vfio_user_irq_info) == 16, "struct vfio_irq_info");
static_assert(sizeof(struct vfio_user_irq_set) == 20, "struct vfio_irq_set");
static_assert(sizeof(struct vfio_user_region_access) == 16, "region access");
static_assert(sizeof(struct vfio_user_write_multi) == 24, "region write multi");
static_assert(sizeof(struct vfio_user_dma_access) == 16, "dma access");
static_assert(sizeof(struct vfio_user_feature) == 8, "struct vfio_device_feature");

#endif
