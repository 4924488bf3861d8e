/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel costs, for programs: one JSON object on one line. */
#ifndef CIPU_HLSC_REPORT_H
#define CIPU_HLSC_REPORT_H

#include "tools/hlsc/schedule.h"

void report_json(const struct schedule *schedule, FILE *to);

#endif
