/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scheduled design as one SystemVerilog module, which Verilator 5.006 and yosys 0.23 read.
 *
 * Ports: clk, rst (synchronous, active high), for each stream NAME_valid, NAME_ready and NAME_data (AXI4-Stream; byte 0
 * in bits 7:0), and idle: no record is waiting or under way and an edge of the clock would change nothing. RAMs are
 * zero when the FPGA is configured; a reset after something was written clears them, one word a cycle, before the
 * module takes a record.
 */
#ifndef CIPU_HLSC_EMIT_H
#define CIPU_HLSC_EMIT_H

#include "tools/hlsc/schedule.h"

void emit_verilog(const struct schedule *schedule, FILE *out);

/* One line: stages, interval, register bits, RAM, longest path. */
void emit_report(const struct schedule *schedule, FILE *out);

#endif
