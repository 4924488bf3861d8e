/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the netlist share. */
#ifndef CIPU_HLSC_NET_STORE_H
#define CIPU_HLSC_NET_STORE_H

#include "tools/hlsc/net.h"

/* The node as it is, found or made. `words` is given for constants wider than 64 bits alone. */
net_id net_intern(struct netlist *netlist, const struct net_node *wanted, const net_id *operands,
                  const uint64_t *words);

/* The words of a constant; valid until the next constructor. */
const uint64_t *net_constant_words(const struct netlist *netlist, net_id id);

#endif
