/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel as a synchronous design: streams, registers and RAMs, and for each the nets that say what one activation
 * does to it. One activation is one call of the C function. When `wait` is 0 nothing happens: no stream moves, no
 * register or RAM changes.
 *
 * All nets are functions of what was BEFORE the activation: register leaves are old values, RAM leaves old words. What
 * C reads after writing in the same activation is forwarded by whoever fills the design. Names are identifiers of C,
 * must outlive the design and differ from each other.
 *
 * Every net below is of `netlist`; none may be NET_NONE except where said.
 */
#ifndef CIPU_HLSC_DESIGN_H
#define CIPU_HLSC_DESIGN_H

#include "tools/hlsc/net.h"

#define DESIGN_RAM_READS 4u

enum stream_direction { STREAM_INPUT, STREAM_OUTPUT };

struct design_stream {
    const char *name;   /* the argument's */
    const char *record; /* the struct's */
    enum stream_direction direction;
    uint32_t bytes;   /* of a record */
    bool conditional; /* STREAM_IN_COND */
    net_id fire;      /* 1 bit: the activation reads or pushes; NET_NONE = never */
    net_id data;      /* outputs: 8 * bytes bits, meaningful where `fire`; inputs: NET_NONE */
    struct net_place place;
};

struct design_register {
    const char *name;
    uint32_t width;
    net_id initial; /* a constant */
    net_id next;
    struct net_place place;
};

struct design_ram_read {
    net_id address; /* as wide as the RAM's address */
    net_id enable;  /* 1 bit: the word matters; NET_NONE = always */
};

/* All words are zero at first. One write and several reads an activation; reads at or beyond `words` give anything,
 * writes there do nothing. */
struct design_ram {
    const char *name;
    uint32_t words; /* at least 2 */
    uint32_t width;
    struct design_ram_read reads[DESIGN_RAM_READS]; /* port i: the leaf net_ram_data(ram, i) */
    uint32_t read_count;
    net_id write_enable; /* 1 bit; NET_NONE = never written */
    net_id write_address;
    net_id write_data;
    struct net_place place;
};

struct design {
    const char *name;
    const char *source; /* file, as messages and comments name it */
    bool arbiter;
    struct netlist netlist;
    struct design_stream *streams;
    uint32_t stream_count;
    struct design_register *registers;
    uint32_t register_count;
    struct design_ram *rams;
    uint32_t ram_count;
    net_id wait; /* 1 bit */
};

/* All empty. The arrays grow by the functions below and belong to the design; pointers into them do not survive the
 * next call. */
void design_init(struct design *design, const char *name, const char *source);
void design_free(struct design *design);

/* Return the element's index; the caller fills the rest in. */
uint32_t design_add_stream(struct design *design, const char *name, enum stream_direction direction, uint32_t bytes);
uint32_t design_add_register(struct design *design, const char *name, uint32_t width);
uint32_t design_add_ram(struct design *design, const char *name, uint32_t words, uint32_t width);

/* Calls `visit` for each net that the design names, NET_NONE included. */
void design_visit(struct design *design, void (*visit)(net_id *net, void *context), void *context);

/* Bits of an address of a RAM with so many words; at least 1. */
uint32_t design_address_width(uint32_t words);

#endif
