/* SPDX-License-Identifier: Apache-2.0 */
/* The host at a card's pins: register accesses as AXI4-Lite transactions, doorbell writes, MSI-X messages. */
#ifndef CIPU_RTL_HOST_H
#define CIPU_RTL_HOST_H

#include "driver/native.h"
#include "driver/rtl/device.h"
#include "hw/platform/sim/model.h"

enum rtl_access_kind { RTL_READ, RTL_WRITE, RTL_READ_ZERO /* again and again until it gives 0 */ };

/* A register access of one thread, which waits for it. */
struct rtl_access {
    enum rtl_access_kind kind;
    uint32_t offset, value;
    bool done; /* under the lock */
    struct rtl_access *next;
};

struct rtl_registers {
    struct native_card *card;
    const struct rtl_observer *observer;
    const _Atomic uint64_t *now; /* the card's cycle */
    struct rtl_pin awaddr, awvalid, awready, wdata, wstrb, wvalid, wready, bvalid, bready;
    struct rtl_pin araddr, arvalid, arready, rdata, rvalid, rready;

    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct rtl_access *first, *last; /* under the lock: those that wait for their turn */
    atomic_bool asked;

    /* The thread's own: the transaction on the bus. `access` NULL = nobody waits for it any more. */
    bool active, address_sent, data_sent, driven;
    enum rtl_access_kind kind;
    uint32_t offset, value;
    uint64_t since;
    struct rtl_access *access;
};

void rtl_registers_open(struct rtl_registers *registers, struct native_card *card, const struct rtl *rtl,
                        const _Atomic uint64_t *now);
void rtl_registers_close(struct rtl_registers *registers);
struct rtl_device rtl_registers_device(struct rtl_registers *registers);

/* Any thread: hands the access to the card's thread. */
void rtl_registers_post(struct rtl_registers *registers, struct rtl_access *access);
/* Waits for its answer, but for no more than some cycles of the card: then the value is all ones. */
void rtl_registers_wait(struct rtl_registers *registers, struct rtl_access *access);

struct rtl_doorbells {
    struct native_card *card;
    struct rtl_pin valid, ready, page, index, value;
    uint64_t rung; /* taken from the card's word `next`, to be written one by one */
    size_t next;   /* NATIVE_PAGE_WORDS = all were looked at */
    bool driven;
    struct doorbell write; /* what is driven; an NVMe controller's page may have more words */
};

/* The ports PREFIX_valid, ready, page, index, value. */
void rtl_doorbells_open(struct rtl_doorbells *doorbells, struct native_card *card, const struct rtl *rtl,
                        const char *prefix);
struct rtl_device rtl_doorbells_device(struct rtl_doorbells *doorbells);

struct rtl_messages {
    struct native_card *card;
    const struct rtl_observer *observer;
    struct rtl_pin valid, data;
};

/* `window`: moderation, in cycles. */
void rtl_messages_open(struct rtl_messages *messages, struct native_card *card, const struct rtl *rtl, uint32_t window);
struct rtl_device rtl_messages_device(struct rtl_messages *messages);

#endif
