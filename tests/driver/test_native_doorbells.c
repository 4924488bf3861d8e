/* SPDX-License-Identifier: Apache-2.0 */
/* The native card sees every word that a guest writes into a doorbell page by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "driver/native.h"

#define PATIENCE_SECONDS 30
#define PAGE             (DOORBELL_NVME + 8u)

static void wait_until_passed(struct native_card *card, uint32_t index, uint32_t value)
{
    const struct native_nvme_page *words = &card->nvme_pages[PAGE - DOORBELL_NVME];
    time_t since = time(NULL);
    while (atomic_load(&words->passed[index]) != value)
        if (time(NULL) - since > PATIENCE_SECONDS)
            fail_msg("word %u: %u was written, the card saw %u", index, value, atomic_load(&words->passed[index]));
}

static void test_words(void **state)
{
    (void)state;
    struct cipu_error error;
    struct cipu_card *card;
    int fd;
    off_t offset;
    if (cipu_card_open("native:", &card, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(cipu_card_doorbell_share(card, PAGE, &fd, &offset), 0);
    _Atomic uint32_t *page = mmap(NULL, DOORBELL_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    assert_true(page != MAP_FAILED);
    /* Each alone, so that none is found because of another; then back to what it was. */
    for (uint32_t value = 1; value <= 2; value++) {
        for (uint32_t i = 0; i < DOORBELL_NVME_WORDS; i++) {
            atomic_store(&page[i], value % 2 << (i % 32));
            wait_until_passed((struct native_card *)card, i, value % 2 << (i % 32));
        }
    }
    munmap(page, DOORBELL_PAGE_BYTES);
    cipu_card_close(card);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
