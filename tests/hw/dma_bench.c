/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hw/dma_bench.h"

const struct bus_settings dma_buses[] = {
    {.read_latency = 1, .write_latency = 1, .rate = 64, .reads_max = 32, .one_read_per_id = true, .seed = 1},
    {.read_latency = 150,
     .write_latency = 90,
     .spread = 200,
     .rate = 64,
     .stalls = 64,
     .reorder = true,
     .reads_max = 32,
     .one_read_per_id = true,
     .seed = 2},
    {.read_latency = 20,
     .write_latency = 5,
     .spread = 10,
     .rate = 13,
     .stalls = 200,
     .reorder = true,
     .reads_max = 3,
     .one_read_per_id = true,
     .seed = 3},
};
const size_t dma_bus_count = sizeof dma_buses / sizeof dma_buses[0];

static uint32_t random_length(struct bench *bench)
{
    static const uint32_t limits[] = {16, 80, 600, 3000, 16, 80};
    if (bench_random(bench, 40) == 0)
        return 1 + bench_random(bench, 65536);
    if (bench_random(bench, 8) == 0)
        return 1u << (1 + bench_random(bench, 3));
    return 1 + bench_random(bench, limits[bench_random(bench, sizeof limits / sizeof limits[0])]);
}

static uint64_t random_address(struct bench *bench, uint32_t length)
{
    switch (bench_random(bench, 24)) {
    case 0:
        return DMA_READ_ONLY + bench_random(bench, DMA_PART_BYTES + 4096) - 2048;
    case 1:
        return DMA_WRITE_ONLY + bench_random(bench, DMA_PART_BYTES);
    case 2:
        return UINT64_MAX - bench_random(bench, 2 * length);
    case 3:
        return (uint64_t)bench_random(bench, UINT32_MAX) << 32;
    case 4:
        return DMA_MEMORY_BYTES - bench_random(bench, 4096);
    default:
        break;
    }
    uint32_t address = bench_random(bench, DMA_MEMORY_BYTES - 65536);
    return bench_random(bench, 3) ? address : address & ~63u;
}

struct dma_request dma_random_request(struct bench *bench, unsigned segments_left)
{
    static const uint64_t bad[] = {0, 65537, UINT64_C(1) << 40, UINT64_MAX};
    uint32_t length = random_length(bench);
    struct dma_request request = {
        .address = random_address(bench, length),
        .length = bench_random(bench, 60) ? length : bad[bench_random(bench, 4)],
        .function = (uint16_t)bench_random(bench, 65536),
        .flags = segments_left == 1 ? DMA_LAST : 0,
        .tag = (uint16_t)bench_random(bench, 65536),
    };
    if (bench_random(bench, 30) == 0)
        request.flags |= DMA_REFUSED;
    if (bench_random(bench, 4) == 0)
        request.flags |= DMA_BUS;
    return request;
}

static void fill(uint8_t *bytes, uint32_t count, struct bench *bench)
{
    for (uint32_t i = 0; i < count; i += 4) {
        uint32_t word = bench_random(bench, UINT32_MAX);
        memcpy(bytes + i, &word, sizeof word);
    }
}

uint8_t *dma_map_all(struct native_shell *shell, struct bench *bench)
{
    uint8_t *memory = native_shell_map(shell, 0, DMA_MEMORY_BYTES, CIPU_DMA_READ | CIPU_DMA_WRITE);
    fill(memory, DMA_MEMORY_BYTES, bench);
    fill(native_shell_map(shell, DMA_READ_ONLY, DMA_PART_BYTES, CIPU_DMA_READ), DMA_PART_BYTES, bench);
    fill(native_shell_map(shell, DMA_WRITE_ONLY, DMA_PART_BYTES, CIPU_DMA_WRITE), DMA_PART_BYTES, bench);
    return memory;
}

void dma_bus_before(void *bus)
{
    bus_drive(bus);
}

void dma_bus_after(void *bus)
{
    bus_sample(bus);
}
