/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: executes raw commands one after the other and may block. A reset takes the command that it executes away
 * from it: the tag is completed in its place, its operation is left to its disk, and whatever the worker does for it
 * afterwards touches no guest.
 */
#include <errno.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

static struct nvme_pending *pending_of(struct nvme_controller *controller, const struct block_raw *raw)
{
    return &controller->pending[raw->command.tag - controller->base * BLOCK_SLOTS];
}

static unsigned queue_of(const struct nvme_controller *controller, const struct block_raw *raw)
{
    return (unsigned)raw->command.queue - controller->base;
}

static void append(struct nvme_controller *controller, const struct block_raw *raw)
{
    struct nvme_pending *pending = pending_of(controller, raw);
    *pending = (struct nvme_pending){.raw = raw};
    if (controller->last)
        controller->last->next = pending;
    else
        controller->first = pending;
    controller->last = pending;
}

/* On the engine's thread. */
static void raw_command(void *device, const struct block_raw *raw)
{
    struct nvme_controller *controller = device;
    unsigned queue = queue_of(controller, raw);
    pthread_mutex_lock(&controller->command_lock);
    bool accepting = controller->accepting && queue <= controller->queues;
    bool closing = accepting && controller->closing >> queue & 1;
    if (accepting && !closing) {
        append(controller, raw);
        pthread_cond_signal(&controller->work);
    }
    pthread_mutex_unlock(&controller->command_lock);
    if (!accepting || closing)
        block_raw_complete(controller->engine, raw->command.tag, NVME_ABORT_SQ_DELETED, 0, 0, !accepting);
}

const struct block_device_ops nvme_block_ops = {.raw = raw_command};

/* With command_lock held: takes out what matches; identifier < 0 = all, queue < 0 = all. */
static struct nvme_pending *take_out(struct nvme_controller *controller, int queue, int identifier)
{
    struct nvme_pending *taken = NULL, **link = &controller->first;
    controller->last = NULL;
    while (*link) {
        struct nvme_pending *pending = *link;
        const struct block_command *command = &pending->raw->command;
        if ((queue < 0 || queue_of(controller, pending->raw) == (unsigned)queue) &&
            (identifier < 0 || command->identifier == identifier)) {
            *link = pending->next;
            pending->next = taken;
            taken = pending;
        } else {
            controller->last = pending;
            link = &pending->next;
        }
    }
    return taken;
}

static void end_all(struct nvme_controller *controller, struct nvme_pending *taken, uint16_t status, bool silent)
{
    while (taken) {
        struct nvme_pending *next = taken->next;
        block_raw_complete(controller->engine, taken->raw->command.tag, status, 0, 0, silent);
        taken = next;
    }
}

/* A disk that hangs does not keep the command that is taken away. */
void nvme_accept(struct nvme_controller *controller, bool accept)
{
    if (accept)
        block_operations_cancel(controller->engine, controller->function, false);
    pthread_mutex_lock(&controller->move_lock);
    pthread_mutex_lock(&controller->command_lock);
    controller->accepting = accept;
    controller->closing = 0;
    struct nvme_pending *taken = accept ? NULL : take_out(controller, -1, -1);
    bool abandon = !accept && controller->executing;
    if (abandon)
        controller->abandoned = true;
    bool owns = abandon && controller->owns_tag;
    pthread_mutex_unlock(&controller->command_lock);
    if (owns) {
        controller->owns_tag = false;
        block_raw_complete(controller->engine, controller->executing_tag, NVME_ABORT_SQ_DELETED, 0, 0, true);
    }
    end_all(controller, taken, NVME_ABORT_SQ_DELETED, true);
    pthread_mutex_unlock(&controller->move_lock);
    if (!accept)
        block_operations_cancel(controller->engine, controller->function, true);
}

void nvme_close_queue(struct nvme_controller *controller, unsigned queue, bool closing)
{
    struct nvme_pending *taken = NULL;
    pthread_mutex_lock(&controller->command_lock);
    if (closing) {
        controller->closing |= 1u << queue;
        taken = take_out(controller, (int)queue, -1);
    } else {
        controller->closing &= ~(1u << queue);
    }
    pthread_mutex_unlock(&controller->command_lock);
    end_all(controller, taken, NVME_ABORT_SQ_DELETED, false);
}

bool nvme_abort_waiting(struct nvme_controller *controller, unsigned queue, uint16_t identifier)
{
    pthread_mutex_lock(&controller->command_lock);
    struct nvme_pending *taken = take_out(controller, (int)queue, identifier);
    pthread_mutex_unlock(&controller->command_lock);
    end_all(controller, taken, NVME_ABORT_REQUESTED, false);
    return taken != NULL;
}

void nvme_wait_idle(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->command_lock);
    while (controller->executing)
        pthread_cond_wait(&controller->idle, &controller->command_lock);
    pthread_mutex_unlock(&controller->command_lock);
}

/* Aborts and what concerns a path may go well another time or another way; nothing else does. */
uint16_t nvme_final_status(uint16_t status)
{
    switch (status) {
    case NVME_SUCCESS:
    case NVME_DATA_TRANSFER_ERROR:
    case NVME_INTERNAL_ERROR:
    case NVME_ABORT_REQUESTED:
    case NVME_ABORT_SQ_DELETED:
    case NVME_NAMESPACE_NOT_READY:
    case NVME_WRITE_FAULT:
    case NVME_UNRECOVERED_READ:
        return status;
    case NVME_ANA_PERSISTENT_LOSS:
    case NVME_ANA_INACCESSIBLE:
    case NVME_ANA_TRANSITION:
        return status;
    default:
        return status | NVME_DO_NOT_RETRY;
    }
}

bool nvme_take_tag(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    bool owned = controller->owns_tag;
    controller->owns_tag = false;
    request->deferred = true;
    return owned;
}

static uint16_t move(struct nvme_request *request, void *to, const void *from, uint32_t bytes)
{
    struct nvme_controller *controller = request->controller;
    uint16_t status = NVME_DATA_TRANSFER_ERROR;
    if (bytes == 0)
        return NVME_SUCCESS;
    pthread_mutex_lock(&controller->move_lock);
    int result = -ECANCELED;
    if (controller->owns_tag)
        result = to ? block_raw_from_guest(controller->engine, request->tag, to, 0, bytes, &status)
                    : block_raw_to_guest(controller->engine, request->tag, from, 0, bytes, &status);
    pthread_mutex_unlock(&controller->move_lock);
    if (result == 0)
        return NVME_SUCCESS;
    return result == -EIO ? status & (uint16_t)~NVME_DO_NOT_RETRY : NVME_DATA_TRANSFER_ERROR;
}

uint16_t nvme_from_guest(struct nvme_request *request, void *to, uint32_t bytes)
{
    return move(request, to, NULL, bytes);
}

uint16_t nvme_to_guest(struct nvme_request *request, const void *from, uint32_t bytes)
{
    return move(request, NULL, from, bytes);
}

/* The command has a copy of its own: it may outlive what the engine keeps. */
static void begin(struct nvme_controller *controller, struct nvme_request *request)
{
    struct nvme_pending *pending = controller->first;
    const struct block_raw *raw = pending->raw;
    controller->first = pending->next;
    if (!controller->first)
        controller->last = NULL;
    *request = (struct nvme_request){.controller = controller,
                                     .tag = raw->command.tag,
                                     .sq_id = (uint16_t)queue_of(controller, raw),
                                     .admin = raw->command.flags & BLOCK_ADMIN,
                                     .location = NVME_LOCATION_NONE};
    static_assert(sizeof request->command == sizeof raw->bytes, "a submission queue entry");
    memcpy(&request->command, raw->bytes, sizeof request->command);
    controller->executing = true;
    controller->executing_tag = request->tag;
    controller->owns_tag = true;
    controller->abandoned = false;
}

static void finish(struct nvme_controller *controller, struct nvme_request *request, uint16_t status)
{
    pthread_mutex_lock(&controller->move_lock);
    if (controller->owns_tag)
        block_raw_complete(controller->engine, request->tag, nvme_final_status(status), status ? 0 : request->result, 0,
                           false);
    controller->owns_tag = false;
    pthread_mutex_lock(&controller->command_lock);
    controller->executing = false;
    pthread_cond_broadcast(&controller->idle);
    pthread_mutex_unlock(&controller->command_lock);
    pthread_mutex_unlock(&controller->move_lock);
}

static void *run(void *argument)
{
    struct nvme_controller *controller = argument;
    for (;;) {
        struct nvme_request request;
        pthread_mutex_lock(&controller->command_lock);
        while (!controller->first && !controller->quit_worker)
            pthread_cond_wait(&controller->work, &controller->command_lock);
        bool quit = controller->quit_worker;
        if (!quit)
            begin(controller, &request);
        pthread_mutex_unlock(&controller->command_lock);
        if (quit)
            return NULL;
        uint16_t status = request.admin ? nvme_admin(&request) : nvme_io(&request);
        controller->commands++;
        if (status && !controller->abandoned) {
            controller->errors++;
            nvme_log_error(&request, status);
        }
        finish(controller, &request, status);
    }
}

int nvme_worker_start(struct nvme_controller *controller)
{
    int result = -pthread_create(&controller->worker, NULL, run, controller);
    controller->has_worker = result == 0;
    return result;
}

/* After nvme_accept(false): no command is left but the one that executes. */
void nvme_worker_stop(struct nvme_controller *controller)
{
    if (!controller->has_worker)
        return;
    pthread_mutex_lock(&controller->command_lock);
    controller->quit_worker = true;
    pthread_cond_signal(&controller->work);
    pthread_mutex_unlock(&controller->command_lock);
    pthread_join(controller->worker, NULL);
    controller->has_worker = false;
}
