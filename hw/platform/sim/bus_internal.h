/* SPDX-License-Identifier: Apache-2.0 */
/* Between bus.c and its two directions. */
#ifndef CIPU_RTL_BUS_INTERNAL_H
#define CIPU_RTL_BUS_INTERNAL_H

#include <assert.h>

#include "hw/platform/sim/bus.h"

#define BUS_OKAY         0u
#define BUS_DECODE_ERROR 3u

/* What is drawn for a transfer depends on the seed and on how many were drawn before, so not on cycles in which nothing
 * happens; stalls depend on the cycle. Modules that share a bus, or have it for themselves, meet the same. */
enum bus_use {
    BUS_READ_STALLS,
    BUS_READ_SPREAD,
    BUS_READ_ORDER,
    BUS_WRITE_STALLS,
    BUS_DATA_STALLS,
    BUS_WRITE_SPREAD,
    BUS_WRITE_ORDER,
    BUS_USES
};
static_assert(BUS_USES <= sizeof((struct bus *)0)->drawn / sizeof((struct bus *)0)->drawn[0], "one for each");
uint32_t bus_random(struct bus *bus, enum bus_use use, uint32_t below);
void bus_broken(struct bus *bus, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The rules that reads and writes share. */
void bus_check_burst(struct bus *bus, const char *kind, uint64_t address, uint32_t lines);
/* After the model settled: `pins` are the payload; taken = it moves in this cycle. */
void bus_check_held(struct bus *bus, const char *channel, struct bus_held *held, bool valid, bool taken,
                    const struct rtl_pin *const *pins, unsigned count);

static inline bool bus_bit(const struct rtl_pin *pin)
{
    return *(const uint8_t *)pin->value & 1;
}

static inline void bus_set_bit(const struct rtl_pin *pin, bool value)
{
    *(uint8_t *)pin->value = value;
}

static inline uint64_t bus_value(const struct rtl_pin *pin)
{
    return rtl_get(pin, 0, pin->bits);
}

/* Bytes that may move: true = a line may, and is paid for. */
static inline bool bus_pay(uint32_t *tokens)
{
    bool enough = *tokens >= BUS_LINE_BYTES;
    *tokens -= enough ? BUS_LINE_BYTES : 0;
    return enough;
}

void bus_drive_read(struct bus *bus);
void bus_sample_read(struct bus *bus);
void bus_drive_write(struct bus *bus);
void bus_sample_write(struct bus *bus);

#endif
