/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/nvme_attacker.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define DATA_PAGES 256u

uint64_t attacker_random(struct attacker *attacker)
{
    attacker->random ^= attacker->random << 13;
    attacker->random ^= attacker->random >> 7;
    attacker->random ^= attacker->random << 17;
    return attacker->random;
}

static int map_read_only(struct attacker *attacker)
{
    attacker->read_only_fd = memfd_create("read-only", MFD_CLOEXEC);
    if (attacker->read_only_fd < 0 || ftruncate(attacker->read_only_fd, NVME_PAGE_BYTES))
        return -errno;
    return vfio_user_client_dma_map(attacker->client, ATTACKER_READ_ONLY, NVME_PAGE_BYTES, attacker->read_only_fd, 0,
                                    1);
}

int attacker_connect(struct attacker *attacker, const char *socket, uint64_t seed)
{
    *attacker = (struct attacker){.socket = socket, .random = seed * 2654435761u + 1, .read_only_fd = -1};
    int result = vfio_user_client_connect(socket, CLIENT_VERSION_JSON, &attacker->client);
    if (result == 0)
        result = vfio_user_client_memory(attacker->client, CLIENT_MEMORY_SHARED, ATTACKER_ADDRESS, ATTACKER_BYTES,
                                         &attacker->memory);
    if (result == 0)
        result = map_read_only(attacker);
    if (result == 0)
        result = nvme_initiator_open(&attacker->initiator, attacker->client, attacker->memory, ATTACKER_ADDRESS,
                                     ATTACKER_BYTES);
    attacker->data = nvme_initiator_alloc(&attacker->initiator, DATA_PAGES, &attacker->data_address);
    attacker->fresh = attacker->initiator.used;
    return result;
}

void attacker_disconnect(struct attacker *attacker)
{
    nvme_initiator_close(&attacker->initiator);
    vfio_user_client_close(attacker->client);
    if (attacker->read_only_fd >= 0)
        close(attacker->read_only_fd);
    attacker->client = NULL;
}

int attacker_begin(struct attacker *attacker)
{
    int result = nvme_initiator_disable(&attacker->initiator);
    attacker->initiator.used = attacker->fresh;
    if (result == 0)
        result = nvme_initiator_enable(&attacker->initiator, ATTACKER_ENTRIES);
    return result == 0 ? nvme_initiator_pair(&attacker->initiator, 1, ATTACKER_ENTRIES) : result;
}

int attacker_status(struct attacker *attacker, unsigned queue, struct nvme_command *command)
{
    struct nvme_completion completion;
    int result = nvme_initiator_execute(&attacker->initiator, attacker_pair(attacker, queue), command, &completion);
    return result < 0 ? result : completion.status >> 1 & 0x7ff;
}

int attacker_honest(struct attacker *attacker)
{
    uint8_t *written = attacker->data, *read = attacker->data + 2 * NVME_PAGE_BYTES;
    uint64_t lba = attacker_random(attacker) % (ATTACKER_BLOCKS - 16);
    for (unsigned i = 0; i < 2 * NVME_PAGE_BYTES; i++)
        written[i] = (uint8_t)attacker_random(attacker);
    memset(read, 0, 2 * NVME_PAGE_BYTES);
    struct nvme_command write =
        attacker_transfer(NVME_WRITE, lba, 16, attacker->data_address, attacker->data_address + NVME_PAGE_BYTES);
    struct nvme_command back = attacker_transfer(NVME_READ, lba, 16, attacker->data_address + 2 * NVME_PAGE_BYTES,
                                                 attacker->data_address + 3 * NVME_PAGE_BYTES);
    if (attacker_status(attacker, 1, &write) || attacker_status(attacker, 1, &back))
        return -EIO;
    return memcmp(written, read, 2 * NVME_PAGE_BYTES) ? -EBADMSG : 0;
}
