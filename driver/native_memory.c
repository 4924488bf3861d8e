/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port of the card's memory. Requests stay in their FIFO for one more visit: first those are answered whose lines
 * were prefetched in the visit before, then the new ones are prefetched. That hides a cache miss behind the rest of the
 * round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver/native.h"
#include "hls/include/flow.h"

#define LINE_BYTES 64u

struct memory_port {
    struct native_card *card;
    size_t node;
    struct hls_fifo *request, *line;
    uint32_t prefetched; /* requests at the FIFO's head */
};

static uint8_t *line_of(const struct native_card *card, uint32_t line)
{
    return (uint8_t *)card->memory + (size_t)line * LINE_BYTES;
}

static void count_packet(uint8_t *line, const struct memory_request *request, uint32_t time_ms)
{
    struct flow_entry entry;
    memcpy(&entry, line, sizeof entry);
    entry.packets++;
    entry.bytes += request->amount;
    entry.last_seen = time_ms ? time_ms : 1; /* 0 = no packet yet */
    memcpy(line, &entry, sizeof entry);
}

static void write_bytes(uint8_t *line, const struct memory_request *request)
{
    uint32_t first = request->first < LINE_BYTES ? request->first : LINE_BYTES;
    uint32_t bytes = request->bytes < LINE_BYTES - first ? request->bytes : LINE_BYTES - first;
    memcpy(line + first, request->data + first, bytes);
}

/* false = the answer has no room */
static bool serve(struct memory_port *port, const struct memory_request *request, struct hls_port *lines)
{
    bool valid = request->line < CARD_MEMORY_LINES;
    if (request->operation == MEMORY_READ) {
        if (hls_at_limit(lines))
            return false;
        uint8_t *answer = hls_slot(lines, HLS_SLOT_BYTES(struct memory_line));
        if (valid)
            memcpy(answer, line_of(port->card, request->line), LINE_BYTES);
        else
            memset(answer, 0, LINE_BYTES);
        lines->index++;
    } else if (valid && request->operation == MEMORY_WRITE) {
        write_bytes(line_of(port->card, request->line), request);
    } else if (valid && request->operation == MEMORY_COUNT) {
        count_packet(line_of(port->card, request->line), request, port->card->time_ms);
    }
    return true;
}

static unsigned prefetch_rest(struct memory_port *port, const struct hls_port *requests)
{
    uint32_t waiting = requests->limit - requests->index, from = port->prefetched;
    struct hls_port ahead = *requests;
    for (ahead.index += from; !hls_at_limit(&ahead); ahead.index++) {
        const struct memory_request *request = hls_slot(&ahead, HLS_SLOT_BYTES(struct memory_request));
        if (request->line < CARD_MEMORY_LINES)
            __builtin_prefetch(line_of(port->card, request->line));
    }
    port->prefetched = waiting;
    return waiting - from;
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct memory_port *port = context;
    struct hls_port requests = hls_read_begin(port->request), lines = hls_write_begin(port->line);
    unsigned done = 0;
    bool full = false;
    while (done < budget && port->prefetched) {
        if (!serve(port, hls_slot(&requests, HLS_SLOT_BYTES(struct memory_request)), &lines)) {
            full = true;
            break;
        }
        requests.index++;
        port->prefetched--;
        done++;
    }
    unsigned fresh = prefetch_rest(port, &requests);
    hls_read_end(port->request, &requests);
    hls_write_end(port->line, &lines);
    native_account(activity, done, full);
    if (port->prefetched && !full)
        native_make_ready(port->card, port->node);
    return done + fresh < budget ? done + fresh : budget;
}

static void reset(void *block)
{
    struct memory_port *port = block;
    port->prefetched = 0;
    madvise(port->card->memory, (size_t)CARD_MEMORY_LINES * LINE_BYTES, MADV_DONTNEED);
}

int native_memory_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct memory_port *port = calloc(1, sizeof *port);
    if (!port)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    card->blocks[node] = port;
    card->resets[node] = reset;
    if (!card->memory) {
        void *memory = mmap(NULL, (size_t)CARD_MEMORY_LINES * LINE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return cipu_fail(error, -errno, "native card: no memory for its tables: %s", strerror(errno));
        /* Lookups go to lines at random: with small pages each would miss the TLB, too. Only advice. */
        madvise(memory, (size_t)CARD_MEMORY_LINES * LINE_BYTES, MADV_HUGEPAGE);
        card->memory = memory;
    }
    port->card = card;
    port->node = node;
    port->request = native_shell_fifo(card, node, "request");
    port->line = native_shell_fifo(card, node, "line");
    card->tasks[node].run = run;
    card->tasks[node].context = port;
    return 0;
}
