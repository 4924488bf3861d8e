/* SPDX-License-Identifier: Apache-2.0 */
/* Where queues run: fetched by the card itself, or relayed where the card does not see the memory; the control queue by
 * the worker. */
#include <errno.h>
#include <string.h>

#include "hls/include/dma.h"
#include "hls/include/virtio.h"
#include "runtime/device/virtio_net_internal.h"

static uint8_t fetch_target(unsigned queue)
{
    return queue == NET_RECEIVE ? TARGET_RX : TARGET_TX;
}

static uint8_t used_target(unsigned queue)
{
    return queue == NET_RECEIVE ? TARGET_RX_USED : TARGET_TX_USED;
}

int net_window_set(struct virtio_net *net, uint64_t length)
{
    static const uint8_t targets[] = {TARGET_TX, TARGET_TX_USED, TARGET_RX, TARGET_RX_USED};
    const struct window_setting window = {(uint64_t)net->function << CIPU_WINDOW_SHIFT, length};
    struct command_entry commands[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        commands[i].opcode = COMMAND_WINDOW_SET;
        commands[i].target = targets[i];
        commands[i].index = net->function;
        memcpy(commands[i].data, &window, sizeof window);
    }
    return cipu_host_command(net->host, commands, 4);
}

/* The used side is set first: it must know a queue before frames of it can arrive. */
static int card_queue_set(struct virtio_net *net, unsigned queue, const struct queue_setting *setting)
{
    struct command_entry commands[2] = {{.target = used_target(queue)}, {.target = fetch_target(queue)}};
    for (unsigned i = 0; i < 2; i++) {
        commands[i].opcode = COMMAND_QUEUE_SET;
        commands[i].index = net_card_queue(net, queue);
        memcpy(commands[i].data, setting, sizeof *setting);
        int result = cipu_host_command(net->host, &commands[i], 1);
        if (result)
            return result;
    }
    return 0;
}

/* The fetching side first: then nothing new comes to the used side, whose position is how far the driver has been
 * served. */
static int card_queue_stop(struct virtio_net *net, unsigned queue, uint16_t *position)
{
    const uint8_t targets[2] = {fetch_target(queue), used_target(queue)};
    int result = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct command_entry command = {
            .opcode = COMMAND_QUEUE_STOP, .target = targets[i], .index = net_card_queue(net, queue)};
        int stopped = cipu_host_command(net->host, &command, 1);
        result = result ? result : stopped;
        struct queue_position answer;
        memcpy(&answer, command.data, sizeof answer);
        *position = stopped ? 0 : answer.position;
    }
    return result;
}

/* Vectors of relayed queues wake the worker, which raises the guest's own. */
static void connect_vector(struct virtio_net *net, unsigned queue)
{
    int fd = -1;
    if (net->queues[queue].mode == NET_RELAYED)
        fd = net->wake_event;
    else if (net->queues[queue].mode == NET_DIRECT)
        fd = virtio_pci_vector_fd(&net->pci, net->queues[queue].vector);
    cipu_card_interrupt(net->card, VECTOR_QUEUE + net_card_queue(net, queue), fd);
}

void net_vector_changed(void *device, unsigned vector)
{
    struct virtio_net *net = device;
    for (unsigned i = 0; i < NET_QUEUES; i++) {
        uint16_t before = net->queues[i].vector;
        net->queues[i].vector = net->pci.queues[i].vector;
        if (i < NET_CARD_QUEUES &&
            (before == vector || net->queues[i].vector != before || net->queues[i].vector == vector))
            connect_vector(net, i);
    }
}

static bool card_sees_ring(struct virtio_net *net, const struct virtio_pci_queue *queue)
{
    return guest_memory_in_card(net->memory, queue->descriptors, queue->entries * sizeof(struct virtq_descriptor)) &&
           guest_memory_in_card(net->memory, queue->avail, VIRTQ_AVAIL_USED_EVENT(queue->entries) + 2u) &&
           guest_memory_in_card(net->memory, queue->used, VIRTQ_USED_AVAIL_EVENT(queue->entries) + 2u);
}

static void ring_of(struct virtio_net *net, unsigned queue, struct split_ring *ring)
{
    const struct virtio_pci_queue *from = &net->pci.queues[queue];
    *ring = (struct split_ring){.memory = net->memory,
                                .descriptors = from->descriptors,
                                .avail = from->avail,
                                .used = from->used,
                                .entries = from->entries,
                                .event_index = net->pci.accepted & VIRTIO_F_EVENT_INDEX,
                                .indirect = net->pci.accepted & VIRTIO_F_INDIRECT};
    split_ring_init(ring, net->queues[queue].position);
}

static void describe(struct virtio_net *net, unsigned queue, struct queue_setting *setting)
{
    const struct virtio_pci_queue *from = &net->pci.queues[queue];
    uint64_t features = net->pci.accepted, checksum = queue == NET_RECEIVE ? NET_F_GUEST_CSUM : NET_F_CSUM;
    *setting = (struct queue_setting){.descriptors = from->descriptors,
                                      .avail = from->avail,
                                      .used = from->used,
                                      .entries = from->entries,
                                      .position = net->queues[queue].position,
                                      .vector = (uint16_t)(VECTOR_QUEUE + net_card_queue(net, queue)),
                                      .function = net->function,
                                      .mtu = queue == NET_TRANSMIT ? net->mtu : 0,
                                      .generation = ++net->queues[queue].generation};
    if (features & VIRTIO_F_EVENT_INDEX)
        setting->flags |= QUEUE_EVENT_INDEX;
    if (features & VIRTIO_F_INDIRECT)
        setting->flags |= QUEUE_INDIRECT;
    if (features & checksum)
        setting->flags |= QUEUE_CHECKSUM;
    if (queue == NET_RECEIVE && features & NET_F_MRG_RXBUF)
        setting->flags |= QUEUE_MERGEABLE;
}

/* The worker is held. */
static int start_relay(struct virtio_net *net, unsigned queue, struct queue_setting *setting)
{
    struct split_ring ring;
    int result = net->relay ? 0 : relay_create(net->card, net->function, &net->relay);
    if (result)
        return result;
    ring_of(net, queue, &ring);
    relay_start(net->relay, queue, &ring, setting->flags & QUEUE_MERGEABLE, setting);
    setting->flags &= (uint16_t)~(QUEUE_EVENT_INDEX | QUEUE_INDIRECT);
    return 0;
}

static int start_card_queue(struct virtio_net *net, unsigned queue)
{
    struct queue_setting setting;
    bool relayed = net->queues[queue].must_relay || !card_sees_ring(net, &net->pci.queues[queue]);
    int result = 0;
    describe(net, queue, &setting);
    if (relayed)
        result = start_relay(net, queue, &setting);
    if (!result && queue == NET_RECEIVE)
        result = net_filter_apply(net);
    if (!result)
        result = card_queue_set(net, queue, &setting);
    if (result) {
        if (relayed && net->relay)
            relay_stop(net->relay, queue);
        return result;
    }
    net->queues[queue].mode = relayed ? NET_RELAYED : NET_DIRECT;
    connect_vector(net, queue);
    return cipu_card_doorbell(net->card, net_card_queue(net, queue), queue);
}

static void queue_start(struct virtio_net *net, unsigned queue)
{
    int result = 0;
    net->queues[queue].vector = net->pci.queues[queue].vector;
    net_worker_pause(net);
    if (queue == NET_CONTROL) {
        ring_of(net, queue, &net->control);
        net->queues[queue].mode = NET_RELAYED;
    } else {
        result = start_card_queue(net, queue);
    }
    net_worker_resume(net);
    if (result)
        virtio_pci_needs_reset(&net->pci);
}

static void queue_pause(struct virtio_net *net, unsigned queue)
{
    struct net_queue *state = &net->queues[queue];
    if (state->mode == NET_STOPPED)
        return;
    net_worker_pause(net);
    if (queue == NET_CONTROL) {
        state->position = net->control.published;
    } else {
        /* A card that does not stop the queue loses sight of the guest. */
        if (card_queue_stop(net, queue, &state->position))
            guest_memory_expose(net->memory, false);
        if (state->mode == NET_RELAYED)
            state->position = relay_stop(net->relay, queue);
    }
    state->mode = NET_STOPPED;
    net_worker_resume(net);
    if (queue != NET_CONTROL)
        connect_vector(net, queue);
}

void net_update(void *device)
{
    struct virtio_net *net = device;
    bool master = pci_config_bus_master(&net->pci.config);
    if (master)
        guest_memory_expose(net->memory, true);
    for (unsigned i = 0; i < NET_QUEUES; i++) {
        bool run = virtio_pci_queue_should_run(&net->pci, i);
        if (run && net->queues[i].mode == NET_STOPPED)
            queue_start(net, i);
        else if (!run)
            queue_pause(net, i);
    }
    if (!master)
        guest_memory_expose(net->memory, false);
}

void net_queue_stop(void *device, unsigned queue)
{
    struct virtio_net *net = device;
    queue_pause(net, queue);
    net->queues[queue].position = 0;
    net->queues[queue].vector = VIRTIO_PCI_NO_VECTOR;
    pthread_mutex_lock(&net->fault_lock);
    if (queue < NET_CARD_QUEUES)
        net->faults[queue].pending = false;
    pthread_mutex_unlock(&net->fault_lock);
}

void net_reset(void *device)
{
    struct virtio_net *net = device;
    for (unsigned i = 0; i < NET_QUEUES; i++) {
        net_queue_stop(net, i);
        net->queues[i].must_relay = false;
    }
    net_worker_pause(net);
    net->life++;
    net_filter_reset(net);
    net_worker_resume(net);
}

/* An address that the card does not see may be in memory that it cannot see: the queue goes on, relayed, after the last
 * buffer that the driver got back. The relay finds out whether the address is the guest's. An event may have waited in
 * its ring while the queue was set up anew: it says nothing about the queue as it runs. */
void net_handle_fault(struct virtio_net *net, unsigned queue, const struct net_fault *fault)
{
    if (net->queues[queue].mode == NET_STOPPED || fault->generation != net->queues[queue].generation)
        return;
    if (net->queues[queue].mode == NET_RELAYED || fault->detail != FAULT_ADDRESS ||
        !guest_memory_any_outside_card(net->memory)) {
        virtio_pci_needs_reset(&net->pci);
        return;
    }
    queue_pause(net, queue);
    net->queues[queue].must_relay = true;
    net_update(net);
}
