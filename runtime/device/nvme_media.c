/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format NVM and Sanitize (Base 5.14, 5.24; NVM 4.1.2). Data is not encrypted here, so there is no key to destroy:
 * cryptographic erase is not offered, and what is erased is erased by the backend.
 */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define ERASE_NONE      0u
#define ERASE_USER_DATA 1u
#define STEP_BYTES      (UINT64_C(64) << 20) /* one operation keeps others' waiting */
#define SANITIZE_EXIT   1u
#define SANITIZE_BLOCK  2u
#define SANITIZE_DONE   1u /* of the log's status: Base figure 255 */
#define SANITIZE_FAILED 3u
#define PROGRESS_DONE   0xffffu

static uint16_t erase(struct nvme_request *request, const struct nvme_namespace *namespace, uint8_t operation)
{
    uint64_t bytes = namespace->blocks << namespace->shift;
    for (uint64_t done = 0; done < bytes; done += STEP_BYTES) {
        uint64_t step = bytes - done < STEP_BYTES ? bytes - done : STEP_BYTES;
        if (nvme_abandoned(request))
            return NVME_ABORT_REQUESTED;
        if (block_volume_operate(request->controller->engine, namespace->volume, operation, done, step, NULL, true))
            return NVME_WRITE_FAULT;
    }
    return NVME_SUCCESS;
}

/* NVM figure 93: the format is the one that the volume was made with, without metadata and protection. */
static uint16_t check_format(struct nvme_request *request, const struct nvme_namespace *namespace)
{
    uint32_t dword10 = request->command.dword10;
    uint32_t format = (dword10 & 15) | (dword10 >> 12 & 3) << 4, secure = dword10 >> 9 & 7;
    if (format != (namespace->shift == 12 ? 1u : 0u) || dword10 & 0x1f0)
        return nvme_refuse(request, NVME_INVALID_FORMAT, NVME_LOCATION(40, 0));
    if (secure > ERASE_USER_DATA || dword10 >> 14)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 1));
    if (namespace->info.settings.read_only || namespace->info.backend.read_only)
        return NVME_NAMESPACE_WRITE_PROTECTED;
    return NVME_SUCCESS;
}

uint16_t nvme_format(struct nvme_request *request)
{
    struct nvme_namespace *namespace;
    bool secure = (request->command.dword10 >> 9 & 7) != ERASE_NONE;
    uint16_t status = nvme_namespace_get(request, request->command.namespace_id, NVME_USE_WRITE, &namespace);
    if (status)
        return status;
    status = check_format(request, namespace);
    if (!status)
        status = erase(request, namespace,
                       secure                                  ? BACKEND_ERASE
                       : namespace->info.backend.discards_zero ? BACKEND_DISCARD
                                                               : BACKEND_WRITE_ZEROES);
    nvme_namespace_put(request, namespace, NVME_USE_WRITE);
    return status;
}

/* All namespaces of the subsystem go: only a controller that has them all, and may write them all, may ask for it. */
static uint16_t may_sanitize(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    struct nvme_subsystem *subsystem = controller->subsystem;
    uint16_t status = NVME_SUCCESS;
    pthread_mutex_lock(&subsystem->lock);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !status; nsid++) {
        const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
        if (!namespace)
            continue;
        if (!nvme_namespace_is_attached(controller, nsid))
            status = NVME_OPERATION_DENIED;
        else if (!(nvme_access_of(controller, namespace) & VOLUME_WRITE))
            status = NVME_RESERVATION_CONFLICT;
        else if (namespace->info.settings.read_only || namespace->info.backend.read_only)
            status = NVME_NAMESPACE_WRITE_PROTECTED;
    }
    pthread_mutex_unlock(&subsystem->lock);
    return status;
}

static uint16_t erase_all(struct nvme_request *request)
{
    uint16_t status = NVME_SUCCESS;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !status; nsid++) {
        struct nvme_namespace *namespace;
        if (nvme_namespace_get(request, nsid, NVME_USE_WRITE, &namespace))
            continue;
        status = erase(request, namespace, BACKEND_ERASE);
        nvme_namespace_put(request, namespace, NVME_USE_WRITE);
    }
    return status;
}

/* Base figure 299. The operation is over when the command is. */
uint16_t nvme_sanitize(struct nvme_request *request)
{
    struct nvme_sanitize_log *log = &request->controller->sanitize;
    uint32_t dword10 = request->command.dword10, action = dword10 & 7;
    if (action == SANITIZE_EXIT)
        return NVME_SUCCESS;
    if (action != SANITIZE_BLOCK)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (dword10 & 1u << 9) /* without deallocation: inhibited by SANICAP */
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 1));
    uint16_t status = may_sanitize(request);
    if (status)
        return status;
    status = erase_all(request);
    log->dword10 = dword10;
    log->status = status ? SANITIZE_FAILED : SANITIZE_DONE;
    return status;
}

void nvme_sanitize_status(struct nvme_controller *controller, struct nvme_sanitize_log *log)
{
    *log = controller->sanitize;
    log->progress = PROGRESS_DONE;
    log->overwrite_seconds = log->block_erase_seconds = log->crypto_erase_seconds = UINT32_MAX; /* not reported */
    log->overwrite_no_deallocate = log->block_erase_no_deallocate = log->crypto_erase_no_deallocate = UINT32_MAX;
}
