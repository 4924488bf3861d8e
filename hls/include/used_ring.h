/* SPDX-License-Identifier: Apache-2.0 */
/* What used_events and virtio_used agree on. */
#ifndef CIPU_USED_RING_H
#define CIPU_USED_RING_H

#include "hls/include/queue.h"

/*
 * Tags of the writes to used rings: the queue, and for a write that holds the queue's token this bit. Only such a write
 * ends in the event QUEUE_DONE; its `error` is 1 when a write of the queue failed since the token was back before.
 */
#define USED_RING_TAG_INDEX 0x100u

static_assert(CARD_QUEUES <= USED_RING_TAG_INDEX, "a queue fits below the tag's bit");

#endif
