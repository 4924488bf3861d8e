/* SPDX-License-Identifier: Apache-2.0 */
/* Admin commands that several tests give: log pages, asynchronous event requests. */
#ifndef CIPU_NVME_ADMIN_BENCH_H
#define CIPU_NVME_ADMIN_BENCH_H

#include "tests/runtime/device/nvme_bench.h"

static uint8_t page[1 << 20];

static inline uint16_t get_log(struct nvme_controller *controller, uint32_t log, uint32_t bytes, uint64_t offset,
                               bool keep)
{
    uint32_t dwords = bytes / 4 - 1;
    const struct nvme_command command = {.opcode = NVME_ADMIN_GET_LOG_PAGE,
                                         .namespace_id = NVME_BROADCAST,
                                         .dword10 = log | (keep ? 1u << 15 : 0) | dwords << 16,
                                         .dword11 = dwords >> 16,
                                         .dword12 = (uint32_t)offset,
                                         .dword13 = (uint32_t)(offset >> 32)};
    memset(page, 0xee, bytes);
    return bench_status(controller, 0, &command, page, bytes);
}

static inline unsigned request_event(struct nvme_controller *controller)
{
    const struct nvme_command command = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    return bench_send(controller, 0, &command, NULL, 0);
}

#endif
