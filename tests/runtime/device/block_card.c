/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/device/block_card.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/dma.h"
#include "hls/include/virtio.h"

#define STEP_CHAINS 16u

#define REQUIRE(condition)                                                        \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: card: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                              \
        }                                                                         \
    } while (0)

static uint64_t random_below(struct cipu_card *card, uint64_t below)
{
    card->random ^= card->random << 13;
    card->random ^= card->random >> 7;
    card->random ^= card->random << 17;
    return below ? card->random % below : 0;
}

/* ---- memory ---- */

static uint8_t *bus(struct cipu_card *card, uint64_t address, uint64_t length)
{
    for (unsigned i = 0; i < BLOCK_CARD_MAPPINGS; i++) {
        struct block_card_mapping *mapping = &card->mappings[i];
        if (mapping->memory && address >= mapping->iova && length <= mapping->length &&
            address - mapping->iova <= mapping->length - length)
            return mapping->memory + (address - mapping->iova);
    }
    return NULL;
}

static uint8_t *guest(struct cipu_card *card, unsigned function, uint64_t address, uint64_t length)
{
    const struct window_setting *window = &card->windows[function];
    if (length > window->length || address > window->length - length)
        return NULL;
    return bus(card, window->bus_base + address, length);
}

int cipu_card_dma_map(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                      struct cipu_error *error)
{
    (void)protection, (void)error;
    REQUIRE(length && length % 4096 == 0 && iova % 4096 == 0 && offset % 4096 == 0);
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (memory == MAP_FAILED)
        return -errno;
    pthread_mutex_lock(&card->lock);
    struct block_card_mapping *room = NULL;
    for (unsigned i = 0; i < BLOCK_CARD_MAPPINGS; i++) {
        struct block_card_mapping *mapping = &card->mappings[i];
        if (!mapping->memory)
            room = mapping;
        else
            REQUIRE(iova + length <= mapping->iova || mapping->iova + mapping->length <= iova);
    }
    REQUIRE(room);
    *room = (struct block_card_mapping){iova, length, memory};
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int cipu_card_dma_unmap(struct cipu_card *card, uint64_t iova, uint64_t length)
{
    int result = -ENOENT;
    pthread_mutex_lock(&card->lock);
    for (unsigned i = 0; i < BLOCK_CARD_MAPPINGS && result; i++) {
        struct block_card_mapping *mapping = &card->mappings[i];
        if (!mapping->memory || mapping->iova != iova || mapping->length != length)
            continue;
        munmap(mapping->memory, length);
        mapping->memory = NULL;
        result = 0;
    }
    pthread_mutex_unlock(&card->lock);
    REQUIRE(!result);
    return result;
}

/* ---- the rest of driver/card.h ---- */

static void wake(struct cipu_card *card)
{
    eventfd_write(card->wake, 1);
}

int cipu_card_doorbell(struct cipu_card *card, uint32_t page, uint32_t value)
{
    (void)value;
    REQUIRE(page >= DOORBELL_BLOCK && page < DOORBELL_BLOCK + BLOCK_QUEUES);
    pthread_mutex_lock(&card->lock);
    card->queues[page - DOORBELL_BLOCK].rung = true;
    pthread_mutex_unlock(&card->lock);
    wake(card);
    return 0;
}

int cipu_card_doorbell_share(struct cipu_card *card, uint32_t page, int *fd, off_t *offset)
{
    (void)card, (void)page, (void)fd, (void)offset;
    return -ENOTSUP;
}

int cipu_card_interrupt(struct cipu_card *card, uint32_t vector, int fd)
{
    REQUIRE(vector >= VECTOR_BLOCK && vector < CARD_VECTORS);
    int copy = fd < 0 ? -1 : dup(fd);
    pthread_mutex_lock(&card->lock);
    if (card->vectors[vector] >= 0)
        close(card->vectors[vector]);
    card->vectors[vector] = copy;
    if (copy >= 0 && card->latched[vector])
        eventfd_write(copy, 1);
    if (copy >= 0)
        card->latched[vector] = false;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int cipu_card_attend(struct cipu_card *card, const struct cipu_attendant *attendant)
{
    (void)card, (void)attendant;
    return -ENOTSUP;
}

uint64_t cipu_card_time(struct cipu_card *card)
{
    struct timespec now;
    (void)card;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- commands ---- */

static void queue_set(struct cipu_card *card, struct command_entry *entry)
{
    struct block_card_queue *queue = &card->queues[entry->index];
    struct queue_setting setting;
    memcpy(&setting, entry->data, sizeof setting);
    bool fetch = entry->target == TARGET_BLK;
    bool good = setting.entries >= 2 && setting.entries <= BLOCK_SLOTS && !(setting.entries & (setting.entries - 1)) &&
                setting.descriptors % 16 == 0 && setting.avail % 2 == 0 && setting.used % 4 == 0 &&
                setting.function < FUNCTION_HOST && setting.flags & QUEUE_BLOCK;
    if (fetch ? queue->fetching || queue->faulted : queue->completing) {
        entry->status = STATUS_BUSY;
    } else if (!good) {
        entry->status = STATUS_BAD_DATA;
    } else if (fetch) {
        REQUIRE(queue->completing);
        queue->setting = setting;
        queue->avail = setting.position;
        memset(queue->chains, 0, sizeof queue->chains);
        queue->fetching = queue->rung = true;
    } else {
        queue->used_setting = setting;
        queue->used = setting.position;
        queue->completing = true;
    }
}

static void queue_stop(struct cipu_card *card, struct command_entry *entry)
{
    struct block_card_queue *queue = &card->queues[entry->index];
    bool fetch = entry->target == TARGET_BLK;
    struct queue_position position = {.position = fetch ? queue->avail : queue->used};
    if (fetch)
        queue->fetching = queue->faulted = false;
    else
        queue->completing = false;
    memset(entry->data, 0, sizeof entry->data);
    memcpy(entry->data, &position, sizeof position);
}

static void execute(struct cipu_card *card, struct command_entry *entry)
{
    bool blk = entry->target == TARGET_BLK || entry->target == TARGET_BLK_USED;
    entry->status = STATUS_OK;
    if (entry->opcode == COMMAND_VOLUME_SET && entry->target == TARGET_BLOCK)
        return;
    REQUIRE(blk);
    if (entry->opcode == COMMAND_WINDOW_SET && entry->index < CARD_FUNCTIONS)
        memcpy(&card->windows[entry->index], entry->data, sizeof card->windows[0]);
    else if (entry->index >= BLOCK_QUEUES)
        entry->status = STATUS_BAD_INDEX;
    else if (entry->opcode == COMMAND_QUEUE_SET)
        queue_set(card, entry);
    else if (entry->opcode == COMMAND_QUEUE_STOP)
        queue_stop(card, entry);
    else
        entry->status = STATUS_BAD_OPCODE;
}

int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count)
{
    bool failed = false;
    pthread_mutex_lock(&host->card->lock);
    for (size_t i = 0; i < count; i++) {
        execute(host->card, &commands[i]);
        failed |= commands[i].status != STATUS_OK;
    }
    host->card->commands += (unsigned)count;
    pthread_mutex_unlock(&host->card->lock);
    wake(host->card);
    return failed ? -EIO : 0;
}

/* ---- driver/host_block.h ---- */

const struct block_command *cipu_host_block_entries(struct cipu_host *host, uint32_t *count)
{
    uint32_t begin = host->consumed % BLOCK_CARD_RING, waiting = host->produced - host->consumed;
    *count = waiting < BLOCK_CARD_RING - begin ? waiting : BLOCK_CARD_RING - begin;
    return &host->ring[begin];
}

void cipu_host_block_release(struct cipu_host *host, uint32_t count)
{
    host->consumed += count;
}

struct block_answer *cipu_host_block_answer(struct cipu_host *host)
{
    if (host->answered + host->prepared - host->taken >= BLOCK_CARD_RING)
        return NULL;
    return &host->answers[(host->answered + host->prepared++) % BLOCK_CARD_RING];
}

void cipu_host_block_send(struct cipu_host *host)
{
    host->answered += host->prepared;
    host->prepared = 0;
    wake(host->card);
}

int cipu_host_block_fd(struct cipu_host *host)
{
    return host->event;
}

static void post(struct cipu_host *host, const void *entry)
{
    REQUIRE(host->produced - host->consumed < BLOCK_CARD_RING);
    memcpy(&host->ring[host->produced % BLOCK_CARD_RING], entry, RING_ENTRY_BYTES);
    host->produced++;
}

/* ---- chains ---- */

static bool descriptor_at(struct cipu_card *card, unsigned function, uint64_t table, uint32_t index,
                          struct virtq_descriptor *descriptor)
{
    const uint8_t *bytes = guest(card, function, table + (uint64_t)index * sizeof *descriptor, sizeof *descriptor);
    if (bytes)
        memcpy(descriptor, bytes, sizeof *descriptor);
    return bytes != NULL;
}

/* Bytes of a chain in one direction, after `skip` of them: to or from `data`. Returns how many there were. */
static uint32_t move(struct cipu_card *card, unsigned function, const struct block_card_chain *chain, bool out,
                     uint64_t skip, uint8_t *data, uint32_t length)
{
    uint32_t done = 0;
    uint16_t index = chain->first;
    for (uint32_t steps = 0; steps < chain->entries && done < length; steps++) {
        struct virtq_descriptor descriptor;
        if (index >= chain->entries || !descriptor_at(card, function, chain->table, index, &descriptor))
            break;
        if (!(descriptor.flags & VIRTQ_WRITE) == !out) {
            uint32_t leave = skip < descriptor.length ? (uint32_t)skip : descriptor.length;
            uint32_t step = descriptor.length - leave < length - done ? descriptor.length - leave : length - done;
            uint8_t *memory = guest(card, function, descriptor.address + leave, step);
            if (step && !memory)
                break;
            if (step)
                memcpy(out ? memory : data + done, out ? data + done : memory, step);
            skip -= leave;
            done += step;
        }
        if (!(descriptor.flags & VIRTQ_NEXT))
            break;
        index = descriptor.next;
    }
    return done;
}

static int walk(struct cipu_card *card, const struct queue_setting *setting, uint16_t head,
                struct block_card_chain *chain, uint32_t *readable, uint32_t *writable)
{
    uint16_t index = head;
    struct virtq_descriptor last = {0};
    *chain = (struct block_card_chain){.table = setting->descriptors, .entries = setting->entries, .first = head};
    *readable = *writable = 0;
    for (uint32_t steps = 0; steps <= setting->entries; steps++) {
        struct virtq_descriptor descriptor;
        if (index >= chain->entries)
            return FAULT_DESCRIPTOR_INDEX;
        if (!descriptor_at(card, setting->function, chain->table, index, &descriptor))
            return FAULT_ADDRESS;
        if (descriptor.flags & VIRTQ_INDIRECT) {
            if (!(setting->flags & QUEUE_INDIRECT) || steps || descriptor.length % 16 || !descriptor.length)
                return FAULT_INDIRECT;
            *chain = (struct block_card_chain){.table = descriptor.address, .entries = descriptor.length / 16};
            index = 0;
            continue;
        }
        if (descriptor.length == 0)
            return FAULT_DESCRIPTOR_LENGTH;
        if (descriptor.flags & VIRTQ_WRITE)
            *writable += descriptor.length;
        else if (*writable)
            return FAULT_DIRECTION;
        else
            *readable += descriptor.length;
        last = descriptor;
        if (!(descriptor.flags & VIRTQ_NEXT)) {
            if (!(last.flags & VIRTQ_WRITE))
                return FAULT_DIRECTION;
            chain->status = last.address + last.length - 1;
            (*writable)--;
            return FAULT_NONE;
        }
        index = descriptor.next;
    }
    return FAULT_DESCRIPTOR_LOOP;
}

static void send_command(struct cipu_host *host, unsigned number, uint16_t head, const struct block_card_chain *chain,
                         uint32_t readable, uint32_t writable)
{
    struct cipu_card *card = host->card;
    const struct queue_setting *setting = &card->queues[number].setting;
    struct virtq_descriptor first;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
        uint8_t rest[RING_ENTRY_BYTES - 16];
    } header = {0};
    bool whole = descriptor_at(card, setting->function, chain->table, chain->first, &first) &&
                 !(first.flags & VIRTQ_WRITE) && first.length >= 16 &&
                 move(card, setting->function, chain, false, 0, (uint8_t *)&header, 16) == 16;
    uint32_t length = whole && header.type == 1 ? readable - 16 : writable;
    struct block_command command = {.kind = BACKEND_RAW,
                                    .tag = (uint16_t)(number * BLOCK_SLOTS + head),
                                    .function = setting->function,
                                    .queue = (uint16_t)number,
                                    .flags = BLOCK_VIRTIO,
                                    .volume = setting->volume,
                                    .stamp = (uint32_t)cipu_card_time(card),
                                    .identifier = head,
                                    .readable = readable,
                                    .writable = writable};
    bool moves = whole && header.type <= 1 && length % 512 == 0 && length && length <= BLOCK_DATA_MAX &&
                 header.sector < UINT64_MAX / 512 && (header.type == 1 ? !writable : readable == 16);
    if (moves || (whole && header.type == 4)) {
        command.kind = BACKEND_COMMAND;
        command.opcode = header.type == 4 ? BLOCK_FLUSH : header.type == 1 ? BLOCK_WRITE : BLOCK_READ;
        command.offset = header.type == 4 ? 0 : header.sector * 512;
        command.length = header.type == 4 ? 0 : length;
    }
    post(host, &command);
    if (command.kind == BACKEND_RAW)
        post(host, &header);
}

static void fault(struct cipu_card *card, unsigned number, int detail)
{
    struct block_card_queue *queue = &card->queues[number];
    queue->fetching = false;
    queue->faulted = true;
    const struct event_entry event = {.kind = EVENT_QUEUE_STOPPED,
                                      .detail = (uint16_t)detail,
                                      .function = queue->setting.function,
                                      .queue = (uint16_t)number,
                                      .generation = queue->setting.generation};
    if (card->event)
        card->event(card->event_context, &event);
}

static bool fetch(struct cipu_host *host, unsigned number)
{
    struct cipu_card *card = host->card;
    struct block_card_queue *queue = &card->queues[number];
    const struct queue_setting *setting = &queue->setting;
    bool any = false;
    for (unsigned i = 0; queue->fetching && !card->deaf && i < STEP_CHAINS; i++) {
        uint8_t *avail = guest(card, setting->function, setting->avail, 4 + 2 * setting->entries);
        uint32_t readable, writable;
        struct block_card_chain chain;
        uint16_t head;
        if (!avail) {
            fault(card, number, FAULT_ADDRESS);
            break;
        }
        uint16_t index = __atomic_load_n((uint16_t *)(avail + 2), __ATOMIC_ACQUIRE);
        if (index == queue->avail) {
            queue->rung = false;
            break;
        }
        memcpy(&head, avail + 4 + 2 * (queue->avail % setting->entries), 2);
        int detail = (uint16_t)(index - queue->avail) > setting->entries ? FAULT_AVAIL_INDEX
                     : head >= setting->entries                          ? FAULT_DESCRIPTOR_INDEX
                     : queue->chains[head].in_flight                     ? FAULT_BUSY_HEAD
                                                     : walk(card, setting, head, &chain, &readable, &writable);
        if (detail) {
            fault(card, number, detail);
            break;
        }
        chain.in_flight = true;
        queue->chains[head] = chain;
        queue->avail++;
        send_command(host, number, head, &chain, readable, writable);
        any = true;
    }
    return any;
}

/* ---- answers ---- */

static void interrupt(struct cipu_card *card, const struct block_card_queue *queue, uint16_t before)
{
    const struct queue_setting *setting = &queue->used_setting;
    const uint8_t *avail = guest(card, setting->function, setting->avail, 6 + 2 * setting->entries);
    uint16_t flags, event;
    if (!avail || setting->vector == 0xffff)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy(&flags, avail, 2);
    memcpy(&event, avail + 4 + 2 * setting->entries, 2);
    bool wanted = setting->flags & QUEUE_EVENT_INDEX
                      ? (uint16_t)(queue->used - event - 1) < (uint16_t)(queue->used - before)
                      : !(flags & VIRTQ_AVAIL_NO_INTERRUPT);
    if (!wanted)
        return;
    card->interrupts++;
    if (card->vectors[setting->vector] >= 0)
        eventfd_write(card->vectors[setting->vector], 1);
    else
        card->latched[setting->vector] = true;
}

static void complete(struct cipu_card *card, const struct block_answer *answer)
{
    struct block_card_queue *queue = &card->queues[BLOCK_TAG_QUEUE(answer->tag)];
    struct block_card_chain *chain = &queue->chains[answer->tag % BLOCK_SLOTS];
    const struct queue_setting *setting = &queue->used_setting;
    chain->in_flight = false;
    if (answer->flags & ANSWER_SILENT || !queue->completing)
        return;
    uint8_t *status = guest(card, setting->function, chain->status, 1);
    uint8_t *used = guest(card, setting->function, setting->used, 4 + 8 * setting->entries);
    if (!status || !used)
        return;
    *status = (uint8_t)answer->status;
    const struct virtq_used_element element = {answer->tag % BLOCK_SLOTS, answer->written};
    memcpy(used + 4 + 8 * (queue->used % setting->entries), &element, sizeof element);
    __atomic_store_n((uint16_t *)(used + 2), (uint16_t)(queue->used + 1), __ATOMIC_RELEASE);
    queue->used++;
    interrupt(card, queue, (uint16_t)(queue->used - 1));
}

/* In the order of the answers, some of them late. */
static void publish(struct cipu_card *card, bool all)
{
    unsigned keep = all ? 0 : (unsigned)random_below(card, card->lag + 1);
    unsigned count = card->late_count > keep ? card->late_count - keep : 0;
    for (unsigned i = 0; i < count; i++)
        complete(card, &card->late[i]);
    memmove(card->late, card->late + count, (card->late_count - count) * sizeof card->late[0]);
    card->late_count -= count;
}

static void obey(struct cipu_host *host, const struct block_answer *answer)
{
    struct cipu_card *card = host->card;
    REQUIRE(answer->tag < BLOCK_TAGS);
    const struct block_card_queue *queue = &card->queues[BLOCK_TAG_QUEUE(answer->tag)];
    const struct block_card_chain *chain = &queue->chains[answer->tag % BLOCK_SLOTS];
    struct block_answer done = *answer;
    uint16_t moved = 0;
    REQUIRE(chain->in_flight);
    if (answer->flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT)) {
        uint8_t *buffer = bus(card, answer->address, answer->length);
        REQUIRE(buffer && answer->length && answer->length <= BLOCK_DATA_MAX);
        bool whole = move(card, queue->setting.function, chain, answer->flags & ANSWER_MOVE_OUT, answer->skip, buffer,
                          answer->length) == answer->length;
        moved = whole ? 0 : 1;
        done.status = whole ? done.status : 1;
    }
    if (answer->flags & ANSWER_COMPLETE) {
        REQUIRE(card->late_count < BLOCK_CARD_LATE);
        card->late[card->late_count++] = done;
    }
    if (answer->flags & ANSWER_TELL) {
        const struct block_command notice = {.kind = BACKEND_MOVED, .tag = answer->tag, .status = moved};
        post(host, &notice);
    }
}

static bool step(struct cipu_host *host)
{
    struct cipu_card *card = host->card;
    uint32_t produced = host->produced;
    bool any = false;
    pthread_mutex_lock(&card->lock);
    for (; host->taken != host->answered && card->late_count < BLOCK_CARD_LATE; host->taken++) {
        obey(host, &host->answers[host->taken % BLOCK_CARD_RING]);
        any = true;
    }
    publish(card, !any);
    for (unsigned i = 0; i < BLOCK_QUEUES; i++)
        if (card->queues[i].rung)
            any |= fetch(host, i);
    pthread_mutex_unlock(&card->lock);
    if (host->produced != produced)
        eventfd_write(host->event, 1);
    return any;
}

static void *run(void *context)
{
    struct cipu_host *host = context;
    struct pollfd poller = {.fd = host->card->wake, .events = POLLIN};
    while (!host->card->stop) {
        eventfd_t count;
        if (step(host))
            continue;
        poll(&poller, 1, 1);
        eventfd_read(host->card->wake, &count);
    }
    return NULL;
}

/* ---- life ---- */

int block_card_open(struct cipu_card **card, struct cipu_host **host)
{
    *card = calloc(1, sizeof **card);
    *host = calloc(1, sizeof **host);
    (*host)->card = *card;
    (*host)->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (*card)->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (*card)->random = 88172645463325252u;
    for (unsigned i = 0; i < CARD_VECTORS; i++)
        (*card)->vectors[i] = -1;
    pthread_mutex_init(&(*card)->lock, NULL);
    return pthread_create(&(*card)->thread, NULL, run, *host);
}

void block_card_close(struct cipu_card *card, struct cipu_host *host)
{
    card->stop = true;
    wake(card);
    pthread_join(card->thread, NULL);
    for (unsigned i = 0; i < BLOCK_CARD_MAPPINGS; i++)
        REQUIRE(!card->mappings[i].memory); /* whoever mapped it has unmapped it */
    for (unsigned i = 0; i < CARD_VECTORS; i++)
        if (card->vectors[i] >= 0)
            close(card->vectors[i]);
    pthread_mutex_destroy(&card->lock);
    close(card->wake);
    close(host->event);
    free(card);
    free(host);
}

bool block_card_is_clean(struct cipu_card *card, unsigned function)
{
    bool clean = true;
    pthread_mutex_lock(&card->lock);
    for (unsigned i = 0; i < BLOCK_CARD_MAPPINGS; i++)
        if (card->mappings[i].memory && card->mappings[i].iova >> CIPU_WINDOW_SHIFT == function)
            clean = false;
    for (unsigned i = 0; i < BLOCK_QUEUES; i++)
        if ((card->queues[i].fetching || card->queues[i].completing) && card->queues[i].setting.function == function)
            clean = false;
    pthread_mutex_unlock(&card->lock);
    return clean;
}
