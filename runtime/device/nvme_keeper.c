/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: enables, disables and shuts down a controller (Base 3.5, 3.6). Registers only ask; CSTS says when it is
 * done. So neither a reset nor a register access waits for a disk or the card.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "runtime/device/nvme_internal.h"

/* A client gives up after 5 s. */
#define STOP_WAIT_MS 3500

uint64_t nvme_now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void nvme_fatal(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->lock);
    nvme_set_fatal(controller);
    pthread_mutex_unlock(&controller->lock);
}

static bool can_start(const struct nvme_controller *controller)
{
    return controller->life == NVME_STOPPED && controller->cc & NVME_CC_ENABLE && controller->bus_master &&
           !controller->csts;
}

void nvme_show_memory(struct nvme_controller *controller)
{
    guest_memory_expose(controller->memory, controller->bus_master && !controller->hidden);
}

/* With the lock held. A card that does not stop a queue loses sight of the guest, until it does. */
static bool note_stopped(struct nvme_controller *controller, bool stopped)
{
    if (!stopped && !controller->hidden)
        cipu_warn("nvme: function %u: the card did not stop its queues; its view of the guest's memory is taken away",
                  controller->function);
    controller->hidden = !stopped;
    nvme_show_memory(controller);
    return stopped;
}

static bool stop(struct nvme_controller *controller)
{
    nvme_accept(controller, false);
    nvme_events_reset(controller);
    return nvme_queues_stop(controller);
}

/* All called with the lock held, which they release for their work. */
static void do_stop(struct nvme_controller *controller)
{
    controller->life = NVME_STOPPING;
    controller->resets++;
    pthread_mutex_unlock(&controller->lock);
    bool stopped = stop(controller);
    pthread_mutex_lock(&controller->lock);
    note_stopped(controller, stopped);
    controller->life = NVME_STOPPED;
    controller->stop_asked = controller->shutdown_asked = false;
    controller->csts = 0;
    controller->interrupt_mask = 0;
}

static int start(struct nvme_controller *controller)
{
    nvme_features_reset(controller);
    nvme_events_reset(controller);
    nvme_accept(controller, true);
    int result = nvme_card_namespaces_set(controller);
    return result ? result : nvme_queues_start(controller);
}

/* Commands of before a reset are over before the first one after it begins, and what the card did not stop then it has
 * to stop now. */
static void do_start(struct nvme_controller *controller)
{
    controller->life = NVME_STARTING;
    pthread_mutex_unlock(&controller->lock);
    nvme_wait_idle(controller);
    bool stopped = nvme_queues_stop(controller);
    pthread_mutex_lock(&controller->lock);
    int result = -EBUSY;
    if (note_stopped(controller, stopped)) {
        pthread_mutex_unlock(&controller->lock);
        result = start(controller);
        pthread_mutex_lock(&controller->lock);
    }
    controller->life = NVME_RUNNING;
    if (controller->stop_asked) /* what asked for this start is over: to be ready is for the next one */
        return;
    if (result) {
        nvme_set_fatal(controller);
        cipu_warn("nvme: function %u: cannot be enabled: %s", controller->function, strerror(-result));
    } else {
        controller->csts |= NVME_CSTS_READY;
    }
}

static void flush_volumes(struct nvme_controller *controller)
{
    struct nvme_subsystem *subsystem = controller->subsystem;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        struct nvme_namespace *namespace = NULL;
        pthread_mutex_lock(&subsystem->lock);
        if (nvme_namespace_is_attached(controller, nsid))
        namespace = nvme_namespace_find(subsystem, nsid);
        if (namespace)
        namespace->users++;
        pthread_mutex_unlock(&subsystem->lock);
        if (!namespace)
            continue;
        if (namespace->info.backend.write_cache)
            block_volume_operate(namespace->volume, FUNCTION_HOST, BACKEND_FLUSH, 0, 0, NULL, false);
        pthread_mutex_lock(&subsystem->lock);
        namespace->users--;
        pthread_cond_broadcast(&subsystem->idle);
        pthread_mutex_unlock(&subsystem->lock);
    }
}

/* Base 3.6: after it nothing is fetched until the controller was reset; what was written is durable. */
static void do_shutdown(struct nvme_controller *controller)
{
    controller->shutdown_asked = false;
    controller->life = NVME_STOPPING;
    pthread_mutex_unlock(&controller->lock);
    bool stopped = stop(controller);
    pthread_mutex_lock(&controller->lock);
    note_stopped(controller, stopped);
    controller->life = NVME_STOPPED;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
    nvme_wait_idle(controller);
    flush_volumes(controller);
    pthread_mutex_lock(&controller->lock);
    if (controller->csts & NVME_CSTS_SHST_BUSY)
        controller->csts = (controller->csts & ~NVME_CSTS_SHST_BUSY) | NVME_CSTS_SHST_DONE;
}

static void *run(void *argument)
{
    struct nvme_controller *controller = argument;
    pthread_mutex_lock(&controller->lock);
    while (!controller->quit || controller->stop_asked) {
        if (controller->stop_asked)
            do_stop(controller);
        else if (controller->shutdown_asked)
            do_shutdown(controller);
        else if (can_start(controller))
            do_start(controller);
        else
            pthread_cond_wait(&controller->changed, &controller->lock);
        pthread_cond_broadcast(&controller->changed);
    }
    pthread_mutex_unlock(&controller->lock);
    return NULL;
}

static struct timespec deadline_in(uint64_t milliseconds)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)(milliseconds / 1000);
    time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

void nvme_stop_and_wait(struct nvme_controller *controller)
{
    const struct timespec deadline = deadline_in(STOP_WAIT_MS);
    int result = 0;
    if (controller->life != NVME_STOPPED)
        controller->stop_asked = true;
    pthread_cond_broadcast(&controller->changed);
    while ((controller->life != NVME_STOPPED || controller->stop_asked) && result == 0)
        result = pthread_cond_timedwait(&controller->changed, &controller->lock, &deadline);
    if (controller->life != NVME_STOPPED)
        note_stopped(controller, false);
}

int nvme_keeper_start(struct nvme_controller *controller)
{
    int result = -pthread_create(&controller->keeper, NULL, run, controller);
    controller->has_keeper = result == 0;
    return result;
}

void nvme_keeper_stop(struct nvme_controller *controller)
{
    if (!controller->has_keeper)
        return;
    controller->quit = true;
    pthread_cond_broadcast(&controller->changed);
    pthread_mutex_unlock(&controller->lock);
    pthread_join(controller->keeper, NULL);
    pthread_mutex_lock(&controller->lock);
    controller->has_keeper = false;
}
