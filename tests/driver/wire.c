/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: card-wire PORT0 PORT1
 * A card that joins its two ports, for scripts: each line on its input prints both ports' registers, the end of input
 * ends it.
 */
#include <stdio.h>

#include "driver/native.h"
#include "hls/include/registers.h"

extern const struct native_graph native_graph_wire;

static void warn(const char *text)
{
    fprintf(stderr, "warning: %s\n", text);
}

int main(int argc, char **argv)
{
    char uri[600], line[64];
    struct cipu_card *card;
    struct cipu_error error;
    if (argc != 3) {
        fputs("usage: card-wire PORT0 PORT1\n", stderr);
        return 2;
    }
    cipu_on_warning(warn);
    snprintf(uri, sizeof uri, "?port0=%s&port1=%s", argv[1], argv[2]);
    if (native_card_open(&native_graph_wire, uri, &card, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    do {
        for (uint32_t port = 0; port < CARD_PORTS; port++) {
            uint32_t at = PORTS_BLOCK_OFFSET + (uint32_t)offsetof(struct ports_block, port) +
                          port * (uint32_t)sizeof(struct port_registers);
            for (uint32_t i = 0; i < 5; i++)
                printf("%u ", cipu_card_read(card, at + 4 * i));
        }
        puts("");
        fflush(stdout);
    } while (fgets(line, sizeof line, stdin));
    cipu_card_close(card);
    return 0;
}
