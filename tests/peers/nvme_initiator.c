/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/peers/nvme_initiator.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "runtime/device/nvme_spec.h"
#include "runtime/frontend/vfio_user_protocol.h"

#define PATIENCE_SECONDS 10

/* Asks where the doorbell page can be mapped, and maps it. No such page is no error. */
static int map_page(struct nvme_initiator *initiator)
{
    struct {
        struct vfio_user_region_info info;
        struct vfio_user_sparse_mmap area;
    } reply = {.info = {.argsz = sizeof reply}};
    struct vfio_user_exchange exchange = {
        .data = &reply, .bytes = sizeof reply.info, .reply = &reply, .room = sizeof reply, .reply_fd = -1};
    int result = vfio_user_client_exchange(initiator->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange);
    if (result < 0 || exchange.reply_fd < 0)
        return result;
    if (exchange.reply_bytes == sizeof reply && reply.area.offset == NVME_REG_DOORBELLS) {
        void *page = mmap(NULL, reply.area.size, PROT_READ | PROT_WRITE, MAP_SHARED, exchange.reply_fd,
                          (off_t)(reply.info.offset + reply.area.offset));
        if (page == MAP_FAILED)
            result = -errno;
        else
            initiator->page = page;
    }
    close(exchange.reply_fd);
    initiator->doorbells = (_Atomic uint32_t *)(void *)initiator->page;
    return result;
}

int nvme_initiator_open(struct nvme_initiator *initiator, struct vfio_user_client *client, uint8_t *memory,
                        uint64_t address, uint64_t bytes)
{
    uint16_t command = 6; /* memory space, bus master */
    *initiator = (struct nvme_initiator){.client = client, .memory = memory, .address = address, .bytes = bytes};
    int result = vfio_user_client_write(client, 7, 4, &command, sizeof command);
    return result < 0 ? result : map_page(initiator);
}

void nvme_initiator_close(struct nvme_initiator *initiator)
{
    if (initiator->page)
        munmap(initiator->page, NVME_PAGE_BYTES);
    initiator->page = NULL;
}

void *nvme_initiator_alloc(struct nvme_initiator *initiator, unsigned pages, uint64_t *address)
{
    uint64_t bytes = (uint64_t)pages * NVME_PAGE_BYTES;
    if (bytes > initiator->bytes - initiator->used)
        return NULL;
    uint8_t *at = initiator->memory + initiator->used;
    *address = initiator->address + initiator->used;
    initiator->used += bytes;
    memset(at, 0, bytes);
    return at;
}

int nvme_initiator_read(struct nvme_initiator *initiator, uint32_t offset, uint32_t *value)
{
    return vfio_user_client_read(initiator->client, 0, offset, value, sizeof *value);
}

int nvme_initiator_write(struct nvme_initiator *initiator, uint32_t offset, uint32_t value)
{
    return vfio_user_client_write(initiator->client, 0, offset, &value, sizeof value);
}

static int wait_ready(struct nvme_initiator *initiator, uint32_t ready)
{
    time_t since = time(NULL);
    uint32_t status = 0;
    do {
        int result = nvme_initiator_read(initiator, NVME_REG_CSTS, &status);
        if (result < 0)
            return result;
        if (ready && status & 2u) /* a reset ends a fatal state */
            return -EIO;
        if ((status & 1u) == ready)
            return 0;
        usleep(100);
    } while (time(NULL) - since < PATIENCE_SECONDS);
    return -ETIMEDOUT;
}

int nvme_initiator_disable(struct nvme_initiator *initiator)
{
    int result = nvme_initiator_write(initiator, NVME_REG_CC, 0);
    initiator->shadow = initiator->event = NULL;
    return result < 0 ? result : wait_ready(initiator, 0);
}

/* A pair's memory; its queues are empty. */
static int make_pair(struct nvme_initiator *initiator, uint32_t number, uint32_t entries)
{
    struct nvme_pair *pair = &initiator->pairs[number];
    unsigned sq_pages = (unsigned)((entries * sizeof(struct nvme_command) + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES);
    unsigned cq_pages = (unsigned)((entries * sizeof(struct nvme_completion) + NVME_PAGE_BYTES - 1) / NVME_PAGE_BYTES);
    *pair = (struct nvme_pair){.number = number, .entries = entries, .phase = 1};
    pair->sq = nvme_initiator_alloc(initiator, sq_pages, &pair->sq_address);
    pair->cq = nvme_initiator_alloc(initiator, cq_pages, &pair->cq_address);
    return pair->sq && pair->cq ? 0 : -ENOMEM;
}

int nvme_initiator_enable(struct nvme_initiator *initiator, uint32_t entries)
{
    int result = nvme_initiator_disable(initiator);
    if (result == 0)
        result = make_pair(initiator, 0, entries);
    if (result < 0)
        return result;
    const struct nvme_pair *admin = &initiator->pairs[0];
    const uint32_t registers[][2] = {
        {NVME_REG_AQA, (entries - 1) << 16 | (entries - 1)},
        {NVME_REG_ASQ, (uint32_t)admin->sq_address},
        {NVME_REG_ASQ + 4, (uint32_t)(admin->sq_address >> 32)},
        {NVME_REG_ACQ, (uint32_t)admin->cq_address},
        {NVME_REG_ACQ + 4, (uint32_t)(admin->cq_address >> 32)},
        {NVME_REG_CC, 4u << 20 | 6u << 16 | 1u}, /* IOCQES, IOSQES, EN */
    };
    for (size_t i = 0; i < sizeof registers / sizeof registers[0] && result == 0; i++)
        result = nvme_initiator_write(initiator, registers[i][0], registers[i][1]);
    return result < 0 ? result : wait_ready(initiator, 1);
}

void nvme_initiator_ring(struct nvme_initiator *initiator, uint32_t word, uint32_t old, uint32_t value)
{
    if (initiator->shadow && word >= 2) {
        atomic_store(&initiator->shadow[word], value);
        /* Base 5.8: only who passes EventIdx writes the register. */
        uint16_t passed = (uint16_t)(value - atomic_load(&initiator->event[word]) - 1u);
        if (passed >= (uint16_t)(value - old))
            return;
    }
    if (initiator->doorbells)
        atomic_store_explicit(&initiator->doorbells[word], value, memory_order_release);
    else
        vfio_user_client_write_posted(initiator->client, 0, NVME_REG_DOORBELLS + 4 * word, &value, sizeof value);
}

int nvme_initiator_execute(struct nvme_initiator *initiator, struct nvme_pair *pair, struct nvme_command *command,
                           struct nvme_completion *completion)
{
    const struct nvme_completion *entry;
    time_t since = time(NULL);
    uint32_t old = pair->tail;
    command->identifier = pair->next_identifier++;
    nvme_initiator_put(pair, command);
    nvme_initiator_submitted(initiator, pair, old);
    for (unsigned looks = 0; !(entry = nvme_initiator_next(pair)); looks++)
        if (looks % 4096 == 4095 && time(NULL) - since > PATIENCE_SECONDS)
            return -ETIMEDOUT;
    *completion = *entry;
    old = pair->head;
    nvme_initiator_skip(pair);
    nvme_initiator_taken(initiator, pair, old);
    return completion->identifier == command->identifier ? 0 : -EPROTO;
}

int nvme_initiator_admin(struct nvme_initiator *initiator, struct nvme_command *command, void *data, size_t bytes,
                         bool to_controller, struct nvme_completion *completion)
{
    uint64_t used = initiator->used, address;
    uint8_t *page = nvme_initiator_alloc(initiator, 1, &address);
    if (!page || bytes > NVME_PAGE_BYTES)
        return -ENOMEM;
    if (bytes)
        command->prp1 = address;
    if (bytes && to_controller)
        memcpy(page, data, bytes);
    int result = nvme_initiator_execute(initiator, &initiator->pairs[0], command, completion);
    if (result == 0 && bytes && !to_controller)
        memcpy(data, page, bytes);
    initiator->used = used;
    return result;
}

int nvme_initiator_pair(struct nvme_initiator *initiator, uint32_t number, uint32_t entries)
{
    int result = number < INITIATOR_PAIRS ? make_pair(initiator, number, entries) : -EINVAL;
    if (result < 0)
        return result;
    const struct nvme_pair *pair = &initiator->pairs[number];
    struct nvme_command commands[2] = {
        {.opcode = NVME_ADMIN_CREATE_CQ,
         .prp1 = pair->cq_address,
         .dword10 = (entries - 1) << 16 | number,
         .dword11 = 1}, /* physically contiguous, no interrupts */
        {.opcode = NVME_ADMIN_CREATE_SQ,
         .prp1 = pair->sq_address,
         .dword10 = (entries - 1) << 16 | number,
         .dword11 = number << 16 | 1},
    };
    for (unsigned i = 0; i < 2; i++) {
        struct nvme_completion completion;
        result = nvme_initiator_execute(initiator, &initiator->pairs[0], &commands[i], &completion);
        if (result < 0 || completion.status >> 1)
            return result < 0 ? result : -EIO;
    }
    return 0;
}

int nvme_initiator_shadow(struct nvme_initiator *initiator)
{
    struct nvme_command command = {.opcode = NVME_ADMIN_DOORBELL_BUFFER};
    struct nvme_completion completion;
    void *shadow = nvme_initiator_alloc(initiator, 1, &command.prp1);
    void *event = nvme_initiator_alloc(initiator, 1, &command.prp2);
    if (!shadow || !event)
        return -ENOMEM;
    int result = nvme_initiator_execute(initiator, &initiator->pairs[0], &command, &completion);
    if (result < 0 || completion.status >> 1)
        return result < 0 ? result : -EIO;
    initiator->shadow = shadow;
    initiator->event = event;
    return 0;
}
