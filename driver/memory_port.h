/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port of an emulated card's memory: serves the memory requests of one stream (hls/include/dma.h).
 *
 * A request stays in its FIFO for one more visit: first those are served whose lines were prefetched in the visit
 * before, then the new ones are prefetched. That hides a cache miss behind the rest of the round. One thread.
 */
#ifndef CIPU_MEMORY_PORT_H
#define CIPU_MEMORY_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hls/include/dma.h"
#include "hls/include/fifo.h"
#include "hls/include/flow.h"

#define MEMORY_LINE_BYTES 64u
/* One line more, which stays zero, and whole huge pages. */
#define MEMORY_BYTES \
    (((size_t)(CARD_MEMORY_LINES + 1u) * MEMORY_LINE_BYTES + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE)
#define MEMORY_PAGE ((size_t)2 << 20)

struct memory_port {
    uint8_t *memory; /* MEMORY_BYTES, shared by all ports */
    struct hls_fifo *request, *line;
    uint32_t prefetched; /* requests at the FIFO's head whose lines were */
};

static_assert(HLS_SLOT_BYTES(struct memory_request) == sizeof(struct memory_request), "requests lie side by side");

static inline void memory_count(uint8_t *line, const struct memory_request *request, uint32_t time_ms)
{
    struct flow_entry entry;
    memcpy(&entry, line, sizeof entry);
    entry.packets++;
    entry.bytes += request->amount;
    entry.last_seen = time_ms ? time_ms : 1; /* 0 = no packet yet */
    memcpy(line, &entry, sizeof entry);
}

static inline void memory_change_line(uint8_t *line, const struct memory_request *request, uint32_t time_ms)
{
    if (request->operation == MEMORY_COUNT) {
        memory_count(line, request, time_ms);
    } else if (request->operation == MEMORY_WRITE) {
        memcpy(line, request->data, MEMORY_WRITE_BYTES);
        memset(line + MEMORY_WRITE_BYTES, 0, MEMORY_LINE_BYTES - MEMORY_WRITE_BYTES);
    } else if (request->operation == MEMORY_WRITE_WORD) {
        memcpy(line + (request->word & 7u) * 8u, request->data, 8);
    }
}

/* Serves requests that lie side by side, up to the first that is not a read, and returns how many. */
static inline unsigned memory_read(const uint8_t *memory, const struct memory_request *request, unsigned most,
                                   uint8_t *answer)
{
    unsigned done = 0;
    for (; done < most && request->operation == MEMORY_READ; done++, request++, answer += MEMORY_LINE_BYTES) {
        uint32_t line = request->line < CARD_MEMORY_LINES ? request->line : CARD_MEMORY_LINES; /* that one is zero */
        memcpy(answer, memory + (size_t)line * MEMORY_LINE_BYTES, MEMORY_LINE_BYTES);
    }
    return done;
}

/* Those without an answer. */
static inline unsigned memory_change(uint8_t *memory, const struct memory_request *request, unsigned most,
                                     uint32_t time_ms)
{
    unsigned done = 0;
    for (; done < most && request->operation != MEMORY_READ; done++, request++) {
        if (request->line < CARD_MEMORY_LINES)
            memory_change_line(memory + (size_t)request->line * MEMORY_LINE_BYTES, request, time_ms);
    }
    return done;
}

/* Prefetches for the requests behind the first `skipped`. Lines beyond the memory are harmless: a prefetch never
 * faults. */
static inline void memory_prefetch(const struct memory_port *port, const struct hls_port *requests, uint32_t skipped)
{
    struct hls_port ahead = *requests;
    ahead.index += skipped;
    while (!hls_at_limit(&ahead)) {
        uint32_t run = hls_chunk_bound(UINT32_MAX, &ahead);
        const struct memory_request *request = hls_slot(&ahead, sizeof *request);
        for (uint32_t i = 0; i < run; i++)
            __builtin_prefetch(port->memory + (size_t)request[i].line * MEMORY_LINE_BYTES);
        ahead.index += run;
    }
}

/* Serves at most `budget` requests and returns how many; `*full` = one more had no room for its answer. */
static inline unsigned memory_port_visit(struct memory_port *port, unsigned budget, uint32_t time_ms, bool *full)
{
    struct hls_port requests = hls_read_begin(port->request), lines = hls_write_begin(port->line);
    uint32_t most = port->prefetched < budget ? port->prefetched : budget, done = 0;
    *full = false;
    while (done < most && !*full) {
        uint32_t run = hls_chunk_bound(most - done, &requests), room = hls_chunk_bound(run, &lines);
        const struct memory_request *request = hls_slot(&requests, sizeof *request);
        uint32_t read = memory_read(port->memory, request, room, hls_slot(&lines, MEMORY_LINE_BYTES));
        uint32_t served = read + memory_change(port->memory, request + read, run - read, time_ms);
        requests.index += served;
        lines.index += read;
        done += served;
        *full = served == 0;
    }
    memory_prefetch(port, &requests, port->prefetched - done);
    port->prefetched = requests.limit - requests.index;
    hls_read_end(port->request, &requests);
    hls_write_end(port->line, &lines);
    return done;
}

#endif
