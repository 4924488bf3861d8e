/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/balance.h"

#include "tools/hlsc/loops.h"
#include "tools/hlsc/memory.h"

#define LOOP_LATE     1000000u /* ps: later than anything outside loops */
#define FACTOR_A      24u      /* bits of a multiplier's operands */
#define FACTOR_B      16u
#define RAM_WORD_LATE 2000u /* ps: a guess at when a RAM's address is known */

struct balance {
    struct design *design;
    struct netlist *netlist;
    const struct delay_table *delays;
    uint32_t before;   /* nodes of the design as it came */
    net_id *now;       /* by node that came: what it is in the end */
    uint32_t *uses;    /* by node that came */
    uint8_t *loops;    /* by node that came */
    uint8_t *absorbed; /* by node that came: part of a chain that ends elsewhere */
    uint64_t *arrival; /* by node, old and new: ps if nothing were cut into stages */
    uint32_t arrival_count, arrival_capacity;
};

/* A part of a chain: a value, and for choices the condition under which it is the chain's. */
struct part {
    net_id value, condition;
    uint64_t arrival;
};

struct parts {
    struct part *all;
    uint32_t count, capacity;
};

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t time_node(const struct balance *balance, net_id id)
{
    const struct net_node *node = net_get(balance->netlist, id);
    uint64_t arrival = 0;
    if (node->op == NET_RAM_DATA)
        arrival = RAM_WORD_LATE;
    for (uint32_t i = 0; i < node->count; i++)
        arrival = later(arrival, balance->arrival[net_operand(balance->netlist, id, i)]);
    bool wire = node->op == NET_SLICE || node->op == NET_CONCAT || node->op == NET_CONSTANT;
    return wire ? arrival : arrival + delay_of(balance->delays, balance->netlist, id);
}

/* When a net is ready. Nodes that were made meanwhile are timed. */
static uint64_t ready(struct balance *balance, net_id id)
{
    uint32_t count = balance->netlist->node_count;
    balance->arrival = memory_grow(balance->arrival, &balance->arrival_capacity, count, sizeof *balance->arrival);
    for (; balance->arrival_count < count; balance->arrival_count++)
        balance->arrival[balance->arrival_count] = time_node(balance, balance->arrival_count);
    return balance->arrival[id];
}

static void push(struct balance *balance, struct parts *parts, net_id value, net_id condition, bool loop)
{
    uint64_t arrival = ready(balance, value);
    if (condition != NET_NONE)
        arrival = later(arrival, ready(balance, condition));
    parts->all = memory_grow(parts->all, &parts->capacity, parts->count + 1, sizeof *parts->all);
    parts->all[parts->count++] = (struct part){value, condition, loop ? arrival + LOOP_LATE : arrival};
}

static bool is_chain(enum net_op op)
{
    return op == NET_AND || op == NET_OR || op == NET_XOR || op == NET_ADD;
}

/* The operation of the same kind that an operand is, below zeros on top of a sum that cannot overflow. NET_NONE: none,
 * or others use it too. */
static net_id inner_of(const struct balance *balance, enum net_op op, net_id operand)
{
    const struct net_node *node = net_get(balance->netlist, operand);
    net_id inner = operand;
    if (balance->uses[operand] > 1)
        return NET_NONE;
    if (op == NET_ADD && node->op == NET_CONCAT && node->count == 2 &&
        net_get(balance->netlist, net_operand(balance->netlist, operand, 1))->active == 0) {
        inner = net_operand(balance->netlist, operand, 0);
        const struct net_node *sum = net_get(balance->netlist, inner);
        if (sum->op != NET_ADD || balance->uses[inner] > 1)
            return NET_NONE;
        uint64_t needed = later(net_get(balance->netlist, net_operand(balance->netlist, inner, 0))->active,
                                net_get(balance->netlist, net_operand(balance->netlist, inner, 1))->active);
        return needed + 1 <= sum->width ? inner : NET_NONE;
    }
    return node->op == op ? inner : NET_NONE;
}

static void collect(struct balance *balance, struct parts *parts, enum net_op op, net_id id, uint32_t width)
{
    for (uint32_t i = 0; i < 2; i++) {
        net_id operand = net_operand(balance->netlist, id, i), inner = inner_of(balance, op, operand);
        if (inner != NET_NONE)
            collect(balance, parts, op, inner, width);
        else
            push(balance, parts, net_zext(balance->netlist, balance->now[operand], width), NET_NONE,
                 balance->loops[operand] != 0);
    }
}

static net_id combine(struct netlist *netlist, enum net_op op, net_id a, net_id b)
{
    return op == NET_AND   ? net_and(netlist, a, b)
           : op == NET_OR  ? net_or(netlist, a, b)
           : op == NET_XOR ? net_xor(netlist, a, b)
                           : net_add(netlist, a, b);
}

static uint32_t earliest(const struct parts *parts)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < parts->count; i++)
        if (parts->all[i].arrival < parts->all[first].arrival)
            first = i;
    return first;
}

static struct part take(struct parts *parts, uint32_t i)
{
    struct part part = parts->all[i];
    parts->all[i] = parts->all[--parts->count];
    return part;
}

/* The two that are ready first are joined, until one is left. */
static net_id join_parts(struct balance *balance, struct parts *parts, enum net_op op)
{
    while (parts->count > 1) {
        struct part a = take(parts, earliest(parts)), b = take(parts, earliest(parts));
        net_id joined = combine(balance->netlist, op, a.value, b.value);
        push(balance, parts, joined, NET_NONE, later(a.arrival, b.arrival) >= LOOP_LATE);
    }
    return parts->count ? parts->all[0].value : NET_NONE;
}

static net_id rebuild_chain(struct balance *balance, net_id id)
{
    struct parts parts = {0};
    enum net_op op = (enum net_op)net_get(balance->netlist, id)->op;
    collect(balance, &parts, op, id, net_width(balance->netlist, id));
    net_id result = join_parts(balance, &parts, op);
    free(parts.all);
    return result;
}

/* The choice that continues an else; NET_NONE: the end, or others use it too. */
static net_id next_choice(const struct balance *balance, net_id id)
{
    net_id otherwise = net_operand(balance->netlist, id, 2);
    bool more = net_get(balance->netlist, otherwise)->op == NET_MUX && balance->uses[otherwise] == 1;
    return more ? otherwise : NET_NONE;
}

/* Neighbours join to one choice, which is taken when either would be: the pair that is ready first, first. */
static void join_neighbours(struct balance *balance, struct parts *parts)
{
    struct netlist *netlist = balance->netlist;
    uint32_t best = 0;
    for (uint32_t i = 1; i + 1 < parts->count; i++)
        if (later(parts->all[i].arrival, parts->all[i + 1].arrival) <
            later(parts->all[best].arrival, parts->all[best + 1].arrival))
            best = i;
    struct part *a = &parts->all[best], *b = &parts->all[best + 1];
    bool loop = later(a->arrival, b->arrival) >= LOOP_LATE;
    a->value = net_mux(netlist, a->condition, a->value, b->value);
    a->condition = b->condition == NET_NONE ? NET_NONE : net_or(netlist, a->condition, b->condition);
    a->arrival = ready(balance, a->value);
    if (a->condition != NET_NONE)
        a->arrival = later(a->arrival, ready(balance, a->condition));
    a->arrival += loop ? LOOP_LATE : 0;
    memmove(b, b + 1, (parts->count - best - 2) * sizeof *b);
    parts->count--;
}

static net_id rebuild_choices(struct balance *balance, net_id id)
{
    struct parts parts = {0};
    net_id last = id;
    for (net_id choice = id; choice != NET_NONE; choice = next_choice(balance, choice)) {
        net_id condition = net_operand(balance->netlist, choice, 0), then = net_operand(balance->netlist, choice, 1);
        push(balance, &parts, balance->now[then], balance->now[condition],
             (balance->loops[then] | balance->loops[condition]) != 0);
        last = choice;
    }
    net_id otherwise = net_operand(balance->netlist, last, 2);
    push(balance, &parts, balance->now[otherwise], NET_NONE, balance->loops[otherwise] != 0);
    while (parts.count > 1)
        join_neighbours(balance, &parts);
    net_id result = parts.all[0].value;
    free(parts.all);
    return result;
}

/* Bits from `low` on, at most `width`, filled up with zeros to `whole`. */
static net_id factor(struct netlist *netlist, net_id id, uint32_t low, uint32_t width, uint32_t whole)
{
    uint32_t of = net_width(netlist, id);
    return net_zext(netlist, net_slice(netlist, id, low, low + width < of ? width : of - low), whole);
}

static net_id rebuild_product(struct balance *balance, net_id id)
{
    struct netlist *netlist = balance->netlist;
    struct parts parts = {0};
    uint32_t width = net_width(netlist, id);
    net_id a = balance->now[net_operand(netlist, id, 0)], b = balance->now[net_operand(netlist, id, 1)];
    uint32_t active_a = net_get(netlist, a)->active, active_b = net_get(netlist, b)->active;
    if (active_a <= FACTOR_A && active_b <= FACTOR_B)
        return net_mul(netlist, a, b);
    for (uint32_t low_a = 0; low_a < active_a; low_a += FACTOR_A) {
        for (uint32_t low_b = 0; low_b < active_b && low_a + low_b < width; low_b += FACTOR_B) {
            net_id product = net_mul(netlist, factor(netlist, a, low_a, FACTOR_A, width),
                                     factor(netlist, b, low_b, FACTOR_B, width));
            push(balance, &parts, net_shl(netlist, product, net_constant(netlist, 32, low_a + low_b)), NET_NONE, false);
        }
    }
    net_id result = join_parts(balance, &parts, NET_ADD);
    free(parts.all);
    return result;
}

static net_id rebuild(struct balance *balance, net_id id)
{
    enum net_op op = (enum net_op)net_get(balance->netlist, id)->op;
    uint32_t count = net_get(balance->netlist, id)->count;
    if (is_chain(op))
        return rebuild_chain(balance, id);
    if (op == NET_MUX)
        return rebuild_choices(balance, id);
    if (op == NET_MUL)
        return rebuild_product(balance, id);
    if (count == 0)
        return id;
    net_id *operands = memory_new(count, sizeof *operands);
    for (uint32_t i = 0; i < count; i++)
        operands[i] = balance->now[net_operand(balance->netlist, id, i)];
    net_id result = net_rebuild(balance->netlist, id, operands);
    free(operands);
    return result;
}

static void count_end(net_id *end, void *context)
{
    struct balance *balance = context;
    balance->uses[*end] += 2; /* never the inside of a chain */
}

static void replace_end(net_id *end, void *context)
{
    const struct balance *balance = context;
    *end = balance->now[*end];
}

static void count_uses(struct balance *balance)
{
    design_visit(balance->design, count_end, balance);
    for (net_id id = balance->before; id-- > 1;)
        for (uint32_t i = 0; balance->uses[id] > 0 && i < net_get(balance->netlist, id)->count; i++)
            balance->uses[net_operand(balance->netlist, id, i)]++;
}

/* What is inside a chain is made with its end. */
static void find_absorbed(struct balance *balance)
{
    for (net_id id = 1; id < balance->before; id++) {
        enum net_op op = (enum net_op)net_get(balance->netlist, id)->op;
        if (balance->uses[id] == 0)
            continue;
        for (uint32_t i = 0; is_chain(op) && i < 2; i++) {
            net_id operand = net_operand(balance->netlist, id, i), inner = inner_of(balance, op, operand);
            if (inner != NET_NONE)
                balance->absorbed[operand] = balance->absorbed[inner] = 1;
        }
        if (op == NET_MUX && next_choice(balance, id) != NET_NONE)
            balance->absorbed[next_choice(balance, id)] = 1;
    }
}

void balance_design(struct design *design, const struct delay_table *delays)
{
    struct balance balance = {.design = design, .netlist = &design->netlist, .delays = delays};
    balance.before = design->netlist.node_count;
    balance.now = memory_new(balance.before, sizeof *balance.now);
    balance.uses = memory_new(balance.before, sizeof *balance.uses);
    balance.absorbed = memory_new(balance.before, sizeof *balance.absorbed);
    balance.loops = loops_find(design);
    count_uses(&balance);
    find_absorbed(&balance);
    for (net_id id = 1; id < balance.before; id++) {
        if (balance.uses[id] == 0 || balance.absorbed[id])
            continue;
        const struct net_node *node = net_get(balance.netlist, id);
        design->netlist.place = node->place;
        const char *name = node->name;
        balance.now[id] = rebuild(&balance, id);
        if (name != NULL && balance.now[id] != id)
            net_name(&design->netlist, balance.now[id], name);
    }
    design_visit(design, replace_end, &balance);
    free(balance.now);
    free(balance.uses);
    free(balance.absorbed);
    free(balance.loops);
    free(balance.arrival);
}
