/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/block/fake_card.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define REQUIRE(condition)                                                        \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: card: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* The card is the host's: the engine passes it back as it was given. */
static struct cipu_host *host_of(struct cipu_card *card)
{
    return (struct cipu_host *)card;
}

struct cipu_host *fake_open(bool attends)
{
    struct cipu_host *host = calloc(1, sizeof *host);
    host->attends = attends;
    host->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    host->random = 88172645463325252u;
    host->answer_room = BLOCK_TAGS;
    host->fail_tag = 0xffff;
    return host;
}

void fake_close(struct cipu_host *host)
{
    for (unsigned i = 0; i < FAKE_MAPPINGS; i++)
        REQUIRE(!host->mappings[i].memory); /* whoever mapped it has unmapped it */
    close(host->event);
    free(host);
}

uint64_t fake_random(struct cipu_host *host, uint64_t below)
{
    host->random ^= host->random << 13;
    host->random ^= host->random >> 7;
    host->random ^= host->random << 17;
    return host->random % below;
}

/* ---- driver/card.h ---- */

int cipu_card_dma_map(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                      struct cipu_error *error)
{
    (void)protection, (void)error;
    REQUIRE(length && length % 4096 == 0 && iova % 4096 == 0 && offset % 4096 == 0);
    struct fake_mapping *free_one = NULL;
    for (unsigned i = 0; i < FAKE_MAPPINGS; i++) {
        struct fake_mapping *mapping = &host_of(card)->mappings[i];
        if (!mapping->memory)
            free_one = mapping;
        else
            REQUIRE(iova + length <= mapping->iova || mapping->iova + mapping->length <= iova);
    }
    REQUIRE(free_one);
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    REQUIRE(memory != MAP_FAILED);
    *free_one = (struct fake_mapping){iova, length, memory};
    return 0;
}

int cipu_card_dma_unmap(struct cipu_card *card, uint64_t iova, uint64_t length)
{
    for (unsigned i = 0; i < FAKE_MAPPINGS; i++) {
        struct fake_mapping *mapping = &host_of(card)->mappings[i];
        if (!mapping->memory || mapping->iova != iova || mapping->length != length)
            continue;
        munmap(mapping->memory, length);
        mapping->memory = NULL;
        return 0;
    }
    REQUIRE(!"unmapped what is not mapped");
    return -ENOENT;
}

uint64_t cipu_card_time(struct cipu_card *card)
{
    struct timespec now;
    (void)card;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* As a native card: rounds until there is nothing to do, then sleep until a doorbell (here: of the guest) or the
 * attendant's descriptor ends it. */
static void *run_card(void *context)
{
    struct cipu_host *host = context;
    unsigned idle = 0;
    while (!host->stop) {
        uint64_t count;
        idle = host->attendant->run(host->attendant->context) ? 0 : idle + 1;
        if (idle < 20)
            continue;
        struct pollfd fds[] = {{host->event, POLLIN, 0}, {host->attendant->fd, POLLIN, 0}};
        host->sleeps++;
        int woken = poll(fds, 2, 300);
        if (fds[0].revents)
            REQUIRE(read(host->event, &count, sizeof count) == sizeof count);
        if (host->attendant->run(host->attendant->context)) {
            idle = 0;
            host->missed += woken == 0;
        }
    }
    return NULL;
}

int cipu_card_attend(struct cipu_card *card, const struct cipu_attendant *attendant)
{
    struct cipu_host *host = host_of(card);
    if (!host->attends)
        return -ENOTSUP;
    if (attendant) {
        host->attendant_copy = *attendant;
        host->attendant = &host->attendant_copy;
        return -pthread_create(&host->thread, NULL, run_card, host);
    }
    host->stop = true;
    eventfd_write(host->event, 1);
    pthread_join(host->thread, NULL);
    return 0;
}

/* ---- driver/host.h, driver/host_block.h ---- */

int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        REQUIRE(commands[i].opcode == COMMAND_VOLUME_SET && commands[i].target == TARGET_BLOCK &&
                commands[i].index < BLOCK_VOLUMES);
        memcpy(&host->setting, commands[i].data, sizeof host->setting);
    }
    host->commands += (unsigned)count;
    return 0;
}

const struct block_command *cipu_host_block_entries(struct cipu_host *host, uint32_t *count)
{
    uint32_t begin = host->consumed % FAKE_RING, waiting = host->produced - host->consumed;
    *count = waiting < FAKE_RING - begin ? waiting : FAKE_RING - begin;
    return &host->ring[begin];
}

void cipu_host_block_release(struct cipu_host *host, uint32_t count)
{
    host->consumed += count;
}

struct block_answer *cipu_host_block_answer(struct cipu_host *host)
{
    if (host->answered + host->prepared - host->taken >= host->answer_room)
        return NULL;
    return &host->answers[(host->answered + host->prepared++) % BLOCK_TAGS];
}

void cipu_host_block_send(struct cipu_host *host)
{
    host->answered += host->prepared;
    host->prepared = 0;
}

int cipu_host_block_fd(struct cipu_host *host)
{
    return host->event;
}

/* ---- the guest's side ---- */

static void post(struct cipu_host *host, const void *entry)
{
    REQUIRE(host->produced - host->consumed < FAKE_RING);
    memcpy(&host->ring[host->produced % FAKE_RING], entry, RING_ENTRY_BYTES);
    host->produced++;
}

static void prepare(struct cipu_host *host, struct block_command *command, void *guest)
{
    struct fake_tag *tag = &host->tags[command->tag];
    REQUIRE(!tag->busy);
    tag->busy = true;
    tag->completed = false;
    tag->guest = guest;
    tag->guest_from = command->flags & BLOCK_VIRTIO && command->opcode == BLOCK_WRITE ? 16 : 0;
    tag->guest_bytes = command->length;
    command->queue = (uint16_t)BLOCK_TAG_QUEUE(command->tag);
    command->stamp = (uint32_t)cipu_card_time(NULL);
    host->busy++;
}

void fake_command(struct cipu_host *host, struct block_command command, void *guest)
{
    command.kind = BACKEND_COMMAND;
    prepare(host, &command, guest);
    post(host, &command);
    eventfd_write(host->event, 1);
}

void fake_raw(struct cipu_host *host, struct block_command command, const void *second, void *guest,
              uint32_t guest_bytes)
{
    command.kind = BACKEND_RAW;
    prepare(host, &command, guest);
    host->tags[command.tag].guest_bytes = guest_bytes;
    host->tags[command.tag].guest_from = 0;
    post(host, &command);
    post(host, second);
    eventfd_write(host->event, 1);
}

static uint8_t *at(struct cipu_host *host, uint64_t address, uint64_t length)
{
    for (unsigned i = 0; i < FAKE_MAPPINGS; i++) {
        struct fake_mapping *mapping = &host->mappings[i];
        if (mapping->memory && address >= mapping->iova && length <= mapping->length &&
            address - mapping->iova <= mapping->length - length)
            return mapping->memory + (address - mapping->iova);
    }
    return NULL;
}

static void tell(struct cipu_host *host, uint16_t tag, uint16_t status)
{
    struct block_command notice = {.kind = BACKEND_MOVED, .tag = tag, .status = status};
    post(host, &notice);
    eventfd_write(host->event, 1);
}

static uint16_t move(struct cipu_host *host, struct fake_tag *tag)
{
    const struct block_answer *answer = &tag->answer;
    REQUIRE(answer->length >= 1 && answer->length <= BLOCK_DATA_MAX);
    if (answer->tag == host->fail_tag)
        return 0x004;
    uint8_t *buffer = at(host, answer->address, answer->length);
    REQUIRE(buffer);
    REQUIRE(answer->skip >= tag->guest_from && answer->skip - tag->guest_from + answer->length <= tag->guest_bytes);
    uint8_t *guest = tag->guest + (answer->skip - tag->guest_from);
    if (answer->flags & ANSWER_MOVE_IN)
        memcpy(buffer, guest, answer->length);
    else
        memcpy(guest, buffer, answer->length);
    return 0;
}

static void obey(struct cipu_host *host, struct fake_tag *tag)
{
    const struct block_answer *answer = &tag->answer;
    uint16_t status = answer->flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT) ? move(host, tag) : 0;
    tag->moving = false;
    if (answer->flags & ANSWER_COMPLETE) {
        tag->busy = false;
        tag->completed = true;
        tag->status = status ? status : answer->status;
        tag->written = answer->written;
        tag->result = answer->result;
        tag->silent = answer->flags & ANSWER_SILENT;
        host->busy--;
    }
    if (answer->flags & ANSWER_TELL && host->hold_tells && answer->flags & ANSWER_COMPLETE)
        tag->tells++, host->held++;
    else if (answer->flags & ANSWER_TELL)
        tell(host, answer->tag, status);
}

static void accept(struct cipu_host *host, const struct block_answer *answer)
{
    REQUIRE(answer->tag < BLOCK_TAGS);
    struct fake_tag *tag = &host->tags[answer->tag];
    bool moves = answer->flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT);
    REQUIRE(tag->busy && !tag->moving); /* no answer beside the one that ends it, none during a move */
    REQUIRE(moves || answer->flags & ANSWER_COMPLETE);
    tag->answer = *answer;
    tag->moving = moves;
    if (!moves || !host->hold_moves)
        obey(host, tag);
    else
        host->held++;
}

unsigned fake_step(struct cipu_host *host)
{
    unsigned done = 0;
    uint32_t answered = host->answered;
    for (; host->taken != answered; done++) {
        struct block_answer answer = host->answers[host->taken % BLOCK_TAGS];
        host->taken++;
        accept(host, &answer);
    }
    for (unsigned i = 0; host->held && !(host->hold_moves && host->hold_tells) && i < BLOCK_TAGS; i++) {
        struct fake_tag *tag = &host->tags[i];
        if (!host->hold_moves && tag->moving) {
            host->held--;
            obey(host, tag);
        }
        for (; !host->hold_tells && tag->tells; tag->tells--, host->held--)
            tell(host, (uint16_t)i, 0);
    }
    return done;
}

static uint64_t milliseconds_now(void)
{
    return cipu_card_time(NULL) / 1000000;
}

uint16_t fake_wait(struct cipu_host *host, uint16_t tag)
{
    uint64_t end = milliseconds_now() + 10000;
    while (!host->tags[tag].completed) {
        if (!fake_step(host))
            usleep(20);
        REQUIRE(milliseconds_now() < end);
    }
    return host->tags[tag].status;
}

void fake_run(struct cipu_host *host, unsigned milliseconds)
{
    uint64_t end = milliseconds_now() + milliseconds;
    while (milliseconds_now() < end)
        if (!fake_step(host))
            usleep(50);
}
