/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbell pages that were rung, as writes on the card's bus, one a cycle; MSI-X messages to eventfds. */
#include "driver/rtl/host.h"

#include <stdio.h>

void rtl_doorbells_open(struct rtl_doorbells *doorbells, struct native_card *card, const struct rtl *rtl,
                        const char *prefix)
{
    struct rtl_pin *const pins[] = {&doorbells->valid, &doorbells->ready, &doorbells->page, &doorbells->index,
                                    &doorbells->value};
    static const char *const names[] = {"valid", "ready", "page", "index", "value"};
    for (unsigned i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "%.16s_%s", prefix, names[i]);
        *pins[i] = rtl_pin(rtl, name, i > 1 ? 32 : 1);
    }
    doorbells->card = card;
}

static bool doorbells_poll(void *context)
{
    struct rtl_doorbells *doorbells = context;
    return doorbells->driven || doorbells->next < NATIVE_PAGE_WORDS || atomic_load(&doorbells->card->doorbell_any);
}

/* The pages of a word are taken when the write of the first of them is due: rings of one page meet as late as may be.
 */
static bool next_page(struct rtl_doorbells *doorbells, uint32_t *page)
{
    struct native_card *card = doorbells->card;
    if (doorbells->next >= NATIVE_PAGE_WORDS && atomic_exchange(&card->doorbell_any, false))
        doorbells->next = 0;
    for (; doorbells->next < NATIVE_PAGE_WORDS; doorbells->next++) {
        if (!doorbells->rung)
            doorbells->rung = atomic_exchange(&card->doorbell_rung[doorbells->next], 0);
        if (!doorbells->rung)
            continue;
        *page = (uint32_t)(doorbells->next * 64) + (uint32_t)__builtin_ctzll(doorbells->rung);
        doorbells->rung &= doorbells->rung - 1;
        return true;
    }
    return false;
}

/* The next write; the words of an NVMe controller's page follow one another. */
static bool next_write(struct rtl_doorbells *doorbells)
{
    struct doorbell *write = &doorbells->write;
    for (;;) {
        if (write->page >= DOORBELL_NVME &&
            native_doorbell_next_word(doorbells->card, write->page, &write->index, &write->value))
            return true;
        *write = (struct doorbell){0};
        if (!next_page(doorbells, &write->page))
            return false;
        if (write->page < DOORBELL_NVME) {
            write->value = atomic_load(&doorbells->card->doorbell_value[write->page]);
            return true;
        }
    }
}

static bool doorbells_drive(void *context)
{
    struct rtl_doorbells *doorbells = context;
    bool before = doorbells->driven;
    if (!before)
        doorbells->driven = next_write(doorbells);
    rtl_put(&doorbells->valid, 0, 1, doorbells->driven);
    if (doorbells->driven) {
        rtl_put(&doorbells->page, 0, 32, doorbells->write.page);
        rtl_put(&doorbells->index, 0, 32, doorbells->write.index);
        rtl_put(&doorbells->value, 0, 32, doorbells->write.value);
    }
    return doorbells->driven || before;
}

static bool doorbells_sample(void *context)
{
    struct rtl_doorbells *doorbells = context;
    bool driven = doorbells->driven;
    if (driven && rtl_get(&doorbells->ready, 0, 1))
        doorbells->driven = false;
    return driven;
}

static void doorbells_reset(void *context)
{
    struct rtl_doorbells *doorbells = context;
    doorbells->rung = 0;
    doorbells->next = NATIVE_PAGE_WORDS;
    doorbells->driven = false;
    doorbells->write = (struct doorbell){0};
}

struct rtl_device rtl_doorbells_device(struct rtl_doorbells *doorbells)
{
    doorbells_reset(doorbells);
    return (struct rtl_device){.context = doorbells,
                               .poll = doorbells_poll,
                               .drive = doorbells_drive,
                               .sample = doorbells_sample,
                               .reset = doorbells_reset};
}

void rtl_messages_open(struct rtl_messages *messages, struct native_card *card, const struct rtl *rtl, uint32_t window)
{
    struct rtl_pin pin = rtl_pin(rtl, "message_window", 16), ready = rtl_pin(rtl, "message_ready", 1);
    rtl_put(&pin, 0, 16, window);
    rtl_put(&ready, 0, 1, 1);
    messages->card = card;
    messages->valid = rtl_pin(rtl, "message_valid", 1);
    messages->data = rtl_pin(rtl, "message_data", 16);
}

static bool messages_drive(void *context)
{
    (void)context;
    return false;
}

static bool messages_sample(void *context)
{
    struct rtl_messages *messages = context;
    if (rtl_get(&messages->valid, 0, 1)) {
        native_interrupt_raise(messages->card, (uint32_t)rtl_get(&messages->data, 0, 16));
        rtl_saw(messages->observer, "message", 0, messages->data.value, 2);
    }
    return false;
}

struct rtl_device rtl_messages_device(struct rtl_messages *messages)
{
    return (struct rtl_device){.context = messages, .drive = messages_drive, .sample = messages_sample};
}
