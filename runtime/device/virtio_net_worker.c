/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread beside the frontend's: the control queue, relayed queues and faults. It may wait for messages of the
 * client, which the frontend's thread takes in; so that one never waits for this one: it cancels the messages first.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/device/virtio_net_internal.h"

#define RETRY_MS 100

bool net_is_transient(int result)
{
    return result == -ECANCELED || result == -ENOTCONN || result == -ETIMEDOUT;
}

void net_worker_wake(struct virtio_net *net)
{
    eventfd_write(net->wake_event, 1);
}

void net_worker_pause(struct virtio_net *net)
{
    atomic_fetch_add(&net->pausing, 1);
    guest_memory_cancel(net->memory, true);
    pthread_mutex_lock(&net->work_lock);
    guest_memory_cancel(net->memory, false);
}

void net_worker_resume(struct virtio_net *net)
{
    pthread_mutex_unlock(&net->work_lock);
    atomic_fetch_sub(&net->pausing, 1);
    net_worker_wake(net);
}

struct round {
    bool more, retry, broken, relays;
    uint64_t life;
};

static void note(struct round *round, int result)
{
    if (result < 0 && net_is_transient(result))
        round->retry = true;
    else if (result < 0)
        round->broken = true;
}

static void relay_queue(struct virtio_net *net, unsigned queue, struct round *round)
{
    unsigned todo;
    if (!relay_running(net->relay, queue))
        return;
    round->relays = true;
    note(round, relay_run(net->relay, queue, &todo));
    if (todo & RELAY_DOORBELL)
        cipu_card_doorbell(net->card, net_card_queue(net, queue), queue);
    if (todo & RELAY_INTERRUPT)
        virtio_pci_interrupt(&net->pci, net->queues[queue].vector);
    round->more |= (todo & RELAY_MORE) != 0;
}

static void work(struct virtio_net *net, struct round *round)
{
    pthread_mutex_lock(&net->work_lock);
    round->life = net->life;
    if (net->queues[NET_CONTROL].mode != NET_STOPPED) {
        int result = net_control_run(net);
        note(round, result);
        round->more |= result > 0;
    }
    relay_queue(net, NET_RECEIVE, round);
    relay_queue(net, NET_TRANSMIT, round);
    pthread_mutex_unlock(&net->work_lock);
}

static bool take_fault(struct virtio_net *net, unsigned queue, struct net_fault *fault)
{
    pthread_mutex_lock(&net->fault_lock);
    *fault = net->faults[queue];
    net->faults[queue].pending = false;
    pthread_mutex_unlock(&net->fault_lock);
    return fault->pending;
}

static void handle_faults(struct virtio_net *net, const struct round *round)
{
    for (unsigned i = 0; i < NET_CARD_QUEUES; i++) {
        struct net_fault fault;
        pthread_mutex_lock(&net->pci.lock);
        if (take_fault(net, i, &fault))
            net_handle_fault(net, i, &fault);
        pthread_mutex_unlock(&net->pci.lock);
    }
    if (!round->broken)
        return;
    pthread_mutex_lock(&net->pci.lock);
    if (net->life == round->life)
        virtio_pci_needs_reset(&net->pci);
    pthread_mutex_unlock(&net->pci.lock);
}

/* Kicks of doorbell pages that the guest writes itself go to the card alone: the relay looks for them. */
static int next_timeout(const struct virtio_net *net, const struct round *round)
{
    if (round->more)
        return 0;
    return net->pci.doorbell_fd >= 0 && round->relays ? 1 : round->retry ? RETRY_MS : -1;
}

static void *run(void *argument)
{
    struct virtio_net *net = argument;
    struct pollfd wait = {.fd = net->wake_event, .events = POLLIN};
    int timeout = -1;
    while (!net->stopping) {
        eventfd_t count;
        poll(&wait, 1, timeout);
        eventfd_read(net->wake_event, &count);
        /* Who pauses wakes the worker again. */
        timeout = -1;
        if (net->pausing)
            continue;
        struct round round = {0};
        work(net, &round);
        handle_faults(net, &round);
        timeout = next_timeout(net, &round);
    }
    return NULL;
}

int net_worker_start(struct virtio_net *net)
{
    net->wake_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (net->wake_event < 0)
        return -errno;
    int result = -pthread_create(&net->worker, NULL, run, net);
    if (result) {
        close(net->wake_event);
        net->wake_event = -1;
    }
    return result;
}

void net_worker_stop(struct virtio_net *net)
{
    if (net->wake_event < 0)
        return;
    net->stopping = true;
    net_worker_wake(net);
    pthread_join(net->worker, NULL);
    close(net->wake_event);
}
