/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict on a packet that waits in a packet_gate's FIFO: one per packet, sent with or after the packet's last
 * beat. */
#ifndef CIPU_PACKET_GATE_H
#define CIPU_PACKET_GATE_H

#include <assert.h>
#include <stdint.h>

struct packet_verdict {
    uint8_t pass; /* 0: the packet is dropped */
    uint8_t reserved[7];
};

static_assert(sizeof(struct packet_verdict) == 8, "verdict is 8 bytes");

#endif
