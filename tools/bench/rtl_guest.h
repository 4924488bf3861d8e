/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests for the benchmarks of the rtl card: functions with memory of their own, each with one virtqueue, and the flows
 * that lead to and from them. Frames of 60 bytes.
 */
#ifndef CIPU_BENCH_RTL_GUEST_H
#define CIPU_BENCH_RTL_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/host.h"
#include "driver/rtl/rtl.h"
#include "hls/include/virtio.h"

#define GUEST_ENTRIES      256u
#define GUEST_MEMORY_BYTES (1u << 20)
#define GUEST_DESCRIPTORS  0x0u
#define GUEST_AVAIL        0x2000u
#define GUEST_USED         0x4000u
#define GUEST_BUFFERS      0x10000u
#define GUEST_BUFFER_BYTES 2048u
#define GUEST_FRAME_BYTES  60u
#define GUEST_HEADER_BYTES ((uint32_t)sizeof(struct virtio_net_header))

enum guest_direction { GUEST_SENDS, GUEST_RECEIVES };

struct guest_card {
    struct cipu_card *card;
    struct cipu_host *host;
};

struct guest {
    struct guest_card *of;
    uint32_t function, queue;
    uint8_t *memory;
};

void guest_fail(const char *what) __attribute__((noreturn));

void guest_card_open(struct guest_card *of);
void guest_card_close(struct guest_card *of);

/* The frame of a function's flow. */
void guest_frame(uint32_t function, uint8_t *frame);

/* Memory, flow and queue of one function, 1 .. 126; its descriptors and buffers are ready, nothing is available. */
void guest_open(struct guest *guest, struct guest_card *of, uint32_t function, enum guest_direction direction);
void guest_close(struct guest *guest);

static inline uint16_t guest_load(const struct guest *guest, uint32_t offset)
{
    return atomic_load((_Atomic uint16_t *)(void *)(guest->memory + offset));
}

static inline void guest_store(struct guest *guest, uint32_t offset, uint16_t value)
{
    atomic_store((_Atomic uint16_t *)(void *)(guest->memory + offset), value);
}

/* Makes `count` buffers available behind `posted`; returns the new index, which is not published. */
uint16_t guest_fill(struct guest *guest, uint16_t posted, uint16_t count);

#endif
