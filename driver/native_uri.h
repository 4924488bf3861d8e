/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind "native:" in a card's URI. */
#ifndef CIPU_NATIVE_URI_H
#define CIPU_NATIVE_URI_H

#include <stdbool.h>

#include "driver/native.h"

struct native_uri {
    char port[CARD_PORTS][256];
    bool poll_always;
    int cpu; /* -1 = any */
};

/* What the card's engine has beyond it goes to the engine. */
int native_uri_parse(struct native_card *card, const char *rest, struct native_uri *uri, struct cipu_error *error);

#endif
