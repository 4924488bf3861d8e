/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in requests to card memory. */
#ifndef CIPU_MEMORY_H
#define CIPU_MEMORY_H

#include "hls/include/dma.h"
#include "hls/include/hls.h"

/* A request without data. */
HLS_INLINE void memory_request_fill(struct memory_request *request, uint32_t line, uint8_t operation)
{
    HLS_ZERO(request, sizeof *request);
    request->line = line;
    request->operation = operation;
}

#endif
