/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/delay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum net_op op;
} operations[] = {
    {"not", NET_NOT},
    {"and", NET_AND},
    {"or", NET_OR},
    {"xor", NET_XOR},
    {"choice", NET_MUX},
    {"add", NET_ADD},
    {"subtract", NET_SUB},
    {"multiply", NET_MUL},
    {"equal", NET_EQ},
    {"less", NET_ULT},
    {"signed-less", NET_SLT},
    {"not-zero", NET_ANY},
    {"shift-left", NET_SHL},
    {"shift-right", NET_LSHR},
    {"signed-shift-right", NET_ASHR},
    {"record", NET_STREAM_DATA},
    {"can-read", NET_STREAM_VALID},
    {"can-write", NET_STREAM_ROOM},
    {"state", NET_REGISTER},
    {"ram-word", NET_RAM_DATA},
};

static bool set_operation(struct delay_table *table, const char *name, const struct delay_row *row)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(name, operations[i].name) == 0) {
            table->rows[operations[i].op] = *row;
            return true;
        }
    }
    return false;
}

static bool set_value(struct delay_table *table, const char *name, uint32_t value)
{
    const struct {
        const char *name;
        uint32_t *value;
    } values[] = {
        {"clock", &table->clock},
        {"constant", &table->constant},
        {"ram-address", &table->ram_address},
        {"bypass", &table->bypass},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strcmp(name, values[i].name) == 0) {
            *values[i].value = value;
            return true;
        }
    }
    return false;
}

/* One line; an empty one and a comment say nothing. */
static bool set_line(struct delay_table *table, const char *line)
{
    char name[32];
    struct delay_row row = {0};
    int fields = sscanf(line, "%31s %u %u %u", name, &row.fixed, &row.per_bit, &row.per_level);
    if (fields <= 0 || name[0] == '#')
        return true;
    return (fields == 4 && set_operation(table, name, &row)) || (fields == 2 && set_value(table, name, row.fixed));
}

int delay_read(struct delay_table *table, const char *path, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "r");
    char line[256];
    int result = 0;
    memset(table, 0, sizeof *table);
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return -1;
    }
    for (unsigned number = 1; result == 0 && fgets(line, sizeof line, file) != NULL; number++) {
        if (!set_line(table, line)) {
            snprintf(error, error_bytes, "%s:%u: expected NAME FIXED PER_BIT PER_LEVEL or NAME VALUE", path, number);
            result = -1;
        }
    }
    fclose(file);
    return result;
}

static uint32_t levels(uint32_t width)
{
    return width <= 1 ? 0 : 32u - (uint32_t)__builtin_clz(width - 1u);
}

#define TABLE_INPUTS 6u

static bool one_is_constant(const struct netlist *netlist, net_id id)
{
    return net_is_constant(netlist, net_operand(netlist, id, 0)) ||
           net_is_constant(netlist, net_operand(netlist, id, 1));
}

uint32_t delay_of(const struct delay_table *table, const struct netlist *netlist, net_id id)
{
    const struct net_node *node = net_get(netlist, id);
    const struct delay_row *row = &table->rows[node->op];
    uint32_t width = node->width, level = levels(width);
    switch ((enum net_op)node->op) {
    case NET_EQ:
    case NET_ULT:
    case NET_SLT:
    case NET_ANY:
        width = net_width(netlist, net_operand(netlist, id, 0));
        level = levels(width);
        break;
    case NET_SHL:
    case NET_LSHR:
    case NET_ASHR:
        level = net_width(netlist, net_operand(netlist, id, 1));
        break;
    default:
        break;
    }
    bool sum = node->op == NET_ADD || node->op == NET_SUB;
    if (sum && width <= TABLE_INPUTS && one_is_constant(netlist, id))
        return table->constant * 2;
    if (node->op == NET_EQ && net_is_constant(netlist, net_operand(netlist, id, 1)))
        return table->constant * (1u + (width > 6) + (width > 36) + (width > 216));
    return row->fixed + width * row->per_bit + level * row->per_level;
}
