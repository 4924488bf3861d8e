/* SPDX-License-Identifier: Apache-2.0 */
/* The control virtqueue: VIRTIO 1.2, section 5.1.6.5. What it sets becomes the card's receive filter. */
#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_net_internal.h"

enum control_class { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2 };
enum control_rx {
    RX_PROMISCUOUS = 0,
    RX_ALL_MULTICAST = 1,
    RX_ALL_UNICAST = 2,
    RX_NO_MULTICAST = 3,
    RX_NO_UNICAST = 4,
    RX_NO_BROADCAST = 5
};
enum control_mac { MAC_TABLE_SET = 0, MAC_ADDRESS_SET = 1 };
enum control_vlan { VLAN_ADD = 0, VLAN_DELETE = 1 };

#define ACK_OK        0u
#define ACK_ERROR     1u
#define COMMAND_BYTES 16384u
#define CARD_MACS     6u
#define RUN_BUDGET    16u
#define VLANS         4096u

struct control_command {
    uint8_t class;
    uint8_t number;
    uint8_t data[COMMAND_BYTES];
};

void net_filter_reset(struct virtio_net *net)
{
    struct net_filter *filter = &net->filter;
    bool vlans_used = filter->vlans_used;
    uint64_t mac = 0;
    /* As long as no driver has set a mode, everything that is for the function passes. */
    *filter = (struct net_filter){.flags = FILTER_PROMISCUOUS};
    memcpy(&mac, net->permanent_mac, sizeof net->permanent_mac);
    net->mac = mac;
    for (unsigned word = 0; vlans_used && word < 64; word++) {
        struct command_entry command = {
            .opcode = COMMAND_VLAN_SET, .target = TARGET_RX, .index = net->function, .argument = word};
        cipu_host_command(net->host, &command, 1);
    }
    net_filter_apply(net);
}

int net_filter_apply(struct virtio_net *net)
{
    const struct net_filter *filter = &net->filter;
    struct filter_setting setting = {.flags = filter->flags | filter->overflow,
                                     .table_entries = (uint8_t)filter->table_entries};
    if (net->pci.accepted & NET_F_CTRL_VLAN)
        setting.flags |= FILTER_VLAN;
    uint64_t mac = net->mac;
    memcpy(setting.mac, &mac, sizeof setting.mac);
    memcpy(setting.table, filter->table, sizeof setting.table);
    struct command_entry command = {.opcode = COMMAND_FILTER_SET, .target = TARGET_RX, .index = net->function};
    memcpy(command.data, &setting, sizeof setting);

    unsigned vlans = 0;
    for (unsigned word = 0; word < 64; word++)
        vlans += (unsigned)__builtin_popcountll(filter->vlans[word]);
    net->promiscuous = filter->flags & FILTER_PROMISCUOUS;
    net->mac_filters = filter->table_entries;
    net->vlans = vlans;
    return cipu_host_command(net->host, &command, 1);
}

static int set_rx_mode(struct virtio_net *net, const struct control_command *command, size_t bytes)
{
    static const uint8_t FLAGS[] = {[RX_PROMISCUOUS] = FILTER_PROMISCUOUS, [RX_ALL_MULTICAST] = FILTER_ALL_MULTICAST,
                                    [RX_ALL_UNICAST] = FILTER_ALL_UNICAST, [RX_NO_MULTICAST] = FILTER_NO_MULTICAST,
                                    [RX_NO_UNICAST] = FILTER_NO_UNICAST,   [RX_NO_BROADCAST] = FILTER_NO_BROADCAST};
    if (command->number >= sizeof FLAGS || bytes != 1)
        return -EINVAL;
    if (!(net->pci.accepted & (command->number <= RX_ALL_MULTICAST ? NET_F_CTRL_RX : NET_F_CTRL_RX_EXTRA)))
        return -EINVAL;
    uint8_t flag = FLAGS[command->number];
    net->filter.flags = (uint8_t)((net->filter.flags & ~flag) | (command->data[0] ? flag : 0));
    return net_filter_apply(net);
}

/* struct virtio_net_ctrl_mac: u32 entries, then the addresses. */
static bool take_mac_table(const uint8_t **at, size_t *left, uint32_t *entries, const uint8_t **macs)
{
    if (*left < sizeof *entries)
        return false;
    memcpy(entries, *at, sizeof *entries);
    if (*entries > (*left - sizeof *entries) / 6)
        return false;
    *macs = *at + sizeof *entries;
    size_t bytes = sizeof *entries + (size_t)*entries * 6;
    *at += bytes;
    *left -= bytes;
    return true;
}

static void add_macs(struct net_filter *filter, const uint8_t *macs, uint32_t entries)
{
    if (!entries)
        return; /* there is no place behind a full table, not even for nothing */
    memcpy(filter->table[filter->table_entries], macs, (size_t)entries * 6);
    filter->table_entries += entries;
}

/* What does not fit the card's table passes as a whole class of addresses. */
static int set_mac_table(struct virtio_net *net, const struct control_command *command, size_t bytes)
{
    struct net_filter *filter = &net->filter;
    const uint8_t *at = command->data, *unicast, *multicast;
    uint32_t unicasts, multicasts;
    if (!(net->pci.accepted & NET_F_CTRL_RX) || !take_mac_table(&at, &bytes, &unicasts, &unicast) ||
        !take_mac_table(&at, &bytes, &multicasts, &multicast) || bytes)
        return -EINVAL;
    filter->table_entries = 0;
    filter->overflow = 0;
    memset(filter->table, 0, sizeof filter->table);
    if (unicasts <= CARD_MACS)
        add_macs(filter, unicast, unicasts);
    else
        filter->overflow |= FILTER_ALL_UNICAST;
    if (multicasts <= CARD_MACS - filter->table_entries)
        add_macs(filter, multicast, multicasts);
    else
        filter->overflow |= FILTER_ALL_MULTICAST;
    return net_filter_apply(net);
}

static int set_mac_address(struct virtio_net *net, const struct control_command *command, size_t bytes)
{
    static const uint8_t NONE[6];
    uint64_t mac = 0;
    if (!(net->pci.accepted & NET_F_CTRL_MAC_ADDR) || bytes != 6 || command->data[0] & 1 ||
        !memcmp(command->data, NONE, 6))
        return -EINVAL;
    memcpy(&mac, command->data, 6);
    net->mac = mac;
    return net_filter_apply(net);
}

static int set_vlan(struct virtio_net *net, const struct control_command *command, size_t bytes)
{
    uint16_t vlan;
    if (!(net->pci.accepted & NET_F_CTRL_VLAN) || command->number > VLAN_DELETE || bytes != sizeof vlan)
        return -EINVAL;
    memcpy(&vlan, command->data, sizeof vlan);
    if (vlan >= VLANS)
        return -EINVAL;
    uint64_t *word = &net->filter.vlans[vlan / 64], bit = UINT64_C(1) << vlan % 64;
    bool was_set = *word & bit;
    *word = command->number == VLAN_ADD ? *word | bit : *word & ~bit;
    net->filter.vlans_used = true;
    if (command->number == VLAN_ADD)
        net->vlans += !was_set;
    else
        net->vlans -= was_set;
    struct command_entry entry = {
        .opcode = COMMAND_VLAN_SET, .target = TARGET_RX, .index = net->function, .argument = vlan / 64u};
    memcpy(entry.data, word, sizeof *word);
    return cipu_host_command(net->host, &entry, 1);
}

static int execute(struct virtio_net *net, const struct control_command *command, size_t bytes)
{
    switch (command->class) {
    case CLASS_RX:
        return set_rx_mode(net, command, bytes);
    case CLASS_MAC:
        if (command->number == MAC_TABLE_SET)
            return set_mac_table(net, command, bytes);
        return command->number == MAC_ADDRESS_SET ? set_mac_address(net, command, bytes) : -EINVAL;
    case CLASS_VLAN:
        return set_vlan(net, command, bytes);
    default:
        return -EINVAL;
    }
}

/* A chain without room for the answer breaks the queue; everything else is answered. */
static int serve(struct virtio_net *net)
{
    struct control_command command;
    const struct split_chain *chain = net->chain;
    const size_t head = offsetof(struct control_command, data);
    uint8_t ack = ACK_ERROR;
    if (chain->writable_bytes == 0)
        return -EPROTO;
    if (chain->readable_bytes >= head && chain->readable_bytes <= sizeof command) {
        int result = split_chain_read(&net->control, chain, 0, &command, chain->readable_bytes);
        if (result)
            return result;
        if (execute(net, &command, chain->readable_bytes - head) == 0)
            ack = ACK_OK;
    }
    int result = split_chain_write(&net->control, chain, 0, &ack, sizeof ack);
    return result ? result : split_ring_use(&net->control, chain->head, sizeof ack);
}

/* Serves one command. 1, 0 when there is none, or a negative errno. */
static int serve_next(struct virtio_net *net)
{
    int result = split_ring_take(&net->control, net->chain);
    if (result <= 0)
        return result;
    result = serve(net);
    if (result)
        split_ring_untake(&net->control);
    return result ? result : 1;
}

int net_control_run(struct virtio_net *net)
{
    int result;
    for (unsigned served = 0; (result = serve_next(net)) >= 0 && served < RUN_BUDGET; served++)
        if (result == 0 && (result = split_ring_arm(&net->control)) <= 0)
            break;
    int published = split_ring_publish(&net->control);
    if (published > 0)
        virtio_pci_interrupt(&net->pci, net->queues[NET_CONTROL].vector);
    return result < 0 ? result : published < 0 ? published : result;
}
