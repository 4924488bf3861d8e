/* SPDX-License-Identifier: Apache-2.0 */
/* What used_events, virtio_used and used_write agree on. */
#ifndef CIPU_USED_RING_H
#define CIPU_USED_RING_H

#include <assert.h>
#include <stdint.h>

#include "hls/include/queue.h"

/*
 * Tags of the writes to used rings: the queue, and for a write that holds the queue's token this bit. Only such a write
 * ends in the event QUEUE_DONE; its `error` is 1 when a write of the queue failed since the token was back before.
 */
#define USED_RING_TAG_INDEX 0x100u

/* What goes into a used ring at once. */
#define USED_WRITE_BYTES 128u

struct used_write {
    uint8_t data[USED_WRITE_BYTES]; /* zeros behind the last byte */
    uint16_t bytes;
    uint8_t reserved[6];
};

static_assert(sizeof(struct used_write) == 136, "used write");
static_assert(CARD_QUEUES <= USED_RING_TAG_INDEX, "a queue fits below the tag's bit");

#endif
