/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts that are held back: Base 5.27.1.8, interrupt coalescing. */
#ifndef CIPU_NVME_CQ_TIMER_H
#define CIPU_NVME_CQ_TIMER_H

#include "hls/nvme_cq/row.h"

HLS_INLINE bool nvme_cq_reached(uint32_t now, uint32_t at)
{
    return (int32_t)(now - at) >= 0;
}

HLS_INLINE void nvme_cq_ask(struct nvme_cq_output *output, uint32_t at)
{
    output->timer = 1;
    output->timer_at = at;
}

/* A queue begins to wait. While the deadline is no farther than its delay, it will do. */
HLS_INLINE void nvme_cq_hold(struct nvme_cq_output *output, struct nvme_cq_timer *timer, uint32_t queue, uint32_t delay)
{
    uint64_t bit = (uint64_t)1 << queue % 64u;
    timer->held[0] |= queue < 64u ? bit : 0u;
    timer->held[1] |= queue < 64u ? 0u : bit;
    bool idle = !timer->asking && !timer->running;
    if (idle || delay < timer->delay) {
        timer->delay = delay;
        if (!timer->asking)
            nvme_cq_ask(output, timer->now);
        timer->asking = 1;
    }
}

HLS_INLINE void nvme_cq_tick(struct nvme_cq_output *output, struct nvme_cq_timer *timer, uint32_t now)
{
    uint32_t wanted = now + timer->delay;
    timer->now = now;
    if (timer->running && nvme_cq_reached(now, timer->deadline)) {
        timer->running = 0;
        timer->asking = 0;
        timer->scan[0] |= timer->held[0];
        timer->scan[1] |= timer->held[1];
        timer->held[0] = 0;
        timer->held[1] = 0;
        output->scan = !timer->scanning;
    } else if (timer->asking) {
        bool sooner = !timer->running || !nvme_cq_reached(wanted, timer->deadline);
        timer->asking = 0;
        timer->running = 1;
        timer->deadline = sooner ? wanted : timer->deadline;
        nvme_cq_ask(output, timer->deadline);
    } else if (timer->running) {
        nvme_cq_ask(output, timer->deadline);
    }
}

/* Takes out the next queue whose time is up; there is one if timer->scanning is set then. */
HLS_INLINE uint32_t nvme_cq_scan(struct nvme_cq_timer *timer)
{
    bool low = timer->scan[0] != 0;
    uint64_t from = low ? timer->scan[0] : timer->scan[1];
    timer->scanning = from != 0;
    if (low)
        timer->scan[0] &= timer->scan[0] - 1u;
    else
        timer->scan[1] &= timer->scan[1] - 1u;
    return (low ? 0u : 64u) + (uint32_t)__builtin_ctzll(from | (uint64_t)1 << 63);
}

#endif
