/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/virtio_net.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/dma.h"
#include "runtime/device/virtio_net_internal.h"

static_assert(offsetof(struct virtio_net, pci) == 0, "virtio_pci_device_ops takes it for its struct virtio_pci");

#define VIRTIO_TYPE_NET 1u
#define CLASS_ETHERNET  0x020000u
#define STATUS_LINK_UP  1u
#define ENTRIES_DEFAULT 256u
#define ENTRIES_MAX     32768u
#define VECTORS         4u /* configuration and one a queue */
#define MTU_MIN         68u

struct net_config { /* struct virtio_net_config, 5.1.4, up to what the features offer */
    uint8_t mac[6];
    uint16_t status;
    uint16_t queue_pairs;
    uint16_t mtu;
};

static_assert(sizeof(struct net_config) == 12, "5.1.4");

/* What needs the control queue is not to be had without it (5.1.3.1). */
static bool features_ok(void *device, uint64_t features)
{
    (void)device;
    const uint64_t needs_control = NET_F_CTRL_RX | NET_F_CTRL_VLAN | NET_F_CTRL_RX_EXTRA | NET_F_CTRL_MAC_ADDR;
    return !(features & needs_control) || features & NET_F_CTRL_VQ;
}

static void config(void *device, uint8_t *bytes, size_t size)
{
    struct virtio_net *net = device;
    struct net_config fields = {.status = net->link ? STATUS_LINK_UP : 0, .queue_pairs = 1, .mtu = net->mtu};
    uint64_t mac = net->mac;
    memcpy(fields.mac, &mac, sizeof fields.mac);
    memcpy(bytes, &fields, sizeof fields < size ? sizeof fields : size);
}

static void notify(void *device, unsigned queue)
{
    struct virtio_net *net = device;
    if (queue < NET_CARD_QUEUES && net->queues[queue].mode == NET_DIRECT)
        cipu_card_doorbell(net->card, net_card_queue(net, queue), queue);
    else if (net->queues[queue].mode == NET_RELAYED)
        net_worker_wake(net);
}

static const struct virtio_pci_ops TRANSPORT_OPS = {.features_ok = features_ok,
                                                    .config = config,
                                                    .update = net_update,
                                                    .queue_stop = net_queue_stop,
                                                    .vector_changed = net_vector_changed,
                                                    .reset = net_reset,
                                                    .notify = notify};

static int check_settings(const struct virtio_net_settings *settings, struct cipu_error *error)
{
    unsigned entries = settings->queue_entries ? settings->queue_entries : ENTRIES_DEFAULT;
    if (settings->function >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "virtio-net: function %u, expected 0 .. %u", settings->function,
                         FUNCTION_HOST - 1);
    if (entries < 2 || entries > ENTRIES_MAX || entries & (entries - 1))
        return cipu_fail(error, -EINVAL, "virtio-net: queues of %u entries, expected a power of two, 2 .. %u", entries,
                         ENTRIES_MAX);
    if (settings->mac[0] & 1)
        return cipu_fail(error, -EINVAL, "virtio-net: a multicast MAC address, expected a unicast one");
    if (settings->mtu < MTU_MIN || settings->mtu > PACKET_BYTES_MAX - 18)
        return cipu_fail(error, -EINVAL, "virtio-net: MTU %u, expected %u .. %u", settings->mtu, MTU_MIN,
                         PACKET_BYTES_MAX - 18);
    return 0;
}

static int init_transport(struct virtio_net *net, const struct virtio_net_settings *settings)
{
    const struct virtio_pci_settings transport = {
        .memory = net->memory,
        .relays = true,
        .type = VIRTIO_TYPE_NET,
        .class_code = CLASS_ETHERNET,
        .features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MTU | NET_F_MAC | NET_F_MRG_RXBUF | NET_F_STATUS |
                    NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_VLAN | NET_F_CTRL_RX_EXTRA | NET_F_CTRL_MAC_ADDR |
                    VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_INDEX | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM |
                    VIRTIO_F_RING_RESET,
        .queues = NET_QUEUES,
        .vectors = VECTORS,
        .queue_entries_max = settings->queue_entries ? settings->queue_entries : ENTRIES_DEFAULT,
        .config_bytes = sizeof(struct net_config)};
    return virtio_pci_init(&net->pci, &transport, &TRANSPORT_OPS, net);
}

/* The receive and transmit queues' pages, if the card gives them as one piece. */
static int share_doorbells(struct virtio_net *net)
{
    int fds[NET_CARD_QUEUES] = {-1, -1};
    off_t offsets[NET_CARD_QUEUES] = {0};
    for (unsigned i = 0; i < NET_CARD_QUEUES; i++) {
        int result = cipu_card_doorbell_share(net->card, net_card_queue(net, i), &fds[i], &offsets[i]);
        if (result)
            return result;
    }
    if (fds[0] != fds[1] || offsets[1] != offsets[0] + (off_t)DOORBELL_PAGE_BYTES)
        return -ENOTSUP;
    net->pci.doorbell_fd = fds[0];
    net->pci.doorbell_offset = offsets[0];
    net->pci.doorbell_bytes = (uint64_t)NET_CARD_QUEUES * DOORBELL_PAGE_BYTES;
    return 0;
}

int virtio_net_create(struct cipu_card *card, struct cipu_host *host, const struct virtio_net_settings *settings,
                      struct virtio_net **device, struct cipu_error *error)
{
    int result = check_settings(settings, error);
    if (result)
        return result;
    struct virtio_net *net = calloc(1, sizeof *net);
    struct split_chain *chain = calloc(1, sizeof *chain);
    if (!net || !chain) {
        free(net);
        free(chain);
        return cipu_fail(error, -ENOMEM, "virtio-net: out of memory");
    }
    net->card = card;
    net->host = host;
    net->function = (uint16_t)settings->function;
    net->mtu = settings->mtu;
    net->link = true;
    net->chain = chain;
    net->wake_event = -1;
    memcpy(net->permanent_mac, settings->mac, sizeof net->permanent_mac);
    pthread_mutex_init(&net->work_lock, NULL);
    pthread_mutex_init(&net->fault_lock, NULL);
    for (unsigned i = 0; i < NET_QUEUES; i++)
        net->queues[i].vector = VIRTIO_PCI_NO_VECTOR;
    result = guest_memory_create(card, (uint64_t)net->function << CIPU_WINDOW_SHIFT, RELAY_ADDRESS, &net->memory);
    if (!result)
        result = init_transport(net, settings);
    if (!result)
        result = net_window_set(net, CIPU_WINDOW_BYTES);
    if (!result && settings->map_doorbells)
        result = share_doorbells(net);
    if (!result)
        result = net_worker_start(net);
    if (result) {
        virtio_net_destroy(net);
        return cipu_fail(error, result, "virtio-net: function %u: %s", settings->function, strerror(-result));
    }
    pthread_mutex_lock(&net->pci.lock);
    net_reset(net);
    pthread_mutex_unlock(&net->pci.lock);
    *device = net;
    return 0;
}

void virtio_net_destroy(struct virtio_net *net)
{
    if (!net)
        return;
    if (net->wake_event >= 0) {
        virtio_pci_disconnected(&net->pci);
        net_worker_stop(net);
    }
    net_window_set(net, 0);
    relay_destroy(net->relay);
    guest_memory_destroy(net->memory);
    if (net->pci.ops)
        virtio_pci_free(&net->pci);
    pthread_mutex_destroy(&net->work_lock);
    pthread_mutex_destroy(&net->fault_lock);
    free(net->chain);
    free(net);
}

void virtio_net_set_link(struct virtio_net *net, bool up)
{
    pthread_mutex_lock(&net->pci.lock);
    if (net->link != up) {
        net->link = up;
        virtio_pci_config_changed(&net->pci);
    }
    pthread_mutex_unlock(&net->pci.lock);
}

/* Left to the worker: the caller may be who takes in the card's answers. */
void virtio_net_queue_fault(struct virtio_net *net, const struct event_entry *event)
{
    unsigned queue = (unsigned)event->queue - net_card_queue(net, 0);
    if (event->kind != EVENT_QUEUE_STOPPED || queue >= NET_CARD_QUEUES)
        return;
    pthread_mutex_lock(&net->fault_lock);
    net->faults[queue] = (struct net_fault){true, event->detail, event->generation};
    pthread_mutex_unlock(&net->fault_lock);
    net_worker_wake(net);
}

void virtio_net_state(struct virtio_net *net, struct virtio_net_state *state)
{
    pthread_mutex_lock(&net->pci.lock);
    *state = (struct virtio_net_state){.driver_features = net->pci.accepted,
                                       .status = net->pci.status,
                                       .link = net->link,
                                       .broken = net->pci.status & VIRTIO_STATUS_NEEDS_RESET,
                                       .promiscuous = net->promiscuous,
                                       .mac_filters = net->mac_filters,
                                       .vlans = net->vlans};
    for (unsigned i = 0; i < NET_QUEUES; i++) {
        state->queues[i].enabled = net->pci.queues[i].enabled;
        state->queues[i].entries = net->pci.queues[i].entries;
    }
    pthread_mutex_unlock(&net->pci.lock);
}
