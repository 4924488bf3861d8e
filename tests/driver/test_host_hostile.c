/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of the rings against a card that writes nonsense into them: it must stay within its memory and come
 * back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/card_ops.h"
#include "driver/host.h"
#include "driver/host_internal.h"
#include "hls/include/registers.h"
#include "tests/hls/stream.h"

/* A card of registers and mapped memory alone. Its answers to doorbells are what a test makes them. */
struct false_card {
    struct cipu_card base;
    struct rings_block rings;
    uint8_t *memory;
    uint64_t length;
    uint64_t bus_base;   /* of the memory; 0 = never mapped */
    uint32_t producer;   /* of completions */
    uint32_t first_next; /* `next` of the register file's first block */
    bool obeys;          /* completes commands */
    unsigned rings_heard;
};

static void false_close(struct cipu_card *base)
{
    (void)base;
}

static uint32_t false_read(struct cipu_card *base, uint32_t offset)
{
    struct false_card *card = (struct false_card *)base;
    uint32_t value = UINT32_MAX;
    if (offset == offsetof(struct register_block, next))
        return card->first_next;
    if (offset >= RINGS_BLOCK_OFFSET && offset + 4 <= RINGS_BLOCK_OFFSET + sizeof card->rings)
        memcpy(&value, (uint8_t *)&card->rings + offset - RINGS_BLOCK_OFFSET, sizeof value);
    return value;
}

static void false_write(struct cipu_card *base, uint32_t offset, uint32_t value)
{
    struct false_card *card = (struct false_card *)base;
    assert_true(offset >= RINGS_BLOCK_OFFSET && offset + 4 <= RINGS_BLOCK_OFFSET + sizeof card->rings);
    memcpy((uint8_t *)&card->rings + offset - RINGS_BLOCK_OFFSET, &value, sizeof value);
}

static uint8_t *false_memory(struct false_card *card, uint32_t low, uint32_t high)
{
    uint64_t offset = ((uint64_t)high << 32 | low) - card->bus_base;
    assert_true(offset < card->length);
    return card->memory + offset;
}

static struct ring_index *false_line(struct false_card *card, enum host_ring ring)
{
    return (struct ring_index *)(void *)false_memory(card, card->rings.ring[ring].index_low,
                                                     card->rings.ring[ring].index_high);
}

static uint8_t *false_entry(struct false_card *card, enum host_ring ring, uint32_t position)
{
    uint32_t mask = (1u << card->rings.ring[ring].entries_log2) - 1;
    return false_memory(card, card->rings.ring[ring].entries_low, card->rings.ring[ring].entries_high) +
           (size_t)(position & mask) * 64;
}

static uint32_t ring_size(struct false_card *card, enum host_ring ring)
{
    return 1u << card->rings.ring[ring].entries_log2;
}

static int false_doorbell(struct cipu_card *base, uint32_t page, uint32_t value)
{
    struct false_card *card = (struct false_card *)base;
    assert_true(page >= DOORBELL_HOST && page < DOORBELL_HOST + RING_COUNT);
    card->rings_heard++;
    if (!card->obeys || page != DOORBELL_HOST + RING_COMMAND)
        return 0;
    struct ring_index *commands = false_line(card, RING_COMMAND);
    for (; commands->index != value; commands->index++) {
        memcpy(false_entry(card, RING_COMPLETION, card->producer), false_entry(card, RING_COMMAND, commands->index),
               64);
        card->producer++;
    }
    false_line(card, RING_COMPLETION)->index = card->producer;
    return 0;
}

static int false_dma_map(struct cipu_card *base, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                         struct cipu_error *error)
{
    struct false_card *card = (struct false_card *)base;
    (void)error, (void)protection;
    assert_int_equal(iova >> CIPU_WINDOW_SHIFT, FUNCTION_HOST);
    static uint64_t last;
    assert_int_not_equal(iova, last); /* each opening has its own */
    last = iova;
    card->bus_base = iova;
    card->memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    card->length = length;
    assert_ptr_not_equal(card->memory, MAP_FAILED);
    return 0;
}

static int false_dma_unmap(struct cipu_card *base, uint64_t iova, uint64_t length)
{
    struct false_card *card = (struct false_card *)base;
    (void)iova;
    assert_int_equal(length, card->length);
    munmap(card->memory, card->length);
    card->memory = NULL;
    return 0;
}

static int false_interrupt(struct cipu_card *base, uint32_t vector, int fd)
{
    (void)base, (void)fd;
    assert_true(vector < VECTOR_QUEUE);
    return 0;
}

static const struct card_ops false_ops = {
    .scheme = "false",
    .close = false_close,
    .read = false_read,
    .write = false_write,
    .doorbell = false_doorbell,
    .dma_map = false_dma_map,
    .dma_unmap = false_dma_unmap,
    .interrupt = false_interrupt,
};

static struct false_card card;
static struct cipu_host *host;

static void make_card(void)
{
    memset(&card, 0, sizeof card);
    card.base.ops = &false_ops;
    card.rings.header = (struct register_block){BLOCK_RINGS, 1, sizeof card.rings, 0};
    card.first_next = RINGS_BLOCK_OFFSET;
    card.obeys = true;
}

static int setup(void **context)
{
    struct cipu_error error;
    (void)context;
    make_card();
    return cipu_host_open(&card.base, &host, &error);
}

static int teardown(void **context)
{
    (void)context;
    cipu_host_close(host);
    assert_null(card.memory);
    return 0;
}

static void check_packet(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    assert_true(entry->length >= PACKET_BYTES_MIN && entry->length <= PACKET_BYTES_MAX);
    uint64_t *sum = context;
    for (uint32_t i = 0; i < entry->length; i++)
        *sum += data[i];
}

static void check_event(void *context, const struct event_entry *event)
{
    *(uint64_t *)context += event->address;
}

static void test_registers_without_rings(void **context)
{
    (void)context;
    static const uint32_t next[] = {0, 3, 0x101, 0xffffffff, 0xfffffffc, REGISTER_FILE_BYTES, 0x200};
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        struct cipu_error error;
        struct cipu_host *none = NULL;
        make_card();
        card.first_next = next[i];
        assert_int_equal(cipu_host_open(&card.base, &none, &error), -ENODEV);
        assert_non_null(strstr(error.text, "no host rings"));
        assert_null(none);
    }
}

static void test_no_answer(void **context)
{
    struct cipu_error error;
    struct cipu_host *none = NULL;
    (void)context;
    make_card();
    card.obeys = false;
    assert_int_equal(cipu_host_open(&card.base, &none, &error), -ETIMEDOUT);
    assert_true(card.rings_heard > 10); /* the doorbell is repeated */
    assert_null(card.memory);
    assert_int_equal(card.rings.ring[RING_COMMAND].enable, 0);
}

/* Indices that no ring can have are taken for an empty ring, a full one for sending. */
static void test_wild_indices(void **context)
{
    (void)context;
    uint64_t random = 3, sum = 0;
    for (int i = 0; i < 20000; i++) {
        for (int ring = 0; ring < RING_COUNT; ring++)
            if (ring != RING_COMMAND && ring != RING_COMPLETION)
                false_line(&card, (enum host_ring)ring)->index = (uint32_t)random_next(&random);
        cipu_host_receive(host, 64, check_packet, check_event, &sum);
        struct packet_entry entry = {.length = PACKET_BYTES_MAX};
        static const uint8_t data[PACKET_BYTES_MAX];
        int result = cipu_host_inject(host, &entry, data);
        assert_true(result == 0 || result == -EAGAIN);
    }
}

/* Valid indices over garbage, and headers that nearly make sense. */
static void test_garbage_records(void **context)
{
    (void)context;
    uint64_t random = 4, sum = 0;
    uint32_t punt = 0, event = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t more = random_below(&random, ring_size(&card, RING_PUNT) + 1);
        for (uint32_t j = 0; j < more; j += 1 + random_below(&random, 200)) {
            uint8_t *entry = false_entry(&card, RING_PUNT, punt + j);
            random_fill(&random, entry, 8);
            entry[1] = (uint8_t)random_below(&random, random_below(&random, 2) ? 2 : 64);
        }
        punt += more;
        event += random_below(&random, ring_size(&card, RING_EVENT) + 1);
        false_line(&card, RING_PUNT)->index = punt;
        false_line(&card, RING_EVENT)->index = event;
        while (host_ring_waiting(host, RING_PUNT) != 0)
            cipu_host_receive(host, 1 + random_below(&random, 100), check_packet, check_event, &sum);
        assert_int_equal(host->ring[RING_PUNT].position, punt);
    }
}

static void test_false_completions(void **context)
{
    (void)context;
    uint64_t random = 5;
    struct command_entry commands[50];
    for (int i = 0; i < 2000; i++) {
        /* Strangers' tags, tag 0, and tags of long ago before the right ones. */
        for (uint32_t j = random_below(&random, 20); j > 0; j--) {
            struct command_entry *entry =
                (struct command_entry *)(void *)false_entry(&card, RING_COMPLETION, card.producer++);
            random_fill(&random, entry, sizeof *entry);
            if (random_below(&random, 3) == 0)
                entry->tag = 0;
            else if (random_below(&random, 2) == 0)
                entry->tag = host->next_tag - 1 - random_below(&random, 3000);
        }
        for (uint32_t j = 0; j < 50; j++)
            commands[j] = (struct command_entry){.opcode = COMMAND_NOP, .tag = j, .index = (uint32_t)i};
        assert_int_equal(cipu_host_command(host, commands, 50), 0);
        for (uint32_t j = 0; j < 50; j++) {
            assert_int_equal(commands[j].tag, j);
            assert_int_equal(commands[j].index, i);
        }
    }
}

/* Tags and positions go on over the end of 32 bits. */
static void test_counters_wrap(void **context)
{
    (void)context;
    struct command_entry commands[50] = {{0}};
    host->next_tag = 0xffffff00u;
    uint32_t start = 0u - 300u;
    host->ring[RING_COMMAND].position = host->ring[RING_COMPLETION].position = start;
    false_line(&card, RING_COMMAND)->index = start;
    card.producer = start;
    false_line(&card, RING_COMPLETION)->index = start;
    for (int i = 0; i < 20; i++)
        assert_int_equal(cipu_host_command(host, commands, 50), 0);
    assert_int_equal(card.producer, start + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers_without_rings),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test_setup_teardown(test_wild_indices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_false_completions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counters_wrap, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
