/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State arrays that are RAMs. A read takes a port whose address, so far, is the same or none; branches that exclude
 * each other share it. A write holds the bytes that it changes; what it leaves comes from the read of the same address.
 */
#include "tools/hlsc/lower.h"

#include <string.h>

static bool inside(const struct ram *ram, int64_t offset)
{
    int64_t start = ram->field->offset;
    return offset >= start && offset < start + (int64_t)ram->field->entries * ram->field->bytes;
}

static bool walks(const struct ram *ram, const struct pointer *pointer)
{
    for (uint32_t i = 0; i < pointer->term_count; i++) {
        if (pointer->terms[i].stride == ram->field->bytes && pointer->terms[i].limit == ram->field->entries)
            return true;
    }
    return false;
}

/* An index minus a constant begins before the array, so the index says which one it is, if it can. */
struct ram *ram_of(struct lower *lower, const struct pointer *pointer)
{
    struct ram *found = NULL;
    for (uint32_t i = 0; i < lower->ram_count; i++) {
        struct ram *ram = &lower->rams[i];
        if (inside(ram, pointer->offset))
            found = ram;
    }
    for (uint32_t i = 0; i < lower->ram_count && (found == NULL || !walks(found, pointer)); i++) {
        struct ram *ram = &lower->rams[i];
        int64_t distance = pointer->offset - (int64_t)ram->field->offset;
        if (walks(ram, pointer) && distance < 0 && -distance <= (int64_t)ram->field->bytes * 16)
            found = ram;
    }
    return found;
}

/* Splits a pointer into the entry's address and the place within the entry. */
static net_id address_of(struct lower *lower, const struct ram *ram, const struct pointer *pointer,
                         struct pointer *within)
{
    struct netlist *netlist = lower->netlist;
    int64_t stride = ram->field->bytes, offset = pointer->offset - (int64_t)ram->field->offset;
    int64_t entry = offset >= 0 ? offset / stride : -((-offset + stride - 1) / stride);
    uint32_t width = design_address_width(ram->field->entries);
    net_id address = net_constant(netlist, width, (uint64_t)entry);
    *within = (struct pointer){.object = pointer->object, .offset = offset - entry * stride};
    for (uint32_t i = 0; i < pointer->term_count; i++) {
        const struct pointer_term *term = &pointer->terms[i];
        if (term->stride % (uint64_t)stride != 0) {
            within->terms[within->term_count++] = *term;
            continue;
        }
        net_id step = net_constant(netlist, width, term->stride / (uint64_t)stride);
        address = net_add(netlist, address, net_mul(netlist, net_trunc(netlist, term->index, width), step));
    }
    return address;
}

static bool is_value(const struct lower *lower, net_id net, uint64_t value)
{
    return net_is_constant(lower->netlist, net) && net_constant_bits(lower->netlist, net, 0) == value;
}

/* The port that reads this address, or is free on every way here. DESIGN_RAM_READS = none. */
static uint32_t find_port(const struct lower *lower, const struct ram *ram, const net_id *cells, net_id address,
                          bool only_same)
{
    uint32_t port = 0;
    for (; port < DESIGN_RAM_READS; port++) {
        net_id now = cells[ram->read_address[port]];
        if (now == address || (!only_same && is_value(lower, cells[ram->read_enable[port]], 0)))
            break;
    }
    return port;
}

static bool read_word(struct lower *lower, struct ram *ram, net_id address, net_id *bytes)
{
    struct netlist *netlist = lower->netlist;
    uint32_t port = find_port(lower, ram, lower->cells, address, true);
    if (port == DESIGN_RAM_READS)
        port = find_port(lower, ram, lower->cells, address, false);
    if (port == DESIGN_RAM_READS) {
        lower_error(lower, MESSAGE_RAM_READ, "RAM '%s' is read at more than %u addresses", ram->field->name,
                    DESIGN_RAM_READS);
        memset(bytes, 0, ram->field->bytes * sizeof *bytes);
        return false;
    }
    lower->cells[ram->read_enable[port]] = net_constant(netlist, 1, 1);
    lower->cells[ram->read_address[port]] = address;
    if (port >= ram->reads)
        ram->reads = port + 1;
    lower_split(lower, net_ram_data(netlist, ram->index, port, ram->field->bytes * 8), ram->field->bytes, bytes);
    return true;
}

/* The word as it is by now: what was read, under what was written. */
static bool current_word(struct lower *lower, struct ram *ram, net_id address, net_id *bytes)
{
    const net_id *cells = lower->cells;
    net_id enable = cells[ram->write_enable], written = cells[ram->write_address];
    const net_id *write = cells + ram->write_bytes;
    bool all = is_value(lower, enable, 1) && written == address;
    for (uint32_t i = 0; i < ram->field->bytes; i++)
        all = all && (write[i] != NET_NONE || !lower->layout.meaningful[ram->field->offset + i]);
    if (all) {
        memcpy(bytes, write, ram->field->bytes * sizeof *bytes);
        return true;
    }
    if (!read_word(lower, ram, address, bytes))
        return false;
    if (is_value(lower, enable, 0))
        return true;
    net_id same = net_and(lower->netlist, enable, net_eq(lower->netlist, written, address));
    for (uint32_t i = 0; i < ram->field->bytes; i++) {
        if (write[i] != NET_NONE)
            bytes[i] = lower_choose_net(lower, same, write[i], bytes[i]);
    }
    return true;
}

static bool crosses(struct lower *lower, const struct ram *ram, const struct pointer *within, uint32_t bytes)
{
    if (within->offset + bytes <= ram->field->bytes)
        return false;
    lower_error(lower, MESSAGE_RAM_WHOLE,
                "%u bytes across entries of RAM '%s' (an entry has %u); access it entry by entry", bytes,
                ram->field->name, ram->field->bytes);
    return true;
}

void ram_load(struct lower *lower, struct ram *ram, const struct pointer *pointer, uint32_t bytes, net_id *to)
{
    struct pointer within;
    net_id address = address_of(lower, ram, pointer, &within);
    net_id *word = arena_new(lower->arena, ram->field->bytes, sizeof *word);
    memset(to, 0, bytes * sizeof *to);
    if (!crosses(lower, ram, &within, bytes) && current_word(lower, ram, address, word))
        cells_load(lower, word, ram->field->bytes, &within, bytes, to);
}

void ram_store(struct lower *lower, struct ram *ram, const struct pointer *pointer, uint32_t bytes, const net_id *from)
{
    struct pointer within;
    net_id address = address_of(lower, ram, pointer, &within);
    net_id *cells = lower->cells, enable = cells[ram->write_enable];
    if (crosses(lower, ram, &within, bytes))
        return;
    if (!is_value(lower, enable, 0) && cells[ram->write_address] != address) {
        lower_error(lower, MESSAGE_RAM_WRITE, "RAM '%s' is written at a second address", ram->field->name);
        return;
    }
    if (within.term_count > 0) {
        net_id *word = arena_new(lower->arena, ram->field->bytes, sizeof *word);
        if (!current_word(lower, ram, address, word))
            return;
        memcpy(cells + ram->write_bytes, word, ram->field->bytes * sizeof *word);
    }
    cells_store(lower, cells + ram->write_bytes, ram->field->bytes, &within, bytes, from);
    cells[ram->write_enable] = net_constant(lower->netlist, 1, 1);
    cells[ram->write_address] = address;
}

/* The bytes that a write leaves, from the port that reads the same address. Padding is nobody's. */
static void complete_word(struct lower *lower, struct ram *ram, net_id *cells, const bool *wanted)
{
    net_id *bytes = arena_new(lower->arena, ram->field->bytes, sizeof *bytes);
    uint32_t port = find_port(lower, ram, cells, cells[ram->write_address], true);
    if (port < DESIGN_RAM_READS)
        lower_split(lower, net_ram_data(lower->netlist, ram->index, port, ram->field->bytes * 8), ram->field->bytes,
                    bytes);
    for (uint32_t i = 0; i < ram->field->bytes; i++) {
        net_id *byte = &cells[ram->write_bytes + i];
        if (*byte != NET_NONE || !wanted[i])
            continue;
        if (port < DESIGN_RAM_READS) {
            *byte = bytes[i];
        } else if (lower->layout.meaningful[ram->field->offset + i]) {
            lower_error(lower, MESSAGE_RAM_PARTIAL,
                        "byte %u of an entry of RAM '%s' is not written and the entry was not read", i,
                        ram->field->name);
            return;
        } else {
            *byte = net_constant(lower->netlist, 8, 0);
        }
    }
}

void ram_complete(struct lower *lower, struct block *const *blocks, uint32_t count)
{
    for (uint32_t r = 0; r < lower->ram_count; r++) {
        struct ram *ram = &lower->rams[r];
        bool *wanted = arena_new(lower->arena, ram->field->bytes, sizeof *wanted);
        for (uint32_t i = 0; i < ram->field->bytes; i++) {
            for (uint32_t b = 0; b < count; b++)
                wanted[i] |= blocks[b]->cells[ram->write_bytes + i] != NET_NONE;
        }
        for (uint32_t b = 0; b < count; b++) {
            if (!is_value(lower, blocks[b]->cells[ram->write_enable], 0))
                complete_word(lower, ram, blocks[b]->cells, wanted);
        }
    }
}

void ram_finish(struct lower *lower, struct ram *ram)
{
    struct netlist *netlist = lower->netlist;
    struct design_ram *made = &lower->design->rams[ram->index];
    net_id *cells = lower->cells;
    made->read_count = ram->reads;
    for (uint32_t port = 0; port < ram->reads; port++) {
        net_id address = cells[ram->read_address[port]];
        made->reads[port].enable = cells[ram->read_enable[port]];
        made->reads[port].address =
            address != NET_NONE ? address : net_constant(netlist, design_address_width(ram->field->entries), 0);
    }
    if (is_value(lower, cells[ram->write_enable], 0))
        return;
    bool *wanted = arena_new(lower->arena, ram->field->bytes, sizeof *wanted);
    memset(wanted, 1, ram->field->bytes);
    complete_word(lower, ram, cells, wanted);
    made->write_enable = cells[ram->write_enable];
    made->write_address = cells[ram->write_address];
    made->write_data = lower_join(lower, cells + ram->write_bytes, ram->field->bytes, ram->field->bytes * 8);
}
