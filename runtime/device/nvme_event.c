/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous events (Base 5.2): requests wait for events, events wait for requests. After one of a type was sent, the
 * type is masked until the log page that it named is read.
 */
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define CONFIGURABLE_HEALTH 0xffu

void nvme_events_init(struct nvme_events *events)
{
    memset(events, 0, sizeof *events);
    pthread_mutex_init(&events->lock, NULL);
}

static uint8_t log_of(unsigned type, unsigned information)
{
    switch (type) {
    case NVME_EVENT_ERROR:
        return NVME_LOG_ERROR;
    case NVME_EVENT_HEALTH:
        return NVME_LOG_HEALTH;
    case NVME_EVENT_NOTICE:
        return information == NVME_NOTICE_ANA ? NVME_LOG_ANA : NVME_LOG_CHANGED_NAMESPACES;
    default:
        return information == NVME_IO_SANITIZE ? NVME_LOG_SANITIZE : NVME_LOG_RESERVATION;
    }
}

static bool enabled(const struct nvme_events *events, unsigned type, unsigned information)
{
    if (type == NVME_EVENT_HEALTH)
        return events->enabled >> information & 1;
    if (type == NVME_EVENT_NOTICE)
        return events->enabled & (information == NVME_NOTICE_ANA ? NVME_EVENT_ANA : NVME_EVENT_NAMESPACE_ATTRIBUTE);
    return true;
}

/* With the lock held. */
static void deliver(struct nvme_controller *controller)
{
    struct nvme_events *events = &controller->events;
    for (unsigned type = 0; type < NVME_EVENT_TYPES && events->waiting; type++) {
        if (events->masked[type] || !events->pending[type])
            continue;
        unsigned information = (unsigned)__builtin_ctz(events->pending[type]);
        uint8_t page = log_of(type, information);
        events->pending[type] &= events->pending[type] - 1;
        events->masked[type] = true;
        events->masked_by[type] = page;
        events->waiting--;
        block_raw_complete(controller->engine, events->request[0].tag, NVME_SUCCESS,
                           type | information << 8 | (uint64_t)page << 16, 0, false);
        memmove(&events->request[0], &events->request[1], events->waiting * sizeof events->request[0]);
    }
}

uint16_t nvme_event_request(struct nvme_request *request)
{
    struct nvme_controller *controller = request->controller;
    struct nvme_events *events = &controller->events;
    uint16_t status = NVME_SUCCESS;
    pthread_mutex_lock(&controller->move_lock);
    pthread_mutex_lock(&events->lock);
    if (events->waiting == NVME_ASYNC_EVENTS) {
        status = NVME_ASYNC_EVENT_LIMIT;
    } else if (nvme_take_tag(request)) {
        events->request[events->waiting].tag = request->tag;
        events->request[events->waiting++].identifier = request->command.identifier;
        deliver(controller);
    }
    pthread_mutex_unlock(&events->lock);
    pthread_mutex_unlock(&controller->move_lock);
    return status;
}

static void post(struct nvme_controller *controller, unsigned type, unsigned information)
{
    if (!enabled(&controller->events, type, information))
        return;
    controller->events.pending[type] |= 1u << information;
    deliver(controller);
}

void nvme_event_post(struct nvme_controller *controller, unsigned type, unsigned information)
{
    pthread_mutex_lock(&controller->events.lock);
    post(controller, type, information);
    pthread_mutex_unlock(&controller->events.lock);
}

/* What is pending for the same page is what the page has just told. */
void nvme_event_log_read(struct nvme_controller *controller, unsigned page)
{
    struct nvme_events *events = &controller->events;
    pthread_mutex_lock(&events->lock);
    for (unsigned type = 0; type < NVME_EVENT_TYPES; type++) {
        if (events->masked[type] && events->masked_by[type] == page)
            events->masked[type] = false;
        for (unsigned i = 0; i < 32; i++)
            if (events->pending[type] >> i & 1 && log_of(type, i) == page)
                events->pending[type] &= ~(1u << i);
    }
    if (page == NVME_LOG_RESERVATION && events->notices)
        post(controller, NVME_EVENT_IO_SPECIFIC, NVME_IO_RESERVATION);
    deliver(controller);
    pthread_mutex_unlock(&events->lock);
}

void nvme_event_configure(struct nvme_controller *controller, uint32_t value)
{
    pthread_mutex_lock(&controller->events.lock);
    controller->events.enabled = value & (CONFIGURABLE_HEALTH | NVME_EVENT_NAMESPACE_ATTRIBUTE | NVME_EVENT_ANA);
    pthread_mutex_unlock(&controller->events.lock);
}

void nvme_event_namespace(struct nvme_controller *controller, uint32_t nsid)
{
    pthread_mutex_lock(&controller->events.lock);
    controller->events.changed_namespaces |= UINT64_C(1) << (nsid - 1);
    post(controller, NVME_EVENT_NOTICE, NVME_NOTICE_NAMESPACE);
    pthread_mutex_unlock(&controller->events.lock);
}

/* When there are more than fit, the oldest are lost: the count tells. */
void nvme_event_notice(struct nvme_controller *controller, uint32_t nsid, uint8_t type)
{
    struct nvme_events *events = &controller->events;
    pthread_mutex_lock(&events->lock);
    if (events->notices == NVME_NOTICES) {
        events->first_notice = (events->first_notice + 1) % NVME_NOTICES;
        events->notices--;
    }
    unsigned at = (events->first_notice + events->notices++) % NVME_NOTICES;
    events->notice[at].nsid = nsid;
    events->notice[at].type = type;
    events->notice_count++;
    post(controller, NVME_EVENT_IO_SPECIFIC, NVME_IO_RESERVATION);
    pthread_mutex_unlock(&events->lock);
}

bool nvme_event_abort(struct nvme_controller *controller, uint16_t identifier)
{
    struct nvme_events *events = &controller->events;
    bool found = false;
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < events->waiting && !found; i++) {
        if (events->request[i].identifier != identifier)
            continue;
        found = true;
        block_raw_complete(controller->engine, events->request[i].tag, NVME_ABORT_REQUESTED, 0, 0, false);
        events->waiting--;
        memmove(&events->request[i], &events->request[i + 1], (events->waiting - i) * sizeof events->request[0]);
    }
    pthread_mutex_unlock(&events->lock);
    return found;
}

void nvme_events_reset(struct nvme_controller *controller)
{
    struct nvme_events *events = &controller->events;
    pthread_mutex_lock(&events->lock);
    for (unsigned i = 0; i < events->waiting; i++)
        block_raw_complete(controller->engine, events->request[i].tag, NVME_ABORT_SQ_DELETED, 0, 0, true);
    events->waiting = events->notices = 0;
    events->enabled = 0;
    events->changed_namespaces = 0;
    memset(events->pending, 0, sizeof events->pending);
    memset(events->masked, 0, sizeof events->masked);
    pthread_mutex_unlock(&events->lock);
}
