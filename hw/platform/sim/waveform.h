/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A waveform of models in one FST file (GTKWave's format), for models that were built with `tools/verilate --trace`.
 * One thread. Errors are negative errno.
 */
#ifndef CIPU_RTL_WAVEFORM_H
#define CIPU_RTL_WAVEFORM_H

#include <stdint.h>

#include "hw/platform/sim/model.h"

struct waveform;

#ifdef __cplusplus
extern "C" {
#endif

/* -ENOMEM. */
int waveform_create(struct waveform **waveform);

/* All models first: before the file is opened. -ENOTSUP for a model that was built without. */
int waveform_add(struct waveform *waveform, const struct rtl *rtl);

/* -EIO if the file cannot be written. */
int waveform_open(struct waveform *waveform, const char *path);

/* The models' values now; times rise from call to call, in nanoseconds. */
void waveform_dump(struct waveform *waveform, uint64_t nanoseconds);

/* Completes the file. NULL is fine. */
void waveform_close(struct waveform *waveform);

#ifdef __cplusplus
}
#endif

#endif
