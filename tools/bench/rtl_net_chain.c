/* SPDX-License-Identifier: Apache-2.0 */
/* The chain on the rtl card's engine: its open ends are fed and emptied once a cycle. */
#include <stdlib.h>
#include <string.h>

#include "driver/rtl/rtl.h"
#include "tools/bench/chain_beat.h"
#include "tools/bench/rtl_net.h"

extern const struct native_graph native_graph_chain;

struct chain {
    struct native_card *card;
    struct chain_source source;
    struct chain_sink sink;
    struct hls_fifo *in, *out, *tails;
    size_t source_node, sink_node;
};

static unsigned run_source(void *context, struct native_activity *activity, unsigned budget)
{
    struct net_place *place = context;
    struct chain *chain = place->state;
    struct hls_port port = hls_write_begin(chain->in);
    (void)activity, (void)budget;
    if (hls_at_limit(&port) || !chain_source_beat(&chain->source, place, hls_slot(&port, HLS_SLOT_BYTES(struct beat))))
        return 0;
    port.index++;
    hls_write_end(chain->in, &port);
    return 1;
}

static unsigned run_sink(void *context, struct native_activity *activity, unsigned budget)
{
    struct net_place *place = context;
    struct chain *chain = place->state;
    struct hls_fifo *from = chain->sink.in_tail ? chain->tails : chain->out;
    struct hls_port port = hls_read_begin(from);
    (void)activity, (void)budget;
    if (hls_at_limit(&port))
        return 0;
    chain_sink_beat(&chain->sink, place, hls_slot(&port, HLS_SLOT_BYTES(struct beat)));
    port.index++;
    hls_read_end(from, &port);
    return 1;
}

static size_t end_of(struct net_place *place, const char *name,
                     unsigned (*run)(void *context, struct native_activity *activity, unsigned budget))
{
    struct chain *chain = place->state;
    size_t node = 0;
    while (strcmp(chain->card->graph->nodes[node].name, name) != 0)
        node++;
    chain->card->tasks[node].run = run;
    chain->card->tasks[node].context = place;
    return node;
}

static void step(struct net_place *place)
{
    struct chain *chain = place->state;
    native_make_ready(chain->card, chain->source_node);
    native_make_ready(chain->card, chain->sink_node);
    rtl_card_step(&chain->card->base);
    place->cycle++;
}

void rtl_chain_open(struct net_place *place)
{
    struct cipu_card *card;
    struct cipu_error error;
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain || rtl_card_open(&native_graph_chain, "", &card, &error) != 0)
        rtl_net_fail("%s", chain ? error.text : "no memory");
    rtl_card_halt(card);
    *place = (struct net_place){.name = "chain", .step = step, .state = chain};
    chain->card = (struct native_card *)card;
    chain->source_node = end_of(place, "open_source", run_source);
    chain->sink_node = end_of(place, "open_sink", run_sink);
    chain->in = native_shell_fifo(chain->card, chain->source_node, "packets");
    chain->out = native_shell_fifo(chain->card, chain->sink_node, "packets");
    chain->tails = native_shell_fifo(chain->card, chain->sink_node, "tails");
    chain_source_fill(&chain->source);
    while (chain->sink.commands != chain->source.commands)
        step(place);
}

void rtl_chain_close(struct net_place *place)
{
    struct chain *chain = place->state;
    rtl_card_run(&chain->card->base);
    cipu_card_close(&chain->card->base);
    free(chain);
}
