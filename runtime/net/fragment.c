/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/slow_path.h"

#define IPV4_HEADER_MAX 60u
#define MORE_FRAGMENTS  0x2000u

/* RFC 791 section 3.1: options with the copied flag go into every fragment. Returns the header's bytes, a multiple
 * of 4. */
static size_t later_header(const uint8_t *ip, size_t header_bytes, uint8_t *to)
{
    memcpy(to, ip, FRAME_IPV4_BYTES);
    size_t written = FRAME_IPV4_BYTES;
    for (size_t i = FRAME_IPV4_BYTES; i < header_bytes && ip[i] != 0;) {
        size_t bytes = ip[i] == 1 ? 1 : i + 1 < header_bytes ? ip[i + 1] : 0;
        if (bytes == 0 || (ip[i] != 1 && bytes < 2) || i + bytes > header_bytes)
            break;
        if (ip[i] & 0x80) {
            memcpy(to + written, ip + i, bytes);
            written += bytes;
        }
        i += bytes;
    }
    while (written % 4 != 0)
        to[written++] = 0;
    to[0] = (uint8_t)(0x40 | written / 4);
    return written;
}

void fragment_ipv4(const struct frame *frame, unsigned mtu, bool congestion, fragment_handler handler, void *context)
{
    uint8_t out[PACKET_BYTES_MAX], later[IPV4_HEADER_MAX + 4];
    size_t header_bytes = (size_t)(frame->payload - frame->ip), done = 0;
    const uint8_t *header = frame->ip;
    uint32_t field = hls_be16(frame->ip + 6), offset = field & 0x1fff;
    size_t later_bytes = later_header(frame->ip, header_bytes, later);
    if (mtu < header_bytes + 8 || mtu + FRAME_ETHERNET_BYTES > sizeof out)
        return;
    memcpy(out, frame->data, FRAME_ETHERNET_BYTES);
    while (done < frame->payload_length) {
        size_t left = frame->payload_length - done, room = mtu - header_bytes;
        size_t bytes = left <= room ? left : room / 8 * 8;
        uint8_t *ip = out + FRAME_ETHERNET_BYTES;
        memcpy(ip, header, header_bytes);
        memcpy(ip + header_bytes, frame->payload + done, bytes);
        bool more = bytes < left || (field & MORE_FRAGMENTS);
        hls_put_be16(ip + 2, (uint32_t)(header_bytes + bytes));
        hls_put_be16(ip + 6, (offset + (uint32_t)(done / 8)) | (more ? MORE_FRAGMENTS : 0));
        if (congestion)
            ip[1] |= ECN_CONGESTION;
        frame_ipv4_checksum(ip, header_bytes);
        handler(context, out, FRAME_ETHERNET_BYTES + header_bytes + bytes);
        done += bytes;
        header = later;
        header_bytes = later_bytes;
    }
}
