/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O commands that the card does not decide (NVM command set): what it found wrong gets the status that says so; what
 * is right but too large or too rare for it is done here.
 */
#include <errno.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define DIRECTIVE_TYPE   (15u << 20)
#define STORAGE_TAG      (1u << 24)
#define PROTECTION       (15u << 26)
#define DEALLOCATE       (1u << 2) /* dataset management, dword 11 */
#define COPY_FORMAT(d12) ((d12) >> 8 & 15u)
#define STEP_BYTES       NVME_TRANSFER_MAX

struct io_command {
    uint16_t (*run)(struct nvme_request *request, struct nvme_namespace *namespace);
    enum nvme_use use;
};

/* A range of blocks as dwords 10 to 12 give it. */
struct range {
    uint64_t lba, blocks, offset, bytes;
};

static uint16_t status_of(int result, uint8_t operation)
{
    switch (result) {
    case 0:
        return NVME_SUCCESS;
    case -ENOSPC:
        return NVME_CAPACITY_EXCEEDED;
    case -EROFS:
        return NVME_NAMESPACE_WRITE_PROTECTED;
    case -ECANCELED:
        return NVME_ABORT_REQUESTED;
    case -EIO:
        return operation == BACKEND_READ ? NVME_UNRECOVERED_READ : NVME_WRITE_FAULT;
    default:
        return NVME_INTERNAL_ERROR;
    }
}

static uint16_t operate(struct nvme_request *request, const struct nvme_namespace *namespace, uint8_t operation,
                        uint64_t offset, uint64_t bytes, void *buffer, bool durable)
{
    if (nvme_abandoned(request))
        return NVME_ABORT_REQUESTED;
    int result = block_volume_operate(namespace->volume, request->controller->function, operation, offset, bytes,
                                      buffer, durable);
    return result == -EACCES ? nvme_refusal(request, namespace) : status_of(result, operation);
}

static uint16_t check_range(struct nvme_request *request, const struct nvme_namespace *namespace, uint64_t lba,
                            uint64_t blocks, uint16_t location)
{
    request->lba = lba;
    if (lba > namespace->blocks || blocks > namespace->blocks - lba)
        return nvme_refuse(request, NVME_LBA_RANGE, location);
    return NVME_SUCCESS;
}

/* NVM figures 24, 44, 58 and their like; `allowed`: bits of dword 12 beside those that have no effect here. */
static uint16_t get_range(struct nvme_request *request, const struct nvme_namespace *namespace, uint32_t allowed,
                          struct range *range)
{
    const struct nvme_command *command = &request->command;
    uint32_t known = NVME_BLOCKS_MASK | NVME_FUA | NVME_LIMITED | STORAGE_TAG | PROTECTION | DIRECTIVE_TYPE | allowed;
    range->lba = command->dword10 | (uint64_t)command->dword11 << 32;
    range->blocks = (command->dword12 & NVME_BLOCKS_MASK) + 1u;
    range->bytes = range->blocks << namespace->shift;
    if (command->dword12 & (DIRECTIVE_TYPE | STORAGE_TAG) || command->dword12 & ~known)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(50, 4));
    if (command->dword12 & PROTECTION) /* no namespace has protection information */
        return nvme_refuse(request, NVME_INVALID_PROTECTION, NVME_LOCATION(51, 2));
    uint16_t status = check_range(request, namespace, range->lba, range->blocks, NVME_LOCATION(40, 0));
    range->offset = range->lba << namespace->shift;
    return status;
}

static uint16_t get_data_range(struct nvme_request *request, const struct nvme_namespace *namespace,
                               struct range *range)
{
    uint16_t status = get_range(request, namespace, 0, range);
    if (!status && range->bytes > NVME_TRANSFER_MAX)
        status = nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(48, 0));
    return status;
}

static bool is_read_only(const struct nvme_namespace *namespace)
{
    return namespace->info.settings.read_only || namespace->info.backend.read_only;
}

static bool forced(const struct nvme_request *request)
{
    return request->command.dword12 & NVME_FUA;
}

static uint16_t run_read(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct range range;
    uint8_t *data = request->controller->data;
    uint16_t status = get_data_range(request, namespace, &range);
    if (!status && forced(request))
        status = operate(request, namespace, BACKEND_FLUSH, 0, 0, NULL, false);
    if (!status)
        status = operate(request, namespace, BACKEND_READ, range.offset, range.bytes, data, false);
    return status ? status : nvme_to_guest(request, data, (uint32_t)range.bytes);
}

static uint16_t run_write(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct range range;
    uint8_t *data = request->controller->data;
    uint16_t status = get_data_range(request, namespace, &range);
    if (!status && is_read_only(namespace))
        status = NVME_NAMESPACE_WRITE_PROTECTED;
    if (!status)
        status = nvme_from_guest(request, data, (uint32_t)range.bytes);
    return status ? status
                  : operate(request, namespace, BACKEND_WRITE, range.offset, range.bytes, data, forced(request));
}

/* In steps, so that a reset does not wait for the whole of it. The engine's operations do not unmap: a range that shall
 * be deallocated is discarded where that leaves zeros. */
static uint16_t run_write_zeroes(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct range range;
    uint16_t status = get_range(request, namespace, NVME_DEALLOCATE, &range);
    if (!status && is_read_only(namespace))
        status = NVME_NAMESPACE_WRITE_PROTECTED;
    bool discard = request->command.dword12 & NVME_DEALLOCATE && namespace->info.backend.discards_zero;
    for (uint64_t done = 0; done < range.bytes && !status; done += STEP_BYTES) {
        uint64_t step = range.bytes - done < STEP_BYTES ? range.bytes - done : STEP_BYTES;
        status = operate(request, namespace, discard ? BACKEND_DISCARD : BACKEND_WRITE_ZEROES, range.offset + done,
                         step, NULL, forced(request));
    }
    return status;
}

static uint16_t run_compare(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct range range;
    struct nvme_controller *controller = request->controller;
    uint16_t status = get_data_range(request, namespace, &range);
    if (!status)
        status = nvme_from_guest(request, controller->data, (uint32_t)range.bytes);
    if (!status)
        status = operate(request, namespace, BACKEND_READ, range.offset, range.bytes, controller->other, false);
    if (!status && memcmp(controller->data, controller->other, (size_t)range.bytes) != 0)
        status = NVME_COMPARE_FAILURE;
    return status;
}

static uint16_t run_verify(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct range range;
    uint16_t status = get_range(request, namespace, 0, &range);
    for (uint64_t done = 0; done < range.bytes && !status; done += STEP_BYTES) {
        uint64_t step = range.bytes - done < STEP_BYTES ? range.bytes - done : STEP_BYTES;
        status = operate(request, namespace, BACKEND_READ, range.offset + done, step, request->controller->data, false);
    }
    return status;
}

/* Advice: blocks of the backend that a range covers as a whole are deallocated. */
static uint16_t discard(struct nvme_request *request, const struct nvme_namespace *namespace,
                        const struct nvme_dataset_range *range)
{
    uint64_t unit = namespace->info.backend.block_bytes ? namespace->info.backend.block_bytes : 1;
    uint64_t first = (range->lba << namespace->shift) + unit - 1, last = (range->lba + range->blocks)
                                                                         << namespace->shift;
    first -= first % unit;
    last -= last % unit;
    return first < last ? operate(request, namespace, BACKEND_DISCARD, first, last - first, NULL, false) : NVME_SUCCESS;
}

static uint16_t run_dataset_management(struct nvme_request *request, struct nvme_namespace *namespace)
{
    const struct nvme_command *command = &request->command;
    struct nvme_dataset_range ranges[256];
    unsigned count = (command->dword10 & 0xff) + 1u;
    if (command->dword10 >> 8)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 0));
    if (command->dword11 & ~7u)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 3));
    uint16_t status = nvme_from_guest(request, ranges, count * (uint32_t)sizeof ranges[0]);
    if (status || !(command->dword11 & DEALLOCATE))
        return status;
    if (is_read_only(namespace))
        return NVME_NAMESPACE_WRITE_PROTECTED;
    for (unsigned i = 0; i < count && !status; i++)
        status = check_range(request, namespace, ranges[i].lba, ranges[i].blocks, NVME_LOCATION_NONE);
    for (unsigned i = 0; i < count && !status; i++)
        status = discard(request, namespace, &ranges[i]);
    return status;
}

static uint16_t check_copy(struct nvme_request *request, const struct nvme_namespace *namespace,
                           const struct nvme_copy_range *ranges, unsigned count)
{
    uint64_t to = request->command.dword10 | (uint64_t)request->command.dword11 << 32, total = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t blocks = ranges[i].blocks + 1u;
        uint16_t status = check_range(request, namespace, ranges[i].lba, blocks, NVME_LOCATION_NONE);
        if (status)
            return status;
        total += blocks;
        if (blocks << namespace->shift > NVME_TRANSFER_MAX || total << namespace->shift > NVME_COPY_BYTES)
            return NVME_COMMAND_SIZE_LIMIT;
    }
    return check_range(request, namespace, to, total, NVME_LOCATION(40, 0));
}

/* NVM 3.2.2, within one namespace. */
static uint16_t run_copy(struct nvme_request *request, struct nvme_namespace *namespace)
{
    const struct nvme_command *command = &request->command;
    struct nvme_copy_range ranges[NVME_COPY_RANGES];
    unsigned count = (command->dword12 & 0xff) + 1u;
    uint64_t to = (command->dword10 | (uint64_t)command->dword11 << 32) << namespace->shift;
    if (COPY_FORMAT(command->dword12) != 0 || command->dword12 & 0x3ff0f000u)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(49, 0));
    if (is_read_only(namespace))
        return NVME_NAMESPACE_WRITE_PROTECTED;
    if (count > NVME_COPY_RANGES)
        return nvme_refuse(request, NVME_COMMAND_SIZE_LIMIT, NVME_LOCATION(48, 0));
    uint16_t status = nvme_from_guest(request, ranges, count * (uint32_t)sizeof ranges[0]);
    if (!status)
        status = check_copy(request, namespace, ranges, count);
    for (unsigned i = 0; i < count && !status; i++) {
        uint64_t bytes = (ranges[i].blocks + UINT64_C(1)) << namespace->shift;
        uint8_t *data = request->controller->data;
        status = operate(request, namespace, BACKEND_READ, ranges[i].lba << namespace->shift, bytes, data, false);
        if (!status)
            status = operate(request, namespace, BACKEND_WRITE, to, bytes, data, forced(request));
        if (status)
            request->result = i; /* the range that failed */
        to += bytes;
    }
    return status;
}

static uint16_t run_flush(struct nvme_request *request, struct nvme_namespace *namespace)
{
    uint16_t status = operate(request, namespace, BACKEND_FLUSH, 0, 0, NULL, false);
    /* A second one may succeed though what the first was to save is lost. */
    return status == NVME_WRITE_FAULT ? NVME_WRITE_FAULT | NVME_DO_NOT_RETRY : status;
}

static const struct io_command COMMANDS[256] = {
    [NVME_FLUSH] = {run_flush, NVME_USE_WRITE},
    [NVME_WRITE] = {run_write, NVME_USE_WRITE},
    [NVME_READ] = {run_read, NVME_USE_READ},
    [NVME_COMPARE] = {run_compare, NVME_USE_READ},
    [NVME_WRITE_ZEROES] = {run_write_zeroes, NVME_USE_WRITE},
    [NVME_DATASET_MANAGEMENT] = {run_dataset_management, NVME_USE_WRITE},
    [NVME_VERIFY] = {run_verify, NVME_USE_READ},
    [NVME_COPY] = {run_copy, NVME_USE_WRITE},
};

static uint16_t run(struct nvme_request *request, uint32_t nsid)
{
    const struct io_command *command = &COMMANDS[request->command.opcode];
    struct nvme_namespace *namespace;
    uint16_t status = nvme_namespace_get(request, nsid, command->use, &namespace);
    if (status)
        return status;
    status = command->run(request, namespace);
    nvme_namespace_put(request, namespace);
    return status;
}

/* Base 7.1: all namespaces that are attached. */
static uint16_t flush_all(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    uint16_t status = NVME_SUCCESS;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !status; nsid++) {
        pthread_mutex_lock(&controller->subsystem->lock);
        bool attached = nvme_namespace_is_attached(controller, nsid);
        pthread_mutex_unlock(&controller->subsystem->lock);
        if (attached)
            status = run(request, nsid);
    }
    return status;
}

/* Base figure 87. A metadata pointer has no meaning without metadata, but for the SGL that it may not be. */
static uint16_t check_flags(struct nvme_request *request)
{
    uint8_t flags = request->command.flags;
    if (flags & (NVME_FUSE_MASK | NVME_RESERVED_MASK))
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(1, 0));
    if ((flags & NVME_PSDT_MASK) > NVME_PSDT_SGL)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(1, 6));
    return NVME_SUCCESS;
}

uint16_t nvme_io(struct nvme_request *request)
{
    uint8_t opcode = request->command.opcode;
    bool reserves =
        opcode == NVME_RESERVATION_REGISTER || opcode == NVME_RESERVATION_ACQUIRE || opcode == NVME_RESERVATION_RELEASE;
    if (!COMMANDS[opcode].run && !reserves && opcode != NVME_RESERVATION_REPORT)
        return nvme_refuse(request, NVME_INVALID_OPCODE, NVME_LOCATION(0, 0));
    uint16_t status = check_flags(request);
    if (status)
        return status;
    if (reserves)
        return nvme_reserve(request);
    if (opcode == NVME_RESERVATION_REPORT)
        return nvme_reservation_report(request);
    if (opcode == NVME_FLUSH && request->command.namespace_id == NVME_BROADCAST)
        return flush_all(request);
    return run(request, request->command.namespace_id);
}
