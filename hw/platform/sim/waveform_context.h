// SPDX-License-Identifier: Apache-2.0
// What all models that can be traced have in common: Verilator wants the models in one file to share a context.
#ifndef CIPU_RTL_WAVEFORM_CONTEXT_H
#define CIPU_RTL_WAVEFORM_CONTEXT_H

#include <verilated.h>
#include <verilated_fst_c.h>

VerilatedContext &waveform_context();

#endif
