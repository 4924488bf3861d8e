/* SPDX-License-Identifier: Apache-2.0 */
/* How the host's bus behaves: read_latency=, write_latency=, spread=, rate=, seed=, and moderation= of the card's
 * interrupts, in the card's URI. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver/rtl/state.h"

/* PCIe as a host's root complex answers, at 250 MHz: 0.9 to 1 us for a read. */
const struct bus_settings rtl_host_settings = {.read_latency = 220,
                                               .write_latency = 60,
                                               .spread = 30,
                                               .rate = BUS_LINE_BYTES,
                                               .reorder = true,
                                               .one_read_per_id = true,
                                               .reads_max = 32,
                                               .seed = 1};

const char rtl_options[] = ", read_latency, write_latency, spread, rate, seed, moderation";

int rtl_option(struct rtl_state *state, const char *key, const char *value, struct cipu_error *error)
{
    struct bus_settings *bus = &state->host_settings;
    const struct {
        const char *key;
        uint32_t *field;
        uint32_t least, most;
    } options[] = {
        {"read_latency", &bus->read_latency, 1, 1000000},
        {"write_latency", &bus->write_latency, 1, 1000000},
        {"spread", &bus->spread, 0, 1000000},
        {"rate", &bus->rate, 1, BUS_LINE_BYTES},
        {"moderation", &state->message_window, 0, 65535},
    };
    char *end;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    bool good = !errno && value[0] >= '0' && value[0] <= '9' && !*end;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(key, options[i].key) != 0)
            continue;
        if (!good || number < options[i].least || number > options[i].most)
            return cipu_fail(error, -EINVAL, "card URI: %s=%s, expected a number from %" PRIu32 " to %" PRIu32, key,
                             value, options[i].least, options[i].most);
        *options[i].field = (uint32_t)number;
        return 0;
    }
    if (strcmp(key, "seed") != 0)
        return -ENOENT;
    if (!good)
        return cipu_fail(error, -EINVAL, "card URI: seed=%s, expected a number", value);
    bus->seed = number;
    return 0;
}
