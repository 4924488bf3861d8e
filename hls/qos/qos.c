/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds commands of a volume back that is beyond its rates, or whose disk has enough commands in flight. What is not
 * held back passes at once; the others wait in their volume's order, each in the place of its tag.
 *
 * A volume in which something waits has a token. Tokens come by in rounds (qos_events): when a tick brings time, when a
 * command of a full disk is over, and as long as rounds let commands go. A visit lets one command go.
 *
 * Volumes that wait for the same disk take turns by weight (deficit round robin: Shreedhar and Varghese, 1995). A
 * command costs as much credit as the largest weight among them is; a round in which none could pay, but would, is
 * followed by one in which each gets its weight. Without a wait for the disk there is no credit.
 *
 * Raw commands are let through: what they move is rare, and the host can count it.
 */
#include "hls/qos/bucket.h"

#define QOS_PERIOD      8u /* between ticks, while volumes with rates are active or wait for them */
#define QOS_WEIGHT_MAX  1000u
#define QOS_DISK_NOBODY 0u

struct qos_row {
    struct qos_bucket operations;
    struct qos_bucket bytes;
    uint32_t last; /* when the buckets were filled last */
    uint16_t head; /* tags: the first and the last command that waits */
    uint16_t tail;
    uint16_t count; /* of them */
    uint16_t weight;
    uint16_t credit;
    uint16_t price; /* of a command, in credit: the disk's, when the volume had its turn last */
    uint8_t disk;
    uint8_t shares; /* the disk's limit */
    uint8_t stale;  /* the first that waits came at a time that is not known */
};

struct qos_disk {
    uint16_t limit;
    uint16_t in_flight;
    uint16_t waiting; /* volumes */
    uint16_t top;     /* weight of those that were met in this round */
    uint16_t price;   /* the top of the round before */
    uint8_t open;     /* fewer are in flight than the limit */
    uint8_t awaited;  /* volumes wait */
    uint8_t rich;     /* in this round one had the credit, but the disk was full */
    uint8_t poor;     /* one had not */
    uint8_t grant;    /* in this round each gets its weight */
};

struct qos_state {
    struct qos_row volume[BLOCK_VOLUMES];
    struct block_issue waiting[BLOCK_TAGS];
    uint16_t next[BLOCK_TAGS]; /* the tag that waits behind it */
    uint8_t owner[BLOCK_TAGS]; /* QOS_DISK_NOBODY, or 1 + the disk that counts it */
    struct qos_disk disk[BLOCK_DISKS];
    uint32_t now;     /* when a tick came last */
    uint16_t volumes; /* with commands that wait: so many tokens */
    uint8_t round;    /* one is under way */
    uint8_t wanted;   /* another one is to follow */
    uint8_t late;     /* in this round one waited for its rates */
    uint8_t armed;    /* a tick is to come: `now` is at most so old as that */
    uint8_t active;   /* since the last tick a command of a volume with rates came */
};

/* What an activation sends. */
struct qos_step {
    uint8_t passes; /* a command: the event's or the first that waited */
    uint8_t token;
    uint8_t mark; /* a round begins */
    uint8_t timer;
    uint32_t at;
};

HLS_INLINE void qos_want_round(struct qos_state *state, struct qos_step *step)
{
    if (state->volumes != 0 && state->round) {
        state->wanted = 1;
    } else if (state->volumes != 0) {
        state->round = 1;
        step->mark = 1;
    }
}

HLS_INLINE void qos_want_tick(struct qos_state *state, struct qos_step *step, uint32_t after)
{
    step->timer = !state->armed;
    step->at = state->now + after;
    state->armed = 1;
}

HLS_INLINE void qos_refill(struct qos_row *row, uint32_t now)
{
    uint32_t passed = now - row->last;
    uint32_t elapsed = passed < QOS_ELAPSED_MAX ? passed : QOS_ELAPSED_MAX;
    bool open = row->count != 0 && !row->stale;
    qos_bucket_refill(&row->operations, elapsed, open);
    qos_bucket_refill(&row->bytes, elapsed, open);
    row->last = now;
    row->stale = row->stale && elapsed == 0;
}

HLS_INLINE int64_t qos_bytes_cost(const struct block_command *command)
{
    bool data = command->opcode == BLOCK_READ || command->opcode == BLOCK_WRITE;
    uint32_t sectors = (command->length & (2u * BLOCK_DATA_MAX - 1u)) / QOS_SECTOR_BYTES;
    return data ? (int64_t)sectors * QOS_SECTOR : 0;
}

/* A flush moves nothing: it takes no tokens, and waits only for its turn. */
HLS_INLINE bool qos_affords(const struct qos_row *row, const struct block_command *command)
{
    return command->opcode == BLOCK_FLUSH || (qos_bucket_affords(&row->operations, QOS_OPERATION) &&
                                              qos_bucket_affords(&row->bytes, qos_bytes_cost(command)));
}

HLS_INLINE void qos_charge(struct qos_row *row, const struct block_command *command)
{
    row->operations.level -= command->opcode == BLOCK_FLUSH ? 0 : QOS_OPERATION;
    row->bytes.level -= qos_bytes_cost(command);
}

/* `more` than now are in flight: 1 or -1. */
HLS_INLINE void qos_count(struct qos_disk *disk, int32_t more)
{
    uint16_t count = (uint16_t)(disk->in_flight + more);
    disk->in_flight = count;
    disk->open = count < disk->limit;
}

/* A command comes. Returns whether it passes. Where time counts, but no tick is to come, the first one waits for one.
 */
HLS_INLINE bool qos_arrives(struct qos_state *state, struct qos_row *row, struct qos_disk *disk,
                            const struct block_command *command, struct qos_step *step)
{
    bool counted = command->kind == BACKEND_COMMAND && command->volume < BLOCK_VOLUMES;
    bool timed = row->operations.rate != 0 || row->bytes.rate != 0;
    bool slot = !row->shares || (disk->open && !disk->awaited);
    bool stale = timed && !state->armed;
    bool passes = !counted || (row->count == 0 && !stale && slot && qos_affords(row, command));
    if (counted && passes) {
        qos_charge(row, command);
        if (row->shares)
            qos_count(disk, 1);
    } else if (!passes && row->count == 0) {
        state->volumes = (uint16_t)(state->volumes + 1u);
        if (row->shares) {
            disk->waiting = (uint16_t)(disk->waiting + 1u);
            disk->awaited = 1;
        }
        row->stale = stale;
        row->credit = 0;
        row->price = row->weight;
        step->token = 1;
        qos_want_tick(state, step, 0);
    }
    state->active |= timed && counted;
    return passes;
}

HLS_INLINE uint16_t qos_larger(uint16_t a, uint16_t b)
{
    return a > b ? a : b;
}

/* Credit of a volume that would pass but for its disk. Returns whether it passes. */
HLS_INLINE bool qos_pays(struct qos_state *state, struct qos_row *row, struct qos_disk *disk)
{
    uint32_t grown = (uint32_t)row->credit + row->weight;
    uint32_t bounded = grown < 2u * QOS_WEIGHT_MAX ? grown : 2u * QOS_WEIGHT_MAX;
    bool pays = disk->grant ? bounded >= row->price : row->credit >= row->price;
    bool passes = disk->open && pays;
    uint32_t credit = disk->grant ? bounded : row->credit;
    disk->rich |= pays && !disk->open;
    disk->poor |= !pays;
    state->wanted |= disk->open; /* to pass, or to earn */
    row->credit = (uint16_t)(passes ? credit - row->price : credit);
    row->price = qos_larger(disk->price, row->weight);
    disk->top = qos_larger(disk->top, row->weight);
    return passes;
}

/* The turn of a volume in which something waits. Returns whether its first command passes. */
HLS_INLINE bool qos_turn(struct qos_state *state, struct qos_row *row, struct qos_disk *disk,
                         const struct block_command *first, uint16_t second, struct qos_step *step)
{
    bool affords = qos_affords(row, first);
    bool only = row->count == 1u;
    bool passes = affords && (!row->shares || qos_pays(state, row, disk));
    bool empty = passes && only;
    state->late |= !affords;
    if (passes) {
        qos_charge(row, first);
        if (row->shares)
            qos_count(disk, 1);
        row->count = (uint16_t)(row->count - 1u);
        row->head = second;
        state->wanted = 1;
    }
    if (empty) {
        state->volumes = (uint16_t)(state->volumes - 1u);
        if (row->shares) {
            disk->awaited = disk->waiting != 1u;
            disk->waiting = (uint16_t)(disk->waiting - 1u);
        }
    }
    step->token = !empty;
    return passes;
}

/* The round is over; another one follows if that may do something. */
HLS_INLINE void qos_round_ends(struct qos_state *state, struct qos_step *step)
{
    for (uint32_t i = 0; i < BLOCK_DISKS; i++) {
        struct qos_disk *disk = &state->disk[i];
        disk->grant = disk->poor && !disk->rich;
        disk->price = disk->top;
        disk->top = 0;
        disk->rich = 0;
        disk->poor = 0;
    }
    bool wanted = state->wanted && state->volumes != 0;
    if (state->late && !wanted)
        qos_want_tick(state, step, QOS_PERIOD);
    state->round = wanted;
    step->mark = wanted;
    state->wanted = 0;
    state->late = 0;
}

/* Returns the status. What waits stays in order and is looked at again; it stays with its disk, too. */
HLS_INLINE uint8_t qos_set(struct qos_row *row, struct qos_disk *disk, const struct command_entry *entry,
                           const struct volume_setting *setting, uint32_t now)
{
    uint8_t shares = setting->disk_limit != 0;
    uint8_t status = STATUS_OK;
    if (entry->opcode != COMMAND_VOLUME_SET) {
        status = STATUS_BAD_OPCODE;
    } else if (entry->index >= BLOCK_VOLUMES) {
        status = STATUS_BAD_INDEX;
    } else if (setting->disk >= BLOCK_DISKS || setting->weight == 0 || setting->weight > QOS_WEIGHT_MAX) {
        status = STATUS_BAD_DATA;
    } else if (row->count != 0 && (setting->disk != row->disk || shares != row->shares)) {
        status = STATUS_BUSY;
    } else {
        qos_bucket_set_operations(&row->operations, setting->operations, setting->operations_burst);
        qos_bucket_set_bytes(&row->bytes, setting->bytes, setting->bytes_burst);
        row->last = now;
        row->disk = (uint8_t)setting->disk;
        row->shares = shares;
        row->weight = setting->weight;
        row->price = setting->weight;
        row->credit = 0;
        disk->limit = (uint16_t)(setting->disk_limit < BLOCK_TAGS ? setting->disk_limit : BLOCK_TAGS);
        disk->open = disk->in_flight < disk->limit;
    }
    return status;
}

STEP(qos, struct qos_state *state, STREAM_IN(struct qos_event, event), STREAM_OUT(struct block_issue, out),
     STREAM_OUT(struct command_entry, completion), STREAM_OUT(struct timer_request, timer),
     STREAM_OUT(struct qos_token, again), STREAM_OUT(struct qos_token, wake))
{
    STREAM_WAIT(STREAM_CAN_READ(event) && STREAM_CAN_WRITE(out) && STREAM_CAN_WRITE(completion) &&
                STREAM_CAN_WRITE(timer) && STREAM_CAN_WRITE(again) && STREAM_CAN_WRITE(wake));
    STREAM_READ(struct qos_event, happened, event);
    uint32_t kind = happened->kind, tag = happened->tag & (BLOCK_TAGS - 1u);
    uint32_t volume = happened->volume & (BLOCK_VOLUMES - 1u);
    struct qos_step step;
    HLS_ZERO(&step, sizeof step);
    struct qos_row row = state->volume[volume];
    uint32_t owner = state->owner[tag];
    struct block_issue first = state->waiting[row.head & (BLOCK_TAGS - 1u)];
    uint16_t second = state->next[row.head & (BLOCK_TAGS - 1u)];
    struct command_entry entry;
    struct volume_setting setting;
    HLS_COPY(&entry, happened->issue.raw, sizeof entry);
    HLS_COPY(&setting, entry.data, sizeof setting);
    uint32_t number = (kind == QOS_FINISHED ? owner - 1u : kind == QOS_COMMAND ? setting.disk : row.disk) % BLOCK_DISKS;
    struct qos_disk disk = state->disk[number];

    if (kind == QOS_ISSUE) {
        if (row.count == 0)
            qos_refill(&row, state->now);
        bool counted = happened->issue.command.kind == BACKEND_COMMAND && row.shares;
        state->owner[tag] = (uint8_t)(counted ? number + 1u : QOS_DISK_NOBODY);
        step.passes = qos_arrives(state, &row, &disk, &happened->issue.command, &step);
        if (!step.passes) {
            struct block_issue kept;
            HLS_COPY(&kept, &happened->issue, sizeof kept);
            kept.command.waited = state->now;
            state->waiting[tag] = kept;
            if (row.count != 0)
                state->next[row.tail & (BLOCK_TAGS - 1u)] = (uint16_t)tag;
            else
                row.head = (uint16_t)tag;
            row.tail = (uint16_t)tag;
            row.count = (uint16_t)(row.count + 1u);
        }
    } else if (kind == QOS_TOKEN) {
        qos_refill(&row, state->now);
        step.passes = qos_turn(state, &row, &disk, &first.command, second, &step);
    } else if (kind == QOS_FINISHED && owner != QOS_DISK_NOBODY) {
        qos_count(&disk, -1);
        if (disk.awaited)
            qos_want_round(state, &step);
    } else if (kind == QOS_TICK) {
        state->now = happened->now;
        state->armed = 0;
        if (state->active)
            qos_want_tick(state, &step, QOS_PERIOD);
        state->active = 0;
        qos_want_round(state, &step);
    }
    if (kind == QOS_COMMAND) {
        entry.status = qos_set(&row, &disk, &entry, &setting, state->now);
        qos_want_round(state, &step);
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &entry, sizeof *completed);
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    if (kind == QOS_MARK)
        qos_round_ends(state, &step);
    else
        state->disk[number] = disk;
    state->volume[volume] = row;

    if (step.passes) {
        STREAM_OPEN(struct block_issue, passed, out);
        if (kind == QOS_TOKEN) {
            HLS_COPY(passed, &first, sizeof *passed);
            passed->command.waited = state->now - first.command.waited;
        } else {
            HLS_COPY(passed, &happened->issue, sizeof *passed);
        }
        STREAM_PUSH(struct block_issue, passed, out);
    }
    if (step.timer) {
        STREAM_OPEN(struct timer_request, request, timer);
        request->at = step.at;
        request->reserved = 0;
        STREAM_PUSH(struct timer_request, request, timer);
    }
    if (step.token || step.mark) {
        STREAM_OPEN(struct qos_token, token, again);
        token->volume = (uint16_t)volume;
        token->kind = step.token ? QOS_TOKEN : QOS_MARK;
        token->reserved = 0;
        STREAM_PUSH(struct qos_token, token, again);
    }
    if (step.mark) {
        STREAM_OPEN(struct qos_token, begun, wake);
        begun->volume = 0;
        begun->kind = QOS_MARK;
        begun->reserved = 0;
        STREAM_PUSH(struct qos_token, begun, wake);
    }
    STEP_END;
}
