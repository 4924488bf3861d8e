/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of virtio-blk queues and a host that serves them from a disk in memory. Every request slot has a part of the
 * disk and of the guest's memory for itself, so what a request shall do is known whatever the order.
 */
#ifndef CIPU_TEST_BLK_WORLD_H
#define CIPU_TEST_BLK_WORLD_H

#include "tests/hls/blk_bench.h"

#define WORLD_QUEUES  2u
#define WORLD_ENTRIES 64u
#define WORLD_SLOTS   48u /* requests of a queue under way */
#define WORLD_PART    65536u
#define WORLD_DATA    0x200000u /* of the guest's memory: buffers */
#define WORLD_GET_ID  8u
#define WORLD_VOLUME  700u /* + queue */

struct world_request {
    bool active, silent;
    uint32_t type, length, expected_used;
    uint16_t head;
    uint8_t status;
    uint16_t descriptors[16]; /* direct ones, to be free again */
    uint32_t count;
};

struct world_queue {
    struct world_request request[WORLD_SLOTS];
    uint16_t free[WORLD_ENTRIES];
    uint32_t free_count;
    uint32_t slot_of[WORLD_ENTRIES]; /* by head */
    uint16_t avail, used, flags;
    uint32_t done;
};

/* What the host knows of a command. */
struct world_command {
    bool active, raw, fetched;
    struct block_command command;
    struct virtio_blk_request header;
    uint64_t due;
    bool moving; /* MOVED is to come */
};

struct world {
    struct blk_bench *bench;
    struct block_bench *core;
    struct world_queue queue[WORLD_QUEUES];
    struct world_command commands[BLOCK_TAGS];
    uint8_t disk[WORLD_QUEUES * WORLD_SLOTS * WORLD_PART];
    uint8_t *shadow; /* of the guest's data */
    uint64_t turn;
    int32_t expects_raw; /* tag whose second entry comes, or -1 */
    uint32_t raws;
    bool deaf; /* the host takes commands and answers none */
};

static inline uint32_t world_below(struct world *world, uint32_t bound)
{
    return random_below(&world->core->random, bound);
}

/* Where things of a queue are in the guest's memory. */
static inline uint64_t world_base(uint32_t queue)
{
    return queue * 0x40000u;
}

static inline uint64_t world_header(uint32_t queue, uint32_t slot)
{
    return world_base(queue) + 0x4000u + slot * 64u;
}

static inline uint64_t world_table(uint32_t queue, uint32_t slot)
{
    return world_base(queue) + 0x8000u + slot * 1024u;
}

static inline uint32_t world_part(uint32_t queue, uint32_t slot)
{
    return (queue * WORLD_SLOTS + slot) * WORLD_PART;
}

static inline uint8_t *world_memory(struct world *world, uint64_t address)
{
    return world->core->guest[0] + address;
}

static inline void world_store16(struct world *world, uint64_t address, uint16_t value)
{
    memcpy(world_memory(world, address), &value, 2);
}

static inline uint16_t world_load16(struct world *world, uint64_t address)
{
    uint16_t value;
    memcpy(&value, world_memory(world, address), 2);
    return value;
}

static inline struct world *world_new(uint64_t seed, uint32_t depth)
{
    struct world *world = calloc(1, sizeof *world);
    world->bench = blk_bench_new(seed, depth);
    world->core = world->bench->core;
    world->shadow = calloc(1, sizeof world->disk);
    world->expects_raw = -1;
    random_fill(&world->core->random, world->disk, sizeof world->disk);
    return world;
}

static inline void world_free(struct world *world)
{
    blk_bench_free(world->bench);
    free(world->shadow);
    free(world);
}

static inline struct command_entry world_entry(uint16_t opcode, uint8_t target, uint32_t index)
{
    struct command_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.opcode = opcode;
    entry.target = target;
    entry.index = index;
    entry.tag = 0x1000u + index;
    return entry;
}

static inline struct queue_setting world_setting(uint32_t queue, uint16_t flags)
{
    struct queue_setting setting;
    memset(&setting, 0, sizeof setting);
    setting.descriptors = world_base(queue);
    setting.avail = world_base(queue) + 0x1000u;
    setting.used = world_base(queue) + 0x2000u;
    setting.entries = WORLD_ENTRIES;
    setting.flags = (uint16_t)(flags | QUEUE_BLOCK);
    setting.vector = (uint16_t)(VECTOR_BLOCK + queue);
    setting.function = BENCH_GUEST;
    setting.generation = 3;
    setting.volume = WORLD_VOLUME + queue;
    return setting;
}

static inline void world_host(struct world *world);

/* A turn of the card and of the host. */
static inline bool world_turn(struct world *world)
{
    world->turn++;
    bool busy = blk_turn(world->bench);
    world_host(world);
    return busy;
}

/* To the queue's target; returns the completion. */
static inline struct command_entry world_command(struct world *world, const struct command_entry *entry)
{
    bool used = entry->target == TARGET_BLK_USED;
    struct command_entry completion;
    assert_true(stream_put(used ? &world->bench->used_command : &world->bench->command, entry));
    for (uint32_t turns = 0;
         !stream_get(used ? &world->bench->used_completion : &world->bench->completion, &completion); turns++) {
        world_turn(world);
        assert_true(turns < 100000);
    }
    assert_int_equal(completion.opcode, entry->opcode);
    assert_int_equal(completion.target, entry->target);
    assert_int_equal(completion.tag, entry->tag);
    return completion;
}

static inline void world_start(struct world *world, uint32_t number, uint16_t flags)
{
    struct world_queue *queue = &world->queue[number];
    memset(queue, 0, sizeof *queue);
    memset(world_memory(world, world_base(number)), 0, 0x4000);
    queue->flags = flags;
    queue->free_count = WORLD_ENTRIES;
    for (uint16_t i = 0; i < WORLD_ENTRIES; i++)
        queue->free[i] = i;
    struct queue_setting setting = world_setting(number, flags);
    for (unsigned target = TARGET_BLK; target <= TARGET_BLK_USED; target++) {
        struct command_entry entry = world_entry(COMMAND_QUEUE_SET, target, number);
        memcpy(entry.data, &setting, sizeof setting);
        assert_int_equal(world_command(world, &entry).status, STATUS_OK);
    }
}

/* ---- the driver ---- */

static inline void world_kick(struct world *world, uint32_t number, uint16_t head)
{
    struct world_queue *queue = &world->queue[number];
    uint64_t avail = world_base(number) + 0x1000u;
    struct doorbell doorbell;
    memset(&doorbell, 0, sizeof doorbell);
    doorbell.page = DOORBELL_BLOCK + number;
    world_store16(world, avail + 4 + 2 * (queue->avail++ % WORLD_ENTRIES), head);
    world_store16(world, avail + 2, queue->avail);
    stream_put(&world->bench->doorbell, &doorbell);
}

/* A chain of descriptors, direct or indirect, in any places that are free. Returns its head. */
static inline uint16_t world_chain(struct world *world, uint32_t number, uint32_t slot, struct virtq_descriptor *chain,
                                   uint32_t count, bool indirect)
{
    struct world_queue *queue = &world->queue[number];
    struct world_request *request = &queue->request[slot];
    uint64_t table = indirect ? world_table(number, slot) : world_base(number);
    request->count = indirect ? 1 : count;
    for (uint32_t i = 0; i < request->count; i++) {
        uint32_t pick = world_below(world, queue->free_count);
        request->descriptors[i] = queue->free[pick];
        queue->free[pick] = queue->free[--queue->free_count];
    }
    for (uint32_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        uint16_t place = (uint16_t)(indirect ? i : request->descriptors[i]);
        chain[i].flags |= last ? 0 : VIRTQ_NEXT;
        chain[i].next = (uint16_t)(last ? 0 : indirect ? i + 1 : request->descriptors[i + 1]);
        memcpy(world_memory(world, table + place * 16u), &chain[i], 16);
    }
    request->head = request->descriptors[0];
    if (indirect) {
        struct virtq_descriptor outer = {table, count * 16u, VIRTQ_INDIRECT, 0};
        memcpy(world_memory(world, world_base(number) + request->head * 16u), &outer, 16);
    }
    queue->slot_of[request->head] = slot;
    return request->head;
}

/* The request's data in parts with gaps between; returns descriptors. Reads are expected in the shadow. */
static inline uint32_t world_data(struct world *world, uint32_t number, uint32_t slot, struct virtq_descriptor *chain,
                                  uint32_t length, bool read)
{
    uint32_t part = world_part(number, slot), parts = world_below(world, 5) + 1, at = world_below(world, 100);
    uint32_t count = 0;
    for (uint32_t moved = 0; moved < length;) {
        uint32_t left = length - moved;
        uint32_t bytes = count + 1 == parts ? left : world_below(world, left) + 1;
        struct virtq_descriptor data = {WORLD_DATA + part + at, bytes, read ? VIRTQ_WRITE : 0, 0};
        chain[count++] = data;
        if (read)
            memcpy(world->shadow + part + at, world->disk + part + moved, bytes);
        else
            memcpy(world->disk + part + moved, world->shadow + part + at, bytes);
        moved += bytes;
        at += bytes + world_below(world, 2000);
    }
    return count;
}

#define WORLD_DESCRIPTORS 10u /* that a request may need */

/* The disk has at once what a write shall leave there: what the host gets of it is compared. */
static inline void world_request(struct world *world, uint32_t number, uint32_t slot)
{
    struct world_queue *queue = &world->queue[number];
    struct world_request *request = &queue->request[slot];
    const uint32_t types[] = {VIRTIO_BLK_IN, VIRTIO_BLK_OUT,   VIRTIO_BLK_OUT,
                              VIRTIO_BLK_IN, VIRTIO_BLK_FLUSH, WORLD_GET_ID};
    struct virtq_descriptor chain[16];
    struct virtio_blk_request header;
    uint32_t count = 0, part = world_part(number, slot);
    memset(request, 0, sizeof *request);
    memset(&header, 0, sizeof header);
    request->active = true;
    request->type = header.type = types[world_below(world, 6)];
    request->length = request->type == VIRTIO_BLK_FLUSH ? 0 : (world_below(world, 64) + 1) * 512;
    header.sector = request->type == VIRTIO_BLK_FLUSH || request->type == WORLD_GET_ID ? 0 : part / 512u;
    bool read = request->type != VIRTIO_BLK_OUT;
    if (request->type == WORLD_GET_ID)
        request->length = 20;
    /* The header in one piece, or in two, which the card leaves to the host. */
    uint32_t first = world_below(world, 8) == 0 ? 8 : 16;
    for (uint32_t at = 0; at < 16; at += first) {
        struct virtq_descriptor descriptor = {world_header(number, slot) + at, first, 0, 0};
        chain[count++] = descriptor;
    }
    memcpy(world_memory(world, world_header(number, slot)), &header, sizeof header);
    if (request->type == VIRTIO_BLK_OUT) {
        random_fill(&world->core->random, world->shadow + part, WORLD_PART);
        memcpy(world_memory(world, WORLD_DATA + part), world->shadow + part, WORLD_PART);
    }
    count += world_data(world, number, slot, chain + count, request->length, read);
    struct virtq_descriptor status = {world_header(number, slot) + 32, 1 + world_below(world, 3), VIRTQ_WRITE, 0};
    request->status = (uint8_t)(status.length - 1);
    chain[count++] = status;
    memset(world_memory(world, status.address), 0xee, 8);
    uint32_t written = read ? request->length : 0;
    request->expected_used = written + 1;
    bool indirect = (queue->flags & QUEUE_INDIRECT) != 0 && world_below(world, 2);
    world_kick(world, number, world_chain(world, number, slot, chain, count, indirect));
}

/* Looks at the used ring. */
static inline void world_collect(struct world *world, uint32_t number)
{
    struct world_queue *queue = &world->queue[number];
    uint64_t used = world_base(number) + 0x2000u;
    uint16_t index = world_load16(world, used + 2);
    world_store16(world, world_base(number) + 0x1000u + VIRTQ_AVAIL_USED_EVENT(WORLD_ENTRIES), index);
    for (; queue->used != index; queue->used++) {
        struct virtq_used_element element;
        memcpy(&element, world_memory(world, used + 4 + 8 * (queue->used % WORLD_ENTRIES)), 8);
        assert_true(element.id < WORLD_ENTRIES);
        uint32_t slot = queue->slot_of[element.id], part = world_part(number, slot);
        struct world_request *request = &queue->request[slot];
        assert_true(request->active && request->head == element.id);
        assert_int_equal(element.length, request->expected_used);
        const uint8_t *status = world_memory(world, world_header(number, slot) + 32);
        for (uint32_t i = 0; i < 8; i++)
            assert_int_equal(status[i], i == request->status ? 0 : 0xee);
        assert_memory_equal(world_memory(world, WORLD_DATA + part), world->shadow + part, WORLD_PART);
        for (uint32_t i = 0; i < request->count; i++)
            queue->free[queue->free_count++] = request->descriptors[i];
        request->active = false;
        queue->done++;
    }
}

/* ---- the host ---- */

static inline uint8_t *world_buffer(struct world *world, uint32_t tag)
{
    return world->core->host + (tag % WORLD_ENTRIES + BLOCK_TAG_QUEUE(tag) * WORLD_ENTRIES) * WORLD_PART;
}

static inline void world_answer(struct world *world, uint16_t tag, uint32_t flags, uint32_t length, uint32_t skip)
{
    struct world_command *command = &world->commands[tag];
    struct block_answer answer;
    struct ring_work work;
    memset(&answer, 0, sizeof answer);
    answer.tag = tag;
    answer.flags = flags;
    answer.length = length;
    answer.skip = skip;
    answer.address = BENCH_HOST_BASE + (uint64_t)(world_buffer(world, tag) - world->core->host);
    answer.written = (flags & ANSWER_MOVE_OUT ? length : 0) + 1;
    memset(&work, 0, sizeof work);
    memcpy(work.data, &answer, sizeof answer);
    ring_entry_fill(&work, RING_SOURCE_ALONE, 0, 1, 0);
    command->moving = flags & ANSWER_TELL;
    command->active = !(flags & ANSWER_COMPLETE);
    assert_true(stream_put(&world->core->answer, &work));
}

/* A write's bytes are here: they are what the driver had, and already lie on the disk as expected. */
static inline void world_written(struct world *world, uint16_t tag, uint64_t offset, uint32_t length)
{
    assert_memory_equal(world_buffer(world, tag), world->disk + offset, length);
}

static inline void world_serve(struct world *world, uint16_t tag)
{
    struct world_command *command = &world->commands[tag];
    uint32_t type = command->header.type, skip = 0;
    uint32_t length = command->raw ? command->command.writable : command->command.length;
    uint64_t offset = command->raw ? command->header.sector * 512 : command->command.offset;
    bool write = command->raw ? type == VIRTIO_BLK_OUT : command->command.opcode == BLOCK_WRITE;
    bool read = command->raw ? type == VIRTIO_BLK_IN : command->command.opcode == BLOCK_READ;
    static const struct virtio_blk_request none;
    if (command->raw && !command->fetched && memcmp(&command->header, &none, sizeof none) == 0) {
        world_answer(world, tag, ANSWER_MOVE_IN | ANSWER_TELL, sizeof(struct virtio_blk_request), 0);
        return;
    }
    if (write) {
        skip = sizeof(struct virtio_blk_request);
        length = command->command.readable - skip;
        world_answer(world, tag, ANSWER_MOVE_IN | ANSWER_TELL, length, skip);
    } else if (read || (command->raw && type == WORLD_GET_ID)) {
        length = type == WORLD_GET_ID && command->raw ? 20 : length;
        uint32_t slot = world->queue[BLOCK_TAG_QUEUE(tag)].slot_of[command->command.identifier];
        offset = type == WORLD_GET_ID && command->raw ? world_part(BLOCK_TAG_QUEUE(tag), slot) : offset;
        length -= command->raw && read ? world->queue[BLOCK_TAG_QUEUE(tag)].request[slot].status : 0;
        memcpy(world_buffer(world, tag), world->disk + offset, length);
        world_answer(world, tag, ANSWER_MOVE_OUT | ANSWER_COMPLETE, length, 0);
    } else {
        world_answer(world, tag, ANSWER_COMPLETE, 0, 0);
    }
}

/* The move of a tag is done. */
static inline void world_moved(struct world *world, const struct block_command *notice)
{
    struct world_command *command = &world->commands[notice->tag];
    assert_true(command->active && command->moving);
    assert_int_equal(notice->status, 0);
    command->moving = false;
    command->due = world->turn + world_below(world, 50);
    if (command->raw && !command->fetched) {
        memcpy(&command->header, world_buffer(world, notice->tag), sizeof command->header);
        command->fetched = true;
        return;
    }
    uint64_t offset = command->raw ? command->header.sector * 512 : command->command.offset;
    world_written(world, notice->tag, offset, command->command.readable - (uint32_t)sizeof(struct virtio_blk_request));
    world_answer(world, notice->tag, ANSWER_COMPLETE, 0, 0);
}

static inline void world_entry_comes(struct world *world, const struct ring_work *work)
{
    struct block_command command;
    memcpy(&command, work->data, sizeof command);
    if (world->expects_raw >= 0) {
        memcpy(&world->commands[world->expects_raw].header, work->data, sizeof(struct virtio_blk_request));
        world->expects_raw = -1;
        return;
    }
    if (command.kind == BACKEND_MOVED) {
        world_moved(world, &command);
        return;
    }
    uint32_t number = BLOCK_TAG_QUEUE(command.tag);
    struct world_command *mine = &world->commands[command.tag];
    assert_false(mine->active);
    assert_int_equal(command.queue, number);
    assert_int_equal(command.volume, WORLD_VOLUME + number);
    assert_int_equal(command.function, BENCH_GUEST);
    assert_int_equal(command.identifier, command.tag % BLOCK_SLOTS);
    assert_int_equal(command.flags, BLOCK_VIRTIO);
    memset(mine, 0, sizeof *mine);
    mine->active = true;
    mine->command = command;
    mine->due = world->turn + world_below(world, 50);
    mine->raw = command.kind == BACKEND_RAW;
    world->raws += mine->raw;
    if (mine->raw)
        world->expects_raw = command.tag;
}

static inline void world_host(struct world *world)
{
    struct ring_work work;
    while (stream_room(&world->core->answer) && stream_get(&world->core->entry, &work))
        world_entry_comes(world, &work);
    uint32_t start = world_below(world, WORLD_ENTRIES);
    for (uint32_t i = 0; i < WORLD_QUEUES * WORLD_ENTRIES && !world->deaf; i++) {
        uint32_t place = (start + i) % (WORLD_QUEUES * WORLD_ENTRIES);
        uint16_t tag = (uint16_t)(place / WORLD_ENTRIES * BLOCK_SLOTS + place % WORLD_ENTRIES);
        struct world_command *command = &world->commands[tag];
        if (command->active && !command->moving && command->due <= world->turn && world->expects_raw != tag &&
            stream_room(&world->core->answer))
            world_serve(world, tag);
    }
}

#endif
