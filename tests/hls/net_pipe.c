/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network kernels behind a pipe, for tests in other languages. A command per line, its answers as lines, then ".":
 *
 *   port PORT HEX          sets a port, HEX = struct port_setting
 *   action INDEX HEX       writes an action line
 *   parse SOURCE ID HEX    headers of the packet as the card's parser sees them
 *   inject INDEX SOURCE ID HEX   the host injects a packet with an action; its fate
 *   send INPUT SOURCE ID HEX     a packet enters (0, 1: ports, 2: functions)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/packet_key.h"
#include "tests/hls/net_card.h"

static struct port_setting ports[CARD_PORTS];

static void print_hex(const char *name, const uint8_t *bytes, size_t length)
{
    printf(" %s=", name);
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
}

static void receive(void *context, const struct net_packet *packet)
{
    (void)context;
    printf("output=%d reason=%u source=%u source_id=%u id=%u", (int)packet->output, packet->meta.checksum_start,
           packet->meta.source, packet->meta.source_id, packet->meta.destination_id);
    print_hex("bytes", packet->bytes, packet->length);
    putchar('\n');
}

static size_t read_hex(const char *text, uint8_t *bytes, size_t room)
{
    size_t length = 0;
    unsigned value;
    while (length < room && sscanf(text + 2 * length, "%2x", &value) == 1)
        bytes[length++] = (uint8_t)value;
    return length;
}

static void parse(const char *line)
{
    static uint8_t bytes[PACKET_BYTES_MAX];
    unsigned source, id;
    int at = 0;
    struct headers headers;
    sscanf(line, "parse %u %u %n", &source, &id, &at);
    packet_headers(bytes, read_hex(line + at, bytes, sizeof bytes), source, id, ports, &headers);
    const struct flow_key *key = &headers.match.key;
    printf("verdict=%u detail=%u inner=%u network=%u transport=%u tags=%u traffic_class=%u ttl=%u checksum=%u "
           "frame_length=%u outer_ecn=%u domain=%" PRIu32 " protocol=%u kind=%u fragment=%u",
           headers.verdict, headers.detail, headers.inner, headers.network, headers.transport, headers.tags,
           headers.traffic_class, headers.ttl, headers.checksum, headers.frame_length, headers.outer_ecn, key->domain,
           key->protocol, key->kind, key->fragment);
    print_hex("source", key->source, 16);
    print_hex("destination", key->destination, 16);
    print_hex("source_port", key->source_port, 2);
    print_hex("destination_port", key->destination_port, 2);
    putchar('\n');
}

static void set_port(struct net_card *card, const char *line)
{
    unsigned port;
    int at = 0;
    if (sscanf(line, "port %u %n", &port, &at) == 1 && port < CARD_PORTS) {
        read_hex(line + at, (uint8_t *)&ports[port], sizeof ports[port]);
        printf("status=%d\n", net_card_set(card, COMMAND_PORT_SET, port, 0, &ports[port], sizeof ports[port]));
    }
}

static void write_action(struct net_card *card, const char *line)
{
    struct action action = {0};
    unsigned index;
    int at = 0;
    if (sscanf(line, "action %u %n", &index, &at) == 1) {
        read_hex(line + at, (uint8_t *)&action, sizeof action);
        printf("status=%d\n", net_card_set(card, COMMAND_ACTION_WRITE, index, 0, &action, sizeof action));
    }
}

static void inject(struct net_card *card, const char *line)
{
    static uint8_t bytes[PACKET_BYTES_MAX];
    unsigned index, source, id;
    int at = 0;
    if (sscanf(line, "inject %u %u %u %n", &index, &source, &id, &at) == 3) {
        struct beat_meta meta = {.flags = BEAT_ACTION,
                                 .source = (uint8_t)source,
                                 .source_id = (uint16_t)id,
                                 .checksum_start = (uint16_t)index,
                                 .checksum_offset = (uint16_t)(index >> 16)};
        net_card_send(card, NET_HOST, bytes, read_hex(line + at, bytes, sizeof bytes), &meta, false);
        net_card_run(card);
    }
}

static void send_packet(struct net_card *card, const char *line)
{
    static uint8_t bytes[PACKET_BYTES_MAX];
    unsigned input, source, id;
    int at = 0;
    if (sscanf(line, "send %u %u %u %n", &input, &source, &id, &at) == 3 && input < NET_INPUTS) {
        struct beat_meta meta = {.source = (uint8_t)source, .source_id = (uint16_t)id};
        net_card_send(card, (enum net_input)input, bytes, read_hex(line + at, bytes, sizeof bytes), &meta, false);
        net_card_run(card);
    }
}

int main(void)
{
    struct net_card *card = net_card_create(false, receive, NULL);
    char *line = NULL;
    size_t room = 0;
    if (!card)
        return 1;
    while (getline(&line, &room, stdin) > 0) {
        if (strncmp(line, "parse ", 6) == 0)
            parse(line);
        else if (strncmp(line, "port ", 5) == 0)
            set_port(card, line);
        else if (strncmp(line, "action ", 7) == 0)
            write_action(card, line);
        else if (strncmp(line, "inject ", 7) == 0)
            inject(card, line);
        else
            send_packet(card, line);
        puts(".");
        fflush(stdout);
    }
    free(line);
    int faults = net_card_faults(card) != 0;
    net_card_destroy(card);
    return faults;
}
