/* SPDX-License-Identifier: Apache-2.0 */
/* Work of the host on the card's thread, between its rounds. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "driver/native.h"

unsigned native_attendant_run(struct native_card *card)
{
    const struct cipu_attendant *attendant = atomic_load_explicit(&card->attendant, memory_order_acquire);
    return attendant ? attendant->run(attendant->context) : 0;
}

/* The thread holds no pointer to the attendant once it was taken away. */
static int leave(struct native_card *card)
{
    struct cipu_attendant *old = atomic_exchange(&card->attendant, NULL);
    if (!old)
        return -ENOENT;
    if (old->fd >= 0)
        epoll_ctl(card->epoll, EPOLL_CTL_DEL, old->fd, NULL);
    native_synchronize(card);
    free(old);
    return 0;
}

static int enter(struct native_card *card, const struct cipu_attendant *attendant)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (atomic_load(&card->attendant))
        return -EBUSY;
    struct cipu_attendant *copy = malloc(sizeof *copy);
    if (!copy)
        return -ENOMEM;
    *copy = *attendant;
    if (copy->fd >= 0 && epoll_ctl(card->epoll, EPOLL_CTL_ADD, copy->fd, &event) < 0) {
        int code = -errno;
        free(copy);
        return code;
    }
    atomic_store(&card->attendant, copy);
    native_wake(card);
    return 0;
}

int native_attend(struct cipu_card *base, const struct cipu_attendant *attendant)
{
    struct native_card *card = (struct native_card *)base;
    pthread_mutex_lock(&card->lock);
    int result = attendant ? enter(card, attendant) : leave(card);
    pthread_mutex_unlock(&card->lock);
    return result;
}

void native_attend_free(struct native_card *card)
{
    free(atomic_load(&card->attendant));
}
