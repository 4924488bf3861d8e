/* SPDX-License-Identifier: Apache-2.0 */
/* Format NVM (Base 5.14, NVM 4.1.2). What is erased is erased by the backend, or, of an encrypted volume and if that is
 * asked for, by destroying its key. */
#include <errno.h>

#include "runtime/device/nvme_internal.h"

#define ERASE_NONE      0u
#define ERASE_USER_DATA 1u
#define ERASE_CRYPTO    2u
#define SECURE(dword)   ((dword) >> 9 & 7u)
#define STEP_BYTES      (UINT64_C(64) << 20) /* one operation keeps others' waiting */

static uint16_t status_of(struct nvme_request *request, const struct nvme_namespace *namespace, int result)
{
    return result == 0 ? NVME_SUCCESS : result == -EACCES ? nvme_refusal(request, namespace) : NVME_WRITE_FAULT;
}

static uint16_t erase(struct nvme_request *request, const struct nvme_namespace *namespace, uint8_t operation)
{
    uint64_t bytes = namespace->blocks << namespace->shift;
    for (uint64_t done = 0; done < bytes; done += STEP_BYTES) {
        uint64_t step = bytes - done < STEP_BYTES ? bytes - done : STEP_BYTES;
        if (nvme_abandoned(request))
            return NVME_ABORT_REQUESTED;
        int result =
            block_volume_operate(namespace->volume, request->controller->function, operation, done, step, NULL, true);
        if (result)
            return status_of(request, namespace, result);
    }
    return NVME_SUCCESS;
}

/* NVM figure 93: the format is the one that the volume was made with, without metadata and protection. */
static uint16_t check_format(struct nvme_request *request, const struct nvme_namespace *namespace)
{
    uint32_t dword10 = request->command.dword10;
    uint32_t format = (dword10 & 15) | (dword10 >> 12 & 3) << 4, secure = SECURE(dword10);
    uint32_t most = namespace->info.backend.encrypted ? ERASE_CRYPTO : ERASE_USER_DATA;
    if (format != (namespace->shift == 12 ? 1u : 0u) || dword10 & 0x1f0)
        return nvme_refuse(request, NVME_INVALID_FORMAT, NVME_LOCATION(40, 0));
    if (secure > most || dword10 >> 14)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 1));
    if (namespace->info.settings.read_only || namespace->info.backend.read_only)
        return NVME_NAMESPACE_WRITE_PROTECTED;
    return NVME_SUCCESS;
}

static uint16_t execute(struct nvme_request *request, const struct nvme_namespace *namespace)
{
    switch (SECURE(request->command.dword10)) {
    case ERASE_NONE:
        return erase(request, namespace,
                     namespace->info.backend.discards_zero ? BACKEND_DISCARD : BACKEND_WRITE_ZEROES);
    case ERASE_CRYPTO:
        return status_of(request, namespace,
                         block_volume_destroy_key(namespace->volume, request->controller->function, NULL));
    default:
        return erase(request, namespace, BACKEND_ERASE);
    }
}

uint16_t nvme_format(struct nvme_request *request)
{
    struct nvme_namespace *namespace;
    uint16_t status = nvme_namespace_get(request, request->command.namespace_id, NVME_USE_WRITE, &namespace);
    if (status)
        return status;
    status = check_format(request, namespace);
    if (!status)
        status = execute(request, namespace);
    nvme_namespace_put(request, namespace);
    return status;
}
