/* SPDX-License-Identifier: Apache-2.0 */
/* Log pages (Base 5.16). Each is rendered as a whole; what is asked for is cut out of it. */
#include <stdio.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define RETAIN_EVENT             (1u << 15)
#define TELEMETRY_MAKE           1u
#define ANA_GROUPS_ONLY          1u
#define BLOCK_BYTES              512u
#define LOG_BYTES_MAX            16384u
#define SUPPORTED                1u
#define FEATURE_SCOPE_NAMESPACE  (1u << 20) /* Base figure 258 */
#define FEATURE_SCOPE_CONTROLLER (1u << 21)

union log {
    uint8_t bytes[LOG_BYTES_MAX];
    uint32_t words[LOG_BYTES_MAX / 4];
    struct nvme_error_entry errors[NVME_ERROR_ENTRIES];
    struct nvme_health_log health;
    struct nvme_firmware_log firmware;
    struct nvme_effects_log effects;
    struct nvme_self_test_log self_test;
    struct nvme_telemetry_log telemetry;
    struct nvme_reservation_log reservation;
    struct nvme_sanitize_log sanitize;
};

struct log_page {
    /* Renders it; returns its bytes. `keep`: the event that announced it stays. */
    size_t (*render)(struct nvme_request *request, union log *log, bool keep);
};

/* Base figure 206. The worker's, and whoever reports an error of a doorbell. */
void nvme_log_error(struct nvme_request *request, uint16_t status)
{
    struct nvme_controller *controller = request->controller;
    uint64_t number = ++controller->error_count;
    controller->error_log[(number - 1) % NVME_ERROR_ENTRIES] =
        (struct nvme_error_entry){.count = number,
                                  .sq_id = request->sq_id,
                                  .identifier = request->command.identifier,
                                  .status = (uint16_t)(nvme_final_status(status) << 1),
                                  .location = request->location,
                                  .lba = request->lba,
                                  .command_specific = request->specific,
                                  .namespace_id = request->command.namespace_id};
    if (NVME_STATUS_TYPE(status) == NVME_STATUS_MEDIA && status != NVME_COMPARE_FAILURE)
        controller->media_errors++;
}

static size_t render_errors(struct nvme_request *request, union log *log, bool keep)
{
    const struct nvme_controller *controller = request->controller;
    (void)keep;
    for (unsigned i = 0; i < NVME_ERROR_ENTRIES && i < controller->error_count; i++)
        log->errors[i] = controller->error_log[(controller->error_count - 1 - i) % NVME_ERROR_ENTRIES];
    return sizeof log->errors;
}

/* What the attached volumes did, whoever asked for it. */
static void count_traffic(struct nvme_controller *controller, uint8_t operation, uint64_t *count, uint64_t *units)
{
    struct volume_statistics statistics;
    uint64_t bytes = 0;
    *count = 0;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        if (!nvme_namespace_is_attached(controller, nsid))
            continue;
        block_volume_statistics(nvme_namespace_find(controller->subsystem, nsid)->volume, &statistics);
        *count += statistics.operations[operation];
        bytes += statistics.bytes[operation];
    }
    *units = (bytes / BLOCK_BYTES + 999) / 1000;
}

static size_t render_health(struct nvme_request *request, union log *log, bool keep)
{
    struct nvme_controller *controller = request->controller;
    struct nvme_health_log *health = &log->health;
    (void)keep;
    health->critical_warning = nvme_critical_warning(controller);
    health->temperature[0] = NVME_TEMPERATURE & 0xff;
    health->temperature[1] = NVME_TEMPERATURE >> 8;
    health->spare = 100;
    health->spare_threshold = 10;
    pthread_mutex_lock(&controller->subsystem->lock);
    count_traffic(controller, BACKEND_READ, &health->reads[0], &health->units_read[0]);
    count_traffic(controller, BACKEND_WRITE, &health->writes[0], &health->units_written[0]);
    pthread_mutex_unlock(&controller->subsystem->lock);
    pthread_mutex_lock(&controller->lock);
    health->power_cycles[0] = controller->power_cycles;
    health->unsafe_shutdowns[0] = controller->unsafe_shutdowns;
    pthread_mutex_unlock(&controller->lock);
    health->power_on_hours[0] = (nvme_now_ms() - controller->created_at) / 3600000;
    health->media_errors[0] = controller->media_errors;
    health->error_entries[0] = controller->error_count;
    return sizeof *health;
}

static size_t render_firmware(struct nvme_request *request, union log *log, bool keep)
{
    (void)request;
    (void)keep;
    log->firmware.active = 1;
    memcpy(log->firmware.slots[0], "1.0     ", sizeof log->firmware.slots[0]);
    return sizeof log->firmware;
}

static size_t render_changed(struct nvme_request *request, union log *log, bool keep)
{
    struct nvme_events *events = &request->controller->events;
    unsigned count = 0;
    pthread_mutex_lock(&events->lock);
    for (uint32_t i = 0; i < NVME_NAMESPACES_MAX; i++)
        if (events->changed_namespaces >> i & 1)
            log->words[count++] = i + 1;
    if (!keep)
        events->changed_namespaces = 0;
    pthread_mutex_unlock(&events->lock);
    return 4096;
}

static size_t render_effects(struct nvme_request *request, union log *log, bool keep)
{
    (void)keep;
    nvme_fill_effects(request->controller, &log->effects);
    return sizeof log->effects;
}

static size_t render_self_test(struct nvme_request *request, union log *log, bool keep)
{
    const struct nvme_controller *controller = request->controller;
    (void)keep;
    for (unsigned i = 0; i < 20; i++) {
        if (i < controller->self_tests)
            log->self_test.results[i] = controller->self_test[i];
        else
            log->self_test.results[i].status = 0x0f;
    }
    return sizeof log->self_test;
}

/* One block: the counters, to be read by people. */
static size_t render_telemetry_host(struct nvme_request *request, union log *log, bool keep)
{
    struct nvme_controller *controller = request->controller;
    (void)keep;
    if (request->command.dword10 >> 8 & TELEMETRY_MAKE)
        controller->telemetry_generation++;
    log->telemetry.page = NVME_LOG_TELEMETRY_HOST;
    log->telemetry.ieee[0] = 0x35;
    log->telemetry.ieee[1] = 0x0a;
    log->telemetry.area1_last = log->telemetry.area2_last = log->telemetry.area3_last = 1;
    log->telemetry.host_generation = controller->telemetry_generation;
    snprintf((char *)log->bytes + BLOCK_BYTES, BLOCK_BYTES,
             "commands=%llu errors=%llu media_errors=%llu power_cycles=%llu unsafe_shutdowns=%llu io_queues=%u "
             "uptime_ms=%llu\n",
             (unsigned long long)controller->commands, (unsigned long long)controller->errors,
             (unsigned long long)controller->media_errors, (unsigned long long)controller->power_cycles,
             (unsigned long long)controller->unsafe_shutdowns, nvme_io_queue_count(controller),
             (unsigned long long)(nvme_now_ms() - controller->created_at));
    return 2 * BLOCK_BYTES;
}

/* The controller starts none by itself. */
static size_t render_telemetry_controller(struct nvme_request *request, union log *log, bool keep)
{
    (void)request;
    (void)keep;
    log->telemetry.page = NVME_LOG_TELEMETRY_CONTROLLER;
    log->telemetry.ieee[0] = 0x35;
    log->telemetry.ieee[1] = 0x0a;
    return sizeof log->telemetry;
}

static bool group_is_used(const struct nvme_controller *controller, uint32_t group)
{
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        if (nvme_namespace_is_attached(controller, nsid) &&
            nvme_namespace_find(controller->subsystem, nsid)->ana_group == group)
            return true;
    return false;
}

static uint8_t *render_group(const struct nvme_controller *controller, uint32_t group, bool only, uint8_t *to)
{
    struct nvme_ana_group descriptor = {
        .group = group, .changes = controller->ana_changes[group - 1], .state = controller->ana[group - 1]};
    uint8_t *ids = to + sizeof descriptor;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && !only; nsid++) {
        if (!nvme_namespace_is_attached(controller, nsid) ||
            nvme_namespace_find(controller->subsystem, nsid)->ana_group != group)
            continue;
        memcpy(ids, &nsid, sizeof nsid);
        ids += sizeof nsid;
        descriptor.namespaces++;
    }
    memcpy(to, &descriptor, sizeof descriptor);
    return ids;
}

static size_t render_ana(struct nvme_request *request, union log *log, bool keep)
{
    struct nvme_controller *controller = request->controller;
    bool only = request->command.dword10 >> 8 & ANA_GROUPS_ONLY;
    struct nvme_ana_log header = {0};
    uint8_t *to = log->bytes + sizeof header;
    (void)keep;
    pthread_mutex_lock(&controller->subsystem->lock);
    header.changes = controller->ana_change_count;
    for (uint32_t group = 1; group <= NVME_ANA_GROUPS; group++) {
        if (!group_is_used(controller, group))
            continue;
        to = render_group(controller, group, only, to);
        header.groups++;
    }
    pthread_mutex_unlock(&controller->subsystem->lock);
    memcpy(log->bytes, &header, sizeof header);
    return (size_t)(to - log->bytes);
}

static size_t render_feature_effects(struct nvme_request *request, union log *log, bool keep)
{
    (void)request;
    (void)keep;
    for (unsigned i = 0; i < 256; i++)
        if (nvme_feature_exists(i))
            log->words[i] =
                SUPPORTED | (nvme_feature_by_namespace(i) ? FEATURE_SCOPE_NAMESPACE : FEATURE_SCOPE_CONTROLLER);
    return 1024;
}

/* The oldest notice; without one the page is empty, with count and type 0. */
static size_t render_reservation(struct nvme_request *request, union log *log, bool keep)
{
    struct nvme_events *events = &request->controller->events;
    pthread_mutex_lock(&events->lock);
    if (events->notices) {
        log->reservation.count = events->notice_count - (events->notices - 1);
        log->reservation.type = events->notice[events->first_notice].type;
        log->reservation.namespace_id = events->notice[events->first_notice].nsid;
        log->reservation.available = (uint8_t)(events->notices - 1);
        if (!keep) {
            events->first_notice = (events->first_notice + 1) % NVME_NOTICES;
            events->notices--;
        }
    }
    pthread_mutex_unlock(&events->lock);
    return sizeof log->reservation;
}

static size_t render_sanitize(struct nvme_request *request, union log *log, bool keep)
{
    (void)keep;
    nvme_sanitize_fill(request->controller->subsystem, &log->sanitize);
    return sizeof log->sanitize;
}

static size_t render_supported(struct nvme_request *request, union log *log, bool keep);

static const struct log_page PAGES[256] = {[NVME_LOG_SUPPORTED] = {render_supported},
                                           [NVME_LOG_ERROR] = {render_errors},
                                           [NVME_LOG_HEALTH] = {render_health},
                                           [NVME_LOG_FIRMWARE] = {render_firmware},
                                           [NVME_LOG_CHANGED_NAMESPACES] = {render_changed},
                                           [NVME_LOG_EFFECTS] = {render_effects},
                                           [NVME_LOG_SELF_TEST] = {render_self_test},
                                           [NVME_LOG_TELEMETRY_HOST] = {render_telemetry_host},
                                           [NVME_LOG_TELEMETRY_CONTROLLER] = {render_telemetry_controller},
                                           [NVME_LOG_ANA] = {render_ana},
                                           [NVME_LOG_FEATURE_EFFECTS] = {render_feature_effects},
                                           [NVME_LOG_RESERVATION] = {render_reservation},
                                           [NVME_LOG_SANITIZE] = {render_sanitize}};

static size_t render_supported(struct nvme_request *request, union log *log, bool keep)
{
    (void)request;
    (void)keep;
    for (unsigned i = 0; i < 256; i++)
        log->words[i] = PAGES[i].render ? SUPPORTED : 0;
    return 1024;
}

static uint16_t check(struct nvme_request *request, uint64_t bytes, uint64_t offset)
{
    const struct nvme_command *command = &request->command;
    unsigned page = command->dword10 & 0xff;
    if (!PAGES[page].render)
        return nvme_refuse(request, NVME_INVALID_LOG_PAGE, NVME_LOCATION(40, 0));
    if (bytes > NVME_TRANSFER_MAX)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(42, 0));
    if (offset % 4)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(48, 0));
    if (command->dword14 >> 24 || command->dword14 & 0x7f || command->dword14 & 1u << 23)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(56, 0));
    /* Health is the controller's: LPA bit 0 is clear. */
    if (page == NVME_LOG_HEALTH && command->namespace_id != 0 && command->namespace_id != NVME_BROADCAST)
        return nvme_refuse(request,
                           command->namespace_id > NVME_NAMESPACES_MAX ? NVME_INVALID_NAMESPACE : NVME_INVALID_FIELD,
                           NVME_LOCATION(4, 0));
    return NVME_SUCCESS;
}

uint16_t nvme_get_log_page(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    const struct nvme_command *command = &request->command;
    unsigned page = command->dword10 & 0xff;
    uint64_t bytes = ((command->dword10 >> 16 | (uint64_t)(command->dword11 & 0xffff) << 16) + 1) * 4;
    uint64_t offset = command->dword12 | (uint64_t)command->dword13 << 32;
    bool keep = command->dword10 & RETAIN_EVENT;
    uint16_t status = check(request, bytes, offset);
    if (status)
        return status;
    union log *log = (union log *)controller->other;
    memset(log, 0, sizeof *log);
    size_t size = PAGES[page].render(request, log, keep);
    if (offset > size)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(48, 0));
    size_t step = bytes < size - offset ? (size_t)bytes : size - (size_t)offset;
    memset(controller->data, 0, (size_t)bytes);
    memcpy(controller->data, log->bytes + offset, step);
    status = nvme_to_guest(request, controller->data, (uint32_t)bytes);
    if (!status && !keep)
        nvme_event_log_read(controller, page);
    return status;
}
