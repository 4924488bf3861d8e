/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the context of every command in flight, and joins the host's answers with it. An answer whose tag is not in
 * flight is dropped: it would reach memory for a command that nobody waits for.
 *
 * Commands go on whether or not there is room for answers, and the other way round: what leads from an answer's job to
 * the end of its command never waits for a command to go on, so neither waits for ever. A window is held here until
 * there is room for it among the jobs: commands behind it, and so their answers, wait for it.
 */
#include "hls/include/block_path.h"
#include "hls/include/ring.h"

struct block_context_state {
    struct block_context context[BLOCK_TAGS];
    uint8_t in_flight[BLOCK_TAGS];
    struct block_job window; /* when `holding` */
    uint32_t stray;          /* answers that were dropped */
    uint8_t holding;
    uint8_t submit_next; /* the last record was an answer */
};

static_assert((BLOCK_TAGS & (BLOCK_TAGS - 1u)) == 0, "a tag is masked");

ARBITER(block_context, struct block_context_state *state, STREAM_IN_COND(struct block_submit, submit),
        STREAM_IN_COND(struct ring_work, answer), STREAM_OUT(struct block_issue, issue),
        STREAM_OUT(struct block_job, job))
{
    STREAM_WAIT((state->holding && STREAM_CAN_WRITE(job)) ||
                (!state->holding && STREAM_CAN_READ(submit) && STREAM_CAN_WRITE(issue)) ||
                (STREAM_CAN_READ(answer) && STREAM_CAN_WRITE(job)));
    bool may_submit = !state->holding && STREAM_CAN_READ(submit) && STREAM_CAN_WRITE(issue);
    bool may_answer = STREAM_CAN_READ(answer) && STREAM_CAN_WRITE(job);
    if (state->holding && STREAM_CAN_WRITE(job)) {
        STREAM_OPEN(struct block_job, window, job);
        HLS_COPY(window, &state->window, sizeof *window);
        STREAM_PUSH(struct block_job, window, job);
        state->holding = 0;
    } else if (may_submit && (state->submit_next || !may_answer)) {
        STREAM_READ(struct block_submit, command, submit);
        if (command->context.format == BLOCK_WINDOW) {
            HLS_COPY(&state->window.context, &command->context, sizeof state->window.context);
            HLS_COPY(&state->window.answer, command->raw, sizeof state->window.answer);
            state->holding = 1;
        } else {
            uint32_t tag = command->context.tag & (BLOCK_TAGS - 1u);
            state->context[tag] = command->context;
            state->in_flight[tag] = 1;
            STREAM_OPEN(struct block_issue, issued, issue);
            HLS_COPY(&issued->command, &command->command, sizeof issued->command);
            HLS_COPY(issued->raw, command->raw, sizeof issued->raw);
            STREAM_PUSH(struct block_issue, issued, issue);
        }
        state->submit_next = 0;
    } else {
        STREAM_READ(struct ring_work, work, answer);
        if (work->kind == RING_WORK_ENTRY) {
            struct block_answer said;
            HLS_COPY(&said, work->data, sizeof said);
            uint32_t tag = said.tag & (BLOCK_TAGS - 1u);
            if (said.tag < BLOCK_TAGS && state->in_flight[tag]) {
                STREAM_OPEN(struct block_job, joined, job);
                joined->context = state->context[tag];
                HLS_COPY(&joined->answer, &said, sizeof joined->answer);
                STREAM_PUSH(struct block_job, joined, job);
                if (said.flags & ANSWER_COMPLETE)
                    state->in_flight[tag] = 0;
            } else {
                state->stray++;
            }
        }
        state->submit_next = 1;
    }
    STEP_END;
}
