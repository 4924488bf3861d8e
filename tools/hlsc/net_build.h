/* SPDX-License-Identifier: Apache-2.0 */
/* What the constructors share. */
#ifndef CIPU_HLSC_NET_BUILD_H
#define CIPU_HLSC_NET_BUILD_H

#include "tools/hlsc/net_store.h"

/* An operation of at most three operands, evaluated if they are constants. */
net_id net_build(struct netlist *netlist, enum net_op op, uint32_t width, const net_id *operands, uint32_t count);

/* The order of commutative operands: by id, a constant last. */
void net_order(const struct netlist *netlist, net_id *a, net_id *b);

bool net_is_zero(const struct netlist *netlist, net_id id);
bool net_is_ones(const struct netlist *netlist, net_id id);
net_id net_ones(struct netlist *netlist, uint32_t width);

/* The end of the part of a concatenation in which bit `low` lies; the width for anything else. */
uint32_t net_part_end(const struct netlist *netlist, net_id id, uint32_t low);

/* What was made of the bits low..low+width-1 of a node, NET_NONE if nothing was; width 0: of net_any. */
net_id net_memo_find(struct netlist *netlist, net_id id, uint32_t low, uint32_t width);
void net_memo_add(struct netlist *netlist, net_id id, uint32_t low, uint32_t width, net_id result);

#endif
