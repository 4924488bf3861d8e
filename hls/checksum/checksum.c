/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes the partial checksums of packets that guests send (virtio 1.2, 5.1.6.2: NEEDS_CSUM), first half: sums each
 * packet from checksum_start to its end (RFC 1071) while its beats go into the FIFO before checksum_insert.
 *
 * The guest has put the sum of the pseudo header where the checksum goes, so it takes part in the sum. UDP alone has
 * its checksum at offset 6; there a result of 0 is stored as 0xffff, as 0 means "none" (RFC 768).
 */
#include "hls/checksum/checksum.h"

#include "hls/include/beat.h"
#include "hls/include/hls.h"

#define CHECKSUM_OFFSET_UDP 6u

struct checksum_state {
    uint32_t sum;      /* of little endian words at even positions of the packet; at most 144 x 32 x 0xffff */
    uint16_t position; /* of the current beat's byte 0 */
    uint16_t start;
    uint16_t offset;
    uint16_t length;
    uint8_t inside;
    uint8_t needed;
};

/* The sum of a beat's 16-bit words. Bytes before `first` count as zeros; those beyond the packet's end are. */
HLS_INLINE uint32_t checksum_sum(const uint8_t *data, uint8_t first)
{
    uint8_t counted[BEAT_BYTES];
    uint16_t word[BEAT_BYTES / 2u];
    uint32_t sum = 0;
    HLS_COPY(counted, data, BEAT_BYTES);
    if (first != 0) {
        for (uint32_t i = 0; i < BEAT_BYTES; i++)
            counted[i] = (uint8_t)i < first ? (uint8_t)0 : counted[i];
    }
    HLS_COPY(word, counted, BEAT_BYTES);
    for (uint32_t i = 0; i < BEAT_BYTES / 2u; i++)
        sum += word[i];
    return sum;
}

HLS_INLINE uint16_t checksum_finish(uint32_t sum, uint32_t start, uint32_t offset)
{
    uint32_t folded = (sum & 0xffffu) + (sum >> 16);
    folded = (folded & 0xffffu) + (folded >> 16);
    /* The words were little endian, so the sum's bytes are the other way round (RFC 1071, 2.B). Counted from an odd
     * start the words are shifted by a byte, which turns it once more. */
    uint32_t turned = (start & 1u) != 0 ? folded : (folded & 0xffu) << 8 | folded >> 8;
    uint32_t value = ~turned & 0xffffu;
    return (uint16_t)(value == 0 && offset == CHECKSUM_OFFSET_UDP ? 0xffffu : value);
}

STEP(checksum, struct checksum_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, packet),
     STREAM_OUT(struct checksum_result, result))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(result));
    STREAM_READ(struct beat, beat, in);
    STREAM_OPEN(struct beat, passed, packet);
    HLS_COPY(passed, beat, sizeof *passed);
    if (!state->inside) {
        state->needed = beat->meta.flags & BEAT_CHECKSUM_NEEDED;
        state->sum = 0;
        state->position = 0;
        state->start = beat->meta.checksum_start;
        state->offset = beat->meta.checksum_offset;
        state->length = beat->meta.length;
        if (state->needed) {
            passed->meta.flags = (uint8_t)((beat->meta.flags & ~(uint32_t)BEAT_CHECKSUM_NEEDED) | BEAT_CHECKSUM_VALID);
            passed->meta.checksum_start = 0;
            passed->meta.checksum_offset = 0;
        }
    }
    STREAM_PUSH(struct beat, passed, packet);

    if (state->needed) {
        uint32_t first = state->start > state->position ? (uint32_t)state->start - state->position : 0;
        if (first < BEAT_BYTES)
            state->sum += checksum_sum(beat->data, (uint8_t)first);
        state->position = (uint16_t)(state->position + BEAT_BYTES);
    }
    if (beat->meta.last) {
        uint32_t place = (uint32_t)state->start + state->offset;
        bool outside = state->needed && place + 2u > state->length;
        STREAM_OPEN(struct checksum_result, sum, result);
        sum->position = (uint16_t)place;
        sum->value = checksum_finish(state->sum, state->start, state->offset);
        sum->insert = state->needed;
        sum->drop = beat->meta.error || outside;
        HLS_ZERO(sum->reserved, sizeof sum->reserved);
        STREAM_PUSH(struct checksum_result, sum, result);
    }
    state->inside = !beat->meta.last;
    STEP_END;
}
