/* SPDX-License-Identifier: Apache-2.0 */
/* What the card itself knows of NVMe: NVM Express Base Specification 2.0c, "Base"; NVM Command Set Specification 1.0c,
 * "NVM". Little endian. */
#ifndef CIPU_NVME_H
#define CIPU_NVME_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NVME_PAGE_BYTES 4096u /* CC.MPS is 0: the only size offered */

struct nvme_command { /* Base figure 87, submission queue entry */
    uint8_t opcode;
    uint8_t flags; /* enum nvme_command_flags */
    uint16_t identifier;
    uint32_t namespace_id;
    uint32_t dword2;
    uint32_t dword3;
    uint64_t metadata;
    uint64_t prp1; /* or the first half of an SGL descriptor: address */
    uint64_t prp2; /* or its second half: u32 length, u8[3], u8 identifier */
    uint32_t dword10;
    uint32_t dword11;
    uint32_t dword12;
    uint32_t dword13;
    uint32_t dword14;
    uint32_t dword15;
};

enum nvme_command_flags {
    NVME_FUSE_MASK = 0x03,
    NVME_RESERVED_MASK = 0x3c,
    NVME_PSDT_MASK = 0xc0,
    NVME_PSDT_PRP = 0x00,
    NVME_PSDT_SGL = 0x40, /* metadata is a buffer; there is none */
    NVME_PSDT_SGL_SEGMENT = 0x80,
};

enum nvme_io_opcode { /* NVM figure 19 */
                      NVME_FLUSH = 0x00,
                      NVME_WRITE = 0x01,
                      NVME_READ = 0x02,
                      NVME_WRITE_UNCORRECTABLE = 0x04,
                      NVME_COMPARE = 0x05,
                      NVME_WRITE_ZEROES = 0x08,
                      NVME_DATASET_MANAGEMENT = 0x09,
                      NVME_VERIFY = 0x0c,
                      NVME_RESERVATION_REGISTER = 0x0d,
                      NVME_RESERVATION_REPORT = 0x0e,
                      NVME_RESERVATION_ACQUIRE = 0x11,
                      NVME_RESERVATION_RELEASE = 0x15,
                      NVME_COPY = 0x19,
};

/* Dword 12 of read, write, write zeroes. */
#define NVME_BLOCKS_MASK 0xffffu
#define NVME_DEALLOCATE  (1u << 25)
#define NVME_FUA         (1u << 30)
#define NVME_LIMITED     (1u << 31) /* limited retry: allowed, no meaning here */

struct nvme_completion { /* Base figure 91 */
    uint64_t result;
    uint16_t sq_head;
    uint16_t sq_id;
    uint16_t identifier;
    uint16_t status; /* bit 0 = phase tag, from bit 1 on enum nvme_status */
};

/* Status code type << 8 | status code, Base figures 94 and 96, and do not retry. Shifted left by one in a completion.
 */
#define NVME_DO_NOT_RETRY 0x4000u
enum nvme_status {
    NVME_SUCCESS = 0x000,
    NVME_INVALID_OPCODE = 0x001,
    NVME_INVALID_FIELD = 0x002,
    NVME_DATA_TRANSFER_ERROR = 0x004,
    NVME_INTERNAL_ERROR = 0x006,
    NVME_ABORT_REQUESTED = 0x007,
    NVME_ABORT_SQ_DELETED = 0x008,
    NVME_INVALID_NAMESPACE = 0x00b,
    NVME_SEQUENCE_ERROR = 0x00c,
    NVME_INVALID_SGL_SEGMENT = 0x00d,
    NVME_INVALID_SGL_COUNT = 0x00e,
    NVME_DATA_SGL_LENGTH = 0x00f,
    NVME_SGL_TYPE = 0x011,
    NVME_PRP_OFFSET = 0x013,
};

enum nvme_sgl_type { /* Base figure 74: the high half of the identifier; the low half is 0 = an address */
                     NVME_SGL_DATA = 0x0,
                     NVME_SGL_BIT_BUCKET = 0x1,
                     NVME_SGL_SEGMENT = 0x2,
                     NVME_SGL_LAST_SEGMENT = 0x3,
};

struct nvme_sgl { /* Base 4.1.2 */
    uint64_t address;
    uint32_t length;
    uint8_t reserved[3];
    uint8_t identifier;
};

static_assert(sizeof(struct nvme_command) == 64 && offsetof(struct nvme_command, prp1) == 24 &&
                  offsetof(struct nvme_command, dword10) == 40,
              "Base figure 87");
static_assert(sizeof(struct nvme_completion) == 16 && offsetof(struct nvme_completion, status) == 14, "Base figure 91");
static_assert(sizeof(struct nvme_sgl) == 16 && offsetof(struct nvme_sgl, identifier) == 15, "Base 4.1.2");

#endif
