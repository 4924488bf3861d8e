/* SPDX-License-Identifier: Apache-2.0 */
/* The beat: 64 bytes of a packet and what travels beside them. A packet is a run of beats that ends with `last`. */
#ifndef CIPU_BEAT_H
#define CIPU_BEAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define BEAT_BYTES       64u
#define PACKET_BYTES_MAX 9216u /* with Ethernet header, without FCS */
#define PACKET_BYTES_MIN 14u   /* shorter ones are dropped where they enter */

#define CARD_PORTS     2u
#define CARD_FUNCTIONS 128u
#define CARD_QUEUES    (2u * CARD_FUNCTIONS) /* queue 2f = receive queue of function f, 2f + 1 = its transmit queue */
#define FUNCTION_HOST  (CARD_FUNCTIONS - 1u) /* the host's own rings; never given to a guest */

/* Where a packet comes from or goes to; `*_id` is the port or function number. */
enum endpoint {
    ENDPOINT_NONE = 0, /* as a destination: drop */
    ENDPOINT_PORT = 1,
    ENDPOINT_FUNCTION = 2,
    ENDPOINT_HOST = 3, /* as a destination: the punt ring */
};

enum beat_flags {
    BEAT_CHECKSUM_NEEDED = 1, /* virtio NEEDS_CSUM: checksum_start and checksum_offset hold */
    BEAT_CHECKSUM_VALID = 2,  /* the inner transport checksum is known to be right */
    BEAT_ACTION = 4,          /* injected by the host: `action` replaces the lookup */
};

/* A packet that leaves the rewriter may leave its last two beats at once. */
enum beat_last {
    BEAT_LAST = 1,
    BEAT_LAST_IN_TAIL = 2, /* rewrite.out only: the last beat is the next one of rewrite.tail */
};

/* Sideband. Only `bytes` and `last` and `error` hold in every beat; the rest holds in a packet's first beat and is zero
 * in the others. */
struct beat_meta {
    uint8_t bytes;       /* valid bytes, from byte 0; 64 in every beat but the last, there 1..64 */
    uint8_t last;        /* 1 in the last beat */
    uint8_t error;       /* with last: the packet is spoilt, whoever delivers packets must drop it */
    uint8_t flags;       /* enum beat_flags */
    uint16_t length;     /* bytes of the whole packet */
    uint8_t source;      /* enum endpoint */
    uint8_t destination; /* enum endpoint; set by rewrite */
    uint16_t source_id;
    uint16_t destination_id;
    uint16_t checksum_start;  /* or, with BEAT_ACTION, the low half of the action index; on the way to the host, enum
                                 punt_reason */
    uint16_t checksum_offset; /* or, with BEAT_ACTION, the high half of the action index */
};

struct beat {
    uint8_t data[BEAT_BYTES]; /* bytes beyond `bytes` are zero */
    struct beat_meta meta;
};

static_assert(sizeof(struct beat_meta) == 16, "beat sideband is 16 bytes");
static_assert(offsetof(struct beat, meta) == 64 && sizeof(struct beat) == 80, "a beat is 80 bytes");

#endif
