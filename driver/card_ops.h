/* SPDX-License-Identifier: Apache-2.0 */
/* One table for each way to reach a card. card.c hands every call of card.h to it; the contracts are there. */
#ifndef CIPU_CARD_OPS_H
#define CIPU_CARD_OPS_H

#include "driver/card.h"

struct card_ops {
    const char *scheme;                                                               /* before the colon of the URI */
    int (*open)(const char *rest, struct cipu_card **card, struct cipu_error *error); /* rest: after the colon */
    void (*close)(struct cipu_card *card);
    uint32_t (*read)(struct cipu_card *card, uint32_t offset);
    void (*write)(struct cipu_card *card, uint32_t offset, uint32_t value);
    int (*doorbell)(struct cipu_card *card, uint32_t page, uint32_t value);
    int (*doorbell_word)(struct cipu_card *card, uint32_t page, uint32_t index, uint32_t value);
    int (*doorbell_share)(struct cipu_card *card, uint32_t page, int *fd, off_t *offset);
    int (*dma_map)(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                   struct cipu_error *error);
    int (*dma_unmap)(struct cipu_card *card, uint64_t iova, uint64_t length);
    int (*interrupt)(struct cipu_card *card, uint32_t vector, int fd);
    int (*attend)(struct cipu_card *card, const struct cipu_attendant *attendant); /* NULL = -ENOTSUP */
    uint64_t (*time)(struct cipu_card *card);
    int (*reset)(struct cipu_card *card);
    size_t (*activity)(struct cipu_card *card, struct cipu_kernel_activity *activity, size_t count);
    int (*capture)(struct cipu_card *card, int port, int fd, struct cipu_error *error);
};

/* The first member of every card. */
struct cipu_card {
    const struct card_ops *ops;
};

extern const struct card_ops card_ops_native;
/* In programs that are linked with driver/rtl. */
extern const struct card_ops card_ops_rtl __attribute__((weak));

#endif
