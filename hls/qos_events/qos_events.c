/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one stream of all that qos reacts to. Tokens of volumes that wait come back in rounds: each of them once, up to
 * the mark behind them; between rounds they rest in their stream.
 */
#include "hls/include/arbiter.h"
#include "hls/include/block_path.h"

enum qos_events_source {
    QOS_EVENTS_FINISHED = 1,
    QOS_EVENTS_ISSUE = 2,
    QOS_EVENTS_COMMAND = 4,
    QOS_EVENTS_TICK = 8,
    QOS_EVENTS_AGAIN = 16,
};

struct qos_events_state {
    uint32_t last; /* source that was served last */
    uint8_t round; /* one is under way */
};

ARBITER(qos_events, struct qos_events_state *state, STREAM_IN_COND(struct block_issue, issue),
        STREAM_IN_COND(struct command_entry, command), STREAM_IN_COND(struct timer_tick, tick),
        STREAM_IN_COND(struct block_finished, finished), STREAM_IN_COND(struct qos_token, again),
        STREAM_IN_COND(struct qos_token, wake), STREAM_OUT(struct qos_event, out))
{
    STREAM_WAIT(
        (!state->round && STREAM_CAN_READ(wake)) ||
        (STREAM_CAN_WRITE(out) && (STREAM_CAN_READ(issue) || STREAM_CAN_READ(command) || STREAM_CAN_READ(tick) ||
                                   STREAM_CAN_READ(finished) || (state->round && STREAM_CAN_READ(again)))));
    uint32_t ready =
        (STREAM_CAN_READ(finished) ? QOS_EVENTS_FINISHED : 0u) | (STREAM_CAN_READ(issue) ? QOS_EVENTS_ISSUE : 0u) |
        (STREAM_CAN_READ(command) ? QOS_EVENTS_COMMAND : 0u) | (STREAM_CAN_READ(tick) ? QOS_EVENTS_TICK : 0u) |
        (state->round && STREAM_CAN_READ(again) ? QOS_EVENTS_AGAIN : 0u);
    bool begins = !state->round && STREAM_CAN_READ(wake);
    if (ready != 0 && STREAM_CAN_WRITE(out)) {
        uint32_t pick = arbiter_pick(ready, state->last);
        state->last = pick;
        STREAM_OPEN(struct qos_event, event, out);
        event->now = 0;
        event->volume = 0;
        event->tag = 0;
        HLS_ZERO(event->reserved, sizeof event->reserved);
        if (pick == QOS_EVENTS_ISSUE) {
            STREAM_READ(struct block_issue, issued, issue);
            HLS_COPY(&event->issue, issued, sizeof *issued);
            event->kind = QOS_ISSUE;
            event->volume = (uint16_t)(issued->command.volume & (BLOCK_VOLUMES - 1u));
            event->tag = issued->command.tag;
        } else {
            HLS_ZERO(&event->issue, sizeof event->issue);
            if (pick == QOS_EVENTS_FINISHED) {
                STREAM_READ(struct block_finished, over, finished);
                event->kind = QOS_FINISHED;
                event->tag = over->tag;
            } else if (pick == QOS_EVENTS_COMMAND) {
                STREAM_READ(struct command_entry, entry, command);
                HLS_COPY(event->issue.raw, entry, sizeof *entry);
                event->kind = QOS_COMMAND;
                event->volume = (uint16_t)(entry->index & (BLOCK_VOLUMES - 1u));
            } else if (pick == QOS_EVENTS_TICK) {
                STREAM_READ(struct timer_tick, time, tick);
                event->kind = QOS_TICK;
                event->now = time->now;
            } else {
                STREAM_READ(struct qos_token, token, again);
                event->kind = token->kind;
                event->volume = token->volume;
                state->round = token->kind != QOS_MARK;
            }
        }
        STREAM_PUSH(struct qos_event, event, out);
    }
    if (begins) {
        STREAM_READ(struct qos_token, begun, wake);
        state->round = begun->kind == QOS_MARK;
    }
    STEP_END;
}
