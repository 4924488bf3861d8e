/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: what the card is told of them, and the commands that make and delete them (Base 5.4 to 5.7, 5.8). */
#include <errno.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define CQ_CONTIGUOUS  1u
#define CQ_INTERRUPTS  2u
#define SQ_CONTIGUOUS  1u
#define SQ_PRIORITY    6u
#define DOORBELL_BYTES 4u
#define COALESCE_UNIT  100000u /* nanoseconds */

int nvme_window_set(struct nvme_controller *controller, uint64_t length)
{
    static const uint8_t targets[] = {TARGET_NVME_SQ, TARGET_NVME_CQ};
    const struct window_setting window = {(uint64_t)controller->function << CIPU_WINDOW_SHIFT, length};
    struct command_entry commands[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        commands[i].opcode = COMMAND_WINDOW_SET;
        commands[i].target = targets[i];
        commands[i].index = controller->function;
        memcpy(commands[i].data, &window, sizeof window);
    }
    return cipu_host_command(controller->host, commands, 2);
}

static void connect_vector(struct nvme_controller *controller, unsigned queue)
{
    uint16_t vector = controller->vectors[queue];
    cipu_card_interrupt(controller->card, VECTOR_BLOCK + nvme_controller_queue(controller, queue),
                        vector == NVME_NO_VECTOR ? -1 : msix_fd(&controller->msix, vector));
}

static void set_vector(struct nvme_controller *controller, unsigned queue, uint16_t vector)
{
    pthread_mutex_lock(&controller->vector_lock);
    controller->vectors[queue] = vector;
    connect_vector(controller, queue);
    pthread_mutex_unlock(&controller->vector_lock);
}

/* Several completion queues may share a vector. */
void nvme_vector_changed(struct nvme_controller *controller, unsigned vector)
{
    pthread_mutex_lock(&controller->vector_lock);
    for (unsigned i = 0; i <= controller->queues; i++)
        if (controller->vectors[i] == vector)
            connect_vector(controller, i);
    pthread_mutex_unlock(&controller->vector_lock);
}

/* Features 08h and 09h hold for queues that are made after they were set. */
static void set_coalescing(const struct nvme_controller *controller, const struct nvme_queue *queue,
                           struct nvme_queue_setting *setting)
{
    uint32_t threshold = controller->features.coalescing & 0xff, time = controller->features.coalescing >> 8 & 0xff;
    if (queue->vector == NVME_NO_VECTOR || time == 0 || controller->features.uncoalesced >> queue->vector & 1)
        return;
    setting->threshold = (uint8_t)(threshold < UINT8_MAX ? threshold + 1 : threshold);
    setting->delay = time * COALESCE_UNIT / BLOCK_TICK_NANOSECONDS;
}

static int queue_set(struct nvme_controller *controller, uint8_t target, unsigned queue,
                     const struct nvme_queue_setting *setting)
{
    struct command_entry command = {
        .opcode = COMMAND_QUEUE_SET, .target = target, .index = nvme_controller_queue(controller, queue)};
    memcpy(command.data, setting, sizeof *setting);
    return cipu_host_command(controller->host, &command, 1);
}

static int queue_stop(struct nvme_controller *controller, uint8_t target, unsigned queue, uint32_t argument)
{
    struct command_entry command = {.opcode = COMMAND_QUEUE_STOP,
                                    .target = target,
                                    .index = nvme_controller_queue(controller, queue),
                                    .argument = argument};
    return cipu_host_command(controller->host, &command, 1);
}

static struct nvme_queue_setting describe(struct nvme_controller *controller, unsigned queue,
                                          const struct nvme_queue *from)
{
    return (struct nvme_queue_setting){.address = from->address,
                                       .shadow = from->shadow,
                                       .event = from->event,
                                       .entries = from->entries,
                                       .function = controller->function,
                                       .base = controller->base,
                                       .completion = (uint16_t)nvme_controller_queue(controller, from->completion),
                                       .vector = NVME_NO_VECTOR,
                                       .generation = controller->generation,
                                       .flags = queue == 0 ? NVME_QUEUE_ADMIN : 0};
}

/* A page that the guest writes by itself may hold what it held before a reset. */
static void clear_doorbell(struct nvme_controller *controller, unsigned word)
{
    if (controller->map_doorbells)
        cipu_card_doorbell_word(controller->card, DOORBELL_NVME + controller->base, word, 0);
}

static struct nvme_queue_setting describe_cq(struct nvme_controller *controller, unsigned queue)
{
    const struct nvme_queue *from = &controller->cq[queue];
    struct nvme_queue_setting setting = describe(controller, queue, from);
    setting.completion = (uint16_t)nvme_controller_queue(controller, queue);
    if (from->vector != NVME_NO_VECTOR)
        setting.vector = (uint16_t)(VECTOR_BLOCK + nvme_controller_queue(controller, queue));
    set_coalescing(controller, from, &setting);
    return setting;
}

/* Told twice: to whom writes completions, and to whom keeps account of the room for them (hls/include/block.h). */
static int card_set_cq(struct nvme_controller *controller, unsigned queue)
{
    controller->cq_generation[queue] = ++controller->generation;
    struct nvme_queue_setting setting = describe_cq(controller, queue);
    set_vector(controller, queue, controller->cq[queue].vector);
    int result = queue_set(controller, TARGET_NVME_CQ, queue, &setting);
    setting.flags |= NVME_QUEUE_COMPLETION;
    if (!result)
        result = queue_set(controller, TARGET_NVME_SQ, queue, &setting);
    return result;
}

static int card_set_sq(struct nvme_controller *controller, unsigned queue)
{
    controller->sq_generation[queue] = ++controller->generation;
    const struct nvme_queue_setting setting = describe(controller, queue, &controller->sq[queue]);
    controller->rung &= ~(1u << queue);
    int result = queue_set(controller, TARGET_NVME_SQ, queue, &setting);
    if (!result) {
        clear_doorbell(controller, 2 * queue);
        clear_doorbell(controller, 2 * queue + 1);
    }
    return result;
}

static int card_stop_sq(struct nvme_controller *controller, unsigned queue, bool silent)
{
    block_queue_drain(controller->engine, nvme_controller_queue(controller, queue), NVME_ABORT_SQ_DELETED, silent);
    int result = queue_stop(controller, TARGET_NVME_SQ, queue, 0);
    if (!result)
        controller->sq[queue] = (struct nvme_queue){0};
    return result;
}

static int card_stop_cq(struct nvme_controller *controller, unsigned queue)
{
    int result = queue_stop(controller, TARGET_NVME_SQ, queue, NVME_QUEUE_COMPLETION);
    int written = queue_stop(controller, TARGET_NVME_CQ, queue, 0);
    result = result ? result : written;
    set_vector(controller, queue, NVME_NO_VECTOR);
    if (!result)
        controller->cq[queue] = (struct nvme_queue){0};
    return result;
}

static bool card_sees(struct nvme_controller *controller, uint64_t address, uint64_t bytes, const char *what)
{
    if (guest_memory_in_card(controller->memory, address, bytes))
        return true;
    cipu_warn("nvme: function %u: %s at 0x%llx is in memory that the card cannot reach: the client must share the "
              "guest's memory (memory-backend-memfd,share=on)",
              controller->function, what, (unsigned long long)address);
    return false;
}

/* The admin queues last. */
static bool stop_all(struct nvme_controller *controller)
{
    bool stopped = true;
    for (unsigned i = controller->queues + 1u; i-- > 0;)
        if (controller->sq[i].exists && card_stop_sq(controller, i, true))
            stopped = false;
    for (unsigned i = controller->queues + 1u; i-- > 0;)
        if (controller->cq[i].exists && card_stop_cq(controller, i))
            stopped = false;
    controller->shadow = controller->event = 0;
    return stopped;
}

static int start_admin(struct nvme_controller *controller)
{
    struct nvme_queue *sq = &controller->sq[0], *cq = &controller->cq[0];
    pthread_mutex_lock(&controller->lock);
    *cq = (struct nvme_queue){.exists = true, .entries = (controller->aqa >> 16) + 1, .address = controller->acq};
    *sq = (struct nvme_queue){.exists = true, .entries = (controller->aqa & 0xfff) + 1, .address = controller->asq};
    pthread_mutex_unlock(&controller->lock);
    if (!card_sees(controller, sq->address, sq->entries * sizeof(struct nvme_command), "the admin submission queue") ||
        !card_sees(controller, cq->address, cq->entries * sizeof(struct nvme_completion), "the admin completion queue"))
        return -EFAULT;
    int result = card_set_cq(controller, 0);
    return result ? result : card_set_sq(controller, 0);
}

int nvme_queues_start(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->queue_lock);
    int result = start_admin(controller);
    controller->queues_live = result == 0;
    pthread_mutex_unlock(&controller->queue_lock);
    return result;
}

bool nvme_queues_stop(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->queue_lock);
    controller->queues_live = false;
    bool stopped = stop_all(controller);
    pthread_mutex_unlock(&controller->queue_lock);
    return stopped;
}

unsigned nvme_io_queue_count(struct nvme_controller *controller)
{
    unsigned count = 0;
    pthread_mutex_lock(&controller->queue_lock);
    for (unsigned i = 1; i <= controller->queues; i++)
        count += controller->sq[i].exists;
    pthread_mutex_unlock(&controller->queue_lock);
    return count;
}

static bool valid_id(const struct nvme_controller *controller, unsigned queue)
{
    return queue >= 1 && queue <= controller->queues;
}

/* Shadow doorbells lie as the doorbells do; what an earlier life of the driver left in those of a queue that is new
 * counts for nothing. */
static uint16_t set_shadow(struct nvme_controller *controller, struct nvme_queue *queue, unsigned word, bool clear)
{
    const uint32_t zero = 0;
    queue->shadow = queue->event = 0;
    if (!controller->shadow)
        return NVME_SUCCESS;
    queue->shadow = controller->shadow + (uint64_t)DOORBELL_BYTES * word;
    queue->event = controller->event + (uint64_t)DOORBELL_BYTES * word;
    return clear && (guest_memory_write(controller->memory, queue->shadow, &zero, sizeof zero) ||
                     guest_memory_write(controller->memory, queue->event, &zero, sizeof zero))
               ? NVME_DATA_TRANSFER_ERROR
               : NVME_SUCCESS;
}

static uint32_t configuration(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->lock);
    uint32_t cc = controller->cc;
    pthread_mutex_unlock(&controller->lock);
    return cc;
}

/* `expected`, `found`: log2 of an entry's bytes, as the driver has set it in CC: Base figure 46. */
static uint16_t check_ring(struct nvme_request *request, uint32_t expected, uint32_t found, bool contiguous)
{
    struct nvme_controller *controller = request->controller;
    uint32_t entries = (request->command.dword10 >> 16) + 1;
    if (entries < 2 || entries > NVME_ENTRIES_MAX || found != expected)
        return nvme_refuse(request, NVME_INVALID_QUEUE_SIZE, NVME_LOCATION(42, 0));
    if (!contiguous)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 0));
    if (request->command.prp1 % NVME_PAGE_BYTES)
        return nvme_refuse(request, NVME_PRP_OFFSET, NVME_LOCATION(24, 0));
    if (!card_sees(controller, request->command.prp1, (uint64_t)entries << expected, "a queue"))
        return nvme_refuse(request, NVME_DATA_TRANSFER_ERROR, NVME_LOCATION(24, 0));
    return NVME_SUCCESS;
}

static uint16_t create_cq(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    const struct nvme_command *command = &request->command;
    unsigned queue = command->dword10 & 0xffff;
    uint16_t vector = (uint16_t)(command->dword11 >> 16);
    bool interrupts = command->dword11 & CQ_INTERRUPTS;
    if (!valid_id(controller, queue) || controller->cq[queue].exists)
        return nvme_refuse(request, NVME_INVALID_QUEUE_ID, NVME_LOCATION(40, 0));
    uint16_t status =
        check_ring(request, 4, NVME_CC_IOCQES(configuration(controller)), command->dword11 & CQ_CONTIGUOUS);
    if (status)
        return status;
    if (command->dword11 & 0xfffcu)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 2));
    if (interrupts && vector >= controller->msix.vectors)
        return nvme_refuse(request, NVME_INVALID_VECTOR, NVME_LOCATION(46, 0));
    struct nvme_queue *created = &controller->cq[queue];
    *created = (struct nvme_queue){.entries = (command->dword10 >> 16) + 1,
                                   .address = command->prp1,
                                   .vector = interrupts ? vector : NVME_NO_VECTOR};
    status = set_shadow(controller, created, 2 * queue + 1, true);
    if (!status && card_set_cq(controller, queue))
        status = NVME_INTERNAL_ERROR;
    created->exists = !status;
    return status;
}

static uint16_t create_sq(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    const struct nvme_command *command = &request->command;
    unsigned queue = command->dword10 & 0xffff, completion = command->dword11 >> 16;
    if (!valid_id(controller, queue) || controller->sq[queue].exists)
        return nvme_refuse(request, NVME_INVALID_QUEUE_ID, NVME_LOCATION(40, 0));
    if (completion == 0 || completion > UINT16_MAX - 1u)
        return nvme_refuse(request, NVME_INVALID_QUEUE_ID, NVME_LOCATION(46, 0));
    if (completion > controller->queues || !controller->cq[completion].exists)
        return nvme_refuse(request, NVME_INVALID_CQ, NVME_LOCATION(46, 0));
    uint16_t status =
        check_ring(request, 6, NVME_CC_IOSQES(configuration(controller)), command->dword11 & SQ_CONTIGUOUS);
    if (status)
        return status;
    if (command->dword11 & 0xffffu & ~(SQ_CONTIGUOUS | SQ_PRIORITY))
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(44, 3));
    if (command->dword12)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(48, 0));
    struct nvme_queue *created = &controller->sq[queue];
    *created = (struct nvme_queue){
        .entries = (command->dword10 >> 16) + 1, .address = command->prp1, .completion = (uint16_t)completion};
    status = set_shadow(controller, created, 2 * queue, true);
    if (!status && card_set_sq(controller, queue))
        status = NVME_INTERNAL_ERROR;
    created->exists = !status;
    return status;
}

static uint16_t delete_cq(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    unsigned queue = request->command.dword10 & 0xffff;
    if (!valid_id(controller, queue) || !controller->cq[queue].exists)
        return nvme_refuse(request, NVME_INVALID_QUEUE_ID, NVME_LOCATION(40, 0));
    for (unsigned i = 1; i <= controller->queues; i++)
        if (controller->sq[i].exists && controller->sq[i].completion == queue)
            return nvme_refuse(request, NVME_INVALID_QUEUE_DELETION, NVME_LOCATION(40, 0));
    return card_stop_cq(controller, queue) ? NVME_INTERNAL_ERROR : NVME_SUCCESS;
}

/* What is in flight of it completes before, aborted if it had not begun. */
static uint16_t delete_sq(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    unsigned queue = request->command.dword10 & 0xffff;
    if (!valid_id(controller, queue) || !controller->sq[queue].exists)
        return nvme_refuse(request, NVME_INVALID_QUEUE_ID, NVME_LOCATION(40, 0));
    nvme_close_queue(controller, queue, true);
    int result = card_stop_sq(controller, queue, false);
    nvme_close_queue(controller, queue, false);
    return result ? NVME_INTERNAL_ERROR : NVME_SUCCESS;
}

/* Of queues that run. One whose doorbell was never written is as new. */
static uint16_t add_shadow(struct nvme_controller *controller, unsigned queue)
{
    bool fresh = !(controller->rung >> queue & 1);
    uint16_t status = NVME_SUCCESS;
    if (controller->cq[queue].exists) {
        status = set_shadow(controller, &controller->cq[queue], 2 * queue + 1, fresh);
        struct nvme_queue_setting setting = describe_cq(controller, queue);
        setting.flags |= NVME_QUEUE_COMPLETION | NVME_QUEUE_SHADOW;
        if (!status && queue_set(controller, TARGET_NVME_SQ, queue, &setting))
            status = NVME_INTERNAL_ERROR;
    }
    if (controller->sq[queue].exists && !status) {
        status = set_shadow(controller, &controller->sq[queue], 2 * queue, fresh);
        struct nvme_queue_setting setting = describe(controller, queue, &controller->sq[queue]);
        setting.flags |= NVME_QUEUE_SHADOW;
        if (!status && queue_set(controller, TARGET_NVME_SQ, queue, &setting))
            status = NVME_INTERNAL_ERROR;
    }
    return status;
}

/* Base 5.8. Drivers send it after they have made their queues. */
static uint16_t doorbell_buffer(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    const struct nvme_command *command = &request->command;
    if (command->prp1 % NVME_PAGE_BYTES || command->prp1 == 0)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(24, 0));
    if (command->prp2 % NVME_PAGE_BYTES || command->prp2 == 0)
        return nvme_refuse(request, NVME_INVALID_FIELD, NVME_LOCATION(32, 0));
    if (!card_sees(controller, command->prp1, NVME_PAGE_BYTES, "the shadow doorbell buffer") ||
        !card_sees(controller, command->prp2, NVME_PAGE_BYTES, "the EventIdx buffer"))
        return NVME_DATA_TRANSFER_ERROR;
    controller->shadow = command->prp1;
    controller->event = command->prp2;
    uint16_t status = NVME_SUCCESS;
    for (unsigned i = 1; i <= controller->queues && !status; i++)
        status = add_shadow(controller, i);
    return status;
}

/* A command whose guest has reset the controller meanwhile changes nothing. */
static uint16_t locked(struct nvme_request *request, uint16_t (*work)(struct nvme_request *request))
{
    struct nvme_controller *controller = request->controller;
    pthread_mutex_lock(&controller->queue_lock);
    uint16_t status = controller->queues_live ? work(request) : NVME_ABORT_REQUESTED;
    pthread_mutex_unlock(&controller->queue_lock);
    return status;
}

uint16_t nvme_create_cq(struct nvme_request *request)
{
    return locked(request, create_cq);
}

uint16_t nvme_create_sq(struct nvme_request *request)
{
    return locked(request, create_sq);
}

uint16_t nvme_delete_cq(struct nvme_request *request)
{
    return locked(request, delete_cq);
}

uint16_t nvme_delete_sq(struct nvme_request *request)
{
    return locked(request, delete_sq);
}

uint16_t nvme_doorbell_buffer(struct nvme_request *request)
{
    return locked(request, doorbell_buffer);
}
