/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mman.h>

#include "driver/memory_port.h"
#include "tools/bench/graph_run.h"

#define PORTS   4u
#define TIME_MS 1u

struct graph_memory {
    uint8_t *bytes;
    struct memory_port port[PORTS];
};

uint8_t *graph_memory_line(struct graph_memory *memory, uint32_t line)
{
    return memory->bytes + (size_t)line * MEMORY_LINE_BYTES;
}

static unsigned run_port(void *context, unsigned budget)
{
    struct memory_port *port = context;
    bool full;
    unsigned done = memory_port_visit(port, budget, TIME_MS, &full);
    return done || full ? done : port->prefetched; /* a prefetch alone is progress, too */
}

struct graph_memory *graph_memory_create(struct graph_run *run)
{
    static const char *const names[PORTS] = {"memory_0", "memory_1", "memory_2", "memory_3"};
    struct graph_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->bytes =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->bytes == MAP_FAILED) {
        free(memory);
        return NULL;
    }
    madvise(memory->bytes, MEMORY_BYTES, MADV_HUGEPAGE);
    for (unsigned i = 0; i < PORTS; i++) {
        struct memory_port *port = &memory->port[i];
        port->memory = memory->bytes;
        port->request = graph_run_fifo(run, names[i], "request");
        port->line = graph_run_fifo(run, names[i], "line");
        graph_run_set(run, names[i], run_port, port);
    }
    return memory;
}

void graph_memory_destroy(struct graph_memory *memory)
{
    munmap(memory->bytes, MEMORY_BYTES);
    free(memory);
}
