/* SPDX-License-Identifier: Apache-2.0 */
/* Puts packets through the checksum kernels: reads lines `start offset hex`, writes a line of hex for each. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/hls/checksum_chain.h"

static int read_packet(uint8_t *data, struct beat_meta *meta)
{
    static char hex[2 * PACKET_BYTES_MAX + 1];
    uint16_t start, offset;
    memset(meta, 0, sizeof *meta);
    if (scanf("%" SCNu16 " %" SCNu16 " %18432s", &start, &offset, hex) != 3)
        return 0;
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++)
        if (sscanf(hex + 2 * i, "%2" SCNx8, &data[i]) != 1)
            return 0;
    meta->length = (uint16_t)length;
    meta->source = ENDPOINT_FUNCTION;
    meta->flags = BEAT_CHECKSUM_NEEDED;
    meta->checksum_start = start;
    meta->checksum_offset = offset;
    return 1;
}

int main(void)
{
    static struct checksum_chain chain;
    static uint8_t data[PACKET_BYTES_MAX];
    struct beat_meta meta;
    struct beat beat;
    checksum_chain_open(&chain);
    while (read_packet(data, &meta)) {
        for (size_t at = 0; at < meta.length; at += BEAT_BYTES)
            checksum_chain_send(&chain, data, &meta, at);
        while (checksum_chain_receive(&chain, &beat))
            for (unsigned i = 0; i < beat.meta.bytes; i++)
                printf("%02x", beat.data[i]);
        printf("\n");
    }
    checksum_chain_close(&chain);
    return 0;
}
