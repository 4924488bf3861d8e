/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts: a vector is an eventfd, or, while it has none, a latch. The eventfds are shared with whoever gave them,
 * so they are signalled in the way that cannot block (driver/signaller.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/native.h"
#include "driver/signaller.h"

struct interrupt_block {
    struct native_card *card;
    struct hls_fifo *request;
};

/* Either side may come first: whoever finds both a descriptor and the latch delivers. */
static void deliver_latched(struct native_vector *vector, struct signaller *signaller)
{
    int fd = atomic_load(&vector->fd);
    if (fd >= 0 && atomic_exchange(&vector->latched, false))
        signaller_add(signaller, fd);
}

static void raise_vector(struct native_vector *vector, struct signaller *signaller)
{
    int fd = atomic_load(&vector->fd);
    if (fd >= 0) {
        signaller_add(signaller, fd);
    } else {
        atomic_store(&vector->latched, true);
        deliver_latched(vector, signaller);
    }
}

static bool is_eventfd(int fd)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = 0;
    return strcmp(target, "anon_inode:[eventfd]") == 0;
}

int native_interrupt(struct cipu_card *base, uint32_t vector, int fd)
{
    struct native_card *card = (struct native_card *)base;
    int copy = -1;
    if (vector >= CARD_VECTORS)
        return -EINVAL;
    if (fd >= 0) {
        if (!is_eventfd(fd))
            return -EINVAL;
        if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
            return -errno;
    }
    pthread_mutex_lock(&card->lock);
    int old = atomic_exchange(&card->vectors[vector].fd, copy);
    deliver_latched(&card->vectors[vector], card->latch_signaller);
    signaller_flush(card->latch_signaller);
    if (old >= 0) {
        native_synchronize(card);
        close(old);
    }
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int native_interrupt_init(struct native_card *card, struct cipu_error *error)
{
    for (uint32_t i = 0; i < CARD_VECTORS; i++)
        atomic_store(&card->vectors[i].fd, -1);
    int result = signaller_open(&card->signaller);
    if (!result)
        result = signaller_open(&card->latch_signaller);
    if (result)
        return cipu_fail(error, result, "native card: asynchronous I/O, which signals interrupts (fs.aio-max-nr): %s",
                         strerror(-result));
    return 0;
}

void native_interrupt_free(struct native_card *card)
{
    for (uint32_t i = 0; i < CARD_VECTORS; i++)
        if (card->vectors[i].fd >= 0)
            close(card->vectors[i].fd);
    signaller_close(card->signaller);
    signaller_close(card->latch_signaller);
}

void native_interrupt_reset(struct native_card *card)
{
    for (uint32_t i = 0; i < CARD_VECTORS; i++)
        atomic_store(&card->vectors[i].latched, false);
}

void native_interrupt_raise(struct native_card *card, uint32_t vector)
{
    if (vector < CARD_VECTORS)
        raise_vector(&card->vectors[vector], card->signaller);
    signaller_flush(card->signaller);
}

static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct interrupt_block *block = context;
    struct hls_port requests = hls_read_begin(block->request);
    uint32_t before = UINT32_MAX;
    unsigned done = 0;
    for (; done < budget && !hls_at_limit(&requests); done++) {
        const struct interrupt_request *request = hls_slot(&requests, HLS_SLOT_BYTES(struct interrupt_request));
        uint32_t vector = request->vector;
        requests.index++;
        if (vector < CARD_VECTORS && vector != before)
            raise_vector(&block->card->vectors[vector], block->card->signaller);
        before = vector;
    }
    signaller_flush(block->card->signaller);
    hls_read_end(block->request, &requests);
    native_account(activity, done, false);
    return done;
}

int native_interrupt_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct interrupt_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    block->card = card;
    block->request = native_shell_fifo(card, node, "request");
    card->blocks[node] = block;
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    return 0;
}
