/* SPDX-License-Identifier: Apache-2.0 */
/* The chain that cipu-graph writes as one module, so that what the rtl card's engine costs can be seen. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hls/include/dma.h"
#include "hw/platform/sim/bus.h"
#include "hw/platform/sim/stream.h"
#include "tools/bench/chain_beat.h"
#include "tools/bench/rtl_net.h"

#define PORTS 4u
#define BYTES ((size_t)CARD_MEMORY_LINES * BUS_LINE_BYTES)

extern const struct rtl_model rtl_model_chain, rtl_model_card_memory;

/* As the rtl card's own. */
static const struct bus_settings settings = {.read_latency = 40,
                                             .write_latency = 20,
                                             .spread = 20,
                                             .rate = BUS_LINE_BYTES,
                                             .reorder = true,
                                             .reads_max = 64,
                                             .seed = 2};

/* Outputs of one model that are inputs of the other one. */
struct wire {
    struct rtl_pin from, to;
};

struct one {
    struct rtl graph, memory;
    struct wire requests[2], lines[2], request_ready, line_ready;
    struct bus bus;
    uint8_t *bytes;
    struct rtl_stream in, out, tails;
    struct chain_source source;
    struct chain_sink sink;
    struct beat offered;
    bool offers;
};

static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    memcpy(line, (uint8_t *)context + address, BUS_LINE_BYTES);
    return true;
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    (void)enable; /* whole lines */
    memcpy((uint8_t *)context + address, line, BUS_LINE_BYTES);
    return true;
}

static struct wire wire(const struct rtl *from, const char *name, const struct rtl *to, const char *other)
{
    struct rtl_pin pin = rtl_pin(from, name, 0);
    return (struct wire){pin, rtl_pin(to, other, pin.bits)};
}

static void carry(const struct wire *wire)
{
    memcpy(wire->to.value, wire->from.value, (wire->from.bits + 7) / 8);
}

/* What a FIFO holds out depends on no input of the cycle, so one look at each model is enough. */
static void settle(struct one *one)
{
    for (unsigned i = 0; i < 2; i++) {
        carry(&one->requests[i]);
        carry(&one->lines[i]);
    }
    carry(&one->line_ready);
    bus_drive(&one->bus);
    rtl_settle(&one->memory);
    bus_sample(&one->bus);
    carry(&one->request_ready);
    rtl_settle(&one->graph);
}

static void step(struct net_place *place)
{
    struct one *one = place->state;
    struct rtl_stream *from = one->sink.in_tail ? &one->tails : &one->out;
    if (!one->offers)
        one->offers = chain_source_beat(&one->source, place, &one->offered);
    rtl_offer(&one->in, one->offers ? &one->offered : NULL);
    rtl_accept(&one->out, from == &one->out);
    rtl_accept(&one->tails, from == &one->tails);
    settle(one);
    one->offers &= !rtl_moves(&one->in);
    if (rtl_moves(from)) {
        struct beat beat;
        memcpy(&beat, from->data, sizeof beat);
        chain_sink_beat(&one->sink, place, &beat);
    }
    rtl_tick(&one->memory);
    rtl_tick(&one->graph);
    place->cycle++;
}

static void join(struct one *one)
{
    one->requests[0] = wire(&one->graph, "memory_request_valid", &one->memory, "request_valid");
    one->requests[1] = wire(&one->graph, "memory_request_data", &one->memory, "request_data");
    one->lines[0] = wire(&one->memory, "line_valid", &one->graph, "memory_line_valid");
    one->lines[1] = wire(&one->memory, "line_data", &one->graph, "memory_line_data");
    one->request_ready = wire(&one->memory, "request_ready", &one->graph, "memory_request_ready");
    one->line_ready = wire(&one->graph, "memory_line_ready", &one->memory, "line_ready");
    one->in = rtl_stream(&one->graph, "open_source_packets", 0, sizeof(struct beat));
    one->out = rtl_stream(&one->graph, "open_sink_packets", 0, sizeof(struct beat));
    one->tails = rtl_stream(&one->graph, "open_sink_tails", 0, sizeof(struct beat));
}

void rtl_one_open(struct net_place *place)
{
    struct one *one = calloc(1, sizeof *one);
    if (!one || rtl_open(&one->graph, &rtl_model_chain) != 0 || rtl_open(&one->memory, &rtl_model_card_memory) != 0)
        rtl_net_fail("no memory");
    one->bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    const struct bus_memory behind = {read_line, write_line, one->bytes};
    if (one->bytes == MAP_FAILED || bus_open(&one->bus, &one->memory, "bus", &settings, &behind) != 0)
        rtl_net_fail("no memory");
    join(one);
    *place = (struct net_place){.name = "one model", .step = step, .state = one};
    chain_source_fill(&one->source);
    while (one->sink.commands != one->source.commands)
        step(place);
}

void rtl_one_close(struct net_place *place)
{
    struct one *one = place->state;
    bus_close(&one->bus);
    munmap(one->bytes, BYTES);
    rtl_close(&one->memory);
    rtl_close(&one->graph);
    free(one);
}
