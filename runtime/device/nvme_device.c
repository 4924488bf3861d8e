/* SPDX-License-Identifier: Apache-2.0 */
/* The controller as a PCI function: its creation, its regions, and what its frontend calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/device/nvme_internal.h"

#define QUEUES_DEFAULT 8u
#define CLASS_NVME     0x010802u
#define VENDOR         0x10eeu /* of the FPGA that the card is */
#define DEVICE         0x9038u

static const struct pci_identity IDENTITY = {.vendor = VENDOR,
                                             .device = DEVICE,
                                             .subsystem_vendor = VENDOR,
                                             .subsystem = 0x0007,
                                             .revision = 1,
                                             .class_code = CLASS_NVME};

static int check_settings(const struct nvme_settings *settings, struct cipu_error *error)
{
    if (settings->function >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "nvme: function %u, expected 0 .. %u", settings->function, FUNCTION_HOST - 1);
    if (settings->queues >= BLOCK_CONTROLLER_QUEUES)
        return cipu_fail(error, -EINVAL, "nvme: %u queues, expected 1 .. %u", settings->queues,
                         BLOCK_CONTROLLER_QUEUES - 1);
    if (settings->cntlid >= NVME_CONTROLLERS_MAX)
        return cipu_fail(error, -EINVAL, "nvme: controller id %u, expected 0 .. %u", settings->cntlid,
                         NVME_CONTROLLERS_MAX - 1);
    if (!settings->subsystem)
        return cipu_fail(error, -EINVAL, "nvme: a controller without a subsystem");
    return 0;
}

static void build_config(struct nvme_controller *controller)
{
    pci_config_init(&controller->config, &IDENTITY);
    pci_config_add_bar(&controller->config, 0, NVME_BAR_BYTES, false);
    pci_config_add_bar(&controller->config, NVME_MSIX_BAR, MSIX_BAR_BYTES, false);
    pci_config_add_express(&controller->config);
    pci_config_add_power_management(&controller->config);
    pci_config_add_msix(&controller->config, controller->queues + 1u, NVME_MSIX_BAR, MSIX_TABLE, MSIX_PENDING);
}

static void init_locks(struct nvme_controller *controller)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&controller->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&controller->work, NULL);
    pthread_cond_init(&controller->idle, NULL);
    pthread_mutex_init(&controller->lock, NULL);
    pthread_mutex_init(&controller->command_lock, NULL);
    pthread_mutex_init(&controller->move_lock, NULL);
    pthread_mutex_init(&controller->queue_lock, NULL);
    pthread_mutex_init(&controller->vector_lock, NULL);
    nvme_events_init(&controller->events);
}

static struct nvme_controller *allocate(struct cipu_card *card, struct cipu_host *host, struct block_engine *engine,
                                        const struct nvme_settings *settings)
{
    struct nvme_controller *controller = calloc(1, sizeof *controller);
    if (!controller)
        return NULL;
    controller->card = card;
    controller->host = host;
    controller->engine = engine;
    controller->subsystem = settings->subsystem;
    controller->function = (uint16_t)settings->function;
    controller->id = settings->cntlid;
    controller->queues = (uint16_t)(settings->queues ? settings->queues : QUEUES_DEFAULT);
    controller->map_doorbells = settings->map_doorbells;
    controller->doorbell_fd = -1;
    controller->created_at = nvme_now_ms();
    controller->power_cycles = 1;
    memset(controller->ana, NVME_ANA_STATE_OPTIMIZED, sizeof controller->ana);
    for (unsigned i = 0; i < BLOCK_CONTROLLER_QUEUES; i++)
        controller->vectors[i] = NVME_NO_VECTOR;
    init_locks(controller);
    build_config(controller);
    return controller;
}

static int join_subsystem(struct nvme_controller *controller, struct cipu_error *error)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    int result = 0;
    pthread_mutex_lock(&subsystem->lock);
    if (subsystem->controllers[controller->id])
        result = cipu_fail(error, -EEXIST, "nvme: controller id %u is taken in its subsystem", controller->id);
    else
        subsystem->controllers[controller->id] = controller;
    pthread_mutex_unlock(&subsystem->lock);
    return result;
}

static int alloc_queues(struct nvme_controller *controller)
{
    unsigned count = controller->queues + 1u;
    int first = block_queues_alloc(controller->engine, controller->function, count, &nvme_block_ops, controller);
    if (first < 0)
        return first;
    controller->base = (uint16_t)first;
    controller->has_queues = true;
    controller->pending = calloc((size_t)count * BLOCK_SLOTS, sizeof *controller->pending);
    controller->data = malloc(NVME_TRANSFER_MAX);
    controller->other = malloc(NVME_TRANSFER_MAX);
    return controller->pending && controller->data && controller->other ? 0 : -ENOMEM;
}

static int start(struct nvme_controller *controller)
{
    int result = msix_init(&controller->msix, controller->queues + 1u);
    if (!result)
        result = alloc_queues(controller);
    if (!result)
        result = guest_memory_create(controller->card, (uint64_t)controller->function << CIPU_WINDOW_SHIFT,
                                     CIPU_WINDOW_BYTES, &controller->memory);
    if (!result)
        result = nvme_window_set(controller, CIPU_WINDOW_BYTES);
    if (!result && controller->map_doorbells)
        result = cipu_card_doorbell_share(controller->card, DOORBELL_NVME + controller->base, &controller->doorbell_fd,
                                          &controller->doorbell_offset);
    if (!result)
        result = nvme_worker_start(controller);
    if (!result)
        result = nvme_keeper_start(controller);
    return result;
}

int nvme_create(struct cipu_card *card, struct cipu_host *host, struct block_engine *engine,
                const struct nvme_settings *settings, struct nvme_controller **controller, struct cipu_error *error)
{
    int result = check_settings(settings, error);
    if (result)
        return result;
    struct nvme_controller *created = allocate(card, host, engine, settings);
    if (!created)
        return cipu_fail(error, -ENOMEM, "nvme: out of memory");
    result = start(created);
    if (result)
        cipu_fail(error, result, "nvme: function %u: %s", settings->function, strerror(-result));
    else
        result = join_subsystem(created, error);
    if (result) {
        nvme_destroy(created);
        return result;
    }
    *controller = created;
    return 0;
}

static void destroy_locks(struct nvme_controller *controller)
{
    pthread_mutex_destroy(&controller->events.lock);
    pthread_mutex_destroy(&controller->vector_lock);
    pthread_mutex_destroy(&controller->queue_lock);
    pthread_mutex_destroy(&controller->move_lock);
    pthread_mutex_destroy(&controller->command_lock);
    pthread_mutex_destroy(&controller->lock);
    pthread_cond_destroy(&controller->idle);
    pthread_cond_destroy(&controller->work);
    pthread_cond_destroy(&controller->changed);
}

/* Waits for the keeper, however long: only then is no queue of the function left in the card. */
void nvme_destroy(struct nvme_controller *controller)
{
    if (!controller)
        return;
    nvme_registers_reset(controller);
    pthread_mutex_lock(&controller->lock);
    nvme_keeper_stop(controller);
    pthread_mutex_unlock(&controller->lock);
    nvme_worker_stop(controller);
    nvme_subsystem_leave(controller);
    if (controller->memory)
        nvme_window_set(controller, 0);
    if (controller->has_queues)
        block_queues_free(controller->engine, controller->base, controller->queues + 1u);
    guest_memory_destroy(controller->memory);
    msix_free(&controller->msix);
    destroy_locks(controller);
    free(controller->pending);
    free(controller->data);
    free(controller->other);
    free(controller);
}

void nvme_queue_fault(struct nvme_controller *controller, const struct event_entry *event)
{
    unsigned queue = (unsigned)event->queue - controller->base;
    if (queue > controller->queues)
        return;
    if (event->kind == EVENT_DOORBELL)
        nvme_event_post(controller, NVME_EVENT_ERROR, NVME_ERROR_DOORBELL_VALUE);
    else if (event->kind == EVENT_QUEUE_STOPPED && (event->generation == controller->sq_generation[queue] ||
                                                    event->generation == controller->cq_generation[queue]))
        nvme_fatal(controller);
}

void nvme_state(struct nvme_controller *controller, struct nvme_state *state)
{
    *state = (struct nvme_state){.cntlid = controller->id,
                                 .io_queues = nvme_io_queue_count(controller),
                                 .commands = controller->commands,
                                 .errors = controller->errors};
    pthread_mutex_lock(&controller->lock);
    state->configuration = controller->cc;
    state->status = controller->csts;
    state->resets = controller->resets;
    state->faults = controller->faults;
    pthread_mutex_unlock(&controller->lock);
    pthread_mutex_lock(&controller->subsystem->lock);
    state->attached = controller->attached;
    memcpy(state->ana, controller->ana, sizeof state->ana);
    memcpy(state->host_identifier, controller->features.host_identifier, sizeof state->host_identifier);
    pthread_mutex_unlock(&controller->subsystem->lock);
    pthread_mutex_lock(&controller->events.lock);
    state->async_requests = controller->events.waiting;
    pthread_mutex_unlock(&controller->events.lock);
}

static void region_info(void *device, unsigned region, struct device_region *info)
{
    const struct nvme_controller *controller = device;
    *info = (struct device_region){.mmap_fd = -1};
    if (region == 0)
        info->size = NVME_BAR_BYTES;
    else if (region == NVME_MSIX_BAR)
        info->size = MSIX_BAR_BYTES;
    else if (region == DEVICE_REGION_CONFIG)
        info->size = PCI_CONFIG_BYTES;
    info->readable = info->writable = info->size > 0;
    if (region == 0 && controller->doorbell_fd >= 0) {
        info->mmap_fd = controller->doorbell_fd;
        info->mmap_fd_offset = controller->doorbell_offset;
        info->mmap_offset = NVME_REG_DOORBELLS;
        info->mmap_length = DOORBELL_PAGE_BYTES;
    }
}

static unsigned irq_count(void *device, unsigned irq)
{
    return irq == DEVICE_IRQ_MSIX ? ((struct nvme_controller *)device)->msix.vectors : 0;
}

static int region_read(void *device, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    struct nvme_controller *controller = device;
    switch (region) {
    case 0:
        return nvme_register_read(controller, offset, data, bytes);
    case NVME_MSIX_BAR:
        msix_read(&controller->msix, offset, data, bytes);
        return 0;
    case DEVICE_REGION_CONFIG:
        pci_config_read(&controller->config, offset, data, bytes);
        return 0;
    default:
        return -EINVAL;
    }
}

/* Without bus mastering the card sees nothing of the guest; a controller that is enabled starts when it comes. */
static void follow_bus_master(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->lock);
    controller->bus_master = pci_config_bus_master(&controller->config);
    nvme_show_memory(controller);
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
}

static void reset(void *device)
{
    struct nvme_controller *controller = device;
    nvme_registers_reset(controller);
    pci_config_reset(&controller->config);
    msix_reset_table(&controller->msix);
    follow_bus_master(controller);
}

static int region_write(void *device, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    struct nvme_controller *controller = device;
    switch (region) {
    case 0:
        return nvme_register_write(controller, offset, data, bytes);
    case NVME_MSIX_BAR:
        msix_write(&controller->msix, offset, data, bytes);
        return 0;
    case DEVICE_REGION_CONFIG:
        pci_config_write(&controller->config, offset, data, bytes);
        if (pci_config_take_function_reset(&controller->config))
            reset(controller);
        else
            follow_bus_master(controller);
        return 0;
    default:
        return -EINVAL;
    }
}

static int irq_set(void *device, unsigned irq, unsigned vector, int fd)
{
    struct nvme_controller *controller = device;
    int old = -1;
    if (irq != DEVICE_IRQ_MSIX || vector >= controller->msix.vectors)
        return -EINVAL;
    int result = msix_connect(&controller->msix, vector, fd, &old);
    if (!result)
        nvme_vector_changed(controller, vector);
    if (old >= 0)
        close(old);
    return result;
}

static int dma_map(void *device, uint64_t address, uint64_t length, int fd, off_t offset, int protection)
{
    return guest_memory_map(((struct nvme_controller *)device)->memory, address, length, fd, offset, protection);
}

static int dma_unmap(void *device, uint64_t address, uint64_t length)
{
    (void)length;
    guest_memory_unmap(((struct nvme_controller *)device)->memory, address);
    return 0;
}

static void memory_messages(void *device, const struct device_memory_messages *messages)
{
    guest_memory_messages(((struct nvme_controller *)device)->memory, messages);
}

static void disconnected(void *device)
{
    struct nvme_controller *controller = device;
    pthread_mutex_lock(&controller->lock);
    controller->power_cycles++;
    controller->unsafe_shutdowns += controller->csts & NVME_CSTS_READY && !(controller->csts & NVME_CSTS_SHST_DONE);
    pthread_mutex_unlock(&controller->lock);
    reset(controller);
    msix_disconnect_all(&controller->msix);
    for (unsigned i = 0; i < controller->msix.vectors; i++)
        nvme_vector_changed(controller, i);
    guest_memory_clear(controller->memory);
}

const struct device_ops nvme_ops = {.region_info = region_info,
                                    .irq_count = irq_count,
                                    .region_read = region_read,
                                    .region_write = region_write,
                                    .irq_set = irq_set,
                                    .dma_map = dma_map,
                                    .dma_unmap = dma_unmap,
                                    .memory_messages = memory_messages,
                                    .reset = reset,
                                    .disconnected = disconnected};
