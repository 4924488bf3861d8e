/* SPDX-License-Identifier: Apache-2.0 */
/* Two enabled controllers that share namespace 1, and the reservation commands of either. */
#ifndef CIPU_NVME_SHARED_BENCH_H
#define CIPU_NVME_SHARED_BENCH_H

#include "runtime/device/nvme_reservation.h"
#include "tests/runtime/device/nvme_bench.h"

static uint8_t buffer[4096];

static inline struct nvme_controller *controller_of(void **state, unsigned number)
{
    return ((struct bench *)*state)->controllers[number];
}

static inline int shared_setup(void **state)
{
    int result = bench_setup(state);
    for (unsigned i = 0; i < 2; i++) {
        bench_enable(controller_of(state, i));
        bench_create_pair(controller_of(state, i), 1);
    }
    return result;
}

static inline uint16_t reserve(void **state, unsigned number, uint8_t opcode, uint32_t dword10, uint64_t current,
                               uint64_t key)
{
    const struct nvme_command command = {.opcode = opcode, .namespace_id = 1, .dword10 = dword10};
    uint64_t keys[2] = {current, key};
    return bench_status(controller_of(state, number), 1, &command, keys, sizeof keys);
}

static inline uint16_t enroll(void **state, unsigned number, uint64_t key)
{
    return reserve(state, number, NVME_RESERVATION_REGISTER, NVME_REGISTER_NEW, 0, key);
}

static inline uint16_t access_by(void **state, unsigned number, uint8_t opcode)
{
    const struct nvme_command command = {.opcode = opcode, .namespace_id = 1};
    return bench_status(controller_of(state, number), 1, &command, buffer, 512);
}

static inline void expect(void **state, unsigned number, unsigned access, uint16_t why)
{
    const struct block_volume *volume = &((struct bench *)*state)->volumes[0];
    unsigned function = 3 + number;
    assert_int_equal(volume->access[function], access);
    if (access != (VOLUME_READ | VOLUME_WRITE))
        assert_int_equal(volume->refusal[function] & ~NVME_DO_NOT_RETRY, why);
    assert_int_equal(access_by(state, number, NVME_READ), access & VOLUME_READ ? NVME_SUCCESS : why);
    assert_int_equal(access_by(state, number, NVME_WRITE), access & VOLUME_WRITE ? NVME_SUCCESS : why);
}

#endif
