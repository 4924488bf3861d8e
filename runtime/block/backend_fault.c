/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/backend_fault.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* What is in the scratch of a request that is held. */
struct held {
    struct backend_request *next;
    uint64_t due; /* UINT64_MAX: stalled */
};
static_assert(sizeof(struct held) <= sizeof(((struct backend_request *)0)->scratch), "fits");

struct fault_backend {
    struct block_backend base;
    struct block_backend *inner;
    struct fault_rules rules;
    struct backend_request *first, **last; /* held, in the order of their coming */
    int timer, events;
};

static struct held *held_of(struct backend_request *request)
{
    return (struct held *)request->scratch;
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static struct fault_rule *find_rule(struct fault_backend *fault, const struct backend_request *request)
{
    bool placed = request->operation != BACKEND_FLUSH;
    for (unsigned i = 0; i < fault->rules.count; i++) {
        struct fault_rule *rule = &fault->rules.rule[i];
        if ((!rule->operation || rule->operation == request->operation) && rule->count &&
            (!placed || (request->offset < rule->end && request->offset + request->length > rule->begin)))
            return rule;
    }
    return NULL;
}

static void hold(struct fault_backend *fault, struct backend_request *request, uint64_t due)
{
    *held_of(request) = (struct held){NULL, due};
    *fault->last = request;
    fault->last = &held_of(request)->next;
}

static void set_timer(struct fault_backend *fault)
{
    uint64_t due = UINT64_MAX;
    for (struct backend_request *request = fault->first; request; request = held_of(request)->next)
        if (held_of(request)->due < due)
            due = held_of(request)->due;
    struct itimerspec time = {0};
    if (due != UINT64_MAX)
        time.it_value = (struct timespec){(time_t)(due / SECOND), (long)(due % SECOND)};
    timerfd_settime(fault->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

static void fail(struct backend_request *request, int result)
{
    request->result = result;
    request->done(request);
}

static void fault_submit(struct block_backend *backend, struct backend_request *request)
{
    struct fault_backend *fault = (struct fault_backend *)backend;
    struct fault_rule *rule = find_rule(fault, request);
    if (!rule) {
        fault->inner->ops->submit(fault->inner, request);
        return;
    }
    if (rule->count != UINT64_MAX)
        rule->count--;
    if (rule->action == FAULT_ERROR)
        fail(request, -EIO);
    else if (rule->action == FAULT_NOSPACE)
        fail(request, -ENOSPC);
    else {
        hold(fault, request, rule->action == FAULT_STALL ? UINT64_MAX : now() + rule->delay);
        set_timer(fault);
    }
}

/* Sends on what is due; returns how many. */
static unsigned release_due(struct fault_backend *fault)
{
    uint64_t time = now(), ticks;
    struct backend_request *request = fault->first;
    unsigned released = 0;
    if (!request)
        return 0;
    fault->first = NULL;
    fault->last = &fault->first;
    while (request) {
        struct backend_request *next = held_of(request)->next;
        uint64_t due = held_of(request)->due;
        if (due <= time) {
            fault->inner->ops->submit(fault->inner, request);
            released++;
        } else {
            hold(fault, request, due);
        }
        request = next;
    }
    if (released) {
        (void)!read(fault->timer, &ticks, sizeof ticks);
        set_timer(fault);
    }
    return released;
}

static unsigned fault_poll(struct block_backend *backend)
{
    struct fault_backend *fault = (struct fault_backend *)backend;
    unsigned released = release_due(fault);
    return fault->inner->ops->poll ? fault->inner->ops->poll(fault->inner) : released;
}

int fault_rules_set(struct block_backend *backend, const struct fault_rules *rules)
{
    while (backend->ops != &backend_fault && backend->ops->inner)
        backend = backend->ops->inner(backend);
    struct fault_backend *fault = (struct fault_backend *)backend;
    if (backend->ops != &backend_fault)
        return -EINVAL;
    fault->rules = *rules;
    struct backend_request *request = fault->first;
    fault->first = NULL;
    fault->last = &fault->first;
    while (request) {
        struct backend_request *next = held_of(request)->next;
        fault_submit(backend, request);
        request = next;
    }
    set_timer(fault);
    return 0;
}

static void fault_close(struct block_backend *backend)
{
    struct fault_backend *fault = (struct fault_backend *)backend;
    if (fault->inner)
        fault->inner->ops->close(fault->inner);
    if (fault->timer >= 0)
        close(fault->timer);
    if (fault->events >= 0)
        close(fault->events);
    free(fault);
}

static int fault_new_key(struct block_backend *backend, const struct backend_caller *caller, struct cipu_error *error)
{
    struct block_backend *inner = ((struct fault_backend *)backend)->inner;
    return inner->ops->new_key ? inner->ops->new_key(inner, caller, error)
                               : cipu_fail(error, -EOPNOTSUPP, "%s has no key", inner->ops->scheme);
}

static struct block_backend *fault_inner(const struct block_backend *backend)
{
    return ((const struct fault_backend *)backend)->inner;
}

static bool fault_abandon(struct block_backend *backend)
{
    struct fault_backend *fault = (struct fault_backend *)backend;
    fault->first = NULL;
    fault->last = &fault->first;
    return fault->inner->ops->abandon && fault->inner->ops->abandon(fault->inner);
}

static int watch(struct fault_backend *fault, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return fd < 0 || epoll_ctl(fault->events, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_events(struct fault_backend *fault, struct cipu_error *error)
{
    const struct backend_ops *inner = fault->inner->ops;
    fault->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    fault->events = epoll_create1(EPOLL_CLOEXEC);
    if (fault->timer < 0 || fault->events < 0 || watch(fault, fault->timer) ||
        watch(fault, inner->fd ? inner->fd(fault->inner) : -1))
        return cipu_fail(error, -errno, "fault: timer: %s", strerror(errno));
    return 0;
}

static int fault_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                      struct cipu_error *error)
{
    const char *comma = strchr(rest, ',');
    if (!comma)
        return cipu_fail(error, -EINVAL, "found \"fault:%.48s\", expected fault:RULES,BACKEND", rest);
    struct fault_backend *fault = calloc(1, sizeof *fault);
    if (!fault)
        return cipu_fail(error, -ENOMEM, "fault: no memory");
    fault->base.ops = &backend_fault;
    fault->timer = fault->events = -1;
    fault->last = &fault->first;
    int result = fault_rules_parse(rest, (size_t)(comma - rest), &fault->rules, error);
    if (!result)
        result = backend_open(comma + 1, options, &fault->inner, error);
    if (!result)
        result = open_events(fault, error);
    if (result) {
        fault_close(&fault->base);
        return result;
    }
    *backend = &fault->base;
    return 0;
}

static void fault_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct fault_backend *fault = (const struct fault_backend *)backend;
    fault->inner->ops->info(fault->inner, info);
}

static int fault_fd(const struct block_backend *backend)
{
    return ((const struct fault_backend *)backend)->events;
}

static int fault_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    struct block_backend *inner = ((struct fault_backend *)backend)->inner;
    return inner->ops->resize ? inner->ops->resize(inner, bytes, error)
                              : cipu_fail(error, -EOPNOTSUPP, "%s cannot be resized", inner->ops->scheme);
}

static void fault_use_buffers(struct block_backend *backend, void *base, size_t bytes)
{
    struct block_backend *inner = ((struct fault_backend *)backend)->inner;
    if (inner->ops->use_buffers)
        inner->ops->use_buffers(inner, base, bytes);
}

const struct backend_ops backend_fault = {
    .scheme = "fault:",
    .open = fault_open,
    .close = fault_close,
    .info = fault_info,
    .submit = fault_submit,
    .poll = fault_poll,
    .fd = fault_fd,
    .resize = fault_resize,
    .use_buffers = fault_use_buffers,
    .abandon = fault_abandon,
    .new_key = fault_new_key,
    .inner = fault_inner,
};
