/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/block_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE NVME_PAGE_BYTES
/* Guest memory: rings, shadow doorbells, PRP lists, then a data place for each slot. */
#define RINGS_AT   0x10000u
#define SHADOW_AT  0x8000u
#define EVENT_AT   0x9000u
#define LISTS_AT   0x100000u
#define DATA_AT    0x200000u
#define DATA_PLACE (WORLD_DATA_BYTES + 2 * PAGE)

#define HOST_BUFFERS_BUS (((uint64_t)FUNCTION_HOST << CIPU_WINDOW_SHIFT) + (UINT64_C(1) << 38))

uint32_t world_random(struct world *world, uint32_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)((world->random >> 32) * below >> 32);
}

static int memory(size_t bytes, uint8_t **at)
{
    int fd = memfd_create("test-block", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(*at != MAP_FAILED);
    return fd;
}

static void command(struct world *world, uint8_t target, uint16_t opcode, uint32_t index, uint32_t argument,
                    const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .target = target, .index = index, .argument = argument};
    memcpy(entry.data, data, bytes);
    int result = cipu_host_command(world->host, &entry, 1);
    if (result != 0)
        fail_msg("command %u to %u, index %u: %d, status %u", opcode, target, index, result, entry.status);
}

void world_open(struct world *world, struct cipu_card *card)
{
    struct cipu_error error;
    memset(world, 0, sizeof *world);
    world->random = 88172645463325252u;
    world->card = card;
    if (cipu_host_open(card, &world->host, &error) != 0)
        fail_msg("%s", error.text);
    size_t bytes = WORLD_VOLUME_BYTES + (size_t)BLOCK_TAGS * WORLD_DATA_BYTES;
    world->volume_fd = memory(bytes, &world->volume);
    world->volume_bus = HOST_BUFFERS_BUS;
    assert_int_equal(
        cipu_card_dma_map(card, world->volume_fd, 0, world->volume_bus, bytes, CIPU_DMA_READ | CIPU_DMA_WRITE, NULL),
        0);
    world->shadow = malloc(WORLD_VOLUME_BYTES);
    for (uint32_t i = 0; i < WORLD_VOLUME_BYTES; i++)
        world->volume[i] = world->shadow[i] = (uint8_t)world_random(world, 256);
}

void world_close(struct world *world)
{
    cipu_host_close(world->host);
    cipu_card_dma_unmap(world->card, world->volume_bus, WORLD_VOLUME_BYTES + (size_t)BLOCK_TAGS * WORLD_DATA_BYTES);
    munmap(world->volume, WORLD_VOLUME_BYTES + (size_t)BLOCK_TAGS * WORLD_DATA_BYTES);
    close(world->volume_fd);
    free(world->shadow);
    cipu_card_close(world->card);
}

static void start_pair(struct world *world, struct world_controller *controller, uint32_t number)
{
    struct world_pair *pair = &controller->pairs[number];
    uint32_t queue = controller->base + number;
    *pair = (struct world_pair){.number = number, .entries = WORLD_ENTRIES, .phase = 1};
    pair->sq = RINGS_AT + (uint64_t)number * 4 * PAGE;
    pair->cq = pair->sq + 2 * PAGE;
    bool shadow = controller->shadow && number != 0;
    struct nvme_queue_setting setting = {.address = pair->cq,
                                         .entries = WORLD_ENTRIES,
                                         .function = controller->function,
                                         .base = controller->base,
                                         .completion = (uint16_t)queue,
                                         .vector = WORLD_VECTOR_NONE,
                                         .flags = number == 0 ? NVME_QUEUE_ADMIN : 0};
    if (shadow) {
        setting.shadow = SHADOW_AT + number * 8 + 4;
        setting.event = EVENT_AT + number * 8 + 4;
    }
    memset(controller->memory + pair->sq, 0, 4 * PAGE);
    command(world, TARGET_NVME_CQ, COMMAND_QUEUE_SET, queue, 0, &setting, sizeof setting);
    setting.flags |= NVME_QUEUE_COMPLETION;
    command(world, TARGET_NVME_SQ, COMMAND_QUEUE_SET, queue, 0, &setting, sizeof setting);
    setting.flags = number == 0 ? NVME_QUEUE_ADMIN : 0;
    setting.address = pair->sq;
    if (shadow) {
        setting.shadow = SHADOW_AT + number * 8;
        setting.event = EVENT_AT + number * 8;
    }
    command(world, TARGET_NVME_SQ, COMMAND_QUEUE_SET, queue, 0, &setting, sizeof setting);
}

void world_start(struct world *world, struct world_controller *controller, uint16_t function, uint16_t base,
                 bool shadow)
{
    memset(controller, 0, sizeof *controller);
    controller->function = function;
    controller->base = base;
    controller->shadow = shadow;
    controller->fd = memory(WORLD_GUEST_BYTES, &controller->memory);
    uint64_t bus = (uint64_t)function << CIPU_WINDOW_SHIFT;
    assert_int_equal(
        cipu_card_dma_map(world->card, controller->fd, 0, bus, WORLD_GUEST_BYTES, CIPU_DMA_READ | CIPU_DMA_WRITE, NULL),
        0);
    struct window_setting window = {bus, WORLD_GUEST_BYTES};
    command(world, TARGET_NVME_SQ, COMMAND_WINDOW_SET, function, 0, &window, sizeof window);
    command(world, TARGET_NVME_CQ, COMMAND_WINDOW_SET, function, 0, &window, sizeof window);
    struct namespace_setting namespace = {.blocks = WORLD_VOLUME_BYTES / 512, .volume = 7, .shift = 9};
    command(world, TARGET_NVME_SQ, COMMAND_NAMESPACE_SET, (uint32_t)function * BLOCK_NAMESPACES, 0, &namespace,
            sizeof namespace);
    for (uint32_t i = 0; i <= WORLD_QUEUES; i++)
        start_pair(world, controller, i);
}

void world_stop(struct world *world, struct world_controller *controller)
{
    static const uint8_t nothing[48];
    for (uint32_t i = WORLD_QUEUES + 1; i-- > 0;) {
        uint32_t queue = controller->base + i;
        command(world, TARGET_NVME_SQ, COMMAND_QUEUE_STOP, queue, 0, nothing, sizeof nothing);
        command(world, TARGET_NVME_SQ, COMMAND_QUEUE_STOP, queue, NVME_QUEUE_COMPLETION, nothing, sizeof nothing);
        command(world, TARGET_NVME_CQ, COMMAND_QUEUE_STOP, queue, 0, nothing, sizeof nothing);
    }
    cipu_card_dma_unmap(world->card, (uint64_t)controller->function << CIPU_WINDOW_SHIFT, WORLD_GUEST_BYTES);
    munmap(controller->memory, WORLD_GUEST_BYTES);
    close(controller->fd);
}

/* NVM Express base 2.0, 5.8: the shadow first, the register only when EventIdx was passed. */
static void ring(struct world *world, struct world_controller *controller, uint32_t word, uint32_t old, uint32_t value)
{
    if (controller->shadow && word >= 2) {
        _Atomic uint32_t *shadow = (_Atomic uint32_t *)(void *)(controller->memory + SHADOW_AT + word * 4);
        _Atomic uint32_t *event = (_Atomic uint32_t *)(void *)(controller->memory + EVENT_AT + word * 4);
        atomic_store(shadow, value);
        uint16_t passed = (uint16_t)(value - atomic_load(event) - 1u), news = (uint16_t)(value - old);
        if (passed >= news)
            return;
    }
    assert_int_equal(cipu_card_doorbell_word(world->card, DOORBELL_NVME + controller->base, word, value), 0);
}

void world_submit(struct world *world, struct world_controller *controller, struct world_pair *pair, unsigned slot)
{
    struct world_slot *taken = &pair->slots[slot];
    assert_false(taken->busy);
    taken->busy = true;
    taken->command.identifier = (uint16_t)slot;
    memcpy(controller->memory + pair->sq + (uint64_t)pair->tail * sizeof taken->command, &taken->command,
           sizeof taken->command);
    uint32_t old = pair->tail;
    pair->tail = (pair->tail + 1) % pair->entries;
    pair->in_flight++;
    atomic_thread_fence(memory_order_release);
    ring(world, controller, 2 * pair->number, old, pair->tail);
}

const struct nvme_completion *world_completion(struct world_controller *controller, struct world_pair *pair)
{
    const struct nvme_completion *entry =
        (const struct nvme_completion *)(const void *)(controller->memory + pair->cq +
                                                       (uint64_t)pair->head * sizeof *entry);
    uint16_t status = atomic_load((const _Atomic uint16_t *)(const void *)&entry->status);
    return (status & 1u) == pair->phase ? entry : NULL;
}

void world_take(struct world *world, struct world_controller *controller, struct world_pair *pair)
{
    uint32_t old = pair->head;
    pair->head = (pair->head + 1) % pair->entries;
    pair->phase ^= pair->head == 0;
    pair->in_flight--;
    controller->completions++;
    ring(world, controller, 2 * pair->number + 1, old, pair->head);
}

/* The place of a tag's data while it is written. */
static uint64_t write_place(uint16_t tag)
{
    return WORLD_VOLUME_BYTES + (uint64_t)tag * WORLD_DATA_BYTES;
}

static void answer(struct world *world, const struct block_answer *answer)
{
    struct block_answer *place = cipu_host_block_answer(world->host);
    assert_non_null(place);
    *place = *answer;
}

void world_answer(struct world *world, const struct block_command *entry)
{
    struct block_answer reply = {.tag = entry->tag, .flags = ANSWER_COMPLETE, .status = world->fail_status};
    assert_int_equal(entry->volume, 7);
    assert_true(entry->offset + entry->length <= WORLD_VOLUME_BYTES);
    if (world->fail_status == 0 && entry->opcode == BLOCK_READ) {
        reply.flags = ANSWER_MOVE_OUT | ANSWER_COMPLETE;
        reply.address = world->volume_bus + entry->offset;
        reply.length = entry->length;
    } else if (world->fail_status == 0 && entry->opcode == BLOCK_WRITE) {
        reply.flags = ANSWER_MOVE_IN | ANSWER_TELL;
        reply.address = world->volume_bus + write_place(entry->tag);
        reply.length = entry->length;
        /* Where the data goes then, for serve_moved. */
        uint64_t where[2] = {entry->offset, entry->length};
        memcpy(world->volume + write_place(entry->tag) + WORLD_DATA_BYTES - sizeof where, where, sizeof where);
    } else if (world->fail_status == 0 && entry->opcode == BLOCK_WRITE_ZEROES) {
        memset(world->volume + entry->offset, 0, entry->length);
    }
    answer(world, &reply);
}

static void serve_moved(struct world *world, const struct block_command *entry)
{
    const uint8_t *place = world->volume + write_place(entry->tag);
    uint64_t where[2];
    memcpy(where, place + WORLD_DATA_BYTES - sizeof where, sizeof where);
    if (entry->status == 0)
        memcpy(world->volume + where[0], place, where[1]);
    answer(world, &(struct block_answer){.tag = entry->tag, .flags = ANSWER_COMPLETE, .status = entry->status});
}

unsigned world_serve(struct world *world)
{
    uint32_t count, taken = 0;
    const struct block_command *entries = cipu_host_block_entries(world->host, &count);
    while (taken < count) {
        const struct block_command *entry = &entries[taken];
        if (entry->kind == BACKEND_RAW && taken + 1 == count)
            break; /* the rest comes with the next look */
        taken += entry->kind == BACKEND_RAW ? 2 : 1;
        if (entry->kind == BACKEND_COMMAND) {
            world->commands++;
            world_answer(world, entry);
        } else if (entry->kind == BACKEND_MOVED) {
            world->moves++;
            serve_moved(world, entry);
        } else {
            assert_int_equal(entry->kind, BACKEND_RAW);
            world->raws++;
            const struct nvme_command *raw = (const struct nvme_command *)(const void *)(entry + 1);
            struct block_answer reply = {.tag = entry->tag,
                                         .flags = ANSWER_COMPLETE,
                                         .status = NVME_INVALID_OPCODE | NVME_DO_NOT_RETRY,
                                         .result = raw->dword10};
            answer(world, &reply);
        }
    }
    cipu_host_block_release(world->host, taken);
    cipu_host_block_send(world->host);
    return taken;
}

/* Where byte `at` of a slot's data lies in the guest's memory: at random from a dword on, with pages in reverse. */
static uint64_t data_place(const struct world_pair *pair, unsigned slot)
{
    return DATA_AT + ((uint64_t)pair->number * WORLD_COMMANDS + slot) * DATA_PLACE;
}

/* PRPs of a transfer that begins `skew` bytes into its first page; pages lie in reverse order. Returns the guest
 * address of each page by `pages`. */
static unsigned lay_out(struct world_controller *controller, const struct world_pair *pair, unsigned slot,
                        struct nvme_command *command, uint32_t skew, uint32_t length, uint64_t *pages)
{
    uint64_t base = data_place(pair, slot);
    unsigned count = (unsigned)((skew + length + PAGE - 1) / PAGE);
    for (unsigned i = 0; i < count; i++)
        pages[i] = base + (uint64_t)(count - 1 - i) * PAGE;
    command->prp1 = pages[0] + skew;
    command->prp2 = 0;
    if (count == 2) {
        command->prp2 = pages[1];
    } else if (count > 2) {
        /* Sometimes so near a page's end that the list goes on in the next page. */
        uint64_t list = LISTS_AT + ((uint64_t)pair->number * WORLD_COMMANDS + slot) * 2 * PAGE;
        uint64_t start = list + (slot % 2 ? PAGE - 16 : 0);
        uint64_t at = start;
        for (unsigned i = 1; i < count; i++) {
            bool last_of_page = (at & (PAGE - 1)) == PAGE - 8;
            if (last_of_page && i + 1 < count) {
                uint64_t next = list + PAGE;
                memcpy(controller->memory + at, &next, 8);
                at = next;
            }
            memcpy(controller->memory + at, &pages[i], 8);
            at += 8;
        }
        command->prp2 = start;
    }
    return count;
}

/* Copies a transfer's bytes to or from where its pages lie. */
static void copy_data(struct world_controller *controller, const uint64_t *pages, uint32_t skew, uint8_t *bytes,
                      uint32_t length, bool out)
{
    for (uint32_t done = 0, page = 0; done < length; page++) {
        uint32_t from = page == 0 ? skew : 0, take = PAGE - from < length - done ? PAGE - from : length - done;
        uint8_t *at = controller->memory + pages[page] + from;
        if (out)
            memcpy(bytes + done, at, take);
        else
            memcpy(at, bytes + done, take);
        done += take;
    }
}

void world_random_command(struct world *world, struct world_controller *controller, struct world_pair *pair,
                          unsigned slot)
{
    static const uint8_t opcodes[] = {NVME_READ, NVME_READ, NVME_WRITE, NVME_WRITE, NVME_WRITE_ZEROES, NVME_FLUSH};
    struct world_slot *made = &pair->slots[slot];
    uint8_t opcode = opcodes[world_random(world, sizeof opcodes)];
    uint32_t blocks = 1 + world_random(world, WORLD_DATA_BYTES / 512 - 1);
    /* Each queue writes to a part of its own: what it reads back is then certain. */
    uint64_t part = WORLD_VOLUME_BYTES / (WORLD_CONTROLLERS * WORLD_QUEUES * WORLD_COMMANDS);
    uint64_t number = ((uint64_t)(controller - world->controllers) * WORLD_QUEUES + pair->number - 1) * WORLD_COMMANDS;
    blocks = blocks * 512 > part ? (uint32_t)(part / 512) : blocks;
    memset(&made->command, 0, sizeof made->command);
    made->offset = (number + slot) * part + world_random(world, (uint32_t)(part / 512) - blocks + 1) * UINT64_C(512);
    made->length = blocks * 512;
    made->command.opcode = opcode;
    made->command.namespace_id = 1;
    made->command.dword10 = (uint32_t)(made->offset / 512);
    made->command.dword12 = blocks - 1;
    if (opcode == NVME_FLUSH) {
        made->length = 0;
        made->command.dword10 = made->command.dword12 = 0;
        return;
    }
    uint64_t pages[WORLD_DATA_BYTES / PAGE + 2] = {0};
    uint32_t skew = world_random(world, PAGE / 4) * 4;
    made->command.metadata = skew; /* ignored by the controller; world_check needs it */
    lay_out(controller, pair, slot, &made->command, skew, made->length, pages);
    if (opcode == NVME_READ) {
        memcpy(made->expected, world->shadow + made->offset, made->length);
        return;
    }
    for (uint32_t i = 0; i < made->length; i++)
        made->expected[i] = opcode == NVME_WRITE ? (uint8_t)world_random(world, 256) : 0;
    if (opcode == NVME_WRITE)
        copy_data(controller, pages, skew, made->expected, made->length, false);
}

void world_check(struct world *world, struct world_controller *controller, struct world_pair *pair,
                 const struct nvme_completion *completion)
{
    assert_in_range(completion->identifier, 0, WORLD_COMMANDS - 1);
    struct world_slot *slot = &pair->slots[completion->identifier];
    assert_true(slot->busy);
    assert_int_equal(completion->sq_id, pair->number);
    assert_int_equal(completion->status >> 1, 0);
    slot->busy = false;
    uint64_t pages[WORLD_DATA_BYTES / PAGE + 2] = {0};
    uint32_t skew = (uint32_t)slot->command.metadata;
    if (slot->command.opcode == NVME_READ) {
        static uint8_t got[WORLD_DATA_BYTES];
        struct nvme_command again = slot->command;
        lay_out(controller, pair, completion->identifier, &again, skew, slot->length, pages);
        copy_data(controller, pages, skew, got, slot->length, true);
        assert_memory_equal(got, slot->expected, slot->length);
    } else if (slot->length) {
        memcpy(world->shadow + slot->offset, slot->expected, slot->length);
        assert_memory_equal(world->volume + slot->offset, slot->expected, slot->length);
    }
}
