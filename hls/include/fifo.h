/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream's FIFO in the native card: one producer, one consumer, free-running indices, a power of two of slots. Head
 * and tail are published once per run (release), so each side may live on its own thread. They share a cache line
 * because a card has some hundred streams and one thread.
 */
#ifndef CIPU_FIFO_H
#define CIPU_FIFO_H

#include <stdatomic.h>
#include <stdint.h>

#include "hls/include/hls.h"

struct hls_fifo {
    _Alignas(64) _Atomic uint32_t head; /* next slot to read; written by the consumer */
    _Atomic uint32_t tail;              /* next slot to write; written by the producer */
    uint8_t *slots;                     /* aligned to 64 bytes; owned by whoever allocated it */
    uint32_t mask;                      /* depth - 1 */
    uint32_t slot_bytes;
};

HLS_INLINE uint32_t hls_fifo_used(const struct hls_fifo *fifo)
{
    return atomic_load_explicit(&fifo->tail, memory_order_acquire) -
           atomic_load_explicit(&fifo->head, memory_order_acquire);
}

/* Opens the reading end with every test in place. Close it with hls_read_end to publish what was read. */
HLS_INLINE struct hls_port hls_read_begin(const struct hls_fifo *fifo)
{
    struct hls_port port = {fifo->slots, atomic_load_explicit(&fifo->head, memory_order_relaxed),
                            atomic_load_explicit(&fifo->tail, memory_order_acquire), fifo->mask, true};
    return port;
}

HLS_INLINE void hls_read_end(struct hls_fifo *fifo, const struct hls_port *port)
{
    atomic_store_explicit(&fifo->head, port->index, memory_order_release);
}

/* Opens the writing end; close it with hls_write_end to publish what was written. */
HLS_INLINE struct hls_port hls_write_begin(const struct hls_fifo *fifo)
{
    struct hls_port port = {fifo->slots, atomic_load_explicit(&fifo->tail, memory_order_relaxed),
                            atomic_load_explicit(&fifo->head, memory_order_acquire) + fifo->mask + 1, fifo->mask, true};
    return port;
}

HLS_INLINE void hls_write_end(struct hls_fifo *fifo, const struct hls_port *port)
{
    atomic_store_explicit(&fifo->tail, port->index, memory_order_release);
}

/* Nothing (more) to read or no room (left) to write. */
HLS_INLINE bool hls_at_limit(const struct hls_port *port)
{
    return port->index == port->limit;
}

/* A chunk: activations that this end allows without a test, up to the end of the ring's memory. */
HLS_INLINE uint32_t hls_chunk_bound(uint32_t chunk, const struct hls_port *port)
{
    uint32_t ready = port->limit - port->index, straight = port->mask + 1 - (port->index & port->mask);
    chunk = chunk < ready ? chunk : ready;
    return chunk < straight ? chunk : straight;
}

/* The end of a stream for one chunk; close it with hls_chunk_end. */
HLS_INLINE struct hls_port hls_chunk_begin(const struct hls_port *port, uint32_t slot_bytes)
{
    struct hls_port chunk = {hls_slot(port, slot_bytes), 0, 0, 0, false};
    return chunk;
}

HLS_INLINE void hls_chunk_end(struct hls_port *port, const struct hls_port *chunk, uint32_t slot_bytes)
{
    port->index += (uint32_t)(chunk->slots - (uint8_t *)hls_slot(port, slot_bytes)) / slot_bytes;
}

#endif
