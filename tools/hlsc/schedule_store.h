/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of scheduling share. */
#ifndef CIPU_HLSC_SCHEDULE_STORE_H
#define CIPU_HLSC_SCHEDULE_STORE_H

#include "tools/hlsc/schedule.h"

#define SCHEDULE_STAGES_MAX 64u

/* Why a design does not fit. */
enum schedule_failure {
    SCHEDULE_FITS,
    SCHEDULE_WAIT,       /* what stage 0 decides is not known there */
    SCHEDULE_RECURRENCE, /* state does not return in time */
    SCHEDULE_GUARD,      /* a guarded RAM's address is not known in stage 0 */
};

/* The stage and the time at which a node is ready for given stages of state and addresses. */
void schedule_place(struct schedule *schedule);

/* The same for operations whose stages are fixed: times, and the stages of wires. */
void schedule_time(struct schedule *schedule);

/* Moves operations to later stages to save registers; schedule_carry comes before. */
void schedule_sink(struct schedule *schedule);

/* Which bits are carried how far: fills last, pipeline_bits and state_bits. */
void schedule_carry(struct schedule *schedule);

/* Says which paths through state are longer than the budget allows. */
void schedule_explain(const struct schedule *schedule, enum schedule_failure failure, FILE *messages);

#endif
