/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps every function inside its own memory: turns a guest address into a bus address and refuses what lies outside
 * the function's window. One guard stands before each DMA channel that carries guest addresses. Where the host's own
 * addresses pass the same channel (DMA_BUS, set by kernels, never out of what a guest wrote), it leaves those alone.
 */
#include "hls/include/beat.h"
#include "hls/include/dma.h"
#include "hls/include/hls.h"

#define DMA_GUARD_LENGTH_MAX 65536u

struct dma_guard_window {
    uint64_t bus_base;
    uint64_t length; /* 0 = nothing is reachable */
};

struct dma_guard_state {
    struct dma_guard_window window[CARD_FUNCTIONS];
};

/* Written so that nothing overflows, whatever the guest asks for. */
HLS_INLINE bool dma_guard_inside(const struct dma_guard_window *window, const struct dma_request *request)
{
    return request->length != 0 && request->length <= DMA_GUARD_LENGTH_MAX && request->address <= window->length &&
           request->length <= window->length - request->address;
}

STEP(dma_guard, struct dma_guard_state *state, STREAM_IN(struct dma_request, in), STREAM_OUT(struct dma_request, out))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out));
    STREAM_READ(struct dma_request, request, in);
    bool known = request->function < CARD_FUNCTIONS;
    uint32_t row = request->function & (CARD_FUNCTIONS - 1u);
    struct dma_guard_window window = state->window[row];

    if (request->flags & DMA_WINDOW) {
        if (known) {
            /* A window that wraps around the bus' address space would lead into another function's: it is closed. */
            bool wraps = request->length > ~request->address;
            window.bus_base = request->address;
            window.length = wraps ? 0 : request->length;
            state->window[row] = window;
        }
    } else {
        STREAM_OPEN(struct dma_request, checked, out);
        bool bus = (request->flags & DMA_BUS) != 0;
        HLS_COPY(checked, request, sizeof *checked);
        if (!bus && known && dma_guard_inside(&window, request))
            checked->address = window.bus_base + request->address;
        else if (!bus)
            checked->flags = request->flags | DMA_REFUSED;
        STREAM_PUSH(struct dma_request, checked, out);
    }
    STEP_END;
}
