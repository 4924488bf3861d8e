/* SPDX-License-Identifier: Apache-2.0 */
/* The register file: constants, port counters, and the host rings' settings on their way into the graph. */
#include "hls/include/registers.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "driver/native.h"
#include "hls/include/flow.h"

struct registers_block {
    struct native_card *card;
    size_t node;
    struct hls_fifo *rings; /* NULL = not connected */
};

static uint32_t read_card_block(uint32_t offset)
{
    static const struct card_block block = {
        .header = {BLOCK_CARD, 1, sizeof(struct card_block), RINGS_BLOCK_OFFSET},
        .magic = CARD_MAGIC,
        .functions = CARD_FUNCTIONS,
        .queues = CARD_QUEUES,
        .ports = CARD_PORTS,
        .vectors = CARD_VECTORS,
        .flow_entries = FLOW_ENTRIES,
        .flow_actions = FLOW_ACTIONS,
    };
    uint32_t value;
    memcpy(&value, (const uint8_t *)&block + offset, sizeof value);
    return value;
}

static uint32_t read_rings_block(struct native_card *card, uint32_t offset)
{
    struct rings_block block = {.header = {BLOCK_RINGS, 1, sizeof block, PORTS_BLOCK_OFFSET}};
    pthread_mutex_lock(&card->settings_lock);
    for (uint32_t i = 0; i < RING_COUNT; i++) {
        const struct ring_setting *setting = &card->ring_registers[i];
        block.ring[i] = (struct ring_registers){(uint32_t)setting->entries,
                                                (uint32_t)(setting->entries >> 32),
                                                (uint32_t)setting->index,
                                                (uint32_t)(setting->index >> 32),
                                                setting->entries_log2,
                                                setting->enabled,
                                                {0}};
    }
    pthread_mutex_unlock(&card->settings_lock);
    uint32_t value;
    memcpy(&value, (const uint8_t *)&block + offset, sizeof value);
    return value;
}

static uint32_t read_ports_block(struct native_card *card, uint32_t offset)
{
    struct ports_block block = {.header = {BLOCK_PORTS, 1, sizeof block, STREAMS_BLOCK_OFFSET}};
    for (uint32_t i = 0; i < CARD_PORTS; i++) {
        struct port *port = &card->ports[i];
        block.port[i] = (struct port_registers){
            .link = atomic_load_explicit(&port->link, memory_order_relaxed),
            .received_packets = atomic_load_explicit(&port->received_packets, memory_order_relaxed),
            .received_dropped = atomic_load_explicit(&port->received_dropped, memory_order_relaxed),
            .sent_packets = atomic_load_explicit(&port->sent_packets, memory_order_relaxed),
            .send_dropped = atomic_load_explicit(&port->send_dropped, memory_order_relaxed),
        };
    }
    uint32_t value;
    memcpy(&value, (const uint8_t *)&block + offset, sizeof value);
    return value;
}

/* Nothing stalls where nothing has a time: what waits is looked at again. */
static uint32_t read_streams_block(struct native_card *card, uint32_t offset)
{
    struct streams_block block = {.header = {BLOCK_STREAMS, 1, sizeof block, 0}, .streams = MONITOR_STREAMS};
    for (uint32_t i = 0; i < MONITOR_STREAMS; i++) {
        uint64_t packets = atomic_load_explicit(&card->passed[i].packets, memory_order_relaxed);
        uint64_t bytes = atomic_load_explicit(&card->passed[i].bytes, memory_order_relaxed);
        block.stream[i] = (struct stream_registers){.packets_low = (uint32_t)packets,
                                                    .packets_high = (uint32_t)(packets >> 32),
                                                    .bytes_low = (uint32_t)bytes,
                                                    .bytes_high = (uint32_t)(bytes >> 32)};
    }
    uint32_t value;
    memcpy(&value, (const uint8_t *)&block + offset, sizeof value);
    return value;
}

uint32_t native_register_read(struct cipu_card *base, uint32_t offset)
{
    struct native_card *card = (struct native_card *)base;
    if (offset >= REGISTER_FILE_BYTES || offset % 4)
        return UINT32_MAX;
    if (offset < sizeof(struct card_block))
        return read_card_block(offset);
    if (offset >= RINGS_BLOCK_OFFSET && offset < RINGS_BLOCK_OFFSET + sizeof(struct rings_block))
        return read_rings_block(card, offset - RINGS_BLOCK_OFFSET);
    if (offset >= PORTS_BLOCK_OFFSET && offset < PORTS_BLOCK_OFFSET + sizeof(struct ports_block))
        return read_ports_block(card, offset - PORTS_BLOCK_OFFSET);
    if (offset >= STREAMS_BLOCK_OFFSET && offset < STREAMS_BLOCK_OFFSET + sizeof(struct streams_block))
        return read_streams_block(card, offset - STREAMS_BLOCK_OFFSET);
    return 0;
}

/* Waits for room: the graph takes settings at once. settings_lock is held. */
static void queue_setting(struct native_card *card, const struct ring_setting *setting)
{
    while (card->setting_count == NATIVE_SETTINGS) {
        pthread_mutex_unlock(&card->settings_lock);
        sched_yield();
        pthread_mutex_lock(&card->settings_lock);
    }
    card->settings[(card->setting_first + card->setting_count++) % NATIVE_SETTINGS] = *setting;
    atomic_store(&card->settings_any, true);
}

static void set_low(uint64_t *value, uint32_t low)
{
    *value = (*value & ~(uint64_t)UINT32_MAX) | low;
}

static void set_high(uint64_t *value, uint32_t high)
{
    *value = (*value & UINT32_MAX) | (uint64_t)high << 32;
}

static void write_ring(struct native_card *card, uint32_t ring, uint32_t offset, uint32_t value)
{
    struct ring_setting *setting = &card->ring_registers[ring];
    bool enable = offset == offsetof(struct ring_registers, enable);
    pthread_mutex_lock(&card->settings_lock);
    if (offset == offsetof(struct ring_registers, entries_low))
        set_low(&setting->entries, value);
    else if (offset == offsetof(struct ring_registers, entries_high))
        set_high(&setting->entries, value);
    else if (offset == offsetof(struct ring_registers, index_low))
        set_low(&setting->index, value);
    else if (offset == offsetof(struct ring_registers, index_high))
        set_high(&setting->index, value);
    else if (offset == offsetof(struct ring_registers, entries_log2))
        setting->entries_log2 = value < RING_ENTRIES_LOG2_MAX ? value : RING_ENTRIES_LOG2_MAX;
    if (enable && card->registers_node < NATIVE_NODES_MAX) {
        setting->enabled = value & 1;
        setting->ring = ring;
        queue_setting(card, setting);
    }
    pthread_mutex_unlock(&card->settings_lock);
    if (enable)
        native_wake(card);
}

void native_register_write(struct cipu_card *base, uint32_t offset, uint32_t value)
{
    struct native_card *card = (struct native_card *)base;
    uint32_t rings = RINGS_BLOCK_OFFSET + offsetof(struct rings_block, ring);
    if (offset == CARD_BLOCK_OFFSET + offsetof(struct card_block, reset) && (value & 1))
        card->base.ops->reset(base);
    else if (offset % 4 == 0 && offset >= rings && offset < rings + RING_COUNT * sizeof(struct ring_registers))
        write_ring(card, (offset - rings) / sizeof(struct ring_registers),
                   (offset - rings) % sizeof(struct ring_registers), value);
}

void native_registers_reset(struct native_card *card)
{
    pthread_mutex_lock(&card->settings_lock);
    memset(card->ring_registers, 0, sizeof card->ring_registers);
    card->setting_count = 0;
    atomic_store(&card->settings_any, false);
    pthread_mutex_unlock(&card->settings_lock);
    native_doorbell_reset(card);
    for (uint32_t i = 0; i < CARD_PORTS; i++) {
        struct port *port = &card->ports[i];
        port->received_packets = port->received_dropped = port->sent_packets = port->send_dropped = 0;
    }
    for (uint32_t i = 0; i < MONITOR_STREAMS; i++)
        card->passed[i].packets = card->passed[i].bytes = 0;
}

/* settings_any stays until the graph has taken all of them: host doorbells wait for that. */
static unsigned run(void *context, struct native_activity *activity, unsigned budget)
{
    struct registers_block *block = context;
    struct native_card *card = block->card;
    unsigned done = 0;
    if (!atomic_load(&card->settings_any))
        return 0;
    pthread_mutex_lock(&card->settings_lock);
    if (block->rings) {
        struct hls_port rings = hls_write_begin(block->rings);
        for (; done < budget && card->setting_count && !hls_at_limit(&rings); done++) {
            struct ring_setting *setting = hls_slot(&rings, HLS_SLOT_BYTES(struct ring_setting));
            *setting = card->settings[card->setting_first];
            rings.index++;
            card->setting_first = (card->setting_first + 1) % NATIVE_SETTINGS;
            card->setting_count--;
        }
        hls_write_end(block->rings, &rings);
    }
    if (!done && !card->setting_count && (!block->rings || !hls_fifo_used(block->rings)))
        atomic_store(&card->settings_any, false);
    pthread_mutex_unlock(&card->settings_lock);
    native_account(activity, done, false);
    return done;
}

int native_registers_create(struct native_card *card, size_t node, struct cipu_error *error)
{
    struct registers_block *block = calloc(1, sizeof *block);
    if (!block)
        return cipu_fail(error, -ENOMEM, "native card: out of memory");
    block->card = card;
    block->node = node;
    block->rings = native_shell_fifo(card, node, "rings");
    card->blocks[node] = block;
    card->tasks[node].run = run;
    card->tasks[node].context = block;
    card->registers_node = node;
    return 0;
}
