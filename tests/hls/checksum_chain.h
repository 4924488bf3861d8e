/* SPDX-License-Identifier: Apache-2.0 */
/* checksum and checksum_insert joined as in the card. */
#ifndef CIPU_TEST_CHECKSUM_CHAIN_H
#define CIPU_TEST_CHECKSUM_CHAIN_H

#include "hls/checksum/checksum.c"
#include "hls/checksum_insert/checksum_insert.c"
#include "tests/hls/stream.h"

struct checksum_chain {
    struct checksum_state sum;
    struct checksum_insert_state insert;
    struct stream in, packet, result, out;
};

static inline void checksum_chain_open(struct checksum_chain *chain)
{
    stream_open(&chain->in, 16, sizeof(struct beat));
    stream_open(&chain->packet, 512, sizeof(struct beat));
    stream_open(&chain->result, 64, sizeof(struct checksum_result));
    stream_open(&chain->out, 256, sizeof(struct beat));
}

static inline void checksum_chain_close(struct checksum_chain *chain)
{
    stream_close(&chain->in);
    stream_close(&chain->packet);
    stream_close(&chain->result);
    stream_close(&chain->out);
}

static inline void checksum_chain_run(struct checksum_chain *chain)
{
    struct stream *in = &chain->in, *packet = &chain->packet, *result = &chain->result, *out = &chain->out;
    {
        STREAM_TEST_IN(in);
        STREAM_TEST_OUT(packet);
        STREAM_TEST_OUT(result);
        while (checksum(&chain->sum, &in_port, &packet_port, &result_port))
            ;
        STREAM_TEST_IN_END(in);
        STREAM_TEST_OUT_END(packet);
        STREAM_TEST_OUT_END(result);
    }
    STREAM_TEST_IN(packet);
    STREAM_TEST_IN(result);
    STREAM_TEST_OUT(out);
    while (checksum_insert(&chain->insert, &packet_port, &result_port, &out_port))
        ;
    STREAM_TEST_IN_END(packet);
    STREAM_TEST_IN_END(result);
    STREAM_TEST_OUT_END(out);
}

/* The beat at byte `at` of a packet of meta->length bytes. */
static inline void checksum_chain_beat(struct beat *beat, const uint8_t *data, const struct beat_meta *meta, size_t at)
{
    size_t left = meta->length - at;
    memset(beat, 0, sizeof *beat);
    if (at == 0)
        beat->meta = *meta;
    beat->meta.last = left <= BEAT_BYTES;
    beat->meta.error = beat->meta.last && meta->error;
    beat->meta.bytes = (uint8_t)(left < BEAT_BYTES ? left : BEAT_BYTES);
    memcpy(beat->data, data + at, beat->meta.bytes);
}

static inline void checksum_chain_send(struct checksum_chain *chain, const uint8_t *data, const struct beat_meta *meta,
                                       size_t at)
{
    struct beat beat;
    checksum_chain_beat(&beat, data, meta, at);
    stream_put(&chain->in, &beat);
    checksum_chain_run(chain);
}

static inline bool checksum_chain_receive(struct checksum_chain *chain, struct beat *beat)
{
    return stream_get(&chain->out, beat);
}

#endif
