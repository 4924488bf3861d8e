/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for AMD Vitis HLS (UG1399): a C++ file with the kernel's source, its state as a static variable, and a top
 * function whose arguments are hls::stream, one activation a call, without control ports (ap_ctrl_none). The stream
 * macros become reads and writes of copies; what STREAM_CAN_READ and STREAM_CAN_WRITE ask is empty() and full().
 *
 * No release of that tool has seen what this writes.
 */
#ifndef CIPU_HLSC_VITIS_H
#define CIPU_HLSC_VITIS_H

#include <stdio.h>

#include "tools/hlsc/kernel.h"

void vitis_write(const struct kernel *kernel, FILE *to);

#endif
