/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds commands of a volume back that is beyond its rates, or whose disk has enough commands in flight. What is not
 * held back passes at once; the others wait in their volume's order, each in the place of its tag.
 *
 * A volume in which something waits has a token. Tokens come by in rounds (qos_events): when a tick brings time, when a
 * command of a full disk is over, and as long as rounds let commands go. A visit lets one command go.
 *
 * A volume that waits for its rates is in nobody's way: the disk is awaited while there were volumes, in this round or
 * the one before, that their rates would have let go.
 *
 * Volumes that wait for the same disk take turns by weight (deficit round robin: Shreedhar and Varghese, 1995). A
 * command costs as much credit as the largest weight among them is; a round in which none could pay, but would, is
 * followed by one in which each gets its weight. Without a wait for the disk there is no credit.
 *
 * Raw commands cost nothing: what they move is rare, and the host can count it. Those of NVMe are let through. Those of
 * virtio-blk keep their place: of what a queue has in flight when the host's process ends, the rings tell the part that
 * had not come to it only if that is the last one (runtime/device/virtio_blk_recover.c).
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
    uint16_t above; /* in_flight + 1 */
    uint16_t below; /* in_flight - 1 */
    uint16_t top;   /* weight of those that were met in this round */
    uint16_t price; /* the top of the round before */
    bool open;      /* fewer are in flight than the limit */
    bool awaited;   /* who comes has to wait for others */
    bool begun;     /* in this round one began to wait for it */
    bool rich;      /* in this round one had the credit, but the disk was full */
    bool poor;      /* one had not */
    bool grant;     /* in this round each gets its weight */
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

/* What an activation decides. */
struct qos_step {
    bool passes;  /* a command: the event's or the first that waited */
    bool begins;  /* the volume to wait */
    bool ceases;  /* ... */
    bool awaits;  /* the disk, and not its rates */
    bool takes;   /* a place at the disk */
    bool returns; /* ... */
    bool limits;  /* the disk gets another limit */
    bool mark;    /* a round begins */
    bool timer;
    uint16_t limit;
    uint32_t at;
};

HLS_INLINE uint16_t qos_larger(uint16_t a, uint16_t b)
{
    return a > b ? a : b;
}

HLS_INLINE void qos_want_round(struct qos_state *state, struct qos_step *step)
{
    if (state->volumes != 0 && state->round) {
        state->wanted = 1;
    } else if (state->volumes != 0) {
        state->round = 1;
        step->mark = true;
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

HLS_INLINE bool qos_is_timed(const struct qos_row *row)
{
    return row->operations.rate != 0 || row->bytes.rate != 0;
}

/* What comes may have to wait: for its rates, for its disk, or behind what waits. */
HLS_INLINE bool qos_is_limited(const struct qos_row *row)
{
    return qos_is_timed(row) || row->shares || row->count != 0;
}

HLS_INLINE int64_t qos_bytes_cost(const struct block_command *command)
{
    bool data = command->opcode == BLOCK_READ || command->opcode == BLOCK_WRITE;
    uint32_t sectors = (command->length & (2u * BLOCK_DATA_MAX - 1u)) / QOS_SECTOR_BYTES;
    return data ? (int64_t)sectors * QOS_SECTOR : 0;
}

/* A flush moves nothing, as a raw command: it takes no tokens, and waits only for its turn. */
HLS_INLINE bool qos_is_free(const struct block_command *command)
{
    return command->opcode == BLOCK_FLUSH || command->kind == BACKEND_RAW;
}

HLS_INLINE bool qos_affords(const struct qos_row *row, const struct block_command *command)
{
    return qos_is_free(command) || (qos_bucket_affords(&row->operations, QOS_OPERATION) &&
                                    qos_bucket_affords(&row->bytes, qos_bytes_cost(command)));
}

HLS_INLINE void qos_charge(struct qos_row *row, const struct block_command *command)
{
    row->operations.level -= qos_is_free(command) ? 0 : QOS_OPERATION;
    row->bytes.level -= qos_bytes_cost(command);
}

/* The turn of a volume that waits for nothing but its disk. Returns whether its credit is enough. */
HLS_INLINE bool qos_credit(struct qos_state *state, struct qos_row *row, struct qos_disk *disk)
{
    uint32_t grown = (uint32_t)row->credit + row->weight;
    uint32_t bounded = grown < 2u * QOS_WEIGHT_MAX ? grown : 2u * QOS_WEIGHT_MAX;
    bool pays = disk->grant ? bounded >= row->price : row->credit >= row->price;
    row->credit = (uint16_t)(disk->grant ? bounded : row->credit);
    disk->rich = disk->rich || (pays && !disk->open);
    disk->poor = disk->poor || !pays;
    disk->top = qos_larger(disk->top, row->weight);
    state->wanted = state->wanted || disk->open; /* to pass, or to earn */
    return pays;
}

/* What a turn or a command that comes does to its volume. */
HLS_INLINE void qos_apply(struct qos_row *row, const struct qos_disk *disk, const struct qos_step *step,
                          const struct block_command *command, bool turn, uint16_t second)
{
    if (step->passes)
        qos_charge(row, command);
    if (turn && step->passes) {
        row->count = (uint16_t)(row->count - 1u);
        row->head = second;
        row->credit = (uint16_t)(row->shares ? row->credit - row->price : 0);
    } else if (!turn && !step->passes) {
        row->head = row->count != 0 ? row->head : command->tag;
        row->tail = command->tag;
        row->count = (uint16_t)(row->count + 1u);
    }
    if (step->begins)
        row->credit = 0;
    row->price = turn ? qos_larger(disk->price, row->weight) : step->begins ? row->weight : row->price;
}

/* What became of the event, for the disk and for all volumes together. */
HLS_INLINE void qos_account(struct qos_state *state, struct qos_disk *disk, const struct qos_step *step)
{
    uint16_t count = disk->in_flight, above = disk->above, below = disk->below;
    if (step->takes) {
        disk->open = above < disk->limit;
        disk->in_flight = above;
        disk->above = (uint16_t)(above + 1u);
        disk->below = count;
    } else if (step->returns) {
        disk->open = count <= disk->limit;
        disk->in_flight = below;
        disk->above = count;
        disk->below = (uint16_t)(below - 1u);
    } else if (step->limits) {
        disk->open = count < step->limit;
        disk->above = (uint16_t)(count + 1u);
        disk->limit = step->limit;
    }
    disk->awaited = disk->awaited || step->awaits;
    disk->begun = disk->begun || (step->begins && step->awaits);
    if (step->begins)
        state->volumes = (uint16_t)(state->volumes + 1u);
    else if (step->ceases)
        state->volumes = (uint16_t)(state->volumes - 1u);
}

/* The round is over; another one follows if that may do something. */
HLS_INLINE void qos_round_ends(struct qos_state *state, struct qos_step *step)
{
    for (uint32_t i = 0; i < BLOCK_DISKS; i++) {
        struct qos_disk *disk = &state->disk[i];
        disk->grant = disk->poor && !disk->rich;
        disk->awaited = disk->poor || disk->rich || disk->begun;
        disk->price = disk->top;
        disk->top = 0;
        disk->rich = false;
        disk->poor = false;
        disk->begun = false;
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
HLS_INLINE uint8_t qos_set(struct qos_row *row, const struct command_entry *entry, const struct volume_setting *setting,
                           uint32_t now, struct qos_step *step)
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
        step->limits = true;
        step->limit = (uint16_t)(setting->disk_limit < BLOCK_TAGS ? setting->disk_limit : BLOCK_TAGS);
    }
    return status;
}

/* A tick brings time. More of them come while volumes with rates are active. */
HLS_INLINE void qos_tick(struct qos_state *state, uint32_t now, struct qos_step *step)
{
    state->now = now;
    state->armed = 0;
    if (state->active)
        qos_want_tick(state, step, QOS_PERIOD);
    state->active = 0;
    qos_want_round(state, step);
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
    bool issue = kind == QOS_ISSUE, turn = kind == QOS_TOKEN;
    bool ordered =
        happened->issue.command.kind == BACKEND_COMMAND || (happened->issue.command.flags & BLOCK_VIRTIO) != 0;
    bool known = ordered && happened->issue.command.volume < BLOCK_VOLUMES;
    if (issue && !(known && qos_is_limited(&state->volume[volume]))) {
        state->owner[tag] = QOS_DISK_NOBODY;
        STREAM_OPEN(struct block_issue, same, out);
        HLS_COPY(same, &happened->issue, sizeof *same);
        STREAM_PUSH(struct block_issue, same, out);
        STEP_END;
    }
    uint32_t owner = state->owner[tag];
    if (kind == QOS_FINISHED && owner == QOS_DISK_NOBODY)
        STEP_END;
    struct qos_step step;
    struct command_entry entry;
    struct volume_setting setting;
    HLS_ZERO(&step, sizeof step);
    HLS_COPY(&entry, happened->issue.raw, sizeof entry);
    HLS_COPY(&setting, entry.data, sizeof setting);
    struct qos_row row = state->volume[volume];
    struct block_issue first = state->waiting[row.head & (BLOCK_TAGS - 1u)];
    uint16_t second = state->next[row.head & (BLOCK_TAGS - 1u)];
    uint32_t number = (kind == QOS_FINISHED ? owner - 1u : kind == QOS_COMMAND ? setting.disk : row.disk) % BLOCK_DISKS;
    struct qos_disk disk = state->disk[number];

    struct block_command command;
    HLS_COPY(&command, turn ? &first.command : &happened->issue.command, sizeof command);
    bool queued = issue && row.count != 0, timed = qos_is_timed(&row), shares = row.shares != 0;
    if (issue) {
        state->owner[tag] = (uint8_t)(shares ? row.disk + 1u : QOS_DISK_NOBODY);
        /* Kept in any case: whether it waits is known too late for the memory. */
        struct block_issue kept;
        HLS_COPY(&kept, &happened->issue, sizeof kept);
        kept.command.waited = state->now;
        state->waiting[tag] = kept;
        if (queued)
            state->next[row.tail & (BLOCK_TAGS - 1u)] = (uint16_t)tag;
    }
    if (issue || turn) {
        if (!queued)
            qos_refill(&row, state->now);
        /* Where time counts, but no tick is to come, the first one waits for one. */
        bool stale = issue && timed && !state->armed;
        bool affords = qos_affords(&row, &command);
        bool pays = !disk.awaited;
        if (turn && shares && affords)
            pays = qos_credit(state, &row, &disk);
        step.passes = affords && !queued && !stale && (!shares || (pays && disk.open));
        step.takes = step.passes && shares;
        step.begins = issue && !queued && !step.passes;
        step.ceases = turn && row.count == 1u && step.passes;
        step.awaits = shares && affords && !stale && (turn || !queued) && !step.passes;
        if (issue && timed)
            qos_want_tick(state, &step, 0);
        if (step.begins)
            row.stale = stale;
        state->late = state->late || (turn && !affords);
        state->wanted = state->wanted || (turn && step.passes);
        state->active = state->active || (issue && timed);
        qos_apply(&row, &disk, &step, &command, turn, second);
    } else if (kind == QOS_FINISHED) {
        step.returns = true;
        if (disk.awaited)
            qos_want_round(state, &step);
    } else if (kind == QOS_TICK) {
        qos_tick(state, happened->now, &step);
    } else if (kind == QOS_COMMAND) {
        entry.status = qos_set(&row, &entry, &setting, state->now, &step);
        qos_want_round(state, &step);
    } else if (kind == QOS_MARK) {
        qos_round_ends(state, &step);
    }
    qos_account(state, &disk, &step);
    if (kind != QOS_MARK)
        state->disk[number] = disk;
    state->volume[volume] = row;

    if (step.passes) {
        STREAM_OPEN(struct block_issue, passed, out);
        if (turn) {
            HLS_COPY(passed, &first, sizeof *passed);
            passed->command.waited = state->now - first.command.waited;
        } else {
            HLS_COPY(passed, &happened->issue, sizeof *passed);
        }
        STREAM_PUSH(struct block_issue, passed, out);
    }
    if (kind == QOS_COMMAND) {
        STREAM_OPEN(struct command_entry, completed, completion);
        HLS_COPY(completed, &entry, sizeof *completed);
        STREAM_PUSH(struct command_entry, completed, completion);
    }
    if (step.timer) {
        STREAM_OPEN(struct timer_request, request, timer);
        request->at = step.at;
        request->reserved = 0;
        STREAM_PUSH(struct timer_request, request, timer);
    }
    bool token = step.begins || (turn && !step.ceases);
    if (token || step.mark) {
        STREAM_OPEN(struct qos_token, back, again);
        back->volume = (uint16_t)volume;
        back->kind = token ? QOS_TOKEN : QOS_MARK;
        back->reserved = 0;
        STREAM_PUSH(struct qos_token, back, again);
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
