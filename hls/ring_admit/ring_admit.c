/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which records get into a ring that the host empties (COMPLETION, PUNT, EVENT). What does not fit, or is
 * beyond its source's share (share.h), is dropped as a whole and counted. Room is taken with a record's first entry,
 * and given back if the record turns out spoilt; or when ring_post says that the host has read an entry.
 *
 * Activations of their own clear the shares of a ring that is set, one after the other.
 */
#include "hls/ring_admit/share.h"

struct ring_admit_state {
    struct ring_share share[RING_SOURCES];
    uint32_t room;     /* free entries */
    uint32_t dropped;  /* records, of all sources */
    uint16_t left;     /* entries that the current record may still bring */
    uint16_t taken;    /* for the current record */
    uint16_t clearing; /* shares that are still to be cleared */
    uint8_t enabled;
    uint8_t inside; /* within a record */
    uint8_t generation;
};

HLS_INLINE void ring_admit_set(struct ring_admit_state *state, const struct ring_work *work)
{
    struct ring_setting setting;
    HLS_COPY(&setting, work->data, sizeof setting);
    state->enabled = setting.enabled != 0 && setting.entries_log2 <= RING_ENTRIES_LOG2_MAX;
    state->room = 1u << (setting.entries_log2 & 31u);
    state->dropped = 0;
    state->left = 0; /* of a record that began before */
    state->taken = 0;
    state->clearing = RING_SOURCES;
    state->generation = (uint8_t)(state->generation + 1u);
}

/* An entry; `passed` is what goes on of it. */
HLS_INLINE void ring_admit_entry(struct ring_admit_state *state, struct ring_share *share, const struct ring_work *work,
                                 struct ring_work *passed)
{
    bool first = !state->inside;
    bool fits = state->enabled && ring_share_fits(share, work->source, work->entries, state->room);
    uint16_t left = first ? (uint16_t)(fits ? work->entries : 0u) : state->left;
    bool whole = left == 1u && work->last && !work->error;
    bool refund = work->last && !whole;
    if (first) {
        bool takes = fits && !refund;
        state->room -= takes ? work->entries : 0u;
        share->held += takes ? work->entries : 0u;
        state->dropped += state->enabled && !fits;
        share->dropped += state->enabled && !fits;
        state->taken = fits ? work->entries : 0u;
    } else {
        state->room += refund ? state->taken : 0u;
        share->held -= refund ? state->taken : 0u;
    }
    state->left = (uint16_t)(left - (left != 0 ? 1u : 0u));
    state->inside = !work->last;
    if (first && work->source != RING_SOURCE_ALONE)
        HLS_COPY(passed->data + RING_DROPPED_OFFSET, &share->dropped, sizeof share->dropped);
    passed->admitted = left != 0;
    passed->whole = whole;
    passed->value = state->dropped;
}

STEP(ring_admit, struct ring_admit_state *state, STREAM_IN_COND(struct ring_work, in),
     STREAM_OUT(struct ring_work, out))
{
    STREAM_WAIT((state->clearing != 0 || STREAM_CAN_READ(in)) && STREAM_CAN_WRITE(out));
    if (state->clearing != 0) {
        state->clearing = (uint16_t)(state->clearing - 1u);
        HLS_ZERO(&state->share[state->clearing], sizeof state->share[0]);
        STEP_END;
    }
    STREAM_READ(struct ring_work, work, in);
    STREAM_OPEN(struct ring_work, passed, out);
    HLS_COPY(passed, work, sizeof *passed);
    struct ring_share share = state->share[work->source];
    bool entry = work->kind == RING_WORK_ENTRY;
    bool release = work->kind == RING_WORK_RELEASE;
    if (work->kind == RING_WORK_SETTING) {
        ring_admit_set(state, work);
    } else if (entry) {
        ring_admit_entry(state, &share, work, passed);
    } else if (release && work->generation == state->generation) {
        share.held--;
        state->room++;
    }
    if (entry || release)
        state->share[work->source] = share;
    passed->generation = state->generation;
    if (!release && (!entry || passed->admitted || work->last))
        STREAM_PUSH(struct ring_work, passed, out);
    STEP_END;
}
