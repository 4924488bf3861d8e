/* SPDX-License-Identifier: Apache-2.0 */
/* The whole card: the frames of a run are what its Ethernet ports receive and send. */
#include <stdlib.h>

#include "driver/host.h"
#include "driver/rtl/rtl.h"
#include "driver/rtl/state.h"
#include "tools/bench/rtl_net.h"

struct whole {
    struct native_card *card;
    struct cipu_host *host;
    const struct port_ops *none; /* of the ports as they were opened */
    uint8_t sent[PACKET_BYTES_MAX];
};

static bool receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct net_place *place = port->state;
    struct whole *whole = place->state;
    if (port != &whole->card->ports[0] || !place->run)
        return false;
    *frame = net_run_next(place->run, place->cycle, length);
    return *frame != NULL;
}

static void release(struct port *port)
{
    (void)port;
}

static uint8_t *reserve(struct port *port)
{
    struct net_place *place = port->state;
    struct whole *whole = place->state;
    if (port != &whole->card->ports[1])
        rtl_net_fail("card: a packet leaves by port 0");
    return whole->sent;
}

static void commit(struct port *port, uint32_t length)
{
    struct net_place *place = port->state;
    net_run_take(place->run, place->cycle, length);
}

static void flush(struct port *port)
{
    (void)port;
}

static const struct port_ops load = {
    .scheme = "load", .receive = receive, .release = release, .reserve = reserve, .commit = commit, .flush = flush};

static void step(struct net_place *place)
{
    struct whole *whole = place->state;
    rtl_card_step(&whole->card->base);
    place->cycle++;
}

void rtl_whole_open(struct net_place *place)
{
    struct cipu_card *card;
    struct cipu_error error;
    struct command_entry commands[NET_COMMANDS_MAX];
    struct whole *whole = calloc(1, sizeof *whole);
    if (!whole)
        rtl_net_fail("no memory");
    if (cipu_card_open("rtl:", &card, &error) != 0 || cipu_host_open(card, &whole->host, &error) != 0)
        rtl_net_fail("%s", error.text);
    if (cipu_host_command(whole->host, commands, net_load_commands(commands)) != 0)
        rtl_net_fail("the card refused a command");
    *place = (struct net_place){.name = "card", .step = step, .state = whole};
    whole->card = (struct native_card *)card;
    whole->none = whole->card->ports[0].ops;
    rtl_card_halt(card);
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        whole->card->ports[i].ops = &load;
        whole->card->ports[i].state = place;
    }
}

void rtl_whole_close(struct net_place *place)
{
    struct whole *whole = place->state;
    for (unsigned i = 0; i < CARD_PORTS; i++) {
        whole->card->ports[i].ops = whole->none;
        whole->card->ports[i].state = NULL;
    }
    rtl_card_run(&whole->card->base);
    cipu_host_close(whole->host);
    cipu_card_close(&whole->card->base);
    free(whole);
}

void rtl_whole_wake(struct net_place *place)
{
    struct whole *whole = place->state;
    struct rtl_state *state = whole->card->engine_state;
    for (size_t i = 0; i < state->unit_count; i++)
        rtl_wake_unit(state, i);
}
