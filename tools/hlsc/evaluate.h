/* SPDX-License-Identifier: Apache-2.0 */
/* What each operation of a netlist computes: for folding and for interpreting a design. */
#ifndef CIPU_HLSC_EVALUATE_H
#define CIPU_HLSC_EVALUATE_H

#include "tools/hlsc/net.h"

/* The value of an operation (no leaf) for given values of its operands; see bits.h. */
void evaluate_operation(const struct netlist *netlist, const struct net_node *node, const net_id *operands,
                        const uint64_t *const *values, uint64_t *result);

#endif
