/* SPDX-License-Identifier: Apache-2.0 */
/* Random commands to the engine's fixture, with a model of what the volume holds. */
#ifndef CIPU_TEST_ENGINE_TRAFFIC_H
#define CIPU_TEST_ENGINE_TRAFFIC_H

#include "tests/runtime/block/engine_fixture.h"

#define TRAFFIC_PIECES      64u /* the volume is cut so that commands in flight do not overlap */
#define TRAFFIC_PIECE_BYTES (64u << 10)
#define TRAFFIC_BYTES       (TRAFFIC_PIECES * TRAFFIC_PIECE_BYTES) /* of the volume */

/* What guests read is what they wrote. On a volume of zeros. */
void traffic(struct fixture *fixture, unsigned commands);
/* The volume's statistics and latencies have `commands`, each once. */
void check_counters(struct fixture *fixture, unsigned commands);

#endif
