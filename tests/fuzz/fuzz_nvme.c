/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVMe queues in the memory of two guests: the input is what they write into submission queues and shadow doorbells,
 * their doorbells, the order in which commands are finished, and the order in which the card's kernels run. No access
 * may leave a guest's window, no tag is given out twice, no stream may be misused, the card comes to rest after a
 * bounded number of steps, and every queue can then be stopped.
 */
#include <stdio.h>
#include <stdlib.h>

#define CARD_CHECK(condition) ((condition) ? (void)0 : card_fail(#condition, __LINE__))
static _Noreturn void card_fail(const char *condition, int line)
{
    fprintf(stderr, "line %d: %s\n", line, condition);
    abort();
}

#include "tests/hls/nvme_card.h"

#define GUESTS        2u
#define GUEST_BYTES   0x8000u /* what the windows open */
#define PAIRS         3u      /* of a guest, with the admin queues */
#define QUEUES        (GUESTS * PAIRS)
#define MEMORY_SQ(i)  (0x1000u * (i))
#define MEMORY_CQ(i)  (0x3000u + 0x1000u * (i))
#define SHADOWS       0x6000u
#define EVENTS        0x7000u
#define SETTLE_SWEEPS 100000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pair {
    uint32_t entries, places;
    uint16_t completion;
    bool shadow;
    bool running, stopping; /* the submission queue, from QUEUE_SET to the completion of QUEUE_STOP */
};

struct queues {
    struct nvme_card card;
    const uint8_t *data;
    size_t left;
    struct pair pair[QUEUES];
    struct block_context flight[BLOCK_TAGS];
    bool busy[BLOCK_TAGS];
    uint32_t flying;
    uint32_t waiting; /* commands without completion */
};

static uint8_t take(struct queues *queues)
{
    if (!queues->left)
        return 0;
    queues->left--;
    return *queues->data++;
}

static uint16_t take16(struct queues *queues)
{
    uint16_t low = take(queues);
    return (uint16_t)(low | (uint32_t)take(queues) << 8);
}

/* An address that lies in the memory but not in the window was refused. */
static bool transfer(void *context, enum card_channel channel, const struct dma_request *request)
{
    uint64_t base = (uint64_t)request->function * MEMORY_BYTES;
    (void)context;
    (void)channel;
    CARD_CHECK(request->function < GUESTS);
    CARD_CHECK(request->flags & DMA_REFUSED || request->address - base + request->length <= GUEST_BYTES);
    return true;
}

static void take_submit(struct queues *queues, const struct block_submit *submit)
{
    const struct block_context *context = &submit->context;
    if (context->format == BLOCK_WINDOW) {
        queues->waiting--; /* block_done would complete it */
        return;
    }
    CARD_CHECK(context->queue < QUEUES && BLOCK_TAG_QUEUE(context->tag) == context->queue);
    const struct pair *pair = &queues->pair[context->queue];
    CARD_CHECK(pair->running && !queues->busy[context->tag] && context->function == context->queue / PAIRS);
    CARD_CHECK(context->completion == pair->completion && context->sq_head < pair->entries);
    CARD_CHECK(context->sq_id != 0 || submit->command.kind == BACKEND_RAW);
    queues->busy[context->tag] = true;
    queues->flight[queues->flying++] = *context;
}

static void take_completions(struct queues *queues, struct stream *stream, uint8_t target)
{
    struct command_entry entry;
    while (stream_get(stream, &entry)) {
        CARD_CHECK(entry.target == target && entry.status <= STATUS_BUSY && queues->waiting-- != 0);
        if (entry.opcode == COMMAND_QUEUE_STOP)
            CARD_CHECK(entry.status == STATUS_OK);
        if (target == TARGET_NVME_SQ && entry.opcode == COMMAND_QUEUE_STOP && entry.argument == 0)
            queues->pair[entry.index].running = queues->pair[entry.index].stopping = false;
    }
}

/* Commands, completions, events, interrupts. */
static void drain(struct queues *queues)
{
    struct block_submit submit;
    struct event_entry event;
    struct interrupt_request interrupt;
    while (stream_get(&queues->card.submit, &submit))
        take_submit(queues, &submit);
    while (stream_get(&queues->card.alert, &event) || stream_get(&queues->card.cq_alert, &event))
        CARD_CHECK(event.function < GUESTS);
    while (stream_get(&queues->card.interrupt, &interrupt))
        CARD_CHECK(interrupt.vector >= VECTOR_BLOCK && interrupt.vector < VECTOR_BLOCK + QUEUES);
    take_completions(queues, &queues->card.completion, TARGET_NVME_SQ);
    take_completions(queues, &queues->card.cq_completion, TARGET_NVME_CQ);
}

static bool sweep(struct queues *queues)
{
    bool moved = false;
    for (uint32_t part = 0; part < CARD_PARTS; part++)
        moved |= card_step(&queues->card, part);
    drain(queues);
    return moved;
}

static void settle(struct queues *queues)
{
    for (uint32_t sweeps = 0; sweep(queues); sweeps++)
        CARD_CHECK(sweeps < SETTLE_SWEEPS);
}

static void send(struct queues *queues, uint8_t target, struct command_entry *entry)
{
    struct stream *stream = target == TARGET_NVME_CQ ? &queues->card.cq_command : &queues->card.command;
    entry->target = target;
    for (uint32_t tries = 0; !stream_put(stream, entry); tries++) {
        CARD_CHECK(tries < SETTLE_SWEEPS);
        sweep(queues);
    }
    queues->waiting++;
}

static void set(struct queues *queues, uint8_t target, uint32_t queue, const struct nvme_queue_setting *setting)
{
    struct command_entry entry = {.opcode = COMMAND_QUEUE_SET, .index = queue};
    memcpy(entry.data, setting, sizeof *setting);
    send(queues, target, &entry);
}

static struct nvme_queue_setting setting_of(const struct queues *queues, uint32_t queue, uint32_t index)
{
    struct nvme_queue_setting setting = {.function = (uint16_t)(queue / PAIRS)};
    setting.base = (uint16_t)(queue / PAIRS * PAIRS);
    setting.completion = queues->pair[queue].completion;
    if (queues->pair[queue].shadow) {
        setting.shadow = SHADOWS + 4u * index;
        setting.event = EVENTS + 4u * index;
    }
    return setting;
}

static void set_sq(struct queues *queues, uint32_t queue)
{
    struct pair *pair = &queues->pair[queue];
    uint32_t number = queue % PAIRS;
    struct nvme_queue_setting setting = setting_of(queues, queue, 2 * number);
    if (pair->running)
        return;
    setting.address = MEMORY_SQ(number);
    setting.entries = pair->entries;
    setting.flags = number == 0 ? NVME_QUEUE_ADMIN : 0;
    pair->running = true;
    set(queues, TARGET_NVME_SQ, queue, &setting);
}

static void set_cq(struct queues *queues, uint32_t queue)
{
    struct pair *pair = &queues->pair[queue];
    uint32_t number = queue % PAIRS;
    struct nvme_queue_setting setting = setting_of(queues, queue, 2 * number + 1);
    setting.address = MEMORY_CQ(number);
    setting.entries = pair->places;
    setting.vector = (uint16_t)(VECTOR_BLOCK + queue);
    setting.threshold = take(queues);
    setting.delay = take(queues) % 4u * 10u;
    set(queues, TARGET_NVME_CQ, queue, &setting);
    setting.flags = NVME_QUEUE_COMPLETION;
    set(queues, TARGET_NVME_SQ, queue, &setting);
}

static void late_shadow(struct queues *queues, uint32_t queue, uint32_t completion)
{
    struct nvme_queue_setting setting = {.flags =
                                             (uint8_t)(NVME_QUEUE_SHADOW | (completion ? NVME_QUEUE_COMPLETION : 0))};
    setting.shadow = SHADOWS + 4u * (2u * (queue % PAIRS) + completion);
    setting.event = setting.shadow - SHADOWS + EVENTS;
    set(queues, TARGET_NVME_SQ, queue, &setting);
}

static void stop_sq(struct queues *queues, uint32_t queue)
{
    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .index = queue};
    if (!queues->pair[queue].running || queues->pair[queue].stopping)
        return;
    queues->pair[queue].stopping = true;
    send(queues, TARGET_NVME_SQ, &entry);
}

static void window(struct queues *queues, uint32_t function, uint64_t bytes)
{
    struct window_setting setting = {(uint64_t)function * MEMORY_BYTES, bytes};
    struct command_entry entry = {.opcode = COMMAND_WINDOW_SET, .index = function};
    memcpy(entry.data, &setting, sizeof setting);
    send(queues, TARGET_NVME_SQ, &entry);
    send(queues, TARGET_NVME_CQ, &entry);
}

/* A command is over; room in the stream is waited for. */
static void finish(struct queues *queues, uint32_t place, bool silent)
{
    if (queues->flying == 0)
        return;
    struct block_context *context = &queues->flight[place % queues->flying];
    struct block_completion over = {.result = place, .tag = context->tag, .status = (uint16_t)(place & 0x7fffu)};
    over.function = context->function;
    over.queue = context->queue;
    over.completion = context->completion;
    over.identifier = context->identifier;
    over.sq_head = context->sq_head;
    over.sequence = context->sequence;
    over.sq_id = context->sq_id;
    over.generation = context->generation;
    over.silent = silent;
    queues->busy[context->tag] = false;
    *context = queues->flight[--queues->flying];
    for (uint32_t tries = 0; !stream_put(&queues->card.finished, &over); tries++) {
        CARD_CHECK(tries < SETTLE_SWEEPS);
        sweep(queues);
    }
}

static void ring(struct queues *queues, uint32_t function, uint32_t index, uint32_t value)
{
    struct doorbell doorbell = {DOORBELL_NVME + function * PAIRS, value, index, take(queues)};
    stream_put(&queues->card.doorbell, &doorbell);
}

static void act(struct queues *queues)
{
    uint8_t what = take(queues);
    uint32_t queue = (what >> 4) % QUEUES, function = queue / PAIRS, number = queue % PAIRS;
    uint8_t *memory = queues->card.memory + function * MEMORY_BYTES;
    uint32_t word;
    switch (what & 15) {
    case 0: /* bytes of an entry */
        memory[MEMORY_SQ(number) + take16(queues) % 0x1000u] = take(queues);
        break;
    case 1:
    case 2: /* more commands, or a completion queue's head */
        ring(queues, function, 2 * number + (what & 15) - 1, take(queues) % 64u);
        break;
    case 3:
        ring(queues, function, take(queues), take16(queues));
        break;
    case 4:
    case 5: /* a shadow doorbell, and a kick */
        word = take(queues) & 0x80 ? take16(queues) : take(queues) % 64u;
        memcpy(memory + SHADOWS + 4u * (2 * number + (what & 1)), &word, sizeof word);
        ring(queues, function, 2 * number + (what & 1), take(queues) % 64u);
        break;
    case 6:
        memory[SHADOWS + take(queues) % 32u] = take(queues);
        break;
    case 7:
        finish(queues, take(queues), (what & 0x80) != 0);
        break;
    case 8:
        stop_sq(queues, queue);
        break;
    case 9:
        set_sq(queues, queue);
        break;
    case 10:
        late_shadow(queues, queue, take(queues) & 1u);
        break;
    case 11:
        window(queues, function, what & 0x80 ? GUEST_BYTES : take16(queues) % GUEST_BYTES);
        break;
    case 12: { /* one part runs alone for a while */
        uint32_t part = take(queues) % CARD_PARTS;
        for (uint32_t count = 1 + (what >> 4); count && card_step(&queues->card, part); count--)
            ;
        break;
    }
    case 13:
        queues->card.now += take(queues);
        break;
    case 14:
        settle(queues);
        break;
    default:
        for (uint32_t count = 1 + (what >> 4); count; count--)
            sweep(queues);
    }
}

/* The card is built once; each input begins with a copy of what it was then. */
static struct queues *queues_open(const uint8_t *data, size_t size)
{
    static struct queues *queues, *fresh;
    size_t bytes = (sizeof *queues + 63) / 64 * 64;
    if (!queues) {
        queues = aligned_alloc(64, bytes);
        fresh = aligned_alloc(64, bytes);
        memset(queues, 0, bytes);
        nvme_card_open(&queues->card, GUESTS, 16);
        queues->card.transfer = transfer;
        memcpy(fresh, queues, bytes);
    }
    memcpy(queues, fresh, bytes);
    queues->data = data;
    queues->left = size;
    for (uint32_t function = 0; function < GUESTS; function++) {
        memset(queues->card.memory + function * MEMORY_BYTES, 0, GUEST_BYTES);
        window(queues, function, GUEST_BYTES);
    }
    return queues;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queues *queues = queues_open(data, size);
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        struct pair *pair = &queues->pair[queue];
        uint8_t shape = take(queues);
        pair->entries = 2u + (shape & 63u);
        pair->places = 2u + take(queues) % 64u;
        pair->shadow = (shape & 64u) != 0 && queue % PAIRS != 0;
        pair->completion = (uint16_t)(queue / PAIRS * PAIRS + (queue % PAIRS == 0 ? 0 : 1u + (shape >> 7)));
        set_cq(queues, queue);
    }
    settle(queues);
    for (uint32_t queue = 0; queue < QUEUES; queue++)
        set_sq(queues, queue);
    settle(queues);
    for (uint32_t acts = 0; queues->left && acts < 3000; acts++)
        act(queues);
    settle(queues);
    for (uint32_t queue = 0; queue < QUEUES; queue++)
        stop_sq(queues, queue);
    settle(queues);
    while (queues->flying != 0)
        finish(queues, queues->flying, false);
    settle(queues);
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .index = queue, .argument = NVME_QUEUE_COMPLETION};
        CARD_CHECK(!queues->pair[queue].running);
        send(queues, TARGET_NVME_SQ, &entry);
        entry.argument = 0;
        send(queues, TARGET_NVME_CQ, &entry);
    }
    settle(queues);
    CARD_CHECK(queues->waiting == 0);
    return 0;
}
