/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of a card's streams, from its registers. */
#include <errno.h>
#include <stdio.h>

#include "driver/card.h"
#include "hls/include/registers.h"

/* Read in two halves while it counts. */
static uint64_t read_counter(struct cipu_card *card, uint32_t low)
{
    uint32_t high = cipu_card_read(card, low + 4);
    for (;;) {
        uint64_t value = cipu_card_read(card, low);
        uint32_t again = cipu_card_read(card, low + 4);
        if (again == high)
            return (uint64_t)high << 32 | value;
        high = again;
    }
}

static void name_stream(unsigned number, char *name, size_t bytes)
{
    if (number < MONITOR_SEND)
        snprintf(name, bytes, "port%u.receive", number - MONITOR_RECEIVE);
    else if (number < MONITOR_DMA_READ)
        snprintf(name, bytes, "port%u.send", number - MONITOR_SEND);
    else if (number < MONITOR_DMA_WRITE)
        snprintf(name, bytes, "dma_read_%u", number - MONITOR_DMA_READ);
    else
        snprintf(name, bytes, "dma_write_%u", number - MONITOR_DMA_WRITE);
}

int cipu_card_stream(struct cipu_card *card, unsigned number, struct cipu_stream *stream)
{
    const uint32_t block = STREAMS_BLOCK_OFFSET;
    if (number >= MONITOR_STREAMS)
        return -EINVAL;
    uint32_t at = block + (uint32_t)(offsetof(struct streams_block, stream) + number * sizeof(struct stream_registers));
    uint32_t stuck = block + (uint32_t)offsetof(struct streams_block, stuck_low) + number / 32 * 4;
    name_stream(number, stream->name, sizeof stream->name);
    stream->packets = read_counter(card, at + (uint32_t)offsetof(struct stream_registers, packets_low));
    stream->bytes = read_counter(card, at + (uint32_t)offsetof(struct stream_registers, bytes_low));
    stream->stalls = read_counter(card, at + (uint32_t)offsetof(struct stream_registers, stalls_low));
    stream->stuck = cipu_card_read(card, stuck) >> number % 32 & 1;
    return 0;
}
