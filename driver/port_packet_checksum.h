/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums that a sender on this machine left to its interface: the field holds the sum of the pseudo header (RFC 9293
 * section 3.1, RFC 768), not inverted, and whoever takes the frame has to add the rest.
 */
#ifndef CIPU_PORT_PACKET_CHECKSUM_H
#define CIPU_PORT_PACKET_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

/* Sums from `start` to the frame's end into the field at start + offset; false if that is out of bounds. */
bool packet_checksum_finish(uint8_t *frame, uint32_t length, uint32_t start, uint32_t offset);

/*
 * For frames of which nobody says whether they are finished: finishes TCP's or UDP's checksum, or that of the packet in
 * a VXLAN packet, if the field holds the pseudo header's sum. A finished checksum that has this value by chance stays
 * what it is, because finishing it gives the same.
 */
void packet_checksum_detect(uint8_t *frame, uint32_t length);

#endif
