/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a packet. First byte: where it comes from; then the packet. It is parsed in memory of exactly its size,
 * and it goes through the network kernels, from outside and injected with each kind of action.
 */
#include <stdlib.h>
#include <string.h>

#include "hls/include/packet_key.h"
#include "tests/hls/net_card.h"

#define KINDS 6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct port_setting uplinks[CARD_PORTS] = {
    {.mode = PORT_UPLINK, .promiscuous = 1, .ipv4 = {192, 0, 2, 1}, .ipv6 = {0x20, 1, 0xd, 0xb8, [15] = 1}},
    {.mode = PORT_UPLINK, .mac = {2, 0, 0, 0, 9, 9}, .vxlan_port = 8472},
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void receive(void *context, const struct net_packet *packet)
{
    (void)packet;
    ++*(unsigned *)context;
}

static struct net_card *card(unsigned *received)
{
    static struct net_card *card;
    if (!card) {
        card = net_card_create(true, receive, received);
        require(card != NULL);
        for (unsigned i = 0; i < CARD_PORTS; i++)
            net_card_set(card, COMMAND_PORT_SET, i, 0, &uplinks[i], sizeof uplinks[i]);
        for (unsigned i = 0; i < KINDS; i++) {
            struct action action = {.kind = (uint8_t)i, .destination = ENDPOINT_PORT, .flags = 31, .mtu = 1500};
            net_card_set(card, COMMAND_ACTION_WRITE, i, 0, &action, sizeof action);
        }
    }
    return card;
}

static void check_headers(const struct headers *headers, size_t length)
{
    require(headers->verdict <= VERDICT_DROP && headers->verdict != VERDICT_ACTION);
    require((headers->inner == 0) == (headers->match.key.domain >> 24 != FLOW_DOMAIN_VNI >> 24));
    require(headers->inner <= INNER_BYTES_MAX && (size_t)headers->inner + headers->frame_length <= length);
    if (headers->match.key.kind != FLOW_NONE) {
        require(headers->network < headers->frame_length && headers->transport < headers->frame_length);
        require(headers->transport == 0 || headers->transport >= headers->network + 20);
    } else {
        require(headers->verdict != VERDICT_LOOKUP);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned received;
    if (size < 1 + PACKET_BYTES_MIN || size > 1 + PACKET_BYTES_MAX)
        return 0;
    unsigned input = data[0] % NET_INPUTS;
    size_t length = size - 1;
    uint8_t *packet = malloc(length); /* exactly: the sanitizer sees what reads beyond */
    memcpy(packet, data + 1, length);
    unsigned source = input < CARD_PORTS ? ENDPOINT_PORT : ENDPOINT_FUNCTION, id = input % CARD_PORTS;
    struct headers headers;
    packet_headers(packet, length, source, id, uplinks, &headers);
    check_headers(&headers, length);

    struct beat_meta meta = {.source = (uint8_t)source, .source_id = (uint16_t)id};
    unsigned before = received;
    net_card_send(card(&received), (enum net_input)input, packet, length, &meta, false);
    net_card_run(card(&received));
    require(received ==
            before + (headers.verdict != VERDICT_DROP)); /* there are no flows: what is not dropped is punted */
    for (unsigned i = 0; i < KINDS; i++) {
        meta.flags = BEAT_ACTION;
        meta.checksum_start = (uint16_t)i;
        net_card_send(card(&received), NET_HOST, packet, length, &meta, false);
    }
    net_card_run(card(&received));
    require(net_card_faults(card(&received)) == 0);
    free(packet);
    return 0;
}
