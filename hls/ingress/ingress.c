/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins everything that enters the network pipeline, packet by packet, in round robin order: the Ethernet ports, what
 * functions send, what the host injects, and control commands, which become packets of one beat without a source.
 * Behind this kernel nothing depends on timing any more.
 */
#include "hls/include/arbiter.h"
#include "hls/include/net.h"

enum ingress_input {
    INGRESS_PORT0 = 1,
    INGRESS_PORT1 = 2,
    INGRESS_FUNCTION = 4,
    INGRESS_HOST = 8,
    INGRESS_COMMAND = 16,
};

struct ingress_state {
    uint32_t last;     /* enum ingress_input that was served last */
    uint32_t inside;   /* the same while its packet has not ended, else 0 */
    uint8_t access[2]; /* per port: 1 = stands for `function` */
    uint16_t function[2];
    uint8_t again; /* `command` goes out once more, as COMMAND_WHOLE */
    uint8_t reserved[3];
    struct command_entry command;
};

/* Which input this activation serves; 0 = none. */
HLS_INLINE uint32_t ingress_pick(const struct ingress_state *state, uint32_t ready)
{
    uint32_t fresh = state->inside != 0 ? state->inside & ready : arbiter_pick(ready, state->last);
    return state->again ? (uint32_t)INGRESS_COMMAND : fresh;
}

#define INGRESS_READY                                                \
    ((STREAM_CAN_READ(port0) ? (uint32_t)INGRESS_PORT0 : 0u) |       \
     (STREAM_CAN_READ(port1) ? (uint32_t)INGRESS_PORT1 : 0u) |       \
     (STREAM_CAN_READ(function) ? (uint32_t)INGRESS_FUNCTION : 0u) | \
     (STREAM_CAN_READ(host) ? (uint32_t)INGRESS_HOST : 0u) |         \
     (STREAM_CAN_READ(command) ? (uint32_t)INGRESS_COMMAND : 0u))

#define INGRESS_TAKE(port)                     \
    do {                                       \
        STREAM_READ(struct beat, taken, port); \
        beat_copy(beat, taken);                \
    } while (0)

/* A packet of a port comes from the port or, where that stands for a function, from the function. */
HLS_INLINE void ingress_from_port(const struct ingress_state *state, struct beat_meta *meta, uint32_t port)
{
    meta->source = state->access[port] ? ENDPOINT_FUNCTION : ENDPOINT_PORT;
    meta->source_id = (uint16_t)(state->access[port] ? state->function[port] : port);
    meta->flags = 0;
}

/* The host says where its packets appear to come from; what is no such place is the host itself. */
HLS_INLINE void ingress_from_host(struct beat_meta *meta)
{
    if (!net_destination_valid(meta->source, meta->source_id) || meta->source == ENDPOINT_HOST) {
        meta->source = ENDPOINT_HOST;
        meta->source_id = FUNCTION_HOST;
    }
}

HLS_INLINE bool ingress_writes(const struct command_entry *entry)
{
    return entry->status == STATUS_OK && (entry->opcode == COMMAND_BUCKET_WRITE ||
                                          entry->opcode == COMMAND_FLOW_WRITE || entry->opcode == COMMAND_ACTION_WRITE);
}

HLS_INLINE void ingress_port_set(struct ingress_state *state, const struct command_entry *entry)
{
    struct port_setting setting;
    uint32_t port = entry->index & (CARD_PORTS - 1u);
    HLS_COPY(&setting, entry->data, sizeof setting);
    state->access[port] = setting.mode == PORT_ACCESS;
    state->function[port] = setting.function;
}

/* Sends the command in state. */
HLS_INLINE void ingress_command(struct ingress_state *state, struct beat *beat)
{
    bool first_part = !state->again && ingress_writes(&state->command);
    HLS_COPY(beat->data, &state->command, BEAT_BYTES);
    HLS_ZERO(&beat->meta, sizeof beat->meta);
    beat->meta.bytes = BEAT_BYTES;
    beat->meta.last = 1;
    beat->meta.length = BEAT_BYTES;
    beat->meta.source = ENDPOINT_NONE;
    beat->meta.source_id = first_part ? COMMAND_WRITE : COMMAND_WHOLE;
    state->again = first_part;
}

ARBITER(ingress, struct ingress_state *state, STREAM_IN_COND(struct beat, port0), STREAM_IN_COND(struct beat, port1),
        STREAM_IN_COND(struct beat, function), STREAM_IN_COND(struct beat, host),
        STREAM_IN_COND(struct command_entry, command), STREAM_OUT(struct beat, out))
{
    STREAM_WAIT(STREAM_CAN_WRITE(out) && ingress_pick(state, INGRESS_READY) != 0);
    uint32_t pick = ingress_pick(state, INGRESS_READY);
    bool first = state->inside == 0;

    STREAM_OPEN(struct beat, beat, out);
    if (pick == INGRESS_PORT0) {
        INGRESS_TAKE(port0);
    } else if (pick == INGRESS_PORT1) {
        INGRESS_TAKE(port1);
    } else if (pick == INGRESS_FUNCTION) {
        INGRESS_TAKE(function);
    } else if (pick == INGRESS_HOST) {
        INGRESS_TAKE(host);
    } else if (state->again) {
        ingress_command(state, beat);
    } else {
        STREAM_READ(struct command_entry, entry, command);
        HLS_COPY(&state->command, entry, sizeof state->command);
        state->command.status = net_command_status(entry);
        if (state->command.status == STATUS_OK && state->command.opcode == COMMAND_PORT_SET)
            ingress_port_set(state, &state->command);
        ingress_command(state, beat);
    }
    if (first) {
        if (pick == INGRESS_PORT0)
            ingress_from_port(state, &beat->meta, 0);
        else if (pick == INGRESS_PORT1)
            ingress_from_port(state, &beat->meta, 1);
        else if (pick == INGRESS_FUNCTION)
            beat->meta.source = ENDPOINT_FUNCTION;
        else if (pick == INGRESS_HOST)
            ingress_from_host(&beat->meta);
    }
    state->last = pick;
    state->inside = beat->meta.last ? 0 : pick;
    STREAM_PUSH(struct beat, beat, out);
    STEP_END;
}
