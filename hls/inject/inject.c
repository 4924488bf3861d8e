/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the entries of the INJECT ring into packets. A packet leaves for the packet_gate behind it beat by beat, its
 * verdict with the last one: so a record that the host never completes holds up nobody. A record whose header makes no
 * sense is skipped with its data.
 */
#include "hls/include/beat.h"
#include "hls/include/ring.h"
#include "hls/packet_gate/packet_gate.h"

struct inject_state {
    struct beat_meta meta; /* of the packet's first beat */
    uint16_t left;         /* data entries that still belong to the record */
    uint8_t tail;          /* valid bytes of the last one, 1..64 */
    uint8_t skip;
    uint8_t started; /* beats of the packet have left */
};

/* ENDPOINT_NONE is refused as well: such beats are commands in the pipeline. */
HLS_INLINE bool inject_known_source(const struct packet_entry *entry)
{
    return (entry->source == ENDPOINT_PORT && entry->source_id < CARD_PORTS) ||
           (entry->source == ENDPOINT_FUNCTION && entry->source_id < CARD_FUNCTIONS) || entry->source == ENDPOINT_HOST;
}

HLS_INLINE void inject_begin(struct inject_state *state, const struct packet_entry *entry)
{
    bool lookup = entry->action == INJECT_LOOKUP;
    uint32_t length = entry->length;
    HLS_ZERO(&state->meta, sizeof state->meta);
    state->meta.flags = lookup ? (uint8_t)0 : (uint8_t)BEAT_ACTION;
    state->meta.length = entry->length;
    state->meta.source = entry->source;
    state->meta.source_id = entry->source_id;
    state->meta.checksum_start = lookup ? (uint16_t)0 : (uint16_t)entry->action;
    state->meta.checksum_offset = lookup ? (uint16_t)0 : (uint16_t)(entry->action >> 16);
    state->left = (uint16_t)((length + RING_ENTRY_BYTES - 1u) / RING_ENTRY_BYTES);
    state->tail = (uint8_t)((length - 1u) % RING_ENTRY_BYTES + 1u);
    state->skip = length < PACKET_BYTES_MIN || length > PACKET_BYTES_MAX || !inject_known_source(entry);
    state->started = 0;
}

/* Bytes beyond the packet's end are zeroed here: the rest of the card relies on it. */
HLS_INLINE void inject_fill(struct beat *beat, const struct inject_state *state, const uint8_t *data)
{
    bool last = state->left == 1;
    uint32_t bytes = last ? state->tail : BEAT_BYTES;
    HLS_COPY(beat->data, data, BEAT_BYTES);
    if (last) {
        for (uint32_t i = 0; i < BEAT_BYTES; i++)
            beat->data[i] = i < bytes ? beat->data[i] : (uint8_t)0;
    }
    if (state->started)
        HLS_ZERO(&beat->meta, sizeof beat->meta);
    else
        HLS_COPY(&beat->meta, &state->meta, sizeof beat->meta);
    beat->meta.bytes = (uint8_t)bytes;
    beat->meta.last = last;
}

STEP(inject, struct inject_state *state, STREAM_IN(struct ring_work, in), STREAM_OUT(struct beat, packet),
     STREAM_OUT(struct packet_verdict, verdict))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(verdict));
    STREAM_READ(struct ring_work, work, in);
    STREAM_OPEN(struct packet_verdict, decided, verdict);
    HLS_ZERO(decided, sizeof *decided);
    if (work->kind == RING_WORK_ENTRY && state->left == 0) {
        struct packet_entry entry;
        HLS_COPY(&entry, work->data, sizeof entry);
        inject_begin(state, &entry);
    } else if (work->kind == RING_WORK_ENTRY) {
        if (!state->skip) {
            STREAM_OPEN(struct beat, beat, packet);
            inject_fill(beat, state, work->data);
            STREAM_PUSH(struct beat, beat, packet);
            state->started = 1;
            if (state->left == 1) {
                decided->pass = 1;
                STREAM_PUSH(struct packet_verdict, decided, verdict);
            }
        }
        state->left--;
    } else {
        /* The ring starts anew: what was begun is closed and dropped. */
        if (state->left != 0 && !state->skip && state->started) {
            STREAM_OPEN(struct beat, closing, packet);
            HLS_ZERO(closing, sizeof *closing);
            closing->meta.bytes = 1;
            closing->meta.last = 1;
            closing->meta.error = 1;
            STREAM_PUSH(struct beat, closing, packet);
            STREAM_PUSH(struct packet_verdict, decided, verdict);
        }
        state->left = 0;
    }
    STEP_END;
}
