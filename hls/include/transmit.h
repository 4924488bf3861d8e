/* SPDX-License-Identifier: Apache-2.0 */
/* From virtio_tx to virtio_tx_packet: what the bytes on the data channel are. */
#ifndef CIPU_TRANSMIT_H
#define CIPU_TRANSMIT_H

#include <assert.h>
#include <stdint.h>

enum pending_kind {
    PENDING_PACKET = 1,  /* one packet of data */
    PENDING_SETTING = 2, /* no data: the queue's flags and mtu; entry to complete */
    PENDING_COMMAND = 3, /* no data: entry to complete */
};

struct transmit_pending {
    uint32_t length; /* bytes of the chain, with the virtio-net header */
    uint16_t queue;
    uint16_t function;
    uint16_t head;
    uint16_t segments;
    uint16_t flags; /* PENDING_SETTING: enum queue_flags */
    uint16_t mtu;   /* PENDING_SETTING */
    uint8_t kind;   /* enum pending_kind */
    uint8_t generation;
    uint8_t more; /* PENDING_PACKET: enum used_more */
    uint8_t reserved[13];
    uint8_t entry[64]; /* the completion, else zeros */
};

static_assert(sizeof(struct transmit_pending) == 96, "pending record");

#endif
