/* SPDX-License-Identifier: Apache-2.0 */
/* Raw commands: a device moves data and completes from a thread of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/block/engine_internal.h"

#define MOVE_MS 2000

/* A move of a raw command's data. Its two owners are the device's thread, until it has the result or gives up, and the
 * engine, until the card has told the end. */
struct raw_move {
    struct inbox_item item;
    struct pool_buffer buffer;
    struct pool_share *share; /* the function's */
    uint32_t skip, length;
    uint16_t tag, status;
    bool out;
    bool done, left; /* under the engine's lock: by the card; by the device's thread */
    int result;
};

void raw_take(struct block_tag *tag)
{
    struct block_queue *queue = &tag->engine->queues[BLOCK_TAG_QUEUE(tag->raw.command.tag)];
    tag->state = TAG_RAW;
    tag->move = NULL;
    tag->answers = false;
    queue->ops->raw(queue->device, &tag->raw);
}

/* Under the engine's lock. */
static void free_move(struct block_engine *engine, struct raw_move *move)
{
    block_pool_give(&engine->raw_pool, move->share, &move->buffer);
    pthread_cond_broadcast(&engine->changed);
    free(move);
}

static void end_move(struct block_engine *engine, struct raw_move *move, int result, uint16_t status)
{
    pthread_mutex_lock(&engine->lock);
    move->done = true;
    move->result = result;
    move->status = status;
    if (move->left)
        free_move(engine, move);
    else
        pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void start_move(struct block_engine *engine, struct inbox_item *item)
{
    struct raw_move *move = (struct raw_move *)item;
    struct block_tag *tag = &engine->tags[move->tag];
    if (tag->state != TAG_RAW || tag->move || tag->answers) {
        end_move(engine, move, -EINVAL, 0);
        return;
    }
    tag->move = move;
    struct block_answer answer = {
        .tag = move->tag,
        .flags = (move->out ? ANSWER_MOVE_OUT : ANSWER_MOVE_IN) | ANSWER_TELL,
        .address = move->buffer.bus,
        .length = move->length,
        .skip = move->skip,
    };
    command_answer(tag, &answer);
}

static void complete_raw(struct block_tag *tag, const struct block_answer *answer)
{
    tag->answers = false;
    if (command_ends_silently(tag, answer))
        return;
    command_answer(tag, answer);
    command_finish(tag);
}

void raw_moved(struct block_tag *tag, uint16_t status)
{
    struct raw_move *move = tag->move;
    tag->move = NULL;
    end_move(tag->engine, move, status ? -EIO : 0, status);
    if (tag->answers)
        complete_raw(tag, &(struct block_answer){.tag = tag->answer.tag,
                                                 .status = tag->answer.status,
                                                 .flags = tag->answer.flags,
                                                 .result = tag->answer.result,
                                                 .written = tag->answer.written});
}

/* A buffer for the device's thread, which waits for one; under the engine's lock. */
static int take_buffer(struct block_engine *engine, struct raw_move *move, const struct timespec *deadline)
{
    unsigned class = block_pool_class(&engine->raw_pool, move->length);
    while (!block_pool_take(&engine->raw_pool, move->share, class, &move->buffer))
        if (pthread_cond_timedwait(&engine->changed, &engine->lock, deadline) == ETIMEDOUT)
            return -ETIMEDOUT;
    return 0;
}

static struct raw_move *new_move(struct block_engine *engine, uint16_t tag, uint32_t length,
                                 const struct timespec *deadline)
{
    struct raw_move *move = calloc(1, sizeof *move);
    if (!move)
        return NULL;
    move->item.run = start_move;
    move->tag = tag;
    move->length = length;
    move->share = &engine->raw_shares[engine->queues[BLOCK_TAG_QUEUE(tag)].function];
    pthread_mutex_lock(&engine->lock);
    int result = take_buffer(engine, move, deadline);
    pthread_mutex_unlock(&engine->lock);
    if (!result)
        return move;
    free(move);
    return NULL;
}

/* to = where a move in ends, from = where a move out begins; one of them is NULL. */
static int move_raw(struct block_engine *engine, uint16_t tag, void *to, const void *from, uint32_t skip,
                    uint32_t length, uint16_t *status)
{
    struct timespec deadline;
    *status = 0;
    if (tag >= BLOCK_TAGS || !length || length > BLOCK_DATA_MAX)
        return -EINVAL;
    deadline_after(MOVE_MS, &deadline);
    struct raw_move *move = new_move(engine, tag, length, &deadline);
    if (!move)
        return -ETIMEDOUT;
    move->skip = skip;
    move->out = from;
    if (from)
        memcpy(move->buffer.memory, from, length);
    inbox_post(engine, &move->item);
    pthread_mutex_lock(&engine->lock);
    while (!move->done && pthread_cond_timedwait(&engine->changed, &engine->lock, &deadline) != ETIMEDOUT)
        ;
    move->left = !move->done;
    bool done = move->done;
    pthread_mutex_unlock(&engine->lock);
    if (!done)
        return -ETIMEDOUT;
    int result = move->result;
    *status = move->status;
    if (result == 0 && to)
        memcpy(to, move->buffer.memory, length);
    pthread_mutex_lock(&engine->lock);
    free_move(engine, move);
    pthread_mutex_unlock(&engine->lock);
    return result;
}

int block_raw_from_guest(struct block_engine *engine, uint16_t tag, void *to, uint32_t skip, uint32_t length,
                         uint16_t *status)
{
    return move_raw(engine, tag, to, NULL, skip, length, status);
}

int block_raw_to_guest(struct block_engine *engine, uint16_t tag, const void *from, uint32_t skip, uint32_t length,
                       uint16_t *status)
{
    return move_raw(engine, tag, NULL, from, skip, length, status);
}

void raw_forget(struct block_tag *tag)
{
    if (tag->state == TAG_RAW && tag->move)
        end_move(tag->engine, tag->move, -EIO, 0);
    tag->move = NULL;
}

struct raw_completion {
    struct inbox_item item;
    struct block_answer answer;
};

static void complete_or_keep(struct block_engine *engine, const struct block_answer *answer)
{
    struct block_tag *tag = &engine->tags[answer->tag];
    if (tag->state != TAG_RAW) {
        counter_add(&engine->unexpected, 1);
    } else if (tag->move) { /* the card takes no other answer while it moves */
        tag->answer = *answer;
        tag->answers = true;
    } else {
        complete_raw(tag, answer);
    }
}

static void run_completion(struct block_engine *engine, struct inbox_item *item)
{
    struct raw_completion *completion = (struct raw_completion *)item;
    complete_or_keep(engine, &completion->answer);
    free(completion);
}

void block_raw_complete(struct block_engine *engine, uint16_t tag, uint16_t status, uint64_t result, uint32_t written,
                        bool silent)
{
    struct block_answer answer = {
        .tag = tag,
        .status = status,
        .flags = ANSWER_COMPLETE | (silent ? ANSWER_SILENT : 0),
        .result = result,
        .written = written,
    };
    if (tag >= BLOCK_TAGS)
        return;
    if (engine_is_here(engine)) {
        complete_or_keep(engine, &answer);
        return;
    }
    struct raw_completion *completion = malloc(sizeof *completion);
    if (!completion) /* the guest's own time-out ends the command */
        return;
    *completion = (struct raw_completion){{NULL, run_completion}, answer};
    inbox_post(engine, &completion->item);
}
