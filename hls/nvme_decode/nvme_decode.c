/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns submission queue entries into block commands. What a guest's driver asks for all day becomes a command that the
 * host can carry out without looking again: reads, writes, write zeroes and flushes that are right in every field and
 * lie within a namespace the card knows. Everything else goes to the host as it is, which finds the right answer.
 *
 * It also ends nvme_queue's commands, so that their completions are behind what was fetched before.
 */
#include "hls/include/hls.h"
#include "hls/include/nvme_queue.h"

struct nvme_decode_namespace {
    uint64_t blocks; /* 0 = not there */
    uint32_t volume;
    uint8_t large; /* blocks of 4096 bytes, else 512 */
    uint8_t read_only;
    uint8_t reserved[2];
};

struct nvme_decode_state {
    struct nvme_decode_namespace namespaces[CARD_FUNCTIONS * BLOCK_NAMESPACES];
};

#define NVME_DECODE_SMALL_SHIFT 9u
#define NVME_DECODE_LARGE_SHIFT 12u

/* Base figure 87: a command of its own, with the data pointer that NVM commands have. */
HLS_INLINE bool nvme_decode_flags(const struct nvme_command *command)
{
    uint32_t pointer = command->flags & NVME_PSDT_MASK;
    return (command->flags & (NVME_FUSE_MASK | NVME_RESERVED_MASK)) == 0 &&
           (pointer == NVME_PSDT_PRP || pointer == NVME_PSDT_SGL);
}

/* The blocks are there, and no more than are moved at once. */
HLS_INLINE bool nvme_decode_range(const struct nvme_decode_namespace *space, uint64_t first, uint32_t count)
{
    uint32_t most = BLOCK_DATA_MAX >> (space->large ? NVME_DECODE_LARGE_SHIFT : NVME_DECODE_SMALL_SHIFT);
    return count <= most && first <= space->blocks && count <= space->blocks - first;
}

/* The internal opcode of an entry that is right in all that depends on it (NVM 3.2), or 0. */
HLS_INLINE uint8_t nvme_decode_opcode(const struct nvme_command *command, const struct nvme_decode_namespace *space,
                                      bool in_range)
{
    bool plain = (command->dword12 & ~(NVME_BLOCKS_MASK | NVME_FUA | NVME_LIMITED)) == 0;
    bool zeroes = (command->dword12 & ~(NVME_BLOCKS_MASK | NVME_FUA | NVME_LIMITED | NVME_DEALLOCATE)) == 0;
    uint8_t opcode = 0;
    if (command->opcode == NVME_READ)
        opcode = plain && in_range ? BLOCK_READ : 0;
    else if (command->opcode == NVME_WRITE)
        opcode = plain && in_range && !space->read_only ? BLOCK_WRITE : 0;
    else if (command->opcode == NVME_WRITE_ZEROES)
        opcode = zeroes && in_range && !space->read_only ? BLOCK_WRITE_ZEROES : 0;
    else if (command->opcode == NVME_FLUSH)
        opcode = BLOCK_FLUSH;
    return opcode;
}

HLS_INLINE void nvme_decode_context(struct block_context *context, const struct nvme_fetched *fetched,
                                    const struct nvme_command *command)
{
    context->pointer0 = command->prp1;
    context->pointer1 = command->prp2;
    context->tag = fetched->tag;
    context->function = fetched->function;
    context->queue = fetched->queue;
    context->completion = fetched->completion;
    context->identifier = command->identifier;
    context->sq_head = fetched->sq_head;
    context->sq_id = fetched->sq_id;
    context->sequence = fetched->sequence;
    context->generation = fetched->generation;
    context->format = (command->flags & NVME_PSDT_MASK) == NVME_PSDT_PRP ? BLOCK_PRP : BLOCK_SGL;
}

HLS_INLINE void nvme_decode_entry(struct block_submit *submit, const struct nvme_fetched *fetched,
                                  const struct nvme_decode_namespace *space)
{
    struct nvme_command command;
    HLS_COPY(&command, fetched->data, sizeof command);
    uint64_t first = command.dword10 | (uint64_t)command.dword11 << 32;
    uint32_t count = (command.dword12 & NVME_BLOCKS_MASK) + 1u; /* zeroes based */
    uint32_t small = count << NVME_DECODE_SMALL_SHIFT, large = count << NVME_DECODE_LARGE_SHIFT;
    bool known = command.namespace_id - 1u < BLOCK_NAMESPACES && space->blocks != 0;
    uint8_t opcode = nvme_decode_opcode(&command, space, nvme_decode_range(space, first, count));
    bool fast = !fetched->admin && known && nvme_decode_flags(&command) && opcode != 0;

    nvme_decode_context(&submit->context, fetched, &command);
    submit->command.kind = fast ? BACKEND_COMMAND : BACKEND_RAW;
    submit->command.tag = fetched->tag;
    submit->command.function = fetched->function;
    submit->command.queue = fetched->queue;
    submit->command.stamp = fetched->stamp;
    submit->command.identifier = command.identifier;
    submit->command.namespace_id = command.namespace_id;
    if (fast) {
        bool data = opcode != BLOCK_FLUSH;
        bool durable = data && (command.dword12 & NVME_FUA) != 0;
        bool unmap = opcode == BLOCK_WRITE_ZEROES && (command.dword12 & NVME_DEALLOCATE) != 0;
        submit->command.opcode = opcode;
        submit->command.flags = (durable ? BLOCK_FUA : 0u) | (unmap ? BLOCK_UNMAP : 0u);
        submit->command.volume = space->volume;
        if (data) {
            submit->command.offset = space->large ? first << NVME_DECODE_LARGE_SHIFT : first << NVME_DECODE_SMALL_SHIFT;
            submit->command.length = space->large ? large : small;
        }
    } else {
        submit->command.flags = fetched->admin ? BLOCK_ADMIN : 0u;
        HLS_COPY(submit->raw, fetched->data, sizeof submit->raw);
    }
}

HLS_INLINE bool nvme_decode_setting_good(const struct namespace_setting *setting)
{
    bool large = setting->shift == NVME_DECODE_LARGE_SHIFT;
    bool small = setting->shift == NVME_DECODE_SMALL_SHIFT;
    uint64_t most = ~(uint64_t)0 >> NVME_DECODE_SMALL_SHIFT, most_large = ~(uint64_t)0 >> NVME_DECODE_LARGE_SHIFT;
    return setting->blocks == 0 ||
           ((large || small) && setting->blocks <= (large ? most_large : most) && setting->volume < BLOCK_VOLUMES);
}

STEP(nvme_decode, struct nvme_decode_state *state, STREAM_IN(struct nvme_fetched, fetched),
     STREAM_OUT(struct block_submit, submit), STREAM_OUT(struct command_entry, completion))
{
    STREAM_WAIT(STREAM_CAN_READ(fetched) && STREAM_CAN_WRITE(submit) && STREAM_CAN_WRITE(completion));
    STREAM_READ(struct nvme_fetched, got, fetched);
    struct command_entry entry;
    struct nvme_command command;
    HLS_COPY(&entry, got->data, sizeof entry);
    HLS_COPY(&command, got->data, sizeof command);
    bool sets = got->kind == NVME_FETCHED_NAMESPACE;
    uint32_t asked = (got->function & (CARD_FUNCTIONS - 1u)) * BLOCK_NAMESPACES +
                     ((command.namespace_id - 1u) & (BLOCK_NAMESPACES - 1u));
    uint32_t place = sets ? entry.index & (CARD_FUNCTIONS * BLOCK_NAMESPACES - 1u) : asked;
    struct nvme_decode_namespace space = state->namespaces[place];

    if (got->kind == NVME_FETCHED_ENTRY) {
        STREAM_OPEN(struct block_submit, command_out, submit);
        HLS_ZERO(command_out, sizeof *command_out);
        nvme_decode_entry(command_out, got, &space);
        STREAM_PUSH(struct block_submit, command_out, submit);
    } else if (got->kind == NVME_FETCHED_WINDOW) {
        struct window_setting window;
        HLS_COPY(&window, entry.data, sizeof window);
        STREAM_OPEN(struct block_submit, window_out, submit);
        HLS_ZERO(window_out, sizeof *window_out);
        window_out->context.format = BLOCK_WINDOW;
        window_out->context.pointer0 = window.bus_base;
        window_out->context.pointer1 = window.length;
        window_out->context.function = (uint16_t)entry.index;
        HLS_COPY(window_out->raw, &entry, sizeof entry);
        STREAM_PUSH(struct block_submit, window_out, submit);
    } else {
        struct namespace_setting setting;
        HLS_COPY(&setting, entry.data, sizeof setting);
        bool good = nvme_decode_setting_good(&setting);
        if (sets && good) {
            space.blocks = setting.blocks;
            space.volume = setting.volume;
            space.large = setting.shift == NVME_DECODE_LARGE_SHIFT;
            space.read_only = setting.read_only != 0;
            state->namespaces[place] = space;
        }
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &entry, sizeof *completed);
        if (sets && !good)
            completed->status = STATUS_BAD_DATA;
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    STEP_END;
}
