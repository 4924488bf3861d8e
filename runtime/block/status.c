/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/status.h"

#include <errno.h>

#include "hls/include/block.h"
#include "hls/include/nvme.h"
#include "runtime/block/backend.h"

/* NVM Command Set 1.0c figures 14 to 16 and Base 2.0c figure 94, beside those that the card itself uses. */
enum {
    STATUS_LBA_RANGE = 0x080,
    STATUS_CAPACITY_EXCEEDED = 0x081,
    STATUS_READ_ONLY_RANGE = 0x182,
    STATUS_WRITE_FAULT = 0x280,
    STATUS_UNRECOVERED_READ = 0x281,
};

enum { VIRTIO_BLK_OK = 0, VIRTIO_BLK_IOERR = 1, VIRTIO_BLK_UNSUPP = 2 }; /* VIRTIO 1.2, 5.2.6 */

/* A command that can never succeed as it is carries do-not-retry; a fault of the medium may pass. */
static uint16_t nvme_status(enum block_outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SUCCESS:
        return NVME_SUCCESS;
    case OUTCOME_RANGE:
        return STATUS_LBA_RANGE | NVME_DO_NOT_RETRY;
    case OUTCOME_READ_ONLY:
        return STATUS_READ_ONLY_RANGE | NVME_DO_NOT_RETRY;
    case OUTCOME_FIELD:
        return NVME_INVALID_FIELD | NVME_DO_NOT_RETRY;
    case OUTCOME_VOLUME:
        return NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY;
    default:
        return NVME_INTERNAL_ERROR;
    }
}

uint16_t block_status(uint32_t flags, enum block_outcome outcome)
{
    if (flags & BLOCK_VIRTIO)
        return outcome == OUTCOME_SUCCESS ? VIRTIO_BLK_OK : VIRTIO_BLK_IOERR;
    return nvme_status(outcome);
}

static uint16_t nvme_fault(uint8_t operation)
{
    switch (operation) {
    case BACKEND_READ:
        return STATUS_UNRECOVERED_READ;
    case BACKEND_WRITE:
    case BACKEND_WRITE_ZEROES:
        return STATUS_WRITE_FAULT;
    case BACKEND_FLUSH: /* a second one may succeed though what the first was to save is lost */
        return STATUS_WRITE_FAULT | NVME_DO_NOT_RETRY;
    default:
        return NVME_INTERNAL_ERROR;
    }
}

uint16_t block_status_of_result(uint32_t flags, uint8_t operation, int result)
{
    if (result >= 0)
        return block_status(flags, OUTCOME_SUCCESS);
    if (flags & BLOCK_VIRTIO)
        return result == -EOPNOTSUPP ? VIRTIO_BLK_UNSUPP : VIRTIO_BLK_IOERR;
    switch (result) {
    case -ENOSPC:
    case -EDQUOT:
        return STATUS_CAPACITY_EXCEEDED;
    case -EROFS:
        return nvme_status(OUTCOME_READ_ONLY);
    default:
        return nvme_fault(operation);
    }
}
