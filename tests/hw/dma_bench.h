/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of both halves of the DMA master share: buses, memory with holes, and requests of every kind. */
#ifndef CIPU_TEST_DMA_BENCH_H
#define CIPU_TEST_DMA_BENCH_H

#include "tests/hw/bench.h"
#include "tests/hw/native_shell.h"

#define DMA_MEMORY_BYTES (1u << 20) /* from bus address 0 */
#define DMA_READ_ONLY    (UINT64_C(1) << 40)
#define DMA_WRITE_ONLY   (UINT64_C(2) << 40)
#define DMA_PART_BYTES   0x10000u

/* Buses of all tempers: fast and in order, slow and out of order, narrow, stalling. */
extern const struct bus_settings dma_buses[];
extern const size_t dma_bus_count;

/* An address and length as kernels send them: mostly good ones of all sizes and alignments, some that are outside of
 * every mapping or cross its end, flags and lengths that no transfer has. `segments_left` 1 closes the packet. */
struct dma_request dma_random_request(struct bench *bench, unsigned segments_left);

/* The mappings above, with random content; returns the memory at 0. */
uint8_t *dma_map_all(struct native_shell *shell, struct bench *bench);

/* Hooks of struct bench for a module with one bus. */
void dma_bus_before(void *bus);
void dma_bus_after(void *bus);

#endif
