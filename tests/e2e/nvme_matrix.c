/* SPDX-License-Identifier: Apache-2.0 */
/* Every admin and I/O command with each field wrong, and the status that the specification wants (Base 5 and 7, NVM 3).
 */
#include <errno.h>
#include <stdio.h>

#include "tests/e2e/nvme_attacker.h"

#define ALL_NAMESPACES 0xffffffffu
#define INACTIVE       50u
#define TOO_LARGE      65u
#define READ_ONLY      2u
#define END            ATTACKER_BLOCKS
#define PRINFO         (1u << 29)

struct row {
    const char *name;
    uint8_t queue; /* 0 = admin */
    uint8_t opcode;
    uint8_t flags;
    uint32_t nsid, d10, d11, d12, d13, d14;
    uint16_t status;
    uint64_t prp1; /* 0 = a page of zeros */
};

static const struct row ROWS[] = {
    {"identify, CNS", 0, NVME_ADMIN_IDENTIFY, 0, 0, 0xff, .status = NVME_INVALID_FIELD},
    {"identify, CNS 4", 0, NVME_ADMIN_IDENTIFY, 0, 0, 4, .status = NVME_INVALID_FIELD},
    {"identify, namespace 0", 0, NVME_ADMIN_IDENTIFY, 0, 0, 0, .status = NVME_INVALID_NAMESPACE},
    {"identify, namespace 65", 0, NVME_ADMIN_IDENTIFY, 0, TOO_LARGE, 0, .status = NVME_INVALID_NAMESPACE},
    {"identify, inactive namespace", 0, NVME_ADMIN_IDENTIFY, 0, INACTIVE, 0, .status = NVME_SUCCESS},
    {"identify, all namespaces", 0, NVME_ADMIN_IDENTIFY, 0, ALL_NAMESPACES, 0, .status = NVME_SUCCESS},
    {"identify, list from -1", 0, NVME_ADMIN_IDENTIFY, 0, ALL_NAMESPACES, 2, .status = NVME_INVALID_NAMESPACE},
    {"identify, list from -2", 0, NVME_ADMIN_IDENTIFY, 0, 0xfffffffe, 2, .status = NVME_INVALID_NAMESPACE},
    {"identify, descriptors of 0", 0, NVME_ADMIN_IDENTIFY, 0, 0, 3, .status = NVME_INVALID_NAMESPACE},
    {"identify, descriptors of inactive", 0, NVME_ADMIN_IDENTIFY, 0, INACTIVE, 3, .status = NVME_INVALID_FIELD},
    {"identify, command set", 0, NVME_ADMIN_IDENTIFY, 0, 0, 6, 5u << 24, .status = NVME_INVALID_FIELD},
    {"identify, other controller's sets", 0, NVME_ADMIN_IDENTIFY, 0, 0, 0x1c | 77u << 16, .status = NVME_INVALID_FIELD},
    {"identify, PRP offset", 0, NVME_ADMIN_IDENTIFY, 0, 0, 1, .status = NVME_PRP_OFFSET, .prp1 = ATTACKER_ADDRESS + 2},
    {"identify, to nowhere", 0, NVME_ADMIN_IDENTIFY, 0, 0, 1, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_NOWHERE},
    {"identify, to read-only memory", 0, NVME_ADMIN_IDENTIFY, 0, 0, 1, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_READ_ONLY},
    {"log, page 9", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 0, 9 | 1023u << 16, .status = NVME_INVALID_LOG_PAGE},
    {"log, offset 2", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 0, 1 | 3u << 16, 0, 2, .status = NVME_INVALID_FIELD},
    {"log, offset beyond", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 0, 3 | 3u << 16, 0, 4096, .status = NVME_INVALID_FIELD},
    {"log, far offset", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 0, 3 | 3u << 16, 0, 0, 1, .status = NVME_INVALID_FIELD},
    {"log, 16 GiB", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 0, 1 | 0xffffu << 16, 0xffff, .status = NVME_INVALID_FIELD},
    {"log, health of a namespace", 0, NVME_ADMIN_GET_LOG_PAGE, 0, 1, 2 | 127u << 16, .status = NVME_INVALID_FIELD},
    {"log, health of namespace 65", 0, NVME_ADMIN_GET_LOG_PAGE, 0, TOO_LARGE, 2 | 127u << 16,
     .status = NVME_INVALID_NAMESPACE},
    {"abort, unknown queue", 0, NVME_ADMIN_ABORT, 0, 0, 99, .status = NVME_SUCCESS},
    {"abort, unknown command", 0, NVME_ADMIN_ABORT, 0, 0, 1 | 0xffffu << 16, .status = NVME_SUCCESS},
    {"features, unknown", 0, NVME_ADMIN_GET_FEATURES, 0, 0, 0, .status = NVME_INVALID_FIELD},
    {"features, unknown to set", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 0x7f, .status = NVME_INVALID_FIELD},
    {"features, select 4", 0, NVME_ADMIN_GET_FEATURES, 0, 0, 1 | 4u << 8, .status = NVME_INVALID_FIELD},
    {"features, reserved", 0, NVME_ADMIN_GET_FEATURES, 0, 0, 1 | 1u << 12, .status = NVME_INVALID_FIELD},
    {"features, save", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 1 | 1u << 31, .status = NVME_FEATURE_NOT_SAVEABLE},
    {"features, of a namespace", 0, NVME_ADMIN_SET_FEATURES, 0, 1, 1, .status = NVME_FEATURE_NOT_NAMESPACE_SPECIFIC},
    {"features, queues when there are", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 7, 0, .status = NVME_SEQUENCE_ERROR},
    {"features, 65536 queues", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 7, 0xffff, .status = NVME_INVALID_FIELD},
    {"features, cache off", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 6, 0, .status = NVME_FEATURE_NOT_CHANGEABLE},
    {"features, power state 1", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 2, 1, .status = NVME_INVALID_FIELD},
    {"features, vector 999", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 9, 999, .status = NVME_INVALID_FIELD},
    {"features, sensor 3", 0, NVME_ADMIN_SET_FEATURES, 0, 0, 4, 3u << 16 | 300, .status = NVME_INVALID_FIELD},
    {"features, timestamp to nowhere", 0, NVME_ADMIN_GET_FEATURES, 0, 0, 0x0e, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_NOWHERE},
    {"features, mask of namespace 50", 0, NVME_ADMIN_SET_FEATURES, 0, INACTIVE, 0x82, .status = NVME_INVALID_NAMESPACE},
    {"create CQ 0", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16, 1, .status = NVME_INVALID_QUEUE_ID},
    {"create CQ 1 again", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 1, 1, .status = NVME_INVALID_QUEUE_ID},
    {"create CQ 65535", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 0xffff, 1, .status = NVME_INVALID_QUEUE_ID},
    {"create CQ, 1 entry", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 2, 1, .status = NVME_INVALID_QUEUE_SIZE},
    {"create CQ, 65536 entries", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 0xffffu << 16 | 2, 1,
     .status = NVME_INVALID_QUEUE_SIZE},
    {"create CQ, scattered", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 2, 0, .status = NVME_INVALID_FIELD},
    {"create CQ, vector 999", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 2, 999u << 16 | 3,
     .status = NVME_INVALID_VECTOR},
    {"create CQ, reserved", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 2, 0x101, .status = NVME_INVALID_FIELD},
    {"create CQ, offset", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 2, 1, .status = NVME_PRP_OFFSET,
     .prp1 = ATTACKER_ADDRESS + 64},
    {"create CQ nowhere", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 63u << 16 | 2, 1, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_NOWHERE},
    {"create CQ over the end", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 1023u << 16 | 2, 1, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_ADDRESS + ATTACKER_BYTES - NVME_PAGE_BYTES},
    {"create CQ at the end of all", 0, NVME_ADMIN_CREATE_CQ, 0, 0, 1023u << 16 | 2, 1,
     .status = NVME_DATA_TRANSFER_ERROR, .prp1 = UINT64_C(0xfffffffffffff000)},
    {"create SQ 0", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16, 1u << 16 | 1, .status = NVME_INVALID_QUEUE_ID},
    {"create SQ 1 again", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16 | 1, 1u << 16 | 1, .status = NVME_INVALID_QUEUE_ID},
    {"create SQ for CQ 0", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16 | 2, 1, .status = NVME_INVALID_QUEUE_ID},
    {"create SQ for CQ 2", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16 | 2, 2u << 16 | 1, .status = NVME_INVALID_CQ},
    {"create SQ, 1 entry", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 2, 1u << 16 | 1, .status = NVME_INVALID_QUEUE_SIZE},
    {"create SQ, scattered", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16 | 2, 1u << 16, .status = NVME_INVALID_FIELD},
    {"create SQ nowhere", 0, NVME_ADMIN_CREATE_SQ, 0, 0, 63u << 16 | 2, 1u << 16 | 1,
     .status = NVME_DATA_TRANSFER_ERROR, .prp1 = ATTACKER_NOWHERE},
    {"delete SQ 0", 0, NVME_ADMIN_DELETE_SQ, .status = NVME_INVALID_QUEUE_ID},
    {"delete SQ 2", 0, NVME_ADMIN_DELETE_SQ, .d10 = 2, .status = NVME_INVALID_QUEUE_ID},
    {"delete CQ 0", 0, NVME_ADMIN_DELETE_CQ, .status = NVME_INVALID_QUEUE_ID},
    {"delete CQ 2", 0, NVME_ADMIN_DELETE_CQ, .d10 = 2, .status = NVME_INVALID_QUEUE_ID},
    {"delete CQ before its SQ", 0, NVME_ADMIN_DELETE_CQ, .d10 = 1, .status = NVME_INVALID_QUEUE_DELETION},
    {"firmware, slot 2", 0, NVME_ADMIN_FIRMWARE_COMMIT, 0, 0, 2, .status = NVME_INVALID_FIRMWARE_SLOT},
    {"firmware, action 7", 0, NVME_ADMIN_FIRMWARE_COMMIT, 0, 0, 7u << 3 | 1, .status = NVME_INVALID_FIELD},
    {"self-test, operation 5", 0, NVME_ADMIN_SELF_TEST, 0, 0, 5, .status = NVME_INVALID_FIELD},
    {"self-test, namespace 65", 0, NVME_ADMIN_SELF_TEST, 0, TOO_LARGE, 1, .status = NVME_INVALID_NAMESPACE},
    {"directive send", 0, NVME_ADMIN_DIRECTIVE_SEND, 0, 1, 0, 1u << 8 | 1, .status = NVME_INVALID_FIELD},
    {"directive receive, streams", 0, NVME_ADMIN_DIRECTIVE_RECEIVE, 0, 1, 0, 1u << 8 | 1, .status = NVME_INVALID_FIELD},
    {"format, LBA format 5", 0, NVME_ADMIN_FORMAT, 0, 1, 5, .status = NVME_INVALID_FORMAT},
    {"format, protection", 0, NVME_ADMIN_FORMAT, 0, 1, 1u << 5, .status = NVME_INVALID_FORMAT},
    {"format, erase 3", 0, NVME_ADMIN_FORMAT, 0, 1, 3u << 9, .status = NVME_INVALID_FIELD},
    {"format, namespace 0", 0, NVME_ADMIN_FORMAT, 0, 0, 0, .status = NVME_INVALID_NAMESPACE},
    {"format, namespace 65", 0, NVME_ADMIN_FORMAT, 0, TOO_LARGE, 0, .status = NVME_INVALID_NAMESPACE},
    {"format, read-only", 0, NVME_ADMIN_FORMAT, 0, READ_ONLY, 0, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"sanitize, action 0", 0, NVME_ADMIN_SANITIZE, 0, 0, 0, .status = NVME_INVALID_FIELD},
    {"sanitize, overwrite", 0, NVME_ADMIN_SANITIZE, 0, 0, 3, .status = NVME_INVALID_FIELD},
    {"sanitize with a read-only namespace", 0, NVME_ADMIN_SANITIZE, 0, 0, 2, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"shadow doorbells, offset", 0, NVME_ADMIN_DOORBELL_BUFFER, .status = NVME_INVALID_FIELD,
     .prp1 = ATTACKER_ADDRESS + 64},

    {"read, namespace 0", 1, NVME_READ, 0, 0, 0, .status = NVME_INVALID_NAMESPACE},
    {"read, namespace 65", 1, NVME_READ, 0, TOO_LARGE, 0, .status = NVME_INVALID_NAMESPACE},
    {"read, inactive namespace", 1, NVME_READ, 0, INACTIVE, 0, .status = NVME_INVALID_FIELD},
    {"read, all namespaces", 1, NVME_READ, 0, ALL_NAMESPACES, 0, .status = NVME_INVALID_NAMESPACE},
    {"read, beyond", 1, NVME_READ, 0, 1, END, .status = NVME_LBA_RANGE},
    {"read, over the end", 1, NVME_READ, 0, 1, END - 1, 0, 1, .status = NVME_LBA_RANGE},
    {"read, far", 1, NVME_READ, 0, 1, 0, 0x80000000, .status = NVME_LBA_RANGE},
    {"read, wraps", 1, NVME_READ, 0, 1, 0xffffffff, 0xffffffff, 7, .status = NVME_LBA_RANGE},
    {"read, 32 MiB", 1, NVME_READ, 0, 1, 0, 0, 0xffff, .status = NVME_INVALID_FIELD},
    {"read, storage tag", 1, NVME_READ, 0, 1, 0, 0, 1u << 24, .status = NVME_INVALID_FIELD},
    {"read, protection", 1, NVME_READ, 0, 1, 0, 0, PRINFO, .status = NVME_INVALID_PROTECTION},
    {"write, read-only", 1, NVME_WRITE, 0, READ_ONLY, 0, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"write, directive", 1, NVME_WRITE, 0, 1, 0, 0, 1u << 20, .status = NVME_INVALID_FIELD},
    {"write, beyond", 1, NVME_WRITE, 0, 1, END, .status = NVME_LBA_RANGE},
    {"write, namespace 0", 1, NVME_WRITE, 0, 0, 0, .status = NVME_INVALID_NAMESPACE},
    {"write, 2 MiB", 1, NVME_WRITE, 0, 1, 0, 0, 4095, .status = NVME_INVALID_FIELD},
    {"compare, beyond", 1, NVME_COMPARE, 0, 1, END, .status = NVME_LBA_RANGE},
    {"compare, 2 MiB", 1, NVME_COMPARE, 0, 1, 0, 0, 4095, .status = NVME_INVALID_FIELD},
    {"zeroes, beyond", 1, NVME_WRITE_ZEROES, 0, 1, END - 8, 0, 8, .status = NVME_LBA_RANGE},
    {"zeroes, read-only", 1, NVME_WRITE_ZEROES, 0, READ_ONLY, 0, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"zeroes, all", 1, NVME_WRITE_ZEROES, 0, ALL_NAMESPACES, 0, .status = NVME_INVALID_NAMESPACE},
    {"verify, beyond", 1, NVME_VERIFY, 0, 1, END - 8, 0, 8, .status = NVME_LBA_RANGE},
    {"dataset, attributes", 1, NVME_DATASET_MANAGEMENT, 0, 1, 0, 8, .status = NVME_INVALID_FIELD},
    {"dataset, count", 1, NVME_DATASET_MANAGEMENT, 0, 1, 0x100, 4, .status = NVME_INVALID_FIELD},
    {"dataset, read-only", 1, NVME_DATASET_MANAGEMENT, 0, READ_ONLY, 0, 4, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"dataset, from nowhere", 1, NVME_DATASET_MANAGEMENT, 0, 1, 0, 4, .status = NVME_DATA_TRANSFER_ERROR,
     .prp1 = ATTACKER_NOWHERE},
    {"copy, format 1", 1, NVME_COPY, 0, 1, 0, 0, 1u << 8, .status = NVME_INVALID_FIELD},
    {"copy, 129 ranges", 1, NVME_COPY, 0, 1, 0, 0, 128, .status = NVME_COMMAND_SIZE_LIMIT},
    {"copy, beyond", 1, NVME_COPY, 0, 1, END, .status = NVME_LBA_RANGE},
    {"copy, read-only", 1, NVME_COPY, 0, READ_ONLY, 0, .status = NVME_NAMESPACE_WRITE_PROTECTED},
    {"flush, namespace 0", 1, NVME_FLUSH, .status = NVME_INVALID_NAMESPACE},
    {"flush, inactive", 1, NVME_FLUSH, 0, INACTIVE, .status = NVME_INVALID_FIELD},
    {"flush, all", 1, NVME_FLUSH, 0, ALL_NAMESPACES, .status = NVME_SUCCESS},
    {"register, action 7", 1, NVME_RESERVATION_REGISTER, 0, 1, 7, .status = NVME_INVALID_FIELD},
    {"register, persistence 1", 1, NVME_RESERVATION_REGISTER, 0, 1, 1u << 30, .status = NVME_INVALID_FIELD},
    {"register, key of nobody", 1, NVME_RESERVATION_REGISTER, 0, 1, 1, .status = NVME_RESERVATION_CONFLICT},
    {"acquire, unregistered", 1, NVME_RESERVATION_ACQUIRE, 0, 1, 1u << 8, .status = NVME_RESERVATION_CONFLICT},
    {"acquire, ignores key", 1, NVME_RESERVATION_ACQUIRE, 0, 1, 1u << 8 | 8, .status = NVME_INVALID_FIELD},
    {"acquire, namespace 0", 1, NVME_RESERVATION_ACQUIRE, 0, 0, 1u << 8, .status = NVME_INVALID_NAMESPACE},
    {"release, unregistered", 1, NVME_RESERVATION_RELEASE, 0, 1, 1u << 8, .status = NVME_RESERVATION_CONFLICT},
    {"report, 4 GiB", 1, NVME_RESERVATION_REPORT, 0, 1, 0x3fffffff, 1, .status = NVME_INVALID_FIELD},
};

static unsigned expect(struct attacker *attacker, const char *name, unsigned queue, struct nvme_command *command,
                       uint16_t status)
{
    unsigned opcode = command->opcode;
    int got = attacker_status(attacker, queue, command);
    if (got == status)
        return 0;
    printf("# %s (queue %u, opcode 0x%02x): found 0x%x, expected 0x%x\n", name, queue, opcode, got, status);
    return 1;
}

static unsigned run_row(struct attacker *attacker, const struct row *row)
{
    struct nvme_command command = {.opcode = row->opcode,
                                   .flags = row->flags,
                                   .namespace_id = row->nsid,
                                   .prp1 = row->prp1 ? row->prp1 : attacker->data_address,
                                   .prp2 = attacker->data_address + NVME_PAGE_BYTES,
                                   .dword10 = row->d10,
                                   .dword11 = row->d11,
                                   .dword12 = row->d12,
                                   .dword13 = row->d13,
                                   .dword14 = row->d14};
    memset(attacker->data, 0, 2 * NVME_PAGE_BYTES);
    return expect(attacker, row->name, row->queue, &command, row->status);
}

/* What the log of commands and their effects says is there; bit 0 of each. */
static int get_effects(struct attacker *attacker, uint32_t effects[512])
{
    struct nvme_command command = {.opcode = NVME_ADMIN_GET_LOG_PAGE, .dword10 = 5 | 511u << 16};
    struct nvme_completion completion;
    int result = nvme_initiator_admin(&attacker->initiator, &command, effects, 2048, false, &completion);
    return result < 0 ? result : completion.status >> 1;
}

/* Flags that no command may have, and opcodes that are none. */
static unsigned run_opcodes(struct attacker *attacker, unsigned queue, const uint32_t effects[256])
{
    static const uint8_t flags[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80, 0xc0};
    unsigned failed = 0;
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        struct nvme_command command = {.opcode = (uint8_t)opcode, .namespace_id = 1, .prp1 = attacker->data_address};
        if (!(effects[opcode] & 1)) {
            failed += expect(attacker, "no such opcode", queue, &command, NVME_INVALID_OPCODE);
            continue;
        }
        for (unsigned i = 0; i < sizeof flags; i++) {
            command = (struct nvme_command){.opcode = (uint8_t)opcode, .flags = flags[i], .namespace_id = 1};
            failed += expect(attacker, "flags", queue, &command, NVME_INVALID_FIELD);
        }
        command = (struct nvme_command){.opcode = (uint8_t)opcode, .flags = NVME_PSDT_SGL, .namespace_id = 1};
        if (!queue)
            failed += expect(attacker, "SGLs of an admin command", queue, &command, NVME_INVALID_FIELD);
    }
    return failed;
}

unsigned nvme_matrix(struct attacker *attacker)
{
    uint32_t effects[512];
    unsigned failed = 0;
    if (get_effects(attacker, effects)) {
        puts("# there is no log of effects");
        return 1;
    }
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        failed += run_row(attacker, &ROWS[i]);
    failed += run_opcodes(attacker, 0, effects);
    failed += run_opcodes(attacker, 1, effects + 256);
    printf("# %zu commands with wrong fields, %u answered in another way\n", sizeof ROWS / sizeof ROWS[0], failed);
    return failed;
}
