/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in requests to card memory. */
#ifndef CIPU_MEMORY_H
#define CIPU_MEMORY_H

#include "hls/include/dma.h"
#include "hls/include/hls.h"

HLS_INLINE void memory_request_fill(struct memory_request *request, uint32_t line, uint8_t operation)
{
    request->line = line;
    request->operation = operation;
    request->first = 0;
    request->bytes = 0;
    request->reserved = 0;
    request->amount = 0;
    HLS_ZERO(request->data, sizeof request->data);
    HLS_ZERO(request->reserved2, sizeof request->reserved2);
}

#endif
