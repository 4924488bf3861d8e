/* SPDX-License-Identifier: Apache-2.0 */
/* The host rings' kernels against a driver with its own bookkeeping: random sizes, wraps, full rings, hostile
 * doorbells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hls/ring_card.h"

#define ENTRIES 4096u
#define INDEX   64u

static struct ring_card card;

static int teardown(void **context)
{
    (void)context;
    ring_card_close(&card);
    return 0;
}

/* ---- from the host ---- */

struct fetch_driver {
    uint32_t size, producer, expected; /* expected: number of the next entry to come out */
    uint32_t hostile;
};

static void write_entry(uint32_t size, uint32_t number)
{
    uint32_t words[16];
    for (uint32_t i = 0; i < 16; i++)
        words[i] = number * 16 + i;
    memcpy(card.memory + ENTRIES + (size_t)(number & (size - 1)) * 64, words, 64);
}

static void take_fetched(struct fetch_driver *driver)
{
    struct ring_work work;
    while (stream_get(&card.fetched, &work)) {
        if (work.kind == RING_WORK_SETTING)
            continue;
        uint32_t word;
        assert_int_equal(work.kind, RING_WORK_ENTRY);
        memcpy(&word, work.data + 60, 4);
        assert_int_equal(word, driver->expected * 16 + 15);
        driver->expected++;
    }
}

static void produce_some(struct fetch_driver *driver)
{
    uint32_t consumer = ring_card_index(&card, INDEX).index;
    assert_true(driver->producer - consumer <= driver->size);
    uint32_t room = driver->size - (driver->producer - consumer);
    uint32_t entries = room != 0 ? random_below(&card.random, room + 1) : 0;
    for (uint32_t i = 0; i < entries; i++)
        write_entry(driver->size, driver->producer++);
    if (random_below(&card.random, 10) == 0) {
        ring_card_doorbell(&card, RING_INJECT,
                           driver->producer + driver->size + 1 + random_below(&card.random, 1u << 30));
        driver->hostile++;
    }
    ring_card_doorbell(&card, RING_INJECT, driver->producer);
}

static void fetch_with_size(uint32_t log2)
{
    ring_card_open(&card, 100 + log2);
    struct fetch_driver driver = {.size = 1u << log2};
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, log2, 1);
    ring_card_settle(&card);
    for (int i = 0; i < 2000; i++) {
        produce_some(&driver);
        ring_card_run(&card, random_below(&card.random, 60));
        take_fetched(&driver);
    }
    for (int i = 0; i < 100; i++) {
        ring_card_settle(&card);
        take_fetched(&driver);
    }
    assert_int_equal(driver.expected, driver.producer);
    assert_int_equal(ring_card_index(&card, INDEX).index, driver.producer);
    assert_int_equal(ring_card_index(&card, INDEX).dropped, driver.hostile);
    assert_int_equal(hls_fifo_used(&card.interrupts.fifo), 0);
    assert_true(driver.producer > 200);
    ring_card_close(&card);
}

static void test_fetch(void **context)
{
    (void)context;
    for (uint32_t log2 = 0; log2 <= 7; log2++)
        fetch_with_size(log2);
    ring_card_open(&card, 1);
}

static void test_fetch_batches(void **context)
{
    (void)context;
    ring_card_open(&card, 2);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 6, 1);
    ring_card_doorbell(&card, RING_INJECT, 48);
    struct fetch_driver driver = {.size = 64};
    for (uint32_t i = 0; i < 48; i++)
        write_entry(64, i);
    for (int i = 0; i < 20; i++) {
        ring_card_settle(&card);
        take_fetched(&driver);
    }
    assert_int_equal(driver.expected, 48);
    assert_int_equal(card.fetch_write.index_writes, 1);
}

static uint32_t asked_entries(struct dma_request *read)
{
    assert_true(stream_get(&card.read.request, read));
    return (uint32_t)read->length / 64;
}

static void answer_entries(uint32_t count)
{
    struct beat beat = {.meta = {.bytes = 64}};
    for (uint32_t i = 0; i < count; i++) {
        beat.meta.last = i + 1 == count;
        assert_true(stream_put(&card.read.data, &beat));
    }
    ring_card_settle(&card);
}

/* Two reads begin with however little; while they are under way a further one is for half a batch. */
static void test_fetch_ahead(void **context)
{
    (void)context;
    struct dma_request read;
    ring_card_open(&card, 8);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 6, 1);
    ring_card_settle(&card);
    card.read.stalled = true;
    for (uint32_t producer = 2; producer <= 14; producer += 2) {
        ring_card_doorbell(&card, RING_INJECT, producer);
        ring_card_settle(&card);
    }
    static const uint32_t entries[] = {2, 2, 8};
    uint64_t address = RING_CARD_BUS + ENTRIES;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(asked_entries(&read), entries[i]);
        assert_int_equal(read.address, address);
        address += read.length;
    }
    assert_int_equal(hls_fifo_used(&card.read.request.fifo), 0);
    answer_entries(2);
    assert_int_equal(hls_fifo_used(&card.read.request.fifo), 0);
    answer_entries(2);
    assert_int_equal(asked_entries(&read), 2);
    assert_int_equal(read.address, address);
}

/* What was announced before a setting comes out before it, what is behind it is of the next ring. */
static void test_fetch_before_setting(void **context)
{
    (void)context;
    struct ring_work work;
    ring_card_open(&card, 9);
    for (uint32_t i = 0; i < 40; i++)
        write_entry(64, i);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 6, 1);
    ring_card_settle(&card);
    card.read.stalled = true;
    ring_card_doorbell(&card, RING_INJECT, 40);
    ring_card_settle(&card);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 6, 1);
    ring_card_settle(&card);
    ring_card_doorbell(&card, RING_INJECT, 3);
    ring_card_settle(&card);
    card.read.stalled = false;
    for (uint32_t i = 0; i < 4; i++)
        ring_card_settle(&card);
    assert_true(stream_get(&card.fetched, &work));
    assert_int_equal(work.kind, RING_WORK_SETTING);
    struct fetch_driver driver = {.size = 64};
    while (driver.expected < 40 && stream_get(&card.fetched, &work)) {
        uint32_t word;
        memcpy(&word, work.data, 4);
        assert_int_equal(work.kind, RING_WORK_ENTRY);
        assert_int_equal(word, driver.expected++ * 16);
    }
    assert_true(stream_get(&card.fetched, &work));
    assert_int_equal(work.kind, RING_WORK_SETTING);
    driver.expected = 0;
    take_fetched(&driver);
    assert_int_equal(driver.expected, 3);
    assert_int_equal(ring_card_index(&card, INDEX).index, 3);
}

/* Of a ring that cannot be read nothing comes out but the zeros of the read that failed. */
static void test_fetch_refused_ahead(void **context)
{
    (void)context;
    struct ring_work work;
    ring_card_open(&card, 10);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 6, 1);
    ring_card_settle(&card);
    card.read.refuse = true;
    ring_card_doorbell(&card, RING_INJECT, 60);
    for (uint32_t i = 0; i < 4; i++)
        ring_card_settle(&card);
    unsigned entries = 0;
    while (stream_get(&card.fetched, &work))
        entries += work.kind == RING_WORK_ENTRY;
    assert_int_equal(entries, 16);
    assert_int_equal(hls_fifo_used(&card.read.request.fifo), 0);
}

static void test_fetch_stopped(void **context)
{
    (void)context;
    struct ring_work work;
    ring_card_open(&card, 3);
    ring_card_doorbell(&card, RING_INJECT, 4); /* never enabled */
    ring_card_settle(&card);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, RING_ENTRIES_LOG2_MAX + 1, 1); /* too large */
    ring_card_doorbell(&card, RING_INJECT, 4);
    ring_card_settle(&card);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 40, 1);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 4, 0);
    ring_card_settle(&card);
    ring_card_doorbell(&card, RING_INJECT, 4);
    ring_card_settle(&card);
    while (stream_get(&card.fetched, &work))
        assert_int_equal(work.kind, RING_WORK_SETTING);
    assert_int_equal(ring_card_index(&card, INDEX).index, 0);
    assert_int_equal(card.fetch_write.index_writes, 0);
}

/* Memory that cannot be read stops the ring; a new setting starts it again. */
static void test_fetch_refused(void **context)
{
    (void)context;
    struct ring_work work;
    ring_card_open(&card, 4);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 4, 1);
    ring_card_settle(&card);
    card.read.refuse = true;
    ring_card_doorbell(&card, RING_INJECT, 3);
    ring_card_settle(&card);
    card.read.refuse = false;
    ring_card_doorbell(&card, RING_INJECT, 8);
    ring_card_settle(&card);
    unsigned entries = 0;
    while (stream_get(&card.fetched, &work))
        entries += work.kind == RING_WORK_ENTRY;
    assert_int_equal(entries, 3); /* zeros */
    struct fetch_driver driver = {.size = 16, .producer = 5};
    for (uint32_t i = 0; i < 5; i++)
        write_entry(16, i);
    ring_card_set(&card, RING_INJECT, ENTRIES, INDEX, 4, 1);
    ring_card_settle(&card);
    ring_card_doorbell(&card, RING_INJECT, 5);
    ring_card_settle(&card);
    take_fetched(&driver);
    assert_int_equal(driver.expected, 5);
}

/* ---- to the host ---- */

struct post_driver {
    uint32_t size, consumer;
    uint32_t record, entry, entries; /* what is being sent */
    bool error, lies;
    uint32_t sent, spoilt, received, last_received;
};

static void new_record(struct post_driver *driver)
{
    driver->record++;
    driver->entry = 0;
    driver->entries = 1 + random_below(&card.random, driver->size + driver->size / 2);
    driver->error = random_below(&card.random, 8) == 0;
    driver->lies = random_below(&card.random, 8) == 0;
}

/* An entry says which record it is of, which one of how many. */
static void send_entries(struct post_driver *driver, uint32_t count)
{
    while (count-- > 0) {
        if (driver->entry == driver->entries)
            new_record(driver);
        struct ring_work work = {.kind = RING_WORK_ENTRY};
        uint32_t words[3] = {driver->record, driver->entry, driver->entries};
        memcpy(work.data, words, sizeof words);
        memset(work.data + 12, (int)driver->record, 52);
        work.last = driver->entry + 1 == driver->entries;
        work.error = work.last && driver->error;
        if (driver->entry == 0)
            work.entries =
                (uint16_t)(driver->lies ? driver->entries + 1 + random_below(&card.random, 3) - 2 : driver->entries);
        if (driver->entry == 0)
            driver->lies = work.entries != driver->entries;
        if (!stream_put(&card.entry, &work))
            return;
        driver->entry++;
        if (work.last) {
            driver->sent++;
            driver->spoilt += driver->error || driver->lies;
        }
    }
}

static uint32_t read_word(uint32_t size, uint32_t position, uint32_t word)
{
    uint32_t value;
    memcpy(&value, card.memory + ENTRIES + (size_t)(position & (size - 1)) * 64 + word * 4, 4);
    return value;
}

static void receive_records(struct post_driver *driver, uint32_t most)
{
    uint32_t producer = ring_card_index(&card, INDEX).index;
    assert_true(producer - driver->consumer <= driver->size);
    while (producer != driver->consumer && most-- > 0) {
        uint32_t record = read_word(driver->size, driver->consumer, 0);
        uint32_t entries = read_word(driver->size, driver->consumer, 2);
        assert_true(record > driver->last_received);
        assert_true(entries <= producer - driver->consumer);
        for (uint32_t i = 0; i < entries; i++) {
            assert_int_equal(read_word(driver->size, driver->consumer + i, 0), record);
            assert_int_equal(read_word(driver->size, driver->consumer + i, 1), i);
            assert_int_equal(read_word(driver->size, driver->consumer + i, 15) & 0xff, record & 0xff);
        }
        driver->last_received = record;
        driver->received++;
        driver->consumer += entries;
        ring_card_doorbell(&card, RING_PUNT, driver->consumer);
        if (random_below(&card.random, 8) == 0) /* hostile: beyond what was published, or backwards */
            ring_card_doorbell(&card, RING_PUNT,
                               driver->consumer + (random_below(&card.random, 2) ? 1000000u : 0u - 1u));
    }
}

static unsigned take_interrupts(void)
{
    struct interrupt_request interrupt;
    unsigned count = 0;
    while (stream_get(&card.interrupts, &interrupt)) {
        assert_int_equal(interrupt.vector, VECTOR_CONTROL + RING_PUNT);
        count++;
    }
    return count;
}

/* Bytes of host memory outside the ring and its index must stay. */
static void assert_rest_untouched(uint32_t size)
{
    for (uint32_t i = 0; i < RING_CARD_BYTES; i++)
        if (!(i >= INDEX && i < INDEX + 8) && !(i >= ENTRIES && i < ENTRIES + size * 64))
            assert_int_equal(card.memory[i], 0);
}

static void post_with_size(uint32_t log2)
{
    ring_card_open(&card, 200 + log2);
    struct post_driver driver = {.size = 1u << log2};
    unsigned interrupts = 0;
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, log2, 1);
    ring_card_settle(&card);
    for (int i = 0; i < 20000; i++) {
        send_entries(&driver, random_below(&card.random, 8));
        ring_card_run(&card, random_below(&card.random, 60));
        if (random_below(&card.random, 3) == 0)
            receive_records(&driver, random_below(&card.random, 4));
        interrupts += take_interrupts();
    }
    while (driver.entry != driver.entries) {
        send_entries(&driver, 1);
        ring_card_run(&card, 10);
        take_interrupts();
    }
    ring_card_settle(&card);
    interrupts += take_interrupts();
    ring_card_settle(&card);
    receive_records(&driver, UINT32_MAX);
    uint32_t dropped = ring_card_index(&card, INDEX).dropped;
    /* A spoilt record may have been dropped for want of room instead. */
    assert_true(driver.received + dropped <= driver.sent);
    assert_true(driver.received + dropped + driver.spoilt >= driver.sent);
    assert_true(driver.received > 100 && dropped > 100 && driver.spoilt > 100);
    assert_true(interrupts != 0 && interrupts <= card.post_write.index_writes);
    assert_rest_untouched(driver.size);
    ring_card_close(&card);
}

static void test_post(void **context)
{
    (void)context;
    for (uint32_t log2 = 1; log2 <= 7; log2++)
        post_with_size(log2);
    ring_card_open(&card, 1);
}

static void send_whole(uint32_t record, uint32_t entries)
{
    for (uint32_t i = 0; i < entries; i++) {
        struct ring_work work = {.kind = RING_WORK_ENTRY, .last = i + 1 == entries};
        work.entries = i == 0 ? (uint16_t)entries : 0;
        memcpy(work.data, &record, 4);
        while (!stream_put(&card.entry, &work))
            ring_card_settle(&card);
    }
}

/* A record that fills the ring exactly fits; the next is counted; when the host has read, the one after fits again. */
static void test_post_exactly_full(void **context)
{
    (void)context;
    ring_card_open(&card, 5);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 3, 1);
    ring_card_settle(&card);
    send_whole(1, 8);
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 8);
    assert_int_equal(take_interrupts(), 1);
    send_whole(2, 1);
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 8);
    assert_int_equal(ring_card_index(&card, INDEX).dropped, 1);
    assert_int_equal(take_interrupts(), 0); /* nothing new to see */
    assert_int_equal(read_word(8, 0, 0), 1);
    ring_card_doorbell(&card, RING_PUNT, 8);
    ring_card_settle(&card);
    send_whole(3, 1);
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 9);
    assert_int_equal(read_word(8, 8, 0), 3);
    send_whole(4, 9); /* longer than the ring */
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).dropped, 2);
}

static void test_post_batches(void **context)
{
    (void)context;
    ring_card_open(&card, 6);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 7, 1);
    ring_card_settle(&card);
    for (uint32_t i = 0; i < 6; i++) {
        struct ring_work work = {.kind = RING_WORK_ENTRY, .entries = 1, .last = 1};
        assert_true(stream_put(&card.entry, &work));
    }
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 6);
    assert_int_equal(card.post_write.index_writes, 1);
    assert_int_equal(take_interrupts(), 1);
}

/* Stopping or restarting in the middle of a record cuts the record off, and no later one. */
static void test_post_restart(void **context)
{
    (void)context;
    ring_card_open(&card, 7);
    send_whole(1, 3); /* nobody is there: lost, not counted */
    ring_card_settle(&card);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 4, 1);
    ring_card_settle(&card);
    struct ring_work work = {.kind = RING_WORK_ENTRY, .entries = 3};
    assert_true(stream_put(&card.entry, &work));
    ring_card_settle(&card);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 4, 0);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 4, 1);
    ring_card_settle(&card);
    work.entries = 0;
    assert_true(stream_put(&card.entry, &work));
    work.last = 1;
    assert_true(stream_put(&card.entry, &work));
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 0);
    send_whole(9, 2);
    ring_card_settle(&card);
    assert_int_equal(ring_card_index(&card, INDEX).index, 2);
    assert_int_equal(ring_card_index(&card, INDEX).dropped, 0);
    assert_int_equal(read_word(16, 0, 0), 9);
}

static bool send_of(uint32_t source, uint32_t record, uint32_t entries)
{
    uint32_t before = ring_card_index(&card, INDEX).index;
    for (uint32_t i = 0; i < entries; i++) {
        struct ring_work work = {.kind = RING_WORK_ENTRY, .last = i + 1 == entries, .source = (uint8_t)source};
        work.entries = i == 0 ? (uint16_t)entries : 0;
        memcpy(work.data, &record, 4);
        while (!stream_put(&card.entry, &work))
            ring_card_settle(&card);
    }
    ring_card_settle(&card);
    take_interrupts();
    return ring_card_index(&card, INDEX).index != before;
}

/* Sends what a source can get into the ring; returns its entries. */
static uint32_t flood(uint32_t source)
{
    uint32_t entries = 0;
    while (send_of(source, source, 2))
        entries += 2;
    return entries;
}

/* Whatever others have in the ring: a source that has nothing there gets its record in. One alone gets a ninth. */
static void test_post_shares(void **context)
{
    enum { FLOODS = 20, NINTH = 56 };
    (void)context;
    ring_card_open(&card, 9);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 9, 1);
    ring_card_settle(&card);
    assert_int_equal(flood(RING_SOURCE_FUNCTION), NINTH);
    for (uint32_t i = 1; i < FLOODS; i++) {
        assert_true(send_of(RING_SOURCE_FUNCTION + i, i, 2));
        flood(RING_SOURCE_FUNCTION + i);
    }
    assert_true(send_of(RING_SOURCE_PORT, 7, 1));
    assert_int_equal(ring_card_index(&card, INDEX).dropped, FLOODS);
    /* The host reads what was the first one's: that one may go on. Its next record tells what it lost. */
    ring_card_doorbell(&card, RING_PUNT, NINTH);
    ring_card_settle(&card);
    uint32_t at = ring_card_index(&card, INDEX).index;
    assert_true(send_of(RING_SOURCE_FUNCTION, 1, 2));
    assert_int_equal(read_word(512, at, RING_DROPPED_OFFSET / 4), 1);
    assert_int_equal(read_word(512, at + 1, RING_DROPPED_OFFSET / 4), 0);
    assert_true(flood(RING_SOURCE_FUNCTION) < NINTH);
    /* All is read: the shares are as at the start; and a ring that is set anew has forgotten all. */
    ring_card_doorbell(&card, RING_PUNT, ring_card_index(&card, INDEX).index);
    ring_card_settle(&card);
    assert_int_equal(flood(RING_SOURCE_FUNCTION + 1), NINTH);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 9, 0);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 9, 1);
    ring_card_settle(&card);
    memset(card.memory + INDEX, 0, 8);
    assert_int_equal(flood(RING_SOURCE_FUNCTION + 1), NINTH);
    assert_int_equal(read_word(512, 0, RING_DROPPED_OFFSET / 4), 0);
}

/* Sources at random, a host that reads at random: whoever has nothing in the ring gets a record in. */
static void test_post_shares_at_random(void **context)
{
    (void)context;
    enum { SOURCES = 20, SIZE = 512 };
    uint32_t held[SOURCES] = {0}, owner[SIZE] = {0}, entries_at[SIZE] = {0}, consumer = 0, lonely = 0;
    ring_card_open(&card, 10);
    ring_card_set(&card, RING_PUNT, ENTRIES, INDEX, 9, 1);
    ring_card_settle(&card);
    for (uint32_t i = 0; i < 20000; i++) {
        /* The first three send most. */
        uint32_t source = random_below(&card.random, random_below(&card.random, 4) != 0 ? 3 : SOURCES);
        uint32_t entries = 1 + random_below(&card.random, 6), at = ring_card_index(&card, INDEX).index;
        bool sent = send_of(RING_SOURCE_FUNCTION + source, i, entries);
        assert_true(sent || held[source] != 0);
        lonely += held[source] == 0;
        if (sent) {
            owner[at % SIZE] = source;
            entries_at[at % SIZE] = entries;
            held[source] += entries;
        }
        assert_true(held[source] <= SIZE / 9);
        while (consumer != ring_card_index(&card, INDEX).index && random_below(&card.random, 3) == 0) {
            uint32_t slot = consumer % SIZE;
            held[owner[slot]] -= entries_at[slot];
            consumer += entries_at[slot];
        }
        ring_card_doorbell(&card, RING_PUNT, consumer);
        ring_card_settle(&card);
    }
    assert_true(lonely > 100 && ring_card_index(&card, INDEX).dropped > 100);
}

static void test_router_ignores_the_unknown(void **context)
{
    (void)context;
    ring_card_open(&card, 8);
    struct doorbell doorbell = {.page = DOORBELL_HOST + RING_COUNT, .value = 1};
    struct ring_setting setting = {.ring = 77};
    assert_true(stream_put(&card.doorbell, &doorbell));
    doorbell.page = 3;
    assert_true(stream_put(&card.doorbell, &doorbell));
    assert_true(stream_put(&card.setting, &setting));
    ring_card_settle(&card);
    assert_int_equal(card.router.unknown, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_fetch, teardown),
        cmocka_unit_test_teardown(test_fetch_batches, teardown),
        cmocka_unit_test_teardown(test_fetch_ahead, teardown),
        cmocka_unit_test_teardown(test_fetch_before_setting, teardown),
        cmocka_unit_test_teardown(test_fetch_refused_ahead, teardown),
        cmocka_unit_test_teardown(test_fetch_stopped, teardown),
        cmocka_unit_test_teardown(test_fetch_refused, teardown),
        cmocka_unit_test_teardown(test_post, teardown),
        cmocka_unit_test_teardown(test_post_exactly_full, teardown),
        cmocka_unit_test_teardown(test_post_batches, teardown),
        cmocka_unit_test_teardown(test_post_restart, teardown),
        cmocka_unit_test_teardown(test_post_shares, teardown),
        cmocka_unit_test_teardown(test_post_shares_at_random, teardown),
        cmocka_unit_test_teardown(test_router_ignores_the_unknown, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
