/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hls/include/dma.h"
#include "tools/bench/graph_run.h"

#define LINE_BYTES   64u
#define PORTS        4u
#define REQUEST_SLOT HLS_SLOT_BYTES(struct memory_request)

struct memory_port {
    struct graph_memory *memory;
    struct hls_fifo *request, *line;
    uint32_t prefetched;
};

struct graph_memory {
    uint8_t *bytes;
    struct memory_port port[PORTS];
};

uint8_t *graph_memory_line(struct graph_memory *memory, uint32_t line)
{
    return memory->bytes + (size_t)line * LINE_BYTES;
}

static void count(uint8_t *line, uint32_t bytes)
{
    struct flow_entry entry;
    memcpy(&entry, line, sizeof entry);
    entry.packets++;
    entry.bytes += bytes;
    entry.last_seen = 1;
    memcpy(line, &entry, sizeof entry);
}

static unsigned answer(struct memory_port *port, unsigned budget)
{
    struct hls_port requests = hls_read_begin(port->request), lines = hls_write_begin(port->line);
    uint8_t *bytes = port->memory->bytes;
    uint32_t waiting = requests.limit - requests.index, room = lines.limit - lines.index, ready = port->prefetched;
    uint32_t done = 0, most = ready < budget ? ready : budget;
    for (; done < most && room; done++) {
        const struct memory_request *request = hls_slot(&requests, REQUEST_SLOT);
        uint8_t *line = bytes + (size_t)request->line * LINE_BYTES;
        if (request->operation == MEMORY_READ) {
            memcpy(hls_slot(&lines, HLS_SLOT_BYTES(struct memory_line)), line, LINE_BYTES);
            lines.index++;
            room--;
        } else if (request->operation == MEMORY_WRITE) {
            memcpy(line + request->first, request->data + request->first, request->bytes);
        } else {
            count(line, request->amount);
        }
        requests.index++;
    }
    struct hls_port ahead = requests;
    ahead.index += ready - done;
    for (uint32_t i = ready; i < waiting; i++, ahead.index++) {
        const struct memory_request *request = hls_slot(&ahead, REQUEST_SLOT);
        __builtin_prefetch(bytes + (size_t)request->line * LINE_BYTES);
    }
    port->prefetched = waiting - done;
    hls_read_end(port->request, &requests);
    hls_write_end(port->line, &lines);
    return done ? done : waiting - ready; /* a prefetch alone is progress, too */
}

static unsigned run_port(void *context, unsigned budget)
{
    return answer(context, budget);
}

struct graph_memory *graph_memory_create(struct graph_run *run)
{
    static const char *const names[PORTS] = {"memory_0", "memory_1", "memory_2", "memory_3"};
    struct graph_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->bytes = mmap(NULL, (size_t)CARD_MEMORY_LINES * LINE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->bytes == MAP_FAILED) {
        free(memory);
        return NULL;
    }
    madvise(memory->bytes, (size_t)CARD_MEMORY_LINES * LINE_BYTES, MADV_HUGEPAGE);
    for (unsigned i = 0; i < PORTS; i++) {
        struct memory_port *port = &memory->port[i];
        port->memory = memory;
        port->request = graph_run_fifo(run, names[i], "request");
        port->line = graph_run_fifo(run, names[i], "line");
        graph_run_set(run, names[i], run_port, port);
    }
    return memory;
}

void graph_memory_destroy(struct graph_memory *memory)
{
    munmap(memory->bytes, (size_t)CARD_MEMORY_LINES * LINE_BYTES);
    free(memory);
}
