/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive filter of each function: MAC addresses, receive modes (virtio 1.2, 5.1.6.5.1 and .2) and VLANs (.3). It
 * decides by a packet's first beat; the packet goes into the FIFO before a packet_gate, the verdict follows with the
 * last beat, so spoilt packets end there too. A function whose filter was never set receives everything.
 */
#include "hls/include/beat.h"
#include "hls/include/hls.h"
#include "hls/include/host_ring.h"
#include "hls/packet_gate/packet_gate.h"

#define RX_FILTER_MACS       6u
#define RX_FILTER_VLAN_WORDS 64u

struct rx_filter_row {
    struct filter_setting setting;
    uint8_t set; /* 0: everything passes */
};

struct rx_filter_state {
    struct rx_filter_row row[CARD_FUNCTIONS];
    uint64_t vlan[CARD_FUNCTIONS * RX_FILTER_VLAN_WORDS]; /* bit = VLAN id */
    uint8_t inside;                                       /* within a packet */
    uint8_t pass;                                         /* the current one */
};

HLS_INLINE bool rx_filter_same_mac(const uint8_t *a, const uint8_t *b)
{
    return ((uint32_t)(a[0] ^ b[0]) | (uint32_t)(a[1] ^ b[1]) | (uint32_t)(a[2] ^ b[2]) | (uint32_t)(a[3] ^ b[3]) |
            (uint32_t)(a[4] ^ b[4]) | (uint32_t)(a[5] ^ b[5])) == 0;
}

HLS_INLINE bool rx_filter_in_table(const struct filter_setting *setting, const uint8_t *mac)
{
    bool found = false;
    for (uint32_t i = 0; i < RX_FILTER_MACS; i++)
        found = found || (i < setting->table_entries && rx_filter_same_mac(setting->table[i], mac));
    return found;
}

/* The order of the rules is that of the devices that drivers know: promiscuous beats all, then VLAN, then "no" modes,
 * then "all" modes, then addresses. */
HLS_INLINE bool rx_filter_passes(const struct filter_setting *setting, const uint8_t *mac, bool vlan_passes)
{
    const uint32_t flags = setting->flags;
    bool broadcast = (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
    bool multicast = (mac[0] & 1) != 0;
    bool in_table = rx_filter_in_table(setting, mac);
    bool pass;
    if (broadcast)
        pass = !(flags & FILTER_NO_BROADCAST);
    else if (multicast)
        pass = !(flags & FILTER_NO_MULTICAST) && ((flags & FILTER_ALL_MULTICAST) != 0 || in_table);
    else
        pass = !(flags & FILTER_NO_UNICAST) &&
               ((flags & FILTER_ALL_UNICAST) != 0 || rx_filter_same_mac(setting->mac, mac) || in_table);
    return (flags & FILTER_PROMISCUOUS) != 0 || (pass && vlan_passes);
}

HLS_INLINE uint8_t rx_filter_status(const struct command_entry *entry)
{
    uint8_t status = STATUS_OK;
    if (entry->opcode != COMMAND_FILTER_SET && entry->opcode != COMMAND_VLAN_SET)
        status = STATUS_BAD_OPCODE;
    else if (entry->index >= CARD_FUNCTIONS)
        status = STATUS_BAD_INDEX;
    else if (entry->opcode == COMMAND_VLAN_SET && entry->argument >= RX_FILTER_VLAN_WORDS)
        status = STATUS_BAD_INDEX;
    /* table_entries of struct filter_setting */
    else if (entry->opcode == COMMAND_FILTER_SET && entry->data[8] > RX_FILTER_MACS)
        status = STATUS_BAD_DATA;
    return status;
}

STEP(rx_filter, struct rx_filter_state *state, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, packet),
     STREAM_OUT(struct packet_verdict, verdict), STREAM_OUT(struct command_entry, completion))
{
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(packet) && STREAM_CAN_WRITE(verdict) &&
                STREAM_CAN_WRITE(completion));
    STREAM_READ(struct beat, beat, in);
    bool first = !state->inside;
    bool command = first && beat->meta.source == ENDPOINT_NONE;

    if (first) {
        struct command_entry entry;
        HLS_COPY(&entry, beat->data, sizeof entry);
        uint32_t function = command ? entry.index : beat->meta.destination_id;
        uint32_t tag = hls_be16(beat->data + 14) & 0xfffu;
        uint32_t word = command ? entry.argument : tag >> 6;
        uint32_t row = function & (CARD_FUNCTIONS - 1u);
        uint32_t vlan_row = row * RX_FILTER_VLAN_WORDS + (word & (RX_FILTER_VLAN_WORDS - 1u));
        uint64_t vlans = state->vlan[vlan_row];
        if (command) {
            entry.status = rx_filter_status(&entry);
            if (entry.status == STATUS_OK && entry.opcode == COMMAND_FILTER_SET) {
                struct rx_filter_row wanted;
                HLS_COPY(&wanted.setting, entry.data, sizeof wanted.setting);
                wanted.set = 1;
                state->row[row] = wanted;
            }
            if (entry.status == STATUS_OK && entry.opcode == COMMAND_VLAN_SET) {
                HLS_COPY(&vlans, entry.data, sizeof vlans);
                state->vlan[vlan_row] = vlans;
            }
            STREAM_OPEN(struct command_entry, done, completion);
            HLS_COPY(done, &entry, sizeof *done);
            STREAM_PUSH(struct command_entry, done, completion);
        } else {
            const struct rx_filter_row filter = state->row[row];
            bool tagged = hls_be16(beat->data + 12) == 0x8100u;
            bool vlan_passes = !(filter.setting.flags & FILTER_VLAN) || !tagged || (vlans >> (tag & 63u) & 1u) != 0;
            state->pass = function < CARD_FUNCTIONS &&
                          (!filter.set || rx_filter_passes(&filter.setting, beat->data, vlan_passes));
        }
    }
    if (!command) {
        STREAM_OPEN(struct beat, passed, packet);
        HLS_COPY(passed, beat, sizeof *passed);
        STREAM_PUSH(struct beat, passed, packet);
        if (beat->meta.last) {
            STREAM_OPEN(struct packet_verdict, decided, verdict);
            HLS_ZERO(decided, sizeof *decided);
            decided->pass = state->pass && !beat->meta.error;
            STREAM_PUSH(struct packet_verdict, decided, verdict);
        }
        state->inside = !beat->meta.last;
    }
    STEP_END;
}
