/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of an NVMe controller's queues, written from the Base specification alone: fills submission queues, rings
 * when the specification says so, consumes completions, and holds them against what the backend finished.
 */
#ifndef CIPU_TEST_NVME_DRIVER_H
#define CIPU_TEST_NVME_DRIVER_H

#include "tests/hls/nvme_card.h"

#define DRIVER_COMMANDS 192u /* of a queue under way: more than the card has slots */
#define DRIVER_QUEUES   BLOCK_CONTROLLER_QUEUES
#define DRIVER_EXPECTED 8192u
#define DRIVER_SHADOWS  0x0u /* the page of shadow doorbells, then that of EventIdx */
#define DRIVER_EVENTS   0x1000u
#define DRIVER_SPACES   3u /* namespaces of a controller */

/* A completion that was finished, in the order in which the entries have to come. */
struct driver_expected {
    uint64_t result;
    uint16_t status, identifier, sq, sq_head;
    uint32_t life; /* of the submission queue */
};

struct driver_shadow {
    uint16_t old;     /* value before the one that was published last */
    bool considering; /* whether to ring */
};

struct driver_sq {
    bool running, admin;
    bool closing; /* the driver rings no more */
    bool stopped; /* by a fault */
    uint32_t entries, life;
    uint64_t address;
    uint16_t generation, cq;
    uint16_t tail, published;
    uint16_t head; /* as completions told it */
    struct driver_shadow shadow;
    struct nvme_command command[DRIVER_COMMANDS]; /* by identifier */
    bool busy[DRIVER_COMMANDS], fast[DRIVER_COMMANDS], finished[DRIVER_COMMANDS];
    uint16_t order[DRIVER_COMMANDS]; /* a ring of identifiers as submitted */
    uint32_t made, fetched, done, goal;
    uint16_t fetch_head;    /* the head once `fetched` are taken out */
    uint32_t sequence;      /* of the next, over all lives */
    uint32_t head_sequence; /* of the newest that is finished */
    uint16_t finished_head; /* and the head it was fetched with */
};

struct driver_cq {
    bool running, closing, polled, handling, stopped;
    uint32_t entries;
    uint64_t address;
    uint16_t generation, vector;
    uint16_t head, published;
    uint16_t written; /* the card's tail */
    uint8_t phase, threshold;
    uint32_t delay;
    struct driver_shadow shadow;
    struct driver_expected *expected; /* a ring */
    uint32_t due, consumed, visible, interrupts;
};

struct driver {
    uint8_t *memory; /* of the function */
    uint64_t *random;
    uint16_t function, base;
    uint32_t queues; /* pairs, with the admin queues */
    bool shadows;
    bool hostile; /* what it does is not compared */
    bool failing; /* its transfers fail now and then */
    uint32_t alerts, stops;
    struct driver_sq sq[DRIVER_QUEUES];
    struct driver_cq cq[DRIVER_QUEUES];
};

static inline uint32_t driver_behind(uint32_t from, uint32_t to, uint32_t entries)
{
    return (to + entries - from) % entries;
}

static inline uint32_t driver_blocks(const struct driver *driver, uint32_t space)
{
    return 1000u * (space + 1u) + driver->function;
}

static inline uint32_t driver_shift(uint32_t space)
{
    return space % 2u ? 12 : 9;
}

static inline uint32_t driver_volume(const struct driver *driver, uint32_t space)
{
    return driver->function * BLOCK_NAMESPACES + space;
}

/* A command that the card passes on as a block command, or one that it must not touch. */
static inline void driver_fill(struct driver *driver, const struct driver_sq *sq, struct nvme_command *command,
                               bool fast)
{
    random_fill(driver->random, command, sizeof *command);
    command->flags = (uint8_t)(random_below(driver->random, 2) ? NVME_PSDT_PRP : NVME_PSDT_SGL);
    command->opcode = (uint8_t)(0x80u | random_below(driver->random, 128));
    if (fast) {
        const uint8_t opcodes[] = {NVME_READ, NVME_WRITE, NVME_FLUSH, NVME_WRITE_ZEROES};
        uint32_t space = random_below(driver->random, DRIVER_SPACES), blocks = driver_blocks(driver, space);
        uint32_t first = random_below(driver->random, blocks), most = blocks - first < 256 ? blocks - first : 256;
        command->opcode = opcodes[random_below(driver->random, 4)];
        command->namespace_id = space + 1;
        command->dword10 = first;
        command->dword11 = 0;
        command->dword12 = random_below(driver->random, most) | (random_below(driver->random, 2) ? NVME_FUA : 0);
    } else if (sq->admin) {
        command->opcode &= 0x7f;
    }
}

/* Puts a command into the ring; false when there is no place. */
static inline bool driver_make(struct driver *driver, struct driver_sq *sq)
{
    uint32_t next = (sq->tail + 1u) % sq->entries, free[DRIVER_COMMANDS], count = 0;
    for (uint32_t i = 0; i < DRIVER_COMMANDS; i++)
        if (!sq->busy[i])
            free[count++] = i;
    if (next == sq->head || count == 0 || sq->made == sq->goal)
        return false;
    uint32_t identifier = free[random_below(driver->random, count)];
    struct nvme_command *command = &sq->command[identifier];
    sq->fast[identifier] = !sq->admin && random_below(driver->random, 2);
    driver_fill(driver, sq, command, sq->fast[identifier]);
    command->identifier = (uint16_t)identifier;
    memcpy(driver->memory + sq->address + sq->tail * sizeof *command, command, sizeof *command);
    sq->busy[identifier] = true;
    sq->finished[identifier] = false;
    sq->order[sq->made++ % DRIVER_COMMANDS] = (uint16_t)identifier;
    sq->tail = (uint16_t)next;
    return true;
}

static inline bool driver_ring(struct driver *driver, struct stream *doorbell, uint32_t index, uint16_t value)
{
    struct doorbell rung = {DOORBELL_NVME + driver->base, value, index, (uint32_t)random_next(driver->random)};
    return stream_put(doorbell, &rung);
}

static inline uint32_t driver_word(const struct driver *driver, uint32_t page, uint32_t index)
{
    uint32_t value;
    memcpy(&value, driver->memory + page + 4u * index, sizeof value);
    return value;
}

/* Tells the card a doorbell's new value, in the way of this queue. `index` is the doorbell's. */
static inline void driver_publish(struct driver *driver, struct stream *doorbell, uint32_t index, uint16_t value,
                                  uint16_t *published, struct driver_shadow *shadow)
{
    uint32_t word = value;
    if (value == *published || shadow->considering)
        return;
    if (!driver->shadows || index < 2) {
        if (driver_ring(driver, doorbell, index, value))
            *published = value;
        return;
    }
    shadow->old = *published;
    shadow->considering = true;
    *published = value;
    memcpy(driver->memory + DRIVER_SHADOWS + 4u * index, &word, sizeof word);
}

/* Base 5.8: the doorbell is written when the new value passed EventIdx. */
static inline void driver_consider(struct driver *driver, struct stream *doorbell, uint32_t index, uint16_t published,
                                   struct driver_shadow *shadow)
{
    if (!shadow->considering)
        return;
    uint16_t event = (uint16_t)driver_word(driver, DRIVER_EVENTS, index);
    bool wanted = (uint16_t)(published - event - 1u) < (uint16_t)(published - shadow->old);
    if (!wanted || driver_ring(driver, doorbell, index, published))
        shadow->considering = false;
}

/* Of a submission queue whose completion was found. */
static inline void driver_completed(struct driver_sq *sq, const struct driver_expected *expected)
{
    uint32_t way = driver_behind(sq->head, expected->sq_head, sq->entries);
    CARD_CHECK(sq->busy[expected->identifier] && sq->finished[expected->identifier]);
    CARD_CHECK(way <= driver_behind(sq->head, sq->published, sq->entries)); /* not back, and not beyond the tail */
    sq->head = expected->sq_head;
    sq->busy[expected->identifier] = false;
    sq->done++;
}

/* Consumes one entry, if there is a new one. */
static inline bool driver_consume(struct driver *driver, struct driver_cq *cq)
{
    struct nvme_completion entry;
    memcpy(&entry, driver->memory + cq->address + cq->head * sizeof entry, sizeof entry);
    if ((entry.status & 1u) != cq->phase)
        return false;
    CARD_CHECK(cq->consumed != cq->due);
    const struct driver_expected *expected = &cq->expected[cq->consumed++ % DRIVER_EXPECTED];
    CARD_CHECK(entry.status >> 1 == expected->status && entry.identifier == expected->identifier);
    CARD_CHECK(entry.sq_id == expected->sq && entry.sq_head == expected->sq_head && entry.result == expected->result);
    struct driver_sq *sq = &driver->sq[expected->sq];
    if (sq->running && sq->life == expected->life)
        driver_completed(sq, expected);
    cq->head = (uint16_t)((cq->head + 1u) % cq->entries);
    cq->phase ^= cq->head == 0;
    return true;
}

/* The card writes an entry: it must be the next, and one that the driver has room for. */
static inline void driver_written(struct driver_cq *cq, uint64_t address)
{
    CARD_CHECK(cq->running && address == cq->address + cq->written * sizeof(struct nvme_completion));
    CARD_CHECK(driver_behind(cq->published, cq->written, cq->entries) < cq->entries - 1u);
    cq->written = (uint16_t)((cq->written + 1u) % cq->entries);
    cq->visible++;
}

/* There are never more interrupts than entries, and none before. */
static inline void driver_interrupted(struct driver_cq *cq)
{
    CARD_CHECK(cq->running && cq->interrupts != cq->visible);
    cq->interrupts++;
    cq->handling = true;
}

/* Where each queue's ring is; the page of a queue is cleared as a driver has to. */
static inline void driver_reset_sq(struct driver *driver, uint32_t number, uint32_t entries, uint16_t cq,
                                   uint64_t address)
{
    struct driver_sq *sq = &driver->sq[number];
    sq->admin = number == 0;
    sq->entries = entries;
    sq->address = address;
    sq->cq = cq;
    sq->generation++;
    sq->life++;
    sq->tail = sq->published = sq->head = sq->fetch_head = 0;
    sq->finished_head = 0;
    sq->made = sq->fetched = sq->done = 0;
    sq->stopped = sq->closing = false;
    memset(sq->busy, 0, sizeof sq->busy);
    memset(&sq->shadow, 0, sizeof sq->shadow);
    memset(driver->memory + DRIVER_SHADOWS + 8u * number, 0, 4);
    memset(driver->memory + DRIVER_EVENTS + 8u * number, 0, 4);
}

static inline void driver_reset_cq(struct driver *driver, uint32_t number, uint32_t entries, uint16_t vector,
                                   uint64_t address)
{
    struct driver_cq *cq = &driver->cq[number];
    if (!cq->expected)
        cq->expected = calloc(DRIVER_EXPECTED, sizeof *cq->expected);
    cq->entries = entries;
    cq->address = address;
    cq->generation++;
    cq->vector = vector;
    cq->polled = vector == NVME_CQ_NO_VECTOR;
    cq->head = cq->published = cq->written = 0;
    cq->phase = 1;
    cq->handling = cq->stopped = cq->closing = false;
    cq->due = cq->consumed = cq->visible = cq->interrupts = 0;
    memset(&cq->shadow, 0, sizeof cq->shadow);
    memset(driver->memory + address, 0, entries * sizeof(struct nvme_completion));
    memset(driver->memory + DRIVER_SHADOWS + 8u * number + 4u, 0, 4);
    memset(driver->memory + DRIVER_EVENTS + 8u * number + 4u, 0, 4);
}

#endif
