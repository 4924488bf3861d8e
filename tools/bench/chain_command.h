/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as packets of one beat, for a part of the pipeline that has no ingress. */
#ifndef CIPU_BENCH_CHAIN_COMMAND_H
#define CIPU_BENCH_CHAIN_COMMAND_H

#include <stdbool.h>

#include "hls/include/host_ring.h"
#include "hls/include/packet.h"

/* A part of a command, as ingress sends it. */
void chain_command_beat(struct beat *beat, const struct command_entry *entry, enum command_part part);

/* It goes twice, first as COMMAND_WRITE. */
bool chain_command_writes(const struct command_entry *entry);

#endif
