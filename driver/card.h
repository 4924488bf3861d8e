/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card interface. Nothing above it can tell a native card from a simulated or a real one.
 *
 * URIs: native:[name][?port0=SPEC&port1=SPEC&poll=adaptive|always&cpu=N]
 *   rtl: with the same, where it is linked in, and of the host's bus, in cycles of the card:
 *     read_latency=N, write_latency=N, spread=N (up to so many more, at random), rate=BYTES (per cycle and direction),
 *     seed=N; moderation=N (interrupts of a vector: two in so many cycles at most; 0 = no moderation)
 *   port specs: tap:IFNAME, packet:IFNAME[,receive=xdp], unix:PATH (listens if nobody does, else connects: a cable),
 *   pcap:READ[,WRITE], none
 *
 * All functions return 0 or a negative errno unless said otherwise; `error` (may be NULL) receives one readable line.
 * Threads: every function may be called from any thread, except open and close, which bound a card's life.
 */
#ifndef CIPU_CARD_H
#define CIPU_CARD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cipu_card;

#define CIPU_ERROR_BYTES 256
struct cipu_error {
    char text[CIPU_ERROR_BYTES]; /* what, where, expected; without a newline */
};

/* Writes a formatted message into error (if not NULL) and returns `code`, so that callers can `return cipu_fail(...)`.
 */
int cipu_fail(struct cipu_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tells the program's log what fails nothing but should be known: one readable line, from any thread. Without a handler
 * (NULL, as at first) nobody hears of it. */
typedef void (*cipu_warning_handler)(const char *text);
void cipu_on_warning(cipu_warning_handler handler);
void cipu_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

int cipu_card_open(const char *uri, struct cipu_card **card, struct cipu_error *error);

/* Stops the card and frees it. Eventfds and memory given to it stay the caller's. */
void cipu_card_close(struct cipu_card *card);

/* Registers (hls/include/registers.h). Reads beyond the register file give 0xffffffff. */
uint32_t cipu_card_read(struct cipu_card *card, uint32_t offset);
void cipu_card_write(struct cipu_card *card, uint32_t offset, uint32_t value);

/* Writes a doorbell page (hls/include/dma.h) and wakes the card. -EINVAL for a page that does not exist. */
int cipu_card_doorbell(struct cipu_card *card, uint32_t page, uint32_t value);

/* Makes a doorbell page pollable, so that it can be mapped into a guest: *fd (the card's, do not close) and *offset
 * name 4096 bytes. A card with poll=adaptive looks at shared pages at least every millisecond; poll=always at once. */
int cipu_card_doorbell_share(struct cipu_card *card, uint32_t page, int *fd, off_t *offset);

enum cipu_dma_protection { CIPU_DMA_READ = 1, CIPU_DMA_WRITE = 2 };

/* Maps `length` bytes of `fd` at `offset` to bus addresses from `iova`. All are multiples of 4096. The descriptor may
 * be closed afterwards. Thousands of mappings are expected. -EEXIST if it overlaps another mapping. */
int cipu_card_dma_map(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                      struct cipu_error *error);

/* Unmaps exactly one earlier mapping. When it returns the card holds no pointer into it and will not touch it. -ENOENT.
 */
int cipu_card_dma_unmap(struct cipu_card *card, uint64_t iova, uint64_t length);

/* Connects a vector (hls/include/dma.h) to an eventfd, which the card duplicates; fd = -1 disconnects. Interrupts
 * raised while none is connected are latched: one is delivered on connection. */
int cipu_card_interrupt(struct cipu_card *card, uint32_t vector, int fd);

/* Lets an emulated card's own thread do work of the host between its rounds, so that both need one core: `run` is
 * called again and again, returns how much it did, and must not block; `fd` (-1 = none) becomes readable when there is
 * something to do while the card sleeps. -ENOTSUP: this card has no such thread, the caller needs its own. NULL ends
 * it: when the call returns, `run` is not called any more. One at a time: -EBUSY. */
struct cipu_attendant {
    unsigned (*run)(void *context);
    void *context;
    int fd;
};
int cipu_card_attend(struct cipu_card *card, const struct cipu_attendant *attendant);

/* Card time: nanoseconds, free running, as the card stamps doorbells with its low half. */
uint64_t cipu_card_time(struct cipu_card *card);

/* Writes one word of an NVMe controller's doorbell page. */
int cipu_card_doorbell_word(struct cipu_card *card, uint32_t page, uint32_t index, uint32_t value);

/* Stops all queues and rings, clears tables, statistics and latched interrupts; mappings and eventfds stay. */
int cipu_card_reset(struct cipu_card *card);

/* How often the card's thread went to sleep and what each kernel did, for metrics; returns the number of kernels, fills
 * at most `count`. Names belong to the card. */
struct cipu_kernel_activity {
    const char *name;
    uint64_t activations;
    uint64_t stalls; /* visits that found input but no room for output */
};
size_t cipu_card_activity(struct cipu_card *card, struct cipu_kernel_activity *activity, size_t count);

/* What passed a stream between the card's shell and its kernels since the card was reset (struct streams_block in
 * hls/include/registers.h). -EINVAL for a number that no stream has: they are counted from 0 on. */
struct cipu_stream {
    char name[24];
    uint64_t packets, bytes;
    uint64_t stalls; /* cycles in which a beat waited for its reader; 0 on a native card */
    int stuck;       /* a beat waits and waits; never on a native card */
};
int cipu_card_stream(struct cipu_card *card, unsigned number, struct cipu_stream *stream);

/* Copies every packet that enters or leaves a port into `fd` as pcapng or pcap until called with fd = -1. `port` -1 =
 * all. */
int cipu_card_capture(struct cipu_card *card, int port, int fd, struct cipu_error *error);

#endif
