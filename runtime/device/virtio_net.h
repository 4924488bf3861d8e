/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio-net PCI function (VIRTIO 1.2, sections 4.1 and 5.1): configuration space, feature negotiation, control
 * queue. The receive and transmit queues are the card's: queues 2f and 2f + 1 of function f.
 */
#ifndef CIPU_VIRTIO_NET_H
#define CIPU_VIRTIO_NET_H

#include "driver/host.h"
#include "runtime/device/virtio_pci.h"

struct virtio_net; /* its frontend: virtio_pci_device_ops */

struct virtio_net_settings {
    unsigned function; /* of the card, 0 .. CARD_FUNCTIONS - 2 */
    uint8_t mac[6];
    uint16_t mtu;
    unsigned queue_entries; /* largest size, a power of two; 0 = 256 */
    bool map_doorbells;     /* let the client map the doorbell pages (needs a card with poll=always) */
};

int virtio_net_create(struct cipu_card *card, struct cipu_host *host, const struct virtio_net_settings *settings,
                      struct virtio_net **device, struct cipu_error *error);
void virtio_net_destroy(struct virtio_net *device); /* after its frontend */

void virtio_net_set_link(struct virtio_net *device, bool up);

/* A queue of this function was stopped by the card: sets DEVICE_NEEDS_RESET and interrupts the guest. Any thread. */
void virtio_net_queue_fault(struct virtio_net *device, const struct event_entry *event);

struct virtio_net_state {
    uint64_t driver_features;
    uint8_t status;
    bool link, broken;
    struct {
        bool enabled;
        uint32_t entries;
    } queues[3]; /* receive, transmit, control */
    bool promiscuous;
    unsigned mac_filters, vlans;
};
void virtio_net_state(struct virtio_net *device, struct virtio_net_state *state);

#endif
