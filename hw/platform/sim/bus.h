/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands at a module's AXI4 master port: host memory behind PCIe, or the card's own memory. 512 bits wide, INCR
 * bursts of whole 64-byte lines. Latency, bandwidth, order and errors are settings; the rules of the AWS F2 shell
 * (AWS_Shell_Interface_Specification: no burst across 4 KiB, one outstanding read per id, at most 32 of them) and those
 * of AXI (what is valid stays until it is taken) are checked in every cycle.
 *
 * The ports are PREFIX_araddr, arlen, arid, arvalid, arready; rdata, rid, rresp, rlast, rvalid, rready; awaddr, awlen,
 * awid, awvalid, awready; wdata, wstrb, wlast, wvalid, wready; bid, bresp, bvalid, bready. A module may have only one
 * half of them. One thread.
 */
#ifndef CIPU_RTL_BUS_H
#define CIPU_RTL_BUS_H

#include "hw/platform/sim/model.h"

#define BUS_LINE_BYTES 64u
#define BUS_READS_MAX  64u
#define BUS_WRITES_MAX 64u
#define BUS_LINES_MAX  64u /* of a burst: 4 KiB */

struct bus_settings {
    uint32_t read_latency;  /* cycles from the request to its first data, at least 1 */
    uint32_t write_latency; /* cycles from the last data to the response, at least 1; then memory changes */
    uint32_t spread;        /* up to so many cycles more, at random for each transfer */
    uint32_t rate;          /* bytes per cycle in each direction; 64 = every cycle */
    uint32_t stalls;        /* of 256 cycles in which a request or data is not taken */
    bool reorder;           /* transfers with different ids overtake each other, lines of reads interleave */
    bool one_read_per_id;
    uint32_t reads_max; /* outstanding; at most BUS_READS_MAX */
    uint64_t seed;
};

/* False = the address has no memory, or refuses: an error response. `enable` has a bit for each byte. */
struct bus_memory {
    bool (*read)(void *context, uint64_t address, uint8_t *line);
    bool (*write)(void *context, uint64_t address, const uint8_t *line, uint64_t enable);
    void *context;
};

/* PCIe's transaction layer packets, with the usual sizes: reads of up to 512 bytes, completions and writes of up to
 * 256. The bytes are those on the bus, so whole lines of reads and enabled bytes of writes. */
struct bus_counters {
    uint64_t reads, read_requests, completions, read_bytes;
    uint64_t writes, write_packets, write_bytes;
    uint64_t error_responses;
};

struct bus_read {
    uint64_t address, due;
    uint32_t id, lines, next;
};

struct bus_write {
    uint64_t address, due; /* due 0 = its data is not all here */
    uint32_t id, lines, next;
    uint8_t data[BUS_LINES_MAX][BUS_LINE_BYTES];
    uint64_t enable[BUS_LINES_MAX];
};

/* The last request or data of a channel that was valid and not taken: it must not change. */
struct bus_held {
    bool valid;
    uint8_t payload[80];
};

struct bus {
    struct bus_settings settings;
    struct bus_memory memory;
    struct bus_counters counters;
    /* Told what rule was broken; without it the program stops with a message. */
    void (*broken)(void *context, const char *text);
    void *broken_context;
    /* Told what the module sends: a request or data of `channel` (ar, aw, w) moves. NULL = nobody listens. */
    void (*moved)(void *context, const char *channel, const void *payload, size_t bytes);
    void *moved_context;
    const char *prefix;
    uint64_t cycle;
    uint64_t drawn[8]; /* at random, by use */

    struct rtl_pin araddr, arlen, arid, arvalid, arready, rdata, rid, rresp, rlast, rvalid, rready;
    struct rtl_pin awaddr, awlen, awid, awvalid, awready, wdata, wstrb, wlast, wvalid, wready, bid, bresp, bvalid,
        bready;
    struct bus_held ar_held, aw_held, w_held;

    bool reads, writes;                   /* which halves there are */
    struct bus_read asked[BUS_READS_MAX]; /* oldest first */
    uint32_t read_count, read_tokens;
    bool offering_read; /* a line stands at the port */
    uint32_t offered_read;

    struct bus_write *writes_pending;    /* BUS_WRITES_MAX places */
    uint8_t write_order[BUS_WRITES_MAX]; /* all places: the first write_count are taken, oldest first */
    uint32_t write_count, write_tokens;
    bool offering_response;
    uint32_t offered_response_id;
};

/* Returns 0 or -ENOMEM. `prefix` stays the caller's. */
int bus_open(struct bus *bus, const struct rtl *rtl, const char *prefix, const struct bus_settings *settings,
             const struct bus_memory *memory);
void bus_close(struct bus *bus);
void bus_reset(struct bus *bus); /* forgets what is on its way */

/* So many cycles pass in which the module was not evaluated and nothing was on its way. */
void bus_skip(struct bus *bus, uint64_t cycles);

/* In each cycle: bus_drive before the model settles, bus_sample after it. */
void bus_drive(struct bus *bus);
void bus_sample(struct bus *bus);

/* Nothing is on its way. */
static inline bool bus_idle(const struct bus *bus)
{
    return !bus->read_count && !bus->write_count && !bus->offering_response;
}

#endif
