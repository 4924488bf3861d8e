/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bus moves whole lines, so a read also touches bytes that nobody asked for and that their owner may be writing just
 * then; the thread sanitizer would call that a race. What is asked for is ordered by indices, as on a real bus: words
 * of eight bytes are single accesses, written in ascending order, and a write is visible before a later read is
 * performed.
 */
#include "driver/rtl/memory.h"

#include <stdatomic.h>
#include <string.h>

#define WORDS (BUS_LINE_BYTES / 8u)

__attribute__((no_sanitize("thread"))) static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    struct rtl_memory *memory = context;
    uint32_t length = BUS_LINE_BYTES;
    const volatile uint64_t *from = (const volatile uint64_t *)(void *)native_translate(
        memory->card, &memory->read, address, &length, CIPU_DMA_READ);
    if (!from)
        return false;
    uint64_t words[WORDS] = {0};
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = from[i];
    atomic_thread_fence(memory_order_acquire);
    memcpy(line, words, sizeof words);
    return !native_cache_failed(&memory->read);
}

/* The enabled bytes of one aligned word, in the largest accesses that its mask allows. */
__attribute__((no_sanitize("thread"))) static void write_word(volatile uint8_t *to, uint64_t value, unsigned mask)
{
    if (mask == 0xff) {
        *(volatile uint64_t *)to = value;
        return;
    }
    for (unsigned at = 0; at < 8;) {
        unsigned left = mask >> at;
        if (at % 4 == 0 && (left & 0xf) == 0xf) {
            *(volatile uint32_t *)(to + at) = (uint32_t)(value >> at * 8);
            at += 4;
        } else if (at % 2 == 0 && (left & 3) == 3) {
            *(volatile uint16_t *)(to + at) = (uint16_t)(value >> at * 8);
            at += 2;
        } else {
            if (left & 1)
                to[at] = (uint8_t)(value >> at * 8);
            at++;
        }
    }
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    struct rtl_memory *memory = context;
    uint32_t length = BUS_LINE_BYTES;
    uint8_t *to = native_translate(memory->card, &memory->write, address, &length, CIPU_DMA_WRITE);
    if (!to)
        return false;
    atomic_thread_fence(memory_order_release);
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t word;
        memcpy(&word, line + i * 8, sizeof word);
        write_word(to + i * 8, word, enable >> i * 8 & 0xff);
    }
    atomic_thread_fence(memory_order_seq_cst);
    return !native_cache_failed(&memory->write);
}

struct bus_memory rtl_memory_bus(struct rtl_memory *memory)
{
    return (struct bus_memory){read_line, write_line, memory};
}

/* Tables are of whole lines, and the module stays within them. */
static bool read_card_line(void *context, uint64_t address, uint8_t *line)
{
    const struct native_card *card = context;
    memcpy(line, card->memory + address, BUS_LINE_BYTES);
    return true;
}

static bool write_card_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    struct native_card *card = context;
    for (unsigned i = 0; i < BUS_LINE_BYTES; i++)
        if (enable >> i & 1)
            card->memory[address + i] = line[i];
    return true;
}

struct bus_memory rtl_memory_card(struct native_card *card)
{
    return (struct bus_memory){read_card_line, write_card_line, card};
}
