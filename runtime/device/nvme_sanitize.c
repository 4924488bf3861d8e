/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sanitize (Base 5.24, 8.21): every namespace of the subsystem is erased, in the background, and nobody reads or writes
 * meanwhile. Block erase by the backends; crypto erase where all of them are encrypted; overwriting says nothing on
 * flash.
 */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define ACTION_EXIT   1u
#define ACTION_BLOCK  2u
#define ACTION_CRYPTO 4u
#define ACTION(dword) ((dword) & 7u)
#define ALLOW_EXIT    (1u << 3)            /* AUSE: after a failure the media may be used again */
#define NO_DEALLOCATE (1u << 9)            /* inhibited by SANICAP */
#define STEP_BYTES    (UINT64_C(64) << 20) /* one operation keeps others' waiting */
#define LOG_NEVER     0u                   /* Base figure 255 */
#define LOG_DONE      1u
#define LOG_RUNNING   2u
#define LOG_FAILED    3u
#define PROGRESS_DONE 0xffffu

/* All namespaces go: only a controller that has them all, and may write them all, may ask for it. With subsystem.lock
 * held. */
static uint16_t check_namespaces(const struct nvme_controller *controller)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    const struct nvme_host host = nvme_host_of(controller);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
        if (!namespace)
            continue;
        if (!nvme_namespace_is_attached(controller, nsid))
            return NVME_OPERATION_DENIED;
        if (nvme_ana_status(controller, namespace->ana_group))
            return nvme_ana_status(controller, namespace->ana_group);
        if (!(nvme_reservation_access(&namespace->reservation, &host) & VOLUME_WRITE))
            return NVME_RESERVATION_CONFLICT;
        if (namespace->info.settings.read_only || namespace->info.backend.read_only)
            return NVME_NAMESPACE_WRITE_PROTECTED;
    }
    return NVME_SUCCESS;
}

bool nvme_sanitize_crypto(const struct nvme_subsystem *subsystem)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++) {
        const struct nvme_namespace *namespace = subsystem->namespaces[i];
        if (namespace && !namespace->info.backend.encrypted)
            return false;
        count += namespace != NULL;
    }
    return count != 0;
}

static uint64_t total_bytes(struct nvme_subsystem *subsystem)
{
    uint64_t total = 0;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        const struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
        total += namespace ? namespace->blocks << namespace->shift : 0;
    }
    return total;
}

/* With subsystem.lock held, which it releases meanwhile. False at the namespace's end. */
static bool erase_step(struct nvme_subsystem *subsystem, uint32_t nsid, uint64_t offset, bool *failed)
{
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    uint64_t bytes = namespace ? namespace->blocks << namespace->shift : 0;
    bool crypto = ACTION(subsystem->sanitize.dword10) == ACTION_CRYPTO;
    if (offset >= bytes)
        return false;
    uint64_t step = crypto || bytes - offset < STEP_BYTES ? bytes - offset : STEP_BYTES;
    namespace->users++;
    pthread_mutex_unlock(&subsystem->lock);
    int result = crypto
                     ? block_volume_destroy_key(namespace->volume, FUNCTION_HOST, NULL)
                     : block_volume_operate(namespace->volume, FUNCTION_HOST, BACKEND_ERASE, offset, step, NULL, true);
    pthread_mutex_lock(&subsystem->lock);
    namespace->users--;
    pthread_cond_broadcast(&subsystem->idle);
    subsystem->sanitize.done += step;
    *failed = result != 0;
    return result == 0 && !crypto;
}

static void update_access(struct nvme_subsystem *subsystem)
{
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        nvme_access_update(subsystem, nsid);
}

static void *erase_all(void *context)
{
    struct nvme_subsystem *subsystem = context;
    bool failed = false;
    pthread_mutex_lock(&subsystem->lock);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !failed; nsid++)
        for (uint64_t offset = 0; erase_step(subsystem, nsid, offset, &failed);)
            offset += STEP_BYTES;
    pthread_mutex_unlock(&subsystem->lock);
    pthread_mutex_lock(&subsystem->reserving);
    pthread_mutex_lock(&subsystem->lock);
    subsystem->sanitize.state = failed ? NVME_SANITIZE_FAILED_STATE : NVME_SANITIZE_IDLE;
    subsystem->sanitize.log = failed ? LOG_FAILED : LOG_DONE;
    pthread_mutex_unlock(&subsystem->lock);
    update_access(subsystem);
    pthread_mutex_lock(&subsystem->lock);
    for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
        if (subsystem->controllers[id])
            nvme_event_post(subsystem->controllers[id], NVME_EVENT_IO_SPECIFIC, NVME_IO_SANITIZE);
    pthread_mutex_unlock(&subsystem->lock);
    pthread_mutex_unlock(&subsystem->reserving);
    return NULL;
}

/* With subsystem.reserving held: access goes before the command completes. */
static uint16_t begin(struct nvme_request *request)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    pthread_mutex_lock(&subsystem->lock);
    uint16_t status = subsystem->sanitize.state == NVME_SANITIZE_RUNNING ? NVME_SANITIZE_IN_PROGRESS
                                                                         : check_namespaces(request->controller);
    if (!status && ACTION(request->command.dword10) == ACTION_CRYPTO && !nvme_sanitize_crypto(subsystem))
        status = nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (!status) {
        subsystem->sanitize.state = NVME_SANITIZE_RUNNING;
        subsystem->sanitize.log = LOG_RUNNING;
        subsystem->sanitize.dword10 = request->command.dword10;
        subsystem->sanitize.done = 0;
        subsystem->sanitize.total = total_bytes(subsystem);
    }
    pthread_mutex_unlock(&subsystem->lock);
    if (status)
        return status;
    update_access(subsystem);
    nvme_sanitize_join(subsystem);
    subsystem->sanitize.has_thread = pthread_create(&subsystem->sanitize.thread, NULL, erase_all, subsystem) == 0;
    if (subsystem->sanitize.has_thread)
        return NVME_SUCCESS;
    pthread_mutex_lock(&subsystem->lock);
    subsystem->sanitize.state = NVME_SANITIZE_IDLE;
    subsystem->sanitize.log = LOG_NEVER;
    pthread_mutex_unlock(&subsystem->lock);
    update_access(subsystem);
    return NVME_INTERNAL_ERROR;
}

/* With subsystem.reserving held. */
static uint16_t leave_failure(struct nvme_subsystem *subsystem)
{
    pthread_mutex_lock(&subsystem->lock);
    uint16_t status = NVME_SUCCESS;
    if (subsystem->sanitize.state == NVME_SANITIZE_RUNNING)
        status = NVME_SANITIZE_IN_PROGRESS;
    else if (subsystem->sanitize.state == NVME_SANITIZE_FAILED_STATE && !(subsystem->sanitize.dword10 & ALLOW_EXIT))
        status = NVME_SANITIZE_FAILED;
    else
        subsystem->sanitize.state = NVME_SANITIZE_IDLE;
    pthread_mutex_unlock(&subsystem->lock);
    if (!status)
        update_access(subsystem);
    return status;
}

/* Base figure 299. */
uint16_t nvme_sanitize(struct nvme_request *request)
{
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    uint32_t dword10 = request->command.dword10, action = ACTION(dword10);
    if (action != ACTION_EXIT && action != ACTION_BLOCK && action != ACTION_CRYPTO)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (dword10 & NO_DEALLOCATE)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(41, 1));
    pthread_mutex_lock(&subsystem->reserving);
    uint16_t status = action == ACTION_EXIT ? leave_failure(subsystem) : begin(request);
    pthread_mutex_unlock(&subsystem->reserving);
    return status;
}

void nvme_sanitize_join(struct nvme_subsystem *subsystem)
{
    if (subsystem->sanitize.has_thread)
        pthread_join(subsystem->sanitize.thread, NULL);
    subsystem->sanitize.has_thread = false;
}

uint16_t nvme_sanitize_status(const struct nvme_subsystem *subsystem)
{
    switch (subsystem->sanitize.state) {
    case NVME_SANITIZE_RUNNING:
        return NVME_SANITIZE_IN_PROGRESS;
    case NVME_SANITIZE_FAILED_STATE:
        return NVME_SANITIZE_FAILED;
    default:
        return NVME_SUCCESS;
    }
}

void nvme_sanitize_fill(struct nvme_subsystem *subsystem, struct nvme_sanitize_log *log)
{
    pthread_mutex_lock(&subsystem->lock);
    uint64_t done = subsystem->sanitize.done, total = subsystem->sanitize.total;
    log->status = subsystem->sanitize.log;
    log->dword10 = subsystem->sanitize.dword10;
    log->progress = PROGRESS_DONE;
    if (log->status == LOG_RUNNING && total && done < total)
        log->progress = (uint16_t)((double)done / (double)total * PROGRESS_DONE);
    pthread_mutex_unlock(&subsystem->lock);
    log->overwrite_seconds = log->block_erase_seconds = log->crypto_erase_seconds = UINT32_MAX; /* not reported */
    log->overwrite_no_deallocate = log->block_erase_no_deallocate = log->crypto_erase_no_deallocate = UINT32_MAX;
}
