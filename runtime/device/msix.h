/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function's MSI-X vectors: the table and pending bits as its BAR shows them (PCI Local Bus 3.0, 6.8.2), and the
 * eventfds that stand for the vectors. The client masks by itself: an eventfd that is there is a vector that is heard.
 *
 * Threads: any; the table is its owner's, who serialises accesses.
 */
#ifndef CIPU_MSIX_H
#define CIPU_MSIX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSIX_VECTORS_MAX 64u
#define MSIX_TABLE       0x000u
#define MSIX_PENDING     0x800u
#define MSIX_BAR_BYTES   0x1000u

struct signaller;

struct msix {
    unsigned vectors;
    uint8_t table[16 * MSIX_VECTORS_MAX];
    pthread_mutex_t lock; /* innermost; what follows */
    struct signaller *signaller;
    int fds[MSIX_VECTORS_MAX];
    bool pending[MSIX_VECTORS_MAX];
};

/* 0 or a negative errno; freed also after a failure. */
int msix_init(struct msix *msix, unsigned vectors);
void msix_free(struct msix *msix);

/* Of the BAR; offset + bytes <= MSIX_BAR_BYTES. */
void msix_read(struct msix *msix, uint64_t offset, void *data, size_t bytes);
void msix_write(struct msix *msix, uint64_t offset, const uint8_t *data, size_t bytes);
/* All vectors masked, as after a reset of the function. */
void msix_reset_table(struct msix *msix);

/* Interrupts raised while a vector had no eventfd are delivered with the one that comes. *old is the descriptor before,
 * which the caller closes when nobody uses it any more, or -1. */
int msix_connect(struct msix *msix, unsigned vector, int fd, int *old);
void msix_disconnect_all(struct msix *msix);
void msix_raise(struct msix *msix, unsigned vector);
/* The eventfd of a vector, valid until it is connected anew, or -1. */
int msix_fd(struct msix *msix, unsigned vector);

#endif
