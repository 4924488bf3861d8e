/* SPDX-License-Identifier: Apache-2.0 */
/* Identify (Base 5.17): what the controller, its namespaces and their identities are. */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define CSI_NVM         0u
#define LIST_ENTRIES    1024u /* namespace ids in a page */
#define CONTROLLER_LIST 2047u
#define COPY_FORMAT_0   1u
#define RESCAP_PERSIST  0x01u
#define RESCAP_TYPES    0xfeu /* all six, and Ignore Existing Key as of 1.3 */
#define FORMAT_COUNT    2u

union page {
    uint8_t bytes[NVME_IDENTIFY_BYTES];
    uint32_t words[LIST_ENTRIES];
    uint16_t halves[2048];
    uint64_t vectors[512];
    struct nvme_identify_controller controller;
    struct nvme_identify_namespace namespace;
    struct nvme_identify_independent independent;
    struct nvme_identify_nvm nvm;
};

/* ASCII, padded with blanks: Base 1.5. */
static void put_text(char *to, size_t bytes, const char *text)
{
    size_t length = strnlen(text, bytes);
    memset(to, ' ', bytes);
    memcpy(to, text, length);
}

static bool any_write_cache(const struct nvme_controller *controller)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++)
        if (controller->attached >> i & 1 && subsystem->namespaces[i] &&
            subsystem->namespaces[i]->info.backend.write_cache)
            return true;
    return false;
}

static void fill_limits(struct nvme_identify_controller *to)
{
    to->arbitration_burst = 3;
    to->transfer_max = 8; /* 2^8 pages of 4 KiB */
    to->abort_limit = 3;
    to->async_event_limit = NVME_ASYNC_EVENTS - 1;
    to->error_entries = NVME_ERROR_ENTRIES - 1;
    to->warning_temperature = 343;
    to->critical_temperature = 353;
    to->self_test_time = 1;
    to->self_test_options = 1; /* one at a time in the subsystem is not needed, one in the controller is */
    to->sq_entry_size = 0x66;
    to->cq_entry_size = 0x44;
    to->copy_formats = COPY_FORMAT_0;
    to->sgl = 1u | 1u << 16 | 1u << 18; /* any alignment, bit bucket, longer than the data */
    to->namespaces = to->namespaces_allowed = NVME_NAMESPACES_MAX;
    to->ana_transition_time = 10;
    to->ana_capabilities = 0x1f; /* all five states */
    to->ana_group_max = to->ana_groups = NVME_ANA_GROUPS;
    to->power[0].maximum_power = 2500;
}

static void fill_controller(struct nvme_controller *controller, struct nvme_identify_controller *to)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    static const uint8_t ieee[3] = {0x35, 0x0a, 0x00}; /* 00-0A-35, the chip's */
    memcpy(&to->vendor, controller->config.bytes, 2);
    memcpy(&to->subsystem_vendor, controller->config.bytes + 0x2c, 2);
    put_text(to->serial, sizeof to->serial, subsystem->settings.serial);
    put_text(to->model, sizeof to->model, subsystem->settings.model);
    put_text(to->firmware, sizeof to->firmware, "1.0");
    memcpy(to->ieee, ieee, sizeof ieee);
    fill_limits(to);
    to->multipath = 1u << 0 | 1u << 1 | 1u << 3; /* several ports, several controllers, ANA */
    to->controller_id = controller->id;
    to->version = NVME_VERSION_2_0;
    to->async_events = NVME_EVENT_NAMESPACE_ATTRIBUTE | NVME_EVENT_ANA;
    to->attributes = 1; /* 128-bit host identifiers */
    to->controller_type = 1;
    to->admin_commands = nvme_admin_supported(controller);
    to->firmware_updates = 1u | 1u << 1 | 1u << 4;              /* one slot, read-only; activation without reset */
    to->log_attributes = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 5; /* effects, extended data, telemetry, supported pages */
    bool crypto = nvme_sanitize_crypto(subsystem);
    to->sanitize = (uint32_t)crypto | 1u << 1 | 1u << 29 | 1u << 30; /* crypto erase, block erase; always deallocates;
                                                                        media is not modified after */
    to->format_attributes = (uint8_t)(crypto << 2);                  /* cryptographic erase */
    to->io_commands = NVME_ONCS_COMPARE | NVME_ONCS_DATASET | NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SAVE |
                      NVME_ONCS_RESERVATIONS | NVME_ONCS_TIMESTAMP | NVME_ONCS_VERIFY | NVME_ONCS_COPY;
    to->write_cache = (uint8_t)(3u << 1 | any_write_cache(controller)); /* flush of all namespaces is supported */
    if (ops && ops->capacity) {
        uint64_t total = 0, unallocated = 0;
        ops->capacity(subsystem->settings.context, &total, &unallocated);
        memcpy(to->total_capacity, &total, sizeof total);
        memcpy(to->unallocated_capacity, &unallocated, sizeof unallocated);
    }
    strncpy(to->subsystem_name, subsystem->settings.nqn, sizeof to->subsystem_name - 1);
}

static uint8_t reservation_capabilities(const struct nvme_subsystem *subsystem)
{
    const struct nvme_subsystem_ops *ops = subsystem->settings.ops;
    return (uint8_t)(RESCAP_TYPES | (ops && ops->store && ops->load ? RESCAP_PERSIST : 0));
}

static void fill_formats(struct nvme_identify_namespace *to)
{
    to->formats = FORMAT_COUNT - 1;
    to->lba[0] = (struct nvme_lba_format){.shift = 9, .performance = 1};
    to->lba[1] = (struct nvme_lba_format){.shift = 12};
}

/* An EUI-64 and an NGUID are a namespace's on all its paths: both follow from the volume's UUID. */
static void fill_eui64(const uint8_t uuid[16], uint8_t eui64[8])
{
    for (unsigned i = 0; i < 8; i++)
        eui64[i] = uuid[i] ^ uuid[i + 8];
}

static void fill_namespace(const struct nvme_namespace *from, struct nvme_identify_namespace *to)
{
    uint64_t bytes = from->blocks << from->shift;
    uint32_t optimal = from->info.backend.optimal_bytes >> from->shift;
    fill_formats(to);
    to->size = to->capacity = to->used = from->blocks;
    to->format = from->shift == 12 ? 1 : 0;
    to->sharing = 1;
    to->reservations = reservation_capabilities(from->subsystem);
    to->deallocation = from->info.backend.discards_zero ? 1u | 1u << 3 : 0; /* reads as zeros; also by Write Zeroes */
    memcpy(to->nvm_capacity, &bytes, sizeof bytes);
    if (optimal > 1 && optimal <= UINT16_MAX + 1u) {
        to->features |= 1u << 4; /* NPWG and its like hold */
        to->preferred_write = to->preferred_write_alignment = (uint16_t)(optimal - 1);
        to->preferred_deallocate = to->preferred_deallocate_alignment = to->optimal_write = (uint16_t)(optimal - 1);
    }
    to->copy_single = (uint16_t)(NVME_TRANSFER_MAX >> from->shift);
    to->copy_maximum = NVME_COPY_BYTES >> from->shift;
    to->copy_ranges = NVME_COPY_RANGES - 1;
    to->ana_group = from->ana_group;
    to->attributes = from->info.settings.read_only || from->info.backend.read_only;
    memcpy(to->nguid, from->info.settings.uuid, sizeof to->nguid);
    fill_eui64(from->info.settings.uuid, to->eui64);
}

static void fill_independent(const struct nvme_controller *controller, const struct nvme_namespace *from,
                             struct nvme_identify_independent *to)
{
    to->sharing = 1;
    to->reservations = reservation_capabilities(from->subsystem);
    to->ana_group = from->ana_group;
    to->attributes = from->info.settings.read_only || from->info.backend.read_only;
    to->status = nvme_ana_status(controller, from->ana_group) ? 0 : 1;
}

static uint8_t *add_descriptor(uint8_t *to, enum nvme_descriptor_type type, const void *value, uint8_t bytes)
{
    const struct nvme_namespace_descriptor descriptor = {.type = (uint8_t)type, .length = bytes};
    memcpy(to, &descriptor, sizeof descriptor);
    memcpy(to + sizeof descriptor, value, bytes);
    return to + sizeof descriptor + bytes;
}

static void fill_descriptors(const struct nvme_namespace *from, uint8_t *to)
{
    const uint8_t command_set = CSI_NVM;
    uint8_t eui64[8];
    fill_eui64(from->info.settings.uuid, eui64);
    to = add_descriptor(to, NVME_DESCRIPTOR_EUI64, eui64, sizeof eui64);
    to = add_descriptor(to, NVME_DESCRIPTOR_NGUID, from->info.settings.uuid, 16);
    to = add_descriptor(to, NVME_DESCRIPTOR_UUID, from->info.settings.uuid, 16);
    add_descriptor(to, NVME_DESCRIPTOR_COMMAND_SET, &command_set, sizeof command_set);
}

static void list_namespaces(const struct nvme_controller *controller, uint32_t after, bool allocated, uint32_t *list)
{
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        if (nsid > after && controller->subsystem->namespaces[nsid - 1] &&
            (allocated || nvme_namespace_is_attached(controller, nsid)))
            *list++ = nsid;
}

/* Base figure 136: the number of identifiers, then they, ascending. */
static void list_controllers(const struct nvme_subsystem *subsystem, const struct nvme_namespace *namespace,
                             unsigned from, uint16_t *list)
{
    for (unsigned i = from; i < NVME_CONTROLLERS_MAX; i++)
        if (subsystem->controllers[i] && (!namespace || namespace->attached >> i & 1))
            list[++list[0]] = (uint16_t)i;
}

static uint16_t bad_namespace(struct nvme_request *request)
{
    return nvme_refuse(request, NVME_INVALID_NAMESPACE, NVME_LOCATION(4, 0));
}

/* Inactive namespaces are zeros; of the broadcast value one learns what all have in common. */
static uint16_t fill_active(struct nvme_request *request, uint32_t cns, union page *page)
{
    struct nvme_controller *controller = request->controller;
    uint32_t nsid = request->command.namespace_id;
    if (nsid == NVME_BROADCAST && cns == NVME_CNS_NAMESPACE) {
        fill_formats(&page->namespace);
        return NVME_SUCCESS;
    }
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX)
        return bad_namespace(request);
    const struct nvme_namespace *namespace = nvme_namespace_find(controller->subsystem, nsid);
    bool attached = namespace && nvme_namespace_is_attached(controller, nsid);
    if (cns == NVME_CNS_DESCRIPTORS && !attached)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
    if (!attached && (cns != NVME_CNS_ALLOCATED_NAMESPACE || !namespace))
        return NVME_SUCCESS;
    if (cns == NVME_CNS_DESCRIPTORS)
        fill_descriptors(namespace, page->bytes);
    else if (cns == NVME_CNS_INDEPENDENT_NAMESPACE)
        fill_independent(controller, namespace, &page->independent);
    else
        fill_namespace(namespace, &page->namespace);
    return NVME_SUCCESS;
}

static uint16_t fill_list(struct nvme_request *request, uint32_t cns, union page *page)
{
    struct nvme_controller *controller = request->controller;
    uint32_t nsid = request->command.namespace_id;
    unsigned from = request->command.dword10 >> 16;
    if (cns == NVME_CNS_CONTROLLERS) {
        list_controllers(controller->subsystem, NULL, from, page->halves);
        return NVME_SUCCESS;
    }
    if (cns == NVME_CNS_NAMESPACE_CONTROLLERS) {
        if (nsid == 0 || nsid > NVME_NAMESPACES_MAX)
            return bad_namespace(request);
        const struct nvme_namespace *namespace = nvme_namespace_find(controller->subsystem, nsid);
        if (!namespace)
            return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(4, 0));
        list_controllers(controller->subsystem, namespace, from, page->halves);
        return NVME_SUCCESS;
    }
    if (nsid >= NVME_BROADCAST - 1)
        return bad_namespace(request);
    list_namespaces(controller, nsid, cns == NVME_CNS_ALLOCATED_NAMESPACES, page->words);
    return NVME_SUCCESS;
}

/* Data structures of a command set: dword 11 names it, and there is one. */
static uint16_t fill_command_set(struct nvme_request *request, uint32_t cns, union page *page)
{
    if (request->command.dword11 >> 24 != CSI_NVM)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(47, 0));
    if (cns == NVME_CNS_COMMAND_SET_CONTROLLER) /* all limits 0: none, or the transfer's */
        return NVME_SUCCESS;
    if (cns == NVME_CNS_COMMAND_SET_ACTIVE)
        return fill_list(request, NVME_CNS_ACTIVE_NAMESPACES, page);
    uint32_t nsid = request->command.namespace_id;
    if (nsid == 0 || (nsid > NVME_NAMESPACES_MAX && nsid != NVME_BROADCAST))
        return bad_namespace(request);
    return NVME_SUCCESS; /* NVM figure 100: no protection information, no metadata */
}

static uint16_t fill(struct nvme_request *request, uint32_t cns, union page *page)
{
    unsigned controller = request->command.dword10 >> 16;
    switch (cns) {
    case NVME_CNS_CONTROLLER:
        fill_controller(request->controller, &page->controller);
        return NVME_SUCCESS;
    case NVME_CNS_NAMESPACE:
    case NVME_CNS_DESCRIPTORS:
    case NVME_CNS_INDEPENDENT_NAMESPACE:
    case NVME_CNS_ALLOCATED_NAMESPACE:
        return fill_active(request, cns, page);
    case NVME_CNS_ACTIVE_NAMESPACES:
    case NVME_CNS_ALLOCATED_NAMESPACES:
    case NVME_CNS_NAMESPACE_CONTROLLERS:
    case NVME_CNS_CONTROLLERS:
        return fill_list(request, cns, page);
    case NVME_CNS_COMMAND_SET_NAMESPACE:
    case NVME_CNS_COMMAND_SET_CONTROLLER:
    case NVME_CNS_COMMAND_SET_ACTIVE:
        return fill_command_set(request, cns, page);
    case NVME_CNS_COMMAND_SETS: /* Base figure 290: one combination, of the NVM command set */
        if (controller != 0xffff && controller != request->controller->id)
            return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(42, 0));
        page->vectors[0] = 1u << CSI_NVM;
        return NVME_SUCCESS;
    default:
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(40, 0));
    }
}

uint16_t nvme_identify(struct nvme_request *request)
{
    union page page;
    memset(&page, 0, sizeof page);
    pthread_mutex_lock(&request->controller->subsystem->lock);
    uint16_t status = fill(request, request->command.dword10 & 0xff, &page);
    pthread_mutex_unlock(&request->controller->subsystem->lock);
    return status ? status : nvme_to_guest(request, &page, sizeof page);
}
