/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces as commands use them: which there are, who may do what with them now, and how that changes. */
#include <string.h>

#include "runtime/device/nvme_internal.h"

struct nvme_namespace *nvme_namespace_find(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    return nsid >= 1 && nsid <= NVME_NAMESPACES_MAX ? subsystem->namespaces[nsid - 1] : NULL;
}

bool nvme_namespace_is_attached(const struct nvme_controller *controller, uint32_t nsid)
{
    return nsid >= 1 && nsid <= NVME_NAMESPACES_MAX && controller->attached >> (nsid - 1) & 1;
}

struct nvme_host nvme_host_of(const struct nvme_controller *controller)
{
    struct nvme_host host = {.controller = controller->id};
    if (controller->features.host_identifier_bytes) {
        memcpy(host.identifier, controller->features.host_identifier, sizeof host.identifier);
        host.controller = NVME_NO_CONTROLLER;
    }
    return host;
}

/* Base 8.1.3 */
uint16_t nvme_ana_status(const struct nvme_controller *controller, uint32_t group)
{
    switch (controller->ana[group - 1]) {
    case NVME_ANA_STATE_INACCESSIBLE:
        return NVME_ANA_INACCESSIBLE;
    case NVME_ANA_STATE_PERSISTENT_LOSS:
        return NVME_ANA_PERSISTENT_LOSS;
    case NVME_ANA_STATE_CHANGE:
        return NVME_ANA_TRANSITION;
    default:
        return NVME_SUCCESS;
    }
}

uint16_t nvme_path_status(const struct nvme_controller *controller, const struct nvme_namespace *namespace)
{
    uint16_t status = nvme_ana_status(controller, namespace->ana_group);
    return status ? status : nvme_sanitize_status(controller->subsystem);
}

unsigned nvme_access_of(const struct nvme_controller *controller, const struct nvme_namespace *namespace)
{
    const struct nvme_host host = nvme_host_of(controller);
    return nvme_path_status(controller, namespace) ? 0 : nvme_reservation_access(&namespace->reservation, &host);
}

static uint16_t check_use(struct nvme_request *request, const struct nvme_namespace *namespace, enum nvme_use use)
{
    const struct nvme_controller *controller = request->controller;
    if (use == NVME_USE_ADMIN)
        return NVME_SUCCESS;
    uint16_t status = nvme_path_status(controller, namespace);
    if (status)
        return status;
    unsigned needed = use == NVME_USE_WRITE ? VOLUME_WRITE : VOLUME_READ;
    return nvme_access_of(controller, namespace) & needed ? NVME_SUCCESS : NVME_RESERVATION_CONFLICT;
}

uint16_t nvme_refusal(struct nvme_request *request, const struct nvme_namespace *namespace)
{
    struct nvme_controller *controller = request->controller;
    pthread_mutex_lock(&controller->subsystem->lock);
    uint16_t status = nvme_namespace_is_attached(controller, namespace->id) ? nvme_path_status(controller, namespace)
                                                                            : NVME_INVALID_FIELD;
    pthread_mutex_unlock(&controller->subsystem->lock);
    return status ? status : NVME_RESERVATION_CONFLICT;
}

uint16_t nvme_namespace_get(struct nvme_request *request, uint32_t nsid, enum nvme_use use,
                            struct nvme_namespace **found)
{
    struct nvme_controller *controller = request->controller;
    struct nvme_subsystem *subsystem = controller->subsystem;
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX)
        return nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
    pthread_mutex_lock(&subsystem->lock);
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    uint16_t status = NVME_SUCCESS;
    if (!namespace || !nvme_namespace_is_attached(controller, nsid))
        status = nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    else
        status = check_use(request, namespace, use);
    if (!status) {
        namespace->users++;
        *found = namespace;
    }
    pthread_mutex_unlock(&subsystem->lock);
    return status;
}

void nvme_namespace_put(struct nvme_request *request, struct nvme_namespace *namespace)
{
    struct nvme_controller *controller = request->controller;
    pthread_mutex_lock(&controller->subsystem->lock);
    namespace->users--;
    pthread_cond_broadcast(&controller->subsystem->idle);
    pthread_mutex_unlock(&controller->subsystem->lock);
}

/* With subsystem.lock held, which it releases meanwhile; the namespace stays, for it is in use. */
static bool push_access(struct nvme_subsystem *subsystem, struct nvme_namespace *namespace, unsigned id)
{
    struct nvme_controller *controller = subsystem->controllers[id];
    unsigned function = controller->function, access = nvme_access_of(controller, namespace);
    uint16_t why = nvme_path_status(controller, namespace);
    why = nvme_final_status(why ? why : NVME_RESERVATION_CONFLICT);
    pthread_mutex_unlock(&subsystem->lock);
    int result = block_volume_set_access(namespace->volume, function, access, why);
    pthread_mutex_lock(&subsystem->lock);
    return result == 0;
}

static bool fences(const struct nvme_subsystem *subsystem, const struct nvme_namespace *namespace, unsigned id)
{
    return nvme_access_of(subsystem->controllers[id], namespace) != (VOLUME_READ | VOLUME_WRITE);
}

/* Those that lose come first: at no time may two write that exclude each other. */
bool nvme_access_update(struct nvme_subsystem *subsystem, uint32_t nsid)
{
    bool over = true;
    pthread_mutex_lock(&subsystem->lock);
    struct nvme_namespace *namespace = nvme_namespace_find(subsystem, nsid);
    if (namespace) {
        namespace->users++;
        for (unsigned pass = 0; pass < 2; pass++)
            for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
                if (namespace->attached >> id & 1 && fences(subsystem, namespace, id) == (pass == 0))
                    over &= push_access(subsystem, namespace, id);
        namespace->users--;
        pthread_cond_broadcast(&subsystem->idle);
    }
    pthread_mutex_unlock(&subsystem->lock);
    return over;
}

static struct command_entry describe(const struct nvme_controller *controller, uint32_t nsid,
                                     const struct nvme_namespace *namespace)
{
    struct command_entry command = {.opcode = COMMAND_NAMESPACE_SET,
                                    .target = TARGET_NVME_SQ,
                                    .index = controller->function * BLOCK_NAMESPACES + nsid - 1};
    struct namespace_setting setting = {0};
    if (namespace) {
        setting.blocks = namespace->blocks;
        setting.volume = namespace->info.number;
        setting.shift = namespace->shift;
        setting.read_only = namespace->info.settings.read_only || namespace->info.backend.read_only;
    }
    memcpy(command.data, &setting, sizeof setting);
    return command;
}

/* With subsystem.lock held: the card answers soon. */
int nvme_card_namespace_set(struct nvme_controller *controller, uint32_t nsid)
{
    if (nsid > BLOCK_NAMESPACES)
        return 0;
    const struct nvme_namespace *namespace = nvme_namespace_find(controller->subsystem, nsid);
    bool there = namespace && nvme_namespace_is_attached(controller, nsid);
    struct command_entry command = describe(controller, nsid, there ? namespace : NULL);
    return cipu_host_command(controller->host, &command, 1);
}

int nvme_card_namespaces_set(struct nvme_controller *controller)
{
    int result = 0;
    pthread_mutex_lock(&controller->subsystem->lock);
    for (uint32_t nsid = 1; nsid <= BLOCK_NAMESPACES && !result; nsid++)
        result = nvme_card_namespace_set(controller, nsid);
    pthread_mutex_unlock(&controller->subsystem->lock);
    return result;
}
