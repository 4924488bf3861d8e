/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the virtio-net device. Locks, outermost first: the transport's (pci.lock), then the worker's
 * (work_lock). The worker walks the control queue and relays the others; it holds work_lock while it does and takes
 * pci.lock only without it.
 */
#ifndef CIPU_VIRTIO_NET_INTERNAL_H
#define CIPU_VIRTIO_NET_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "hls/include/beat.h"
#include "runtime/device/guest_memory.h"
#include "runtime/device/relay.h"
#include "runtime/device/split_ring.h"
#include "runtime/device/virtio_net.h"
#include "runtime/device/virtio_pci.h"

enum { NET_RECEIVE = 0, NET_TRANSMIT = 1, NET_CONTROL = 2, NET_QUEUES = 3, NET_CARD_QUEUES = 2 };

#define NET_F_CSUM          (UINT64_C(1) << 0)
#define NET_F_GUEST_CSUM    (UINT64_C(1) << 1)
#define NET_F_MTU           (UINT64_C(1) << 3)
#define NET_F_MAC           (UINT64_C(1) << 5)
#define NET_F_MRG_RXBUF     (UINT64_C(1) << 15)
#define NET_F_STATUS        (UINT64_C(1) << 16)
#define NET_F_CTRL_VQ       (UINT64_C(1) << 17)
#define NET_F_CTRL_RX       (UINT64_C(1) << 18)
#define NET_F_CTRL_VLAN     (UINT64_C(1) << 19)
#define NET_F_CTRL_RX_EXTRA (UINT64_C(1) << 20)
#define NET_F_CTRL_MAC_ADDR (UINT64_C(1) << 23)

enum net_mode { NET_STOPPED = 0, NET_DIRECT = 1, NET_RELAYED = 2 };

struct net_queue {
    _Atomic int mode;        /* enum net_mode */
    uint16_t position;       /* where to go on after a stop without reset */
    uint16_t generation;     /* of the card's setting; under pci.lock */
    bool must_relay;         /* the card met memory that it does not see */
    _Atomic uint16_t vector; /* the driver's */
};

struct net_fault {
    bool pending;
    uint16_t detail;
    uint16_t generation; /* of the setting that the card stopped */
};

/* What the control queue sets; the worker's, or of whoever holds work_lock. */
struct net_filter {
    uint8_t flags;    /* enum filter_flags, without FILTER_VLAN */
    uint8_t overflow; /* FILTER_ALL_UNICAST, FILTER_ALL_MULTICAST: the table does not fit the card's */
    unsigned table_entries;
    uint8_t table[6][6];
    uint64_t vlans[64];
    bool vlans_used;
};

struct virtio_net {
    struct virtio_pci pci;
    struct cipu_card *card;
    struct cipu_host *host;
    struct guest_memory *memory;
    struct relay *relay;
    uint16_t function;
    uint16_t mtu;
    uint8_t permanent_mac[6];
    _Atomic uint64_t mac; /* the driver's, as the first six bytes */
    bool link;
    struct net_queue queues[NET_QUEUES];

    pthread_mutex_t work_lock;
    pthread_t worker;
    int wake_event;
    atomic_bool stopping;
    atomic_uint pausing;
    _Atomic uint64_t life; /* counts resets */
    struct split_ring control;
    struct split_chain *chain;
    struct net_filter filter;
    atomic_bool promiscuous;
    atomic_uint mac_filters, vlans;

    pthread_mutex_t fault_lock; /* innermost */
    struct net_fault faults[NET_CARD_QUEUES];
};

static inline unsigned net_card_queue(const struct virtio_net *net, unsigned queue)
{
    return 2u * net->function + queue;
}

/* virtio_net_queues.c; all with pci.lock held */
int net_window_set(struct virtio_net *net, uint64_t length);
void net_update(void *device);
void net_queue_stop(void *device, unsigned queue);
void net_reset(void *device);
void net_vector_changed(void *device, unsigned vector);
void net_handle_fault(struct virtio_net *net, unsigned queue, const struct net_fault *fault);

/* virtio_net_control.c; with work_lock held */
void net_filter_reset(struct virtio_net *net);
int net_filter_apply(struct virtio_net *net);
/* Serves the control queue: 1 when there may be more, 0, or a negative errno. */
int net_control_run(struct virtio_net *net);

/* virtio_net_worker.c */
int net_worker_start(struct virtio_net *net);
void net_worker_stop(struct virtio_net *net);
void net_worker_wake(struct virtio_net *net);
/* Takes work_lock, quickly; with pci.lock held. */
void net_worker_pause(struct virtio_net *net);
void net_worker_resume(struct virtio_net *net);
/* Such failures of guest memory pass; the same step is tried again. */
bool net_is_transient(int result);

#endif
