/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card's own parser for packets in memory: what it finds and the flow key that the card will look up. Library
 * cipu-packet; not for kernels.
 */
#ifndef CIPU_PACKET_KEY_H
#define CIPU_PACKET_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

/*
 * Parses a packet of `length` bytes (more than PACKET_BYTES_MAX are not looked at) as if it had entered the card from
 * `source` (enum endpoint) number `source_id`, with the ports set as in `ports`. For a port in PORT_ACCESS mode the
 * caller names the function as the source. `headers` is filled in whole; opcode, hash and tag are zero. Thread safe;
 * never fails: headers->verdict says what the card would do, VERDICT_LOOKUP or VERDICT_PUNT mean that
 * headers->match.key.domain and headers->inner (offset of the inner frame, 0 = no tunnel) hold, and headers->match.key
 * too unless its kind is FLOW_NONE.
 */
void packet_headers(const uint8_t *bytes, size_t length, unsigned source, unsigned source_id,
                    const struct port_setting ports[CARD_PORTS], struct headers *headers);

#endif
