/* SPDX-License-Identifier: Apache-2.0 */
/* Many queues under load, on a clock that the benchmark steps: no figure depends on the machine. */
#ifndef CIPU_BENCH_RTL_LOAD_H
#define CIPU_BENCH_RTL_LOAD_H

#include "tools/bench/rtl_guest.h"

struct load_result {
    double packets_per_cycle;
    double interrupts_per_packet;
    double tlps; /* besides the data's own, for each packet */
};

struct load_result load_run(enum guest_direction direction, uint32_t functions, uint32_t packets);

#endif
