/* SPDX-License-Identifier: Apache-2.0 */
/* Admin commands: which there are (Base 5), and those that are too short for a file of their own. */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define DIRECTIVE_IDENTIFY    0x00u
#define DIRECTIVE_PARAMETERS  0x01u
#define DIRECTIVE_BYTES       4096u
#define SELF_TEST_SHORT       1u
#define SELF_TEST_EXTENDED    2u
#define SELF_TEST_ABORT       15u
#define COMMIT_SLOT(dword)    ((dword) & 7u)
#define COMMIT_ACTION(dword)  ((dword) >> 3 & 7u)
#define COMMIT_ACTIVATE_RESET 2u
#define COMMIT_ACTIVATE_NOW   3u

/* What the effects log says of each command that is supported: Base figure 210. */
#define EFFECT_SUPPORTED (1u << 0)
#define EFFECT_CONTENT   (1u << 1)  /* may change a namespace's data */
#define EFFECT_NAMESPACE (1u << 2)  /* may change a namespace */
#define EFFECT_INVENTORY (1u << 3)  /* may change which there are */
#define EFFECT_ALONE     (1u << 16) /* with nothing else to the same namespace */

struct admin_command {
    uint16_t (*run)(struct nvme_request *request);
    uint32_t effects;
    uint16_t needs; /* of OACS */
};

static uint16_t abort_command(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    unsigned queue = request->command.dword10 & 0xffff;
    uint16_t identifier = (uint16_t)(request->command.dword10 >> 16);
    bool aborted = false;
    if (queue <= controller->queues)
        aborted = nvme_abort_waiting(controller, queue, identifier) ||
                  (queue == 0 && nvme_event_abort(controller, identifier)) ||
                  block_command_abort(controller->engine, nvme_controller_queue(controller, queue), identifier,
                                      NVME_ABORT_REQUESTED) == 0;
    request->result = !aborted;
    return NVME_SUCCESS;
}

/* Base 5.11: the one slot is read-only. */
static uint16_t firmware_commit(struct nvme_request *request)
{
    uint32_t slot = COMMIT_SLOT(request->command.dword10), action = COMMIT_ACTION(request->command.dword10);
    if (slot > 1)
        return nvme_refuse(request, NVME_INVALID_FIRMWARE_SLOT, NVME_LOCATION(40, 0));
    if (action == COMMIT_ACTIVATE_RESET || action == COMMIT_ACTIVATE_NOW)
        return NVME_SUCCESS; /* the firmware in slot 1 is the active one */
    if (action > COMMIT_ACTIVATE_NOW)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 3));
    return nvme_refuse(request, NVME_INVALID_FIRMWARE_SLOT, NVME_LOCATION(40, 0));
}

static uint16_t firmware_download(struct nvme_request *request)
{
    return nvme_refuse(request, NVME_INVALID_FIRMWARE_IMAGE, NVME_LOCATION(40, 0));
}

/* Reads the first and the last block of a namespace: the way to the bytes works, or does not. */
static bool test_namespace(struct nvme_request *request, uint32_t nsid)
{
    struct nvme_namespace *namespace;
    uint64_t block;
    if (nvme_namespace_get(request, nsid, NVME_USE_ADMIN, &namespace))
        return true;
    block = UINT64_C(1) << namespace->shift;
    bool good = block_volume_operate(namespace->volume, FUNCTION_HOST, BACKEND_READ, 0, block,
                                     request->controller->data, false) == 0 &&
                block_volume_operate(namespace->volume, FUNCTION_HOST, BACKEND_READ, (namespace->blocks - 1) * block,
                                     block, request->controller->data, false) == 0;
    nvme_namespace_put(request, namespace);
    return good;
}

/* Base 8.7: over before the command is. */
static uint16_t self_test(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    uint32_t operation = request->command.dword10 & 15u, nsid = request->command.namespace_id;
    if (operation == SELF_TEST_ABORT)
        return NVME_SUCCESS;
    if (operation != SELF_TEST_SHORT && operation != SELF_TEST_EXTENDED)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    if (nsid > NVME_NAMESPACES_MAX && nsid != NVME_BROADCAST)
        return nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
    uint32_t first = nsid == NVME_BROADCAST ? 1 : nsid, last = nsid == NVME_BROADCAST ? NVME_NAMESPACES_MAX : nsid;
    uint32_t failed = 0;
    for (uint32_t i = first; i && i <= last && !failed && !nvme_abandoned(request); i++)
        if (!test_namespace(request, i))
            failed = i;
    memmove(&controller->self_test[1], &controller->self_test[0], sizeof controller->self_test[0] * 19);
    controller->self_test[0] = (struct nvme_self_test_result){
        .status = (uint8_t)(operation << 4 | (failed ? 7 : 0)), /* 7: a segment failed, `segment` says which */
        .segment = failed ? 1 : 0,
        .valid = failed ? 1 : 0,
        .power_on_hours = (nvme_now_ms() - controller->created_at) / 3600000,
        .namespace_id = failed};
    if (controller->self_tests < 20)
        controller->self_tests++;
    return NVME_SUCCESS;
}

/* Base 8.8: only the directive that lists directives. */
static uint16_t directive_receive(struct nvme_request *request)
{
    uint8_t parameters[DIRECTIVE_BYTES] = {0};
    uint32_t dword11 = request->command.dword11;
    uint64_t bytes = ((uint64_t)request->command.dword10 + 1) * 4;
    if ((dword11 & 0xff) != DIRECTIVE_PARAMETERS || (dword11 >> 8 & 0xff) != DIRECTIVE_IDENTIFY)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 0));
    parameters[0] = parameters[32] = 1; /* identify: supported, enabled */
    return nvme_to_guest(request, parameters, bytes < sizeof parameters ? (uint32_t)bytes : sizeof parameters);
}

static uint16_t directive_send(struct nvme_request *request)
{
    return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 0));
}

static const struct admin_command COMMANDS[256] = {
    [NVME_ADMIN_DELETE_SQ] = {nvme_delete_sq, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_CREATE_SQ] = {nvme_create_sq, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_GET_LOG_PAGE] = {nvme_get_log_page, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_DELETE_CQ] = {nvme_delete_cq, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_CREATE_CQ] = {nvme_create_cq, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_IDENTIFY] = {nvme_identify, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_ABORT] = {abort_command, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_SET_FEATURES] = {nvme_set_features, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_GET_FEATURES] = {nvme_get_features, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_ASYNC_EVENT] = {nvme_event_request, EFFECT_SUPPORTED, 0},
    [NVME_ADMIN_NAMESPACE_MANAGEMENT] = {nvme_namespace_management,
                                         EFFECT_SUPPORTED | EFFECT_CONTENT | EFFECT_INVENTORY, NVME_OACS_NAMESPACE},
    [NVME_ADMIN_FIRMWARE_COMMIT] = {firmware_commit, EFFECT_SUPPORTED, NVME_OACS_FIRMWARE},
    [NVME_ADMIN_FIRMWARE_DOWNLOAD] = {firmware_download, EFFECT_SUPPORTED, NVME_OACS_FIRMWARE},
    [NVME_ADMIN_SELF_TEST] = {self_test, EFFECT_SUPPORTED, NVME_OACS_SELF_TEST},
    [NVME_ADMIN_NAMESPACE_ATTACHMENT] = {nvme_namespace_attachment, EFFECT_SUPPORTED | EFFECT_INVENTORY,
                                         NVME_OACS_NAMESPACE},
    [NVME_ADMIN_DIRECTIVE_SEND] = {directive_send, EFFECT_SUPPORTED, NVME_OACS_DIRECTIVES},
    [NVME_ADMIN_DIRECTIVE_RECEIVE] = {directive_receive, EFFECT_SUPPORTED, NVME_OACS_DIRECTIVES},
    [NVME_ADMIN_DOORBELL_BUFFER] = {nvme_doorbell_buffer, EFFECT_SUPPORTED, NVME_OACS_DOORBELL},
    [NVME_ADMIN_FORMAT] = {nvme_format, EFFECT_SUPPORTED | EFFECT_CONTENT | EFFECT_NAMESPACE | EFFECT_ALONE,
                           NVME_OACS_FORMAT},
    [NVME_ADMIN_SANITIZE] = {nvme_sanitize, EFFECT_SUPPORTED | EFFECT_CONTENT | EFFECT_ALONE, 0},
};

bool nvme_makes_namespaces(const struct nvme_subsystem *subsystem)
{
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    return ops && ops->volume_make;
}

/* A driver that writes doorbells without leaving the guest has no use for shadows of them. */
uint16_t nvme_admin_supported(const struct nvme_controller *controller)
{
    bool makes = nvme_makes_namespaces(controller->subsystem);
    return (uint16_t)(NVME_OACS_FORMAT | NVME_OACS_FIRMWARE | NVME_OACS_SELF_TEST | NVME_OACS_DIRECTIVES |
                      (makes ? NVME_OACS_NAMESPACE : 0) | (controller->map_doorbells ? 0 : NVME_OACS_DOORBELL));
}

static const struct admin_command *find(const struct nvme_controller *controller, uint8_t opcode)
{
    const struct admin_command *command = &COMMANDS[opcode];
    uint16_t missing = command->needs & (uint16_t)~nvme_admin_supported(controller);
    return command->run && !missing ? command : NULL;
}

void nvme_fill_effects(const struct nvme_controller *controller, struct nvme_effects_log *log)
{
    static const uint8_t io[] = {NVME_FLUSH,
                                 NVME_READ,
                                 NVME_COMPARE,
                                 NVME_VERIFY,
                                 NVME_RESERVATION_REGISTER,
                                 NVME_RESERVATION_REPORT,
                                 NVME_RESERVATION_ACQUIRE,
                                 NVME_RESERVATION_RELEASE};
    static const uint8_t changing[] = {NVME_WRITE, NVME_WRITE_ZEROES, NVME_DATASET_MANAGEMENT, NVME_COPY};
    for (unsigned i = 0; i < 256; i++) {
        const struct admin_command *command = find(controller, (uint8_t)i);
        log->admin[i] = command ? command->effects : 0;
    }
    for (unsigned i = 0; i < sizeof io; i++)
        log->io[io[i]] = EFFECT_SUPPORTED;
    for (unsigned i = 0; i < sizeof changing; i++)
        log->io[changing[i]] = EFFECT_SUPPORTED | EFFECT_CONTENT;
}

/* Base 8.21: what would meet, or change, what is being erased waits until it is over. */
static uint16_t check_sanitize(struct nvme_request *request)
{
    static const uint8_t refused[] = {NVME_ADMIN_NAMESPACE_MANAGEMENT, NVME_ADMIN_FIRMWARE_COMMIT,
                                      NVME_ADMIN_FIRMWARE_DOWNLOAD,    NVME_ADMIN_SELF_TEST,
                                      NVME_ADMIN_NAMESPACE_ATTACHMENT, NVME_ADMIN_FORMAT};
    struct nvme_subsystem *subsystem = request->controller->subsystem;
    if (!memchr(refused, request->command.opcode, sizeof refused))
        return NVME_SUCCESS;
    pthread_mutex_lock(&subsystem->lock);
    uint16_t status = nvme_sanitize_status(subsystem);
    pthread_mutex_unlock(&subsystem->lock);
    return status;
}

/* Base figure 87: nothing is fused, and over PCIe admin commands have PRPs. */
uint16_t nvme_admin(struct nvme_request *request)
{
    const struct admin_command *command = find(request->controller, request->command.opcode);
    if (!command)
        return nvme_refuse(request, NVME_INVALID_OPCODE, NVME_LOCATION(0, 0));
    if (request->command.flags)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(1, 0));
    uint16_t status = check_sanitize(request);
    return status ? status : command->run(request);
}
