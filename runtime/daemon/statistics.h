/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that is counted, in one JSON object (docs/cipud.md, stats_get); the metrics are made of it too. */
#ifndef CIPU_STATISTICS_H
#define CIPU_STATISTICS_H

#include <jansson.h>

#include "runtime/daemon/daemon.h"

/* A new object, or NULL without memory. Reads the card's counters by commands; those it cannot read are left out. */
json_t *daemon_statistics(struct daemon *daemon);

/* statistics_volumes.c: what each volume did. */
json_t *daemon_volume_statistics(struct daemon *daemon);

/* statistics_controllers.c: what each disk controller did; one of them. */
json_t *daemon_controller_statistics(struct daemon *daemon);
json_t *daemon_controller_counters(struct daemon *daemon, const struct controller *controller);

/* {"packets": ..., "bytes": ...} of enum statistic `index`, or NULL. */
json_t *daemon_counter(struct daemon *daemon, unsigned index);

#endif
