/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A netlist of pure functions: what one activation computes, as a graph of nodes over bit vectors.
 *
 * Nodes are hash-consed: equal nodes are one node, so ids compare by ==. Constructors fold, narrow and normalise; what
 * they return need not be the operation that was asked for. A node's operands have smaller ids than the node, so ids
 * are a topological order. Nothing is undefined: a shift by the width or more gives 0 (arithmetic: copies of the sign).
 *
 * Operands of one operation have equal widths where not said otherwise; violations stop the program by assert. A
 * netlist grows until net_free; memory that runs out ends the program. One thread.
 */
#ifndef CIPU_HLSC_NET_H
#define CIPU_HLSC_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_WIDTH_MAX 8192u /* bits */
#define NET_NONE      0u    /* no node */

typedef uint32_t net_id;

enum net_op {
    NET_INVALID,
    NET_CONSTANT,     /* bits: `value`, or netlist.words[value...] when wider than 64 */
    NET_STREAM_DATA,  /* leaf; index = stream: the record at its head, byte 0 in bits 7:0 */
    NET_STREAM_VALID, /* leaf; index = stream: STREAM_CAN_READ */
    NET_STREAM_ROOM,  /* leaf; index = stream: STREAM_CAN_WRITE */
    NET_REGISTER,     /* leaf; index = register: its value before the activation */
    NET_RAM_DATA,     /* leaf; index = RAM, low = read port: the word before the activation */
    NET_CONCAT,       /* operands, lowest first, any widths */
    NET_SLICE,        /* operand 0 from bit `low` */
    NET_NOT,
    NET_AND, /* two operands */
    NET_OR,
    NET_XOR,
    NET_ADD, /* modulo 2^width */
    NET_SUB,
    NET_MUL,
    NET_EQ,  /* 1 bit */
    NET_ULT, /* unsigned <, 1 bit */
    NET_SLT, /* signed <, 1 bit */
    NET_SHL, /* operand 0 by operand 1, of any width */
    NET_LSHR,
    NET_ASHR,
    NET_MUX, /* operand 0 (1 bit) ? operand 1 : operand 2 */
    NET_ANY, /* OR of all bits, 1 bit */
    NET_OP_COUNT
};

struct net_place {
    const char *file; /* NULL = unknown; not copied */
    uint32_t line;
};

struct net_node {
    uint8_t op;      /* enum net_op */
    uint16_t width;  /* bits, at least 1 */
    uint16_t count;  /* operands */
    uint32_t first;  /* of netlist.operands */
    uint32_t low;    /* NET_SLICE, NET_RAM_DATA */
    uint32_t index;  /* leaves */
    uint64_t value;  /* NET_CONSTANT */
    uint64_t zeros;  /* bits known to be 0, of nodes up to 64 bits wide */
    uint64_t ones;   /* bits known to be 1 */
    uint32_t active; /* bits from here on are known to be 0; 0..width */
    struct net_place place;
    const char *name; /* hint, NULL = none; not copied */
    net_id chain;     /* next of the hash bucket */
};

struct netlist {
    struct net_node *nodes; /* [0] is NET_NONE */
    uint32_t node_count, node_capacity;
    net_id *operands;
    uint32_t operand_count, operand_capacity;
    uint64_t *words; /* of wide constants, lowest first */
    uint32_t word_count, word_capacity;
    net_id *buckets;
    uint32_t bucket_count;         /* a power of two */
    struct net_slice_memo *slices; /* slices that were asked for, by hash; NULL at first */
    uint32_t slice_count, slice_capacity;
    struct net_place place; /* of nodes that are made from here on */
};

void net_init(struct netlist *netlist);
void net_free(struct netlist *netlist);

static inline const struct net_node *net_get(const struct netlist *netlist, net_id id)
{
    return &netlist->nodes[id];
}

static inline uint32_t net_width(const struct netlist *netlist, net_id id)
{
    return netlist->nodes[id].width;
}

static inline net_id net_operand(const struct netlist *netlist, net_id id, uint32_t i)
{
    return netlist->operands[netlist->nodes[id].first + i];
}

/* Leaves. */
net_id net_stream_data(struct netlist *netlist, uint32_t stream, uint32_t width);
net_id net_stream_valid(struct netlist *netlist, uint32_t stream);
net_id net_stream_room(struct netlist *netlist, uint32_t stream);
net_id net_register(struct netlist *netlist, uint32_t index, uint32_t width);
net_id net_ram_data(struct netlist *netlist, uint32_t ram, uint32_t port, uint32_t width);

/* Constants. `words` holds (width + 63) / 64 words; bits beyond the width are ignored. */
net_id net_constant(struct netlist *netlist, uint32_t width, uint64_t value);
net_id net_constant_wide(struct netlist *netlist, uint32_t width, const uint64_t *words);
bool net_is_constant(const struct netlist *netlist, net_id id);
/* Bits low..low+63 of a constant, zeros beyond its width. */
uint64_t net_constant_bits(const struct netlist *netlist, net_id id, uint32_t low);

/* Wires. */
net_id net_concat(struct netlist *netlist, const net_id *parts, uint32_t count); /* lowest first */
net_id net_slice(struct netlist *netlist, net_id id, uint32_t low, uint32_t width);
net_id net_zext(struct netlist *netlist, net_id id, uint32_t width);
net_id net_sext(struct netlist *netlist, net_id id, uint32_t width);
net_id net_trunc(struct netlist *netlist, net_id id, uint32_t width);
/* `whole` with its bits from `low` on replaced by `part`. */
net_id net_insert(struct netlist *netlist, net_id whole, uint32_t low, net_id part);

/* Logic. */
net_id net_not(struct netlist *netlist, net_id a);
net_id net_and(struct netlist *netlist, net_id a, net_id b);
net_id net_or(struct netlist *netlist, net_id a, net_id b);
net_id net_xor(struct netlist *netlist, net_id a, net_id b);
net_id net_any(struct netlist *netlist, net_id a);

/* Arithmetic and comparison. */
net_id net_add(struct netlist *netlist, net_id a, net_id b);
net_id net_sub(struct netlist *netlist, net_id a, net_id b);
net_id net_mul(struct netlist *netlist, net_id a, net_id b);
net_id net_eq(struct netlist *netlist, net_id a, net_id b);
net_id net_ult(struct netlist *netlist, net_id a, net_id b);
net_id net_slt(struct netlist *netlist, net_id a, net_id b);
net_id net_shl(struct netlist *netlist, net_id a, net_id amount);
net_id net_lshr(struct netlist *netlist, net_id a, net_id amount);
net_id net_ashr(struct netlist *netlist, net_id a, net_id amount);

net_id net_mux(struct netlist *netlist, net_id select, net_id then, net_id otherwise);

/* Gives the node a name if it has none and is no constant. `name` must outlive the netlist. */
void net_name(struct netlist *netlist, net_id id, const char *name);

/* The node with other operands (as many, same widths), folded again. Leaves and constants return themselves. */
net_id net_rebuild(struct netlist *netlist, net_id id, const net_id *operands);

const char *net_op_name(enum net_op op);

#endif
