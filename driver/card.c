/* SPDX-License-Identifier: Apache-2.0 */
/* The card interface: finds the kind of card by its URI and hands every call to it. */
#include "driver/card.h"

#include <errno.h>
#include <string.h>

#include "driver/card_ops.h"

static const struct card_ops *const kinds[] = {&card_ops_native, &card_ops_rtl};

int cipu_card_open(const char *uri, struct cipu_card **card, struct cipu_error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!kinds[i])
            continue;
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(uri, kinds[i]->scheme, length) == 0 && uri[length] == ':')
            return kinds[i]->open(uri + length + 1, card, error);
    }
    return cipu_fail(error, -EINVAL, "card URI '%s': expected native:[name][?port0=SPEC&port1=SPEC&...]%s", uri,
                     &card_ops_rtl ? " or rtl: with the same" : "");
}

void cipu_card_close(struct cipu_card *card)
{
    if (card)
        card->ops->close(card);
}

uint32_t cipu_card_read(struct cipu_card *card, uint32_t offset)
{
    return card->ops->read(card, offset);
}

void cipu_card_write(struct cipu_card *card, uint32_t offset, uint32_t value)
{
    card->ops->write(card, offset, value);
}

int cipu_card_doorbell(struct cipu_card *card, uint32_t page, uint32_t value)
{
    return card->ops->doorbell(card, page, value);
}

int cipu_card_doorbell_word(struct cipu_card *card, uint32_t page, uint32_t index, uint32_t value)
{
    return card->ops->doorbell_word(card, page, index, value);
}

int cipu_card_attend(struct cipu_card *card, const struct cipu_attendant *attendant)
{
    return card->ops->attend ? card->ops->attend(card, attendant) : -ENOTSUP;
}

uint64_t cipu_card_time(struct cipu_card *card)
{
    return card->ops->time(card);
}

int cipu_card_doorbell_share(struct cipu_card *card, uint32_t page, int *fd, off_t *offset)
{
    return card->ops->doorbell_share(card, page, fd, offset);
}

int cipu_card_dma_map(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                      struct cipu_error *error)
{
    return card->ops->dma_map(card, fd, offset, iova, length, protection, error);
}

int cipu_card_dma_unmap(struct cipu_card *card, uint64_t iova, uint64_t length)
{
    return card->ops->dma_unmap(card, iova, length);
}

int cipu_card_interrupt(struct cipu_card *card, uint32_t vector, int fd)
{
    return card->ops->interrupt(card, vector, fd);
}

int cipu_card_reset(struct cipu_card *card)
{
    return card->ops->reset(card);
}

size_t cipu_card_activity(struct cipu_card *card, struct cipu_kernel_activity *activity, size_t count)
{
    return card->ops->activity(card, activity, count);
}

int cipu_card_capture(struct cipu_card *card, int port, int fd, struct cipu_error *error)
{
    return card->ops->capture(card, port, fd, error);
}
