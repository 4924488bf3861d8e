/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's signature out of the sections and annotations that hls/include/hls_compiler.h leaves. */
#ifndef CIPU_HLSC_FRONT_SIGNATURE_H
#define CIPU_HLSC_FRONT_SIGNATURE_H

#include "tools/hlsc/front.h"

/* Before any pass. Fills in name, streams, has_state, arbiter, place. Annotations are removed. */
bool front_read_signature(struct front *front);

#endif
