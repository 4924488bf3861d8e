/* SPDX-License-Identifier: Apache-2.0 */
/* Split virtqueues and the virtio-net header: Virtual I/O Device (VIRTIO) 1.2, sections 2.7 and 5.1.6. Little endian.
 */
#ifndef CIPU_VIRTIO_H
#define CIPU_VIRTIO_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum virtq_descriptor_flags { VIRTQ_NEXT = 1, VIRTQ_WRITE = 2, VIRTQ_INDIRECT = 4 };

struct virtq_descriptor { /* 2.7.5 */
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

/* Available ring, 2.7.6: u16 flags, u16 index, u16 ring[size], u16 used_event. */
#define VIRTQ_AVAIL_FLAGS            0u
#define VIRTQ_AVAIL_INDEX            2u
#define VIRTQ_AVAIL_RING             4u
#define VIRTQ_AVAIL_USED_EVENT(size) (4u + 2u * (size))
#define VIRTQ_AVAIL_NO_INTERRUPT     1u

/* Used ring, 2.7.8: u16 flags, u16 index, {u32 id, u32 length} ring[size], u16 avail_event. */
#define VIRTQ_USED_FLAGS             0u
#define VIRTQ_USED_INDEX             2u
#define VIRTQ_USED_RING              4u
#define VIRTQ_USED_AVAIL_EVENT(size) (4u + 8u * (size))
#define VIRTQ_USED_NO_NOTIFY         1u

struct virtq_used_element {
    uint32_t id;
    uint32_t length;
};

enum virtio_net_header_flags { VIRTIO_NET_HEADER_NEEDS_CHECKSUM = 1, VIRTIO_NET_HEADER_DATA_VALID = 2 };

struct virtio_net_header { /* 5.1.6, with VIRTIO_F_VERSION_1 */
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_length;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    uint16_t buffers;
};

static_assert(sizeof(struct virtq_descriptor) == 16, "2.7.5");
static_assert(sizeof(struct virtq_used_element) == 8, "2.7.8");
static_assert(sizeof(struct virtio_net_header) == 12, "5.1.6");

#endif
