/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a command: from the backend ring through the checks to its backend, and back as answers. */
#include <string.h>

#include "runtime/block/engine_internal.h"

void tag_list_append(struct tag_list *list, struct block_tag *tag)
{
    tag->next = NULL;
    if (list->last)
        list->last->next = tag;
    else
        list->first = tag;
    list->last = tag;
}

struct block_tag *tag_list_take(struct tag_list *list)
{
    struct block_tag *tag = list->first;
    if (tag && !(list->first = tag->next))
        list->last = NULL;
    return tag;
}

bool tag_list_remove(struct tag_list *list, struct block_tag *tag)
{
    struct block_tag *before = NULL;
    for (struct block_tag *at = list->first; at; before = at, at = at->next) {
        if (at != tag)
            continue;
        if (before)
            before->next = tag->next;
        else
            list->first = tag->next;
        if (list->last == tag)
            list->last = before;
        return true;
    }
    return false;
}

static struct block_queue *queue_of(const struct block_tag *tag)
{
    return &tag->engine->queues[BLOCK_TAG_QUEUE(tag->raw.command.tag)];
}

/* ---- answers ---- */

static bool put_answer(struct block_engine *engine, const struct block_answer *answer)
{
    struct block_answer *place = cipu_host_block_answer(engine->host);
    if (!place)
        return false;
    *place = *answer;
    engine->answered = true;
    return true;
}

/* The ring of answers has a place for each tag: only a card that is behind with all of them makes one wait. */
void command_answer(struct block_tag *tag, const struct block_answer *answer)
{
    struct block_engine *engine = tag->engine;
    if (answer->flags & ANSWER_COMPLETE && tag->state != TAG_SILENT)
        inflight_ended(queue_of(tag), answer->tag % BLOCK_SLOTS, answer->flags & ANSWER_SILENT);
    if (!engine->unsent.first && put_answer(engine, answer))
        return;
    tag->answer = *answer;
    tag->answers = true;
    tag_list_append(&engine->unsent, tag);
}

unsigned command_send_unsent(struct block_engine *engine)
{
    unsigned sent = 0;
    for (struct block_tag *tag = engine->unsent.first; tag; tag = engine->unsent.first, sent++) {
        if (!put_answer(engine, &tag->answer))
            break;
        tag_list_take(&engine->unsent);
        tag->answers = false;
    }
    return sent;
}

/* Bytes written into a virtio chain: a read's data and always the status byte. */
static uint32_t written_bytes(const struct block_command *command, uint16_t status)
{
    if (!(command->flags & BLOCK_VIRTIO))
        return 0;
    return (command->opcode == BLOCK_READ && status == 0 ? command->length : 0) + 1;
}

static void answer(struct block_tag *tag, uint32_t flags, uint16_t status, uint64_t address)
{
    const struct block_command *command = &tag->raw.command;
    bool move = flags & (ANSWER_MOVE_IN | ANSWER_MOVE_OUT), complete = flags & ANSWER_COMPLETE;
    struct block_answer reply = {
        .tag = command->tag,
        .status = status,
        .flags = flags,
        .address = address,
        .length = move ? command->length : 0,
        .skip = flags & ANSWER_MOVE_IN && command->flags & BLOCK_VIRTIO ? VIRTIO_HEADER_BYTES : 0,
        .written = complete ? written_bytes(command, status) : 0,
    };
    command_answer(tag, &reply);
}

/* ---- the end ---- */

static void begin_record(struct block_engine *engine, const struct block_raw *record, bool late);

static void record_latency(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    if (command->opcode != BLOCK_READ && command->opcode != BLOCK_WRITE)
        return;
    struct volume_latency *latency = &tag->volume->latency[command->opcode == BLOCK_WRITE];
    uint64_t over = tag->engine->now, total = over - tag->doorbell;
    uint64_t queued = (uint64_t)command->waited * BLOCK_TICK_NANOSECONDS + tag->waited;
    uint64_t before = tag->begin - tag->doorbell;
    uint64_t stages[LATENCY_STAGES] = {
        [LATENCY_FETCH] = before > queued ? before - queued : 0,
        [LATENCY_QUEUE] = queued,
        [LATENCY_BACKEND] = tag->end - tag->begin,
        [LATENCY_COMPLETE] = over - tag->end,
        [LATENCY_TOTAL] = total,
    };
    for (unsigned i = 0; i < LATENCY_STAGES; i++)
        counter_add(&latency->buckets[i][latency_bucket(stages[i])], 1);
    counter_add(&latency->count, 1);
    counter_add(&latency->bytes, command->length);
    counter_add(&latency->nanoseconds, total);
}

static void count(struct block_tag *tag, uint16_t status)
{
    const struct block_command *command = &tag->raw.command;
    struct volume_statistics *statistics = &tag->volume->statistics;
    struct block_function_statistics *function = &tag->engine->functions[command->function];
    if (command->opcode >= VOLUME_OPERATIONS)
        return;
    counter_add(&function->commands, 1);
    if (status) {
        counter_add(&function->errors, 1);
        counter_add(&statistics->errors[command->opcode], 1);
        return;
    }
    counter_add(&statistics->operations[command->opcode], 1);
    if (command->opcode != BLOCK_FLUSH)
        counter_add(&statistics->bytes[command->opcode], command->length);
}

static bool changes(const struct block_tag *tag)
{
    return tag->raw.command.opcode == BLOCK_WRITE || tag->raw.command.opcode == BLOCK_WRITE_ZEROES;
}

/* The tag is free, and its successor, if any, begins. */
void command_finish(struct block_tag *tag)
{
    struct block_engine *engine = tag->engine;
    if (tag->buffer.memory)
        buffer_give(tag);
    if (tag->volume)
        tag->volume->in_flight--;
    tag->volume = NULL;
    tag->state = TAG_FREE;
    if (tag->late) {
        struct block_raw successor = tag->successor;
        tag->late = false;
        begin_record(engine, &successor, true);
    }
}

bool command_ends_silently(struct block_tag *tag, const struct block_answer *silent)
{
    if (!(silent->flags & ANSWER_SILENT) || !(tag->raw.command.flags & BLOCK_VIRTIO))
        return false;
    struct block_answer reply = *silent;
    reply.flags |= ANSWER_TELL;
    tag->state = TAG_SILENT;
    command_answer(tag, &reply);
    return true;
}

static void complete(struct block_tag *tag, uint16_t status)
{
    if (tag->volume)
        count(tag, status);
    if (tag->volume && !status && !tag->silent)
        record_latency(tag);
    const struct block_command *command = &tag->raw.command;
    struct block_answer reply = {.tag = command->tag,
                                 .status = status,
                                 .flags = ANSWER_COMPLETE | (tag->silent ? ANSWER_SILENT : 0),
                                 .written = written_bytes(command, status)};
    if (command_ends_silently(tag, &reply))
        return;
    command_answer(tag, &reply);
    command_finish(tag);
}

void command_refuse(struct block_tag *tag, uint16_t status)
{
    complete(tag, status);
}

static void fail(struct block_tag *tag, enum block_outcome outcome)
{
    complete(tag, block_status(tag->raw.command.flags, outcome));
}

/* ---- at the backend ---- */

void volume_submit(struct block_volume *volume, struct backend_request *request)
{
    struct block_engine *engine = volume->engine;
    if (volume->at_backend++ == 0) {
        volume->active = engine->active_count;
        engine->active[engine->active_count++] = volume;
    }
    volume->backend->ops->submit(volume->backend, request);
}

void volume_done(struct block_volume *volume)
{
    struct block_engine *engine = volume->engine;
    if (--volume->at_backend)
        return;
    struct block_volume *last = engine->active[--engine->active_count];
    engine->active[volume->active] = last;
    last->active = volume->active;
}

static void backend_done(struct backend_request *request)
{
    struct block_errand *errand = request->context;
    struct block_tag *tag = errand->tag;
    int result = request->result;
    if (errand_done(errand))
        return;
    struct block_engine *engine = tag->engine;
    const struct block_command *command = &tag->raw.command;
    queue_of(tag)->at_backend--;
    tag->errand = NULL;
    errand_give(engine, errand);
    engine->now = tag->end = cipu_card_time(engine->card);
    uint16_t status = block_status_of_result(command->flags, command->opcode, result);
    if (status || command->opcode != BLOCK_READ || tag->silent) { /* a queue that is being reset gets no data either */
        complete(tag, status);
        return;
    }
    count(tag, 0);
    tag->state = TAG_COMPLETING;
    answer(tag, ANSWER_MOVE_OUT | ANSWER_COMPLETE | ANSWER_TELL, status, tag->buffer.bus);
}

static void to_backend(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    struct block_errand *errand = tag->errand = errand_take(tag->engine);
    tag->state = TAG_BACKEND;
    tag->begin = tag->engine->now;
    queue_of(tag)->at_backend++;
    errand->tag = tag;
    errand->operation = NULL;
    errand->volume = tag->volume;
    errand->function = command->function;
    errand->operates = errand->listed = false;
    errand->changes = errand->counted = changes(tag);
    tag->volume->writes[command->function] += errand->counted;
    errand->request = (struct backend_request){
        .operation = command->opcode, /* the same numbers, see below */
        .durable = command->flags & BLOCK_FUA ||
                   atomic_load_explicit(&tag->volume->durable[command->function], memory_order_relaxed),
        .unmap = command->flags & BLOCK_UNMAP,
        .offset = command->opcode == BLOCK_FLUSH ? 0 : command->offset,
        .length = command->opcode == BLOCK_FLUSH ? 0 : command->length,
        .buffer = tag->buffer.memory,
        .done = backend_done,
        .context = errand,
    };
    volume_submit(tag->volume, &errand->request);
}

static_assert((int)BLOCK_READ == BACKEND_READ && (int)BLOCK_WRITE == BACKEND_WRITE &&
                  (int)BLOCK_FLUSH == BACKEND_FLUSH && (int)BLOCK_WRITE_ZEROES == BACKEND_WRITE_ZEROES,
              "a command's opcode is its backend's operation");

/* ---- moves ---- */

void command_has_buffer(struct block_tag *tag)
{
    if (tag->stopped)
        tag->waited += tag->engine->now - tag->stopped;
    tag->stopped = 0;
    if (tag->raw.command.opcode == BLOCK_READ) {
        to_backend(tag);
        return;
    }
    tag->state = TAG_MOVE_IN;
    answer(tag, ANSWER_MOVE_IN | ANSWER_TELL, 0, tag->buffer.bus);
}

static void move_memory(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    struct block_volume *volume = tag->volume;
    tag->begin = tag->end = tag->engine->now;
    count(tag, 0);
    if (command->opcode == BLOCK_READ) {
        record_latency(tag);
        answer(tag, ANSWER_MOVE_OUT | ANSWER_COMPLETE, 0, volume->bus + command->offset);
        command_finish(tag);
        return;
    }
    /* Told of its end, so that it is known when none is under way (block_volume_set_access). */
    tag->state = TAG_COMPLETING;
    volume->writes[command->function]++;
    answer(tag, ANSWER_MOVE_IN | ANSWER_COMPLETE | ANSWER_TELL, 0, volume->bus + command->offset);
}

/* ---- the beginning ---- */

/* Whether the function may do it now; else it is over. */
static bool allowed(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    unsigned needed = command->opcode == BLOCK_READ ? VOLUME_READ : VOLUME_WRITE; /* a flush belongs to writing */
    if (tag->volume->access[command->function] & needed)
        return true;
    uint16_t denied = tag->volume->denied[command->function];
    complete(tag, denied ? denied : block_status(command->flags, OUTCOME_VOLUME));
    return false;
}

static enum block_outcome check(const struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    const struct block_volume *volume = tag->volume;
    if (command->opcode == BLOCK_FLUSH)
        return OUTCOME_SUCCESS;
    if (command->opcode < BLOCK_READ || command->opcode > BLOCK_WRITE_ZEROES)
        return OUTCOME_FIELD;
    if (command->offset > volume->bytes || command->length > volume->bytes - command->offset)
        return OUTCOME_RANGE;
    if ((command->offset | command->length) & volume->block_mask ||
        (command->opcode != BLOCK_WRITE_ZEROES && command->length > BLOCK_DATA_MAX))
        return OUTCOME_FIELD;
    if (changes(tag) && volume->read_only)
        return OUTCOME_READ_ONLY;
    return OUTCOME_SUCCESS;
}

static void begin(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    struct block_volume *volume = tag->volume;
    bool moves = command->opcode == BLOCK_READ || command->opcode == BLOCK_WRITE;
    enum block_outcome outcome = check(tag);
    tag->begin = tag->end = tag->engine->now;
    if (outcome)
        fail(tag, outcome);
    else if (!allowed(tag))
        return;
    else if (command->opcode != BLOCK_FLUSH && command->length == 0)
        complete(tag, 0);
    else if (moves && volume->moves_nothing)
        complete(tag, 0);
    else if (moves && volume->memory)
        move_memory(tag);
    else if (moves)
        buffer_find(tag);
    else
        to_backend(tag);
}

static void begin_or_hold(struct block_tag *tag)
{
    const struct block_command *command = &tag->raw.command;
    bool behind = command->opcode != BLOCK_FLUSH && stray_overlaps(tag->volume, command->offset, command->length);
    if (!tag->volume->held && !behind) {
        tag->volume->in_flight++;
        begin(tag);
        return;
    }
    tag->state = TAG_HELD;
    tag->stopped = tag->engine->now;
    tag_list_append(&tag->volume->waiting, tag);
}

void command_resume(struct block_volume *volume)
{
    struct tag_list waiting = volume->waiting;
    volume->waiting = (struct tag_list){NULL, NULL};
    for (struct block_tag *tag = tag_list_take(&waiting); tag; tag = tag_list_take(&waiting)) {
        tag->waited += tag->engine->now - tag->stopped;
        tag->stopped = 0;
        begin_or_hold(tag);
    }
}

static void take_moved(struct block_engine *engine, const struct block_command *notice)
{
    struct block_tag *tag = notice->tag < BLOCK_TAGS ? &engine->tags[notice->tag] : NULL;
    unsigned state = tag ? tag->state : TAG_FREE;
    if (state == TAG_COMPLETING) {
        if (changes(tag) && tag->volume->memory)
            tag->volume->writes[tag->raw.command.function]--;
        if (!notice->status)
            record_latency(tag);
        command_finish(tag);
    } else if (state == TAG_SILENT) {
        inflight_ended(queue_of(tag), notice->tag % BLOCK_SLOTS, true);
        command_finish(tag);
    } else if (state == TAG_RAW && tag->move) {
        raw_moved(tag, notice->status);
    } else if (state != TAG_MOVE_IN) {
        counter_add(&engine->unexpected, 1);
    } else if (tag->ended || notice->status) {
        complete(tag, tag->ended ? tag->status : notice->status);
    } else if (allowed(tag)) {
        to_backend(tag);
    }
}

/* A command whose tag is in flight has no answer of its own: it would be taken for the first one's. */
static struct block_tag *claim(struct block_engine *engine, const struct block_raw *record, bool late)
{
    struct block_tag *tag = record->command.tag < BLOCK_TAGS ? &engine->tags[record->command.tag] : NULL;
    if (tag && tag->state == TAG_COMPLETING && !tag->late) {
        tag->successor = *record;
        tag->late = true;
        inflight_arrived(queue_of(tag), record->command.tag % BLOCK_SLOTS);
        return NULL;
    }
    if (!tag || tag->state != TAG_FREE || tag->answers) {
        counter_add(&engine->unexpected, 1);
        return NULL;
    }
    tag->engine = engine;
    tag->raw = *record;
    if (!late)
        inflight_arrived(queue_of(tag), record->command.tag % BLOCK_SLOTS);
    tag->volume = NULL;
    tag->silent = tag->ended = false;
    tag->waited = tag->stopped = 0;
    tag->doorbell = engine->now - (uint32_t)((uint32_t)engine->now - record->command.stamp);
    return tag;
}

static void take_command(struct block_tag *tag)
{
    struct block_engine *engine = tag->engine;
    const struct block_command *command = &tag->raw.command;
    struct block_queue *queue = queue_of(tag);
    if (command->queue != BLOCK_TAG_QUEUE(command->tag) || !queue->ops || command->function != queue->function) {
        counter_add(&engine->unexpected, 1);
        fail(tag, OUTCOME_INTERNAL);
    } else if (queue->draining) {
        tag->silent = queue->silent;
        complete(tag, queue->status);
    } else if (command->kind == BACKEND_RAW) {
        raw_take(tag);
    } else {
        tag->volume = command->volume < BLOCK_VOLUMES ? engine->volumes[command->volume] : NULL;
        if (tag->volume)
            begin_or_hold(tag);
        else
            fail(tag, OUTCOME_VOLUME);
    }
}

/* `late`: it came a while ago. */
static void begin_record(struct block_engine *engine, const struct block_raw *record, bool late)
{
    struct block_tag *tag = claim(engine, record, late);
    if (tag)
        take_command(tag);
}

void command_take(struct block_engine *engine, const struct block_raw *record)
{
    if (record->command.kind == BACKEND_MOVED) {
        take_moved(engine, &record->command);
    } else if (record->command.kind == BACKEND_COMMAND || record->command.kind == BACKEND_RAW) {
        begin_record(engine, record, false);
    } else {
        counter_add(&engine->unexpected, 1);
    }
}
