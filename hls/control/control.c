/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends each command to the kernel that it is for and collects the completions. A command that waits for room at its
 * target holds up later commands, never completions. A target's completions stay in order.
 */
#include "hls/include/arbiter.h"
#include "hls/include/ring.h"

enum control_route {
    CONTROL_EMPTY = 0, /* no command is held */
    CONTROL_NET = 1,
    CONTROL_TX = 2,
    CONTROL_TX_USED = 3,
    CONTROL_RX = 4,
    CONTROL_RX_USED = 5,
    CONTROL_FILTER = 6,
    CONTROL_BLK = 7,
    CONTROL_BLK_USED = 8,
    CONTROL_NVME_SQ = 9,
    CONTROL_NVME_CQ = 10,
    CONTROL_BLOCK = 11,
    CONTROL_COMPLETE = 12, /* nobody's: completes here */
};

struct control_state {
    struct command_entry held;
    uint32_t last; /* completion input that was served last */
    uint8_t route; /* enum control_route of `held` */
};

HLS_INLINE uint8_t control_route_of(const struct command_entry *entry)
{
    bool filter = entry->opcode == COMMAND_FILTER_SET || entry->opcode == COMMAND_VLAN_SET;
    uint8_t route = CONTROL_COMPLETE;
    if (entry->target == TARGET_NET)
        route = CONTROL_NET;
    else if (entry->target == TARGET_TX)
        route = CONTROL_TX;
    else if (entry->target == TARGET_TX_USED)
        route = CONTROL_TX_USED;
    else if (entry->target == TARGET_RX)
        route = filter ? CONTROL_FILTER : CONTROL_RX;
    else if (entry->target == TARGET_RX_USED)
        route = CONTROL_RX_USED;
    else if (entry->target == TARGET_BLK)
        route = CONTROL_BLK;
    else if (entry->target == TARGET_BLK_USED)
        route = CONTROL_BLK_USED;
    else if (entry->target == TARGET_NVME_SQ)
        route = CONTROL_NVME_SQ;
    else if (entry->target == TARGET_NVME_CQ)
        route = CONTROL_NVME_CQ;
    else if (entry->target == TARGET_BLOCK)
        route = CONTROL_BLOCK;
    return entry->opcode == COMMAND_NOP ? (uint8_t)CONTROL_COMPLETE : route;
}

/* Hands the held command to its target when there is room. */
#define CONTROL_SEND(port)                                 \
    do {                                                   \
        if (STREAM_CAN_WRITE(port)) {                      \
            STREAM_OPEN(struct command_entry, sent, port); \
            HLS_COPY(sent, &state->held, sizeof *sent);    \
            STREAM_PUSH(struct command_entry, sent, port); \
            state->route = CONTROL_EMPTY;                  \
        }                                                  \
    } while (0)

#define CONTROL_TAKE(port)                              \
    do {                                                \
        STREAM_READ(struct command_entry, taken, port); \
        HLS_COPY(finished->data, taken, sizeof *taken); \
    } while (0)

ARBITER(control, struct control_state *state, STREAM_IN_COND(struct ring_work, command),
        STREAM_IN_COND(struct command_entry, net_done), STREAM_IN_COND(struct command_entry, tx_done),
        STREAM_IN_COND(struct command_entry, tx_used_done), STREAM_IN_COND(struct command_entry, rx_done),
        STREAM_IN_COND(struct command_entry, rx_used_done), STREAM_IN_COND(struct command_entry, filter_done),
        STREAM_IN_COND(struct command_entry, block_done), STREAM_OUT(struct command_entry, net),
        STREAM_OUT(struct command_entry, tx), STREAM_OUT(struct command_entry, tx_used),
        STREAM_OUT(struct command_entry, rx), STREAM_OUT(struct command_entry, rx_used),
        STREAM_OUT(struct command_entry, filter), STREAM_OUT(struct command_entry, blk),
        STREAM_OUT(struct command_entry, blk_used), STREAM_OUT(struct command_entry, nvme_sq),
        STREAM_OUT(struct command_entry, nvme_cq), STREAM_OUT(struct command_entry, block),
        STREAM_OUT(struct ring_work, completion))
{
    STREAM_WAIT(STREAM_CAN_WRITE(completion) &&
                ((state->route == CONTROL_EMPTY && STREAM_CAN_READ(command)) ||
                 (state->route == CONTROL_NET && STREAM_CAN_WRITE(net)) ||
                 (state->route == CONTROL_TX && STREAM_CAN_WRITE(tx)) ||
                 (state->route == CONTROL_TX_USED && STREAM_CAN_WRITE(tx_used)) ||
                 (state->route == CONTROL_RX && STREAM_CAN_WRITE(rx)) ||
                 (state->route == CONTROL_RX_USED && STREAM_CAN_WRITE(rx_used)) ||
                 (state->route == CONTROL_FILTER && STREAM_CAN_WRITE(filter)) ||
                 (state->route == CONTROL_BLK && STREAM_CAN_WRITE(blk)) ||
                 (state->route == CONTROL_BLK_USED && STREAM_CAN_WRITE(blk_used)) ||
                 (state->route == CONTROL_NVME_SQ && STREAM_CAN_WRITE(nvme_sq)) ||
                 (state->route == CONTROL_NVME_CQ && STREAM_CAN_WRITE(nvme_cq)) ||
                 (state->route == CONTROL_BLOCK && STREAM_CAN_WRITE(block)) || state->route == CONTROL_COMPLETE ||
                 STREAM_CAN_READ(net_done) || STREAM_CAN_READ(tx_done) || STREAM_CAN_READ(tx_used_done) ||
                 STREAM_CAN_READ(rx_done) || STREAM_CAN_READ(rx_used_done) || STREAM_CAN_READ(filter_done) ||
                 STREAM_CAN_READ(block_done)));
    uint32_t ready = (STREAM_CAN_READ(net_done) ? 1u : 0u) | (STREAM_CAN_READ(tx_done) ? 2u : 0u) |
                     (STREAM_CAN_READ(tx_used_done) ? 4u : 0u) | (STREAM_CAN_READ(rx_done) ? 8u : 0u) |
                     (STREAM_CAN_READ(rx_used_done) ? 16u : 0u) | (STREAM_CAN_READ(filter_done) ? 32u : 0u) |
                     (STREAM_CAN_READ(block_done) ? 64u : 0u);

    STREAM_OPEN(struct ring_work, finished, completion);
    if (state->route == CONTROL_COMPLETE) {
        HLS_COPY(finished->data, &state->held, sizeof state->held);
        ring_entry_fill(finished, RING_SOURCE_ALONE, 1, 1, 0);
        STREAM_PUSH(struct ring_work, finished, completion);
    } else if (ready != 0) {
        uint32_t pick = arbiter_pick(ready, state->last);
        state->last = pick;
        if (pick == 1u)
            CONTROL_TAKE(net_done);
        else if (pick == 2u)
            CONTROL_TAKE(tx_done);
        else if (pick == 4u)
            CONTROL_TAKE(tx_used_done);
        else if (pick == 8u)
            CONTROL_TAKE(rx_done);
        else if (pick == 16u)
            CONTROL_TAKE(rx_used_done);
        else if (pick == 32u)
            CONTROL_TAKE(filter_done);
        else
            CONTROL_TAKE(block_done);
        ring_entry_fill(finished, RING_SOURCE_ALONE, 1, 1, 0);
        STREAM_PUSH(struct ring_work, finished, completion);
    }

    if (state->route == CONTROL_NET) {
        CONTROL_SEND(net);
    } else if (state->route == CONTROL_TX) {
        CONTROL_SEND(tx);
    } else if (state->route == CONTROL_TX_USED) {
        CONTROL_SEND(tx_used);
    } else if (state->route == CONTROL_RX) {
        CONTROL_SEND(rx);
    } else if (state->route == CONTROL_RX_USED) {
        CONTROL_SEND(rx_used);
    } else if (state->route == CONTROL_FILTER) {
        CONTROL_SEND(filter);
    } else if (state->route == CONTROL_BLK) {
        CONTROL_SEND(blk);
    } else if (state->route == CONTROL_BLK_USED) {
        CONTROL_SEND(blk_used);
    } else if (state->route == CONTROL_NVME_SQ) {
        CONTROL_SEND(nvme_sq);
    } else if (state->route == CONTROL_NVME_CQ) {
        CONTROL_SEND(nvme_cq);
    } else if (state->route == CONTROL_BLOCK) {
        CONTROL_SEND(block);
    } else if (state->route == CONTROL_COMPLETE) {
        state->route = CONTROL_EMPTY;
    } else if (STREAM_CAN_READ(command)) {
        STREAM_READ(struct ring_work, entry, command);
        if (entry->kind == RING_WORK_ENTRY) {
            HLS_COPY(&state->held, entry->data, sizeof state->held);
            state->held.status = state->held.target < TARGET_COUNT ? STATUS_OK : STATUS_BAD_OPCODE;
            state->route = control_route_of(&state->held);
        }
    }
    STEP_END;
}
