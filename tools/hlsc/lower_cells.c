/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores. An access at a variable offset is a multiplexer over the bytes that it may select; of an index only
 * those bits count that can differ, and no position beyond the object: such an access is undefined in C. Bits are taken
 * from the lowest outwards to the highest at the leaves, so that neighbouring bytes share the inner stages, as in a
 * barrel shifter.
 */
#include "tools/hlsc/lower.h"

#include <string.h>

#define POSITIONS_MAX 8192u /* that one byte may be selected from */
#define CHOICE_LEAVES 64u   /* of an index that is a choice between constants */

/* ---- bytes and nets ---- */

net_id lower_join(struct lower *lower, const net_id *bytes, uint32_t count, uint32_t width)
{
    net_id parts[NET_WIDTH_MAX / 8];
    bool defined = false;
    for (uint32_t i = 0; i < count; i++) {
        defined |= bytes[i] != NET_NONE;
        parts[i] = bytes[i] != NET_NONE ? bytes[i] : net_constant(lower->netlist, 8, 0);
    }
    return defined ? net_trunc(lower->netlist, net_concat(lower->netlist, parts, count), width) : NET_NONE;
}

void lower_split(struct lower *lower, net_id net, uint32_t count, net_id *bytes)
{
    net_id whole = net != NET_NONE ? net_zext(lower->netlist, net, count * 8) : NET_NONE;
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = whole != NET_NONE ? net_slice(lower->netlist, whole, i * 8, 8) : NET_NONE;
}

/* ---- variable offsets ---- */

/* A sum of terms modulo 2^bits, of which each is bits of a net with weights, or a choice between constants. */
struct index_bit {
    net_id bit;
    uint64_t weight;
};

struct offset {
    uint64_t constant;
    uint64_t mask; /* 2^bits - 1, at least the object's size */
    struct index_bit bits[64];
    uint32_t bit_count;
    net_id choices[POINTER_TERMS * 2];
    uint64_t choice_weights[POINTER_TERMS * 2];
    uint32_t choice_count;
};

static uint32_t choice_leaves(const struct lower *lower, net_id net)
{
    const struct net_node *node = net_get(lower->netlist, net);
    if (net_is_constant(lower->netlist, net))
        return 1;
    if (node->op != NET_MUX)
        return CHOICE_LEAVES + 1;
    uint32_t leaves = choice_leaves(lower, net_operand(lower->netlist, net, 1));
    if (leaves <= CHOICE_LEAVES)
        leaves += choice_leaves(lower, net_operand(lower->netlist, net, 2));
    return leaves;
}

static void add_bits(struct lower *lower, struct offset *offset, net_id index, uint64_t weight, uint64_t limit)
{
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, index);
    for (uint32_t i = 0; i < width && i < 64; i++) {
        if (((weight << i) & offset->mask) == 0 || (limit > 0 && (uint64_t)1 << i >= limit))
            break;
        net_id bit = net_slice(netlist, index, i, 1);
        if (net_is_constant(netlist, bit))
            offset->constant += net_constant_bits(netlist, bit, 0) * (weight << i);
        else if (offset->bit_count < 64)
            offset->bits[offset->bit_count++] = (struct index_bit){bit, weight << i};
    }
}

/* The sum's parts; what wraps around is beyond the object, so narrow sums may be taken apart as well. */
static void add_term(struct lower *lower, struct offset *offset, net_id index, uint64_t weight, uint64_t limit)
{
    struct netlist *netlist = lower->netlist;
    const struct net_node *node = net_get(netlist, index);
    weight &= offset->mask;
    if (net_is_constant(netlist, index)) {
        offset->constant += net_constant_bits(netlist, index, 0) * weight;
    } else if (choice_leaves(lower, index) <= CHOICE_LEAVES && offset->choice_count < POINTER_TERMS * 2) {
        offset->choices[offset->choice_count] = index;
        offset->choice_weights[offset->choice_count++] = weight;
    } else if (node->op == NET_ADD && limit == 0) {
        net_id a = net_operand(netlist, index, 0), b = net_operand(netlist, index, 1);
        add_term(lower, offset, a, weight, 0);
        add_term(lower, offset, b, weight, 0);
    } else if (node->op == NET_CONCAT && limit == 0) {
        uint32_t count = node->count, low = 0;
        for (uint32_t i = 0; i < count; i++) {
            net_id part = net_operand(netlist, index, i);
            if (low < 64)
                add_term(lower, offset, part, weight << low, 0);
            low += net_width(netlist, part);
        }
    } else if (node->op == NET_SLICE && node->low == 0 && limit == 0 && ((weight << node->width) & offset->mask) == 0) {
        add_term(lower, offset, net_operand(netlist, index, 0), weight, 0);
    } else {
        add_bits(lower, offset, index, weight, limit);
    }
}

static uint32_t bits_for(uint64_t size)
{
    uint32_t bits = 1;
    while ((uint64_t)1 << bits < size)
        bits++;
    return bits;
}

static void offset_begin(struct lower *lower, struct offset *offset, const struct pointer *place, uint32_t size,
                         bool apart)
{
    memset(offset, 0, sizeof *offset);
    offset->mask = ((uint64_t)1 << bits_for(size)) - 1;
    offset->constant = (uint64_t)place->offset;
    for (uint32_t i = 0; i < place->term_count; i++) {
        if (apart)
            add_term(lower, offset, place->terms[i].index, place->terms[i].stride, place->terms[i].limit);
        else
            add_bits(lower, offset, place->terms[i].index, place->terms[i].stride, place->terms[i].limit);
    }
}

/* One byte of an object, chosen by what is left of the offset. */
struct selection {
    struct lower *lower;
    const struct offset *offset;
    const net_id *cells;
    uint32_t size;
};

static net_id select_choice(const struct selection *selection, uint64_t at, uint32_t choice);

static net_id select_leaf(const struct selection *selection, uint64_t at, uint32_t choice, net_id net)
{
    struct lower *lower = selection->lower;
    if (net_is_constant(lower->netlist, net)) {
        uint64_t weight = selection->offset->choice_weights[choice];
        return select_choice(selection, at + net_constant_bits(lower->netlist, net, 0) * weight, choice + 1);
    }
    net_id then = select_leaf(selection, at, choice, net_operand(lower->netlist, net, 1));
    net_id otherwise = select_leaf(selection, at, choice, net_operand(lower->netlist, net, 2));
    return lower_choose_net(lower, net_operand(lower->netlist, net, 0), then, otherwise);
}

static net_id select_choice(const struct selection *selection, uint64_t at, uint32_t choice)
{
    const struct offset *offset = selection->offset;
    if (choice < offset->choice_count)
        return select_leaf(selection, at, choice, offset->choices[choice]);
    at &= offset->mask;
    return at < selection->size ? selection->cells[at] : NET_NONE;
}

static net_id select_bit(const struct selection *selection, uint64_t at, uint32_t bit)
{
    const struct offset *offset = selection->offset;
    if (bit == offset->bit_count)
        return select_choice(selection, at, 0);
    net_id then = select_bit(selection, at + offset->bits[bit].weight, bit + 1);
    net_id otherwise = select_bit(selection, at, bit + 1);
    return lower_choose_net(selection->lower, offset->bits[bit].bit, then, otherwise);
}

static uint64_t positions(const struct lower *lower, const struct offset *offset)
{
    uint64_t count = offset->bit_count < 32 ? (uint64_t)1 << offset->bit_count : UINT32_MAX;
    for (uint32_t i = 0; i < offset->choice_count && count <= POSITIONS_MAX; i++)
        count *= choice_leaves(lower, offset->choices[i]);
    return count;
}

/* The whole offset as one net of the bits that the object needs. */
static net_id offset_net(struct lower *lower, const struct pointer *place, uint32_t size)
{
    struct netlist *netlist = lower->netlist;
    uint32_t width = bits_for(size);
    net_id sum = net_constant(netlist, width, (uint64_t)place->offset);
    for (uint32_t i = 0; i < place->term_count; i++) {
        net_id stride = net_constant(netlist, width, place->terms[i].stride);
        sum = net_add(netlist, sum, net_mul(netlist, net_trunc(netlist, place->terms[i].index, width), stride));
    }
    return sum;
}

static bool too_wide(struct lower *lower, const struct pointer *place, uint32_t size, struct offset *offset)
{
    offset_begin(lower, offset, place, size, true);
    if (positions(lower, offset) <= POSITIONS_MAX)
        return false;
    struct pointer summed = {.object = place->object, .term_count = 1};
    summed.terms[0] = (struct pointer_term){offset_net(lower, place, size), 1, 0};
    offset_begin(lower, offset, &summed, size, false);
    return positions(lower, offset) > POSITIONS_MAX;
}

void cells_load(struct lower *lower, const net_id *cells, uint32_t size, const struct pointer *place, uint32_t bytes,
                net_id *to)
{
    struct offset offset;
    if (place->term_count == 0) {
        bool inside = place->offset >= 0 && (uint64_t)place->offset + bytes <= size;
        for (uint32_t i = 0; i < bytes; i++)
            to[i] = inside ? cells[place->offset + i] : NET_NONE;
        return;
    }
    if (too_wide(lower, place, size, &offset)) {
        lower_error(lower, MESSAGE_DYNAMIC, "a variable offset selects between more than %u bytes", POSITIONS_MAX);
        memset(to, 0, bytes * sizeof *to);
        return;
    }
    struct selection selection = {.lower = lower, .offset = &offset, .cells = cells, .size = size};
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = select_bit(&selection, offset.constant + i, 0);
}

void cells_store(struct lower *lower, net_id *cells, uint32_t size, const struct pointer *place, uint32_t bytes,
                 const net_id *from)
{
    struct netlist *netlist = lower->netlist;
    if (place->term_count == 0) {
        if (place->offset >= 0 && (uint64_t)place->offset + bytes <= size)
            memcpy(cells + place->offset, from, bytes * sizeof *from);
        return;
    }
    net_id offset = offset_net(lower, place, size);
    const struct net_node *node = net_get(netlist, offset);
    uint64_t zeros = node->zeros, ones = node->ones;
    for (uint64_t at = 0; at + bytes <= size; at++) {
        if ((at & zeros) != 0 || (~at & ones) != 0)
            continue;
        net_id here = net_eq(netlist, offset, net_constant(netlist, net_width(netlist, offset), at));
        for (uint32_t i = 0; i < bytes; i++)
            cells[at + i] = lower_choose_net(lower, here, from[i], cells[at + i]);
    }
}

/* ---- objects ---- */

/* The cells of the object around the place: a state is cut where its RAMs are. */
struct view {
    net_id *cells;
    const net_id *fixed;
    uint32_t start, size; /* of the object's bytes */
};

static struct view state_view(struct lower *lower, const struct pointer *place)
{
    struct view view = {0};
    int64_t at = place->offset;
    if (at < 0)
        at = 0;
    if (at >= lower->state->bytes || lower->state_cells[at] == LOWER_NO_CELL)
        return view;
    uint32_t start = (uint32_t)at, end = (uint32_t)at;
    while (start > 0 && lower->state_cells[start - 1] != LOWER_NO_CELL)
        start--;
    while (end < lower->state->bytes && lower->state_cells[end] != LOWER_NO_CELL)
        end++;
    view.cells = lower->cells + lower->state_cells[start];
    view.start = start;
    view.size = end - start;
    return view;
}

static struct view view_of(struct lower *lower, const struct pointer *place)
{
    const struct object *object = place->object;
    struct view view = {.size = object->bytes};
    switch (object->kind) {
    case OBJECT_STATE:
        return state_view(lower, place);
    case OBJECT_LOCAL:
    case OBJECT_OUTPUT:
        view.cells = lower->cells + object->first_cell;
        break;
    case OBJECT_INPUT:
    case OBJECT_CONSTANT:
        view.fixed = object->fixed;
        break;
    default:
        view.size = 0;
        break;
    }
    return view;
}

static bool check_place(struct lower *lower, const struct pointer *place, const struct view *view, uint32_t bytes)
{
    int64_t at = place->offset - view->start;
    if (view->size == 0 && place->object->kind == OBJECT_STATE)
        lower_error(lower, MESSAGE_RAM_WHOLE, "%u bytes across entries of a RAM; access it entry by entry", bytes);
    else if (view->size == 0)
        lower_error(lower, MESSAGE_POINTER, "a pointer that leads to no known object");
    else if (bytes > view->size || (place->term_count == 0 && (at < 0 || (uint64_t)at + bytes > view->size)))
        lower_error(lower, MESSAGE_BOUNDS, "%u bytes at offset %lld of '%s', which has %u bytes", bytes,
                    (long long)place->offset, place->object->name, place->object->bytes);
    else
        return true;
    return false;
}

static void load_place(struct lower *lower, const struct pointer *place, uint32_t bytes, net_id *to)
{
    struct ram *ram = place->object->kind == OBJECT_STATE ? ram_of(lower, place) : NULL;
    if (ram != NULL) {
        ram_load(lower, ram, place, bytes, to);
        return;
    }
    struct view view = view_of(lower, place);
    struct pointer local = *place;
    local.offset -= view.start;
    if (check_place(lower, place, &view, bytes))
        cells_load(lower, view.fixed != NULL ? view.fixed : view.cells, view.size, &local, bytes, to);
    else
        memset(to, 0, bytes * sizeof *to);
}

void lower_load(struct lower *lower, const struct pointer *pointer, uint32_t bytes, net_id *to)
{
    if (pointer->object != NULL) {
        load_place(lower, pointer, bytes, to);
        return;
    }
    net_id *otherwise = arena_new(lower->arena, bytes, sizeof *otherwise);
    lower_load(lower, pointer->then, bytes, to);
    lower_load(lower, pointer->otherwise, bytes, otherwise);
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = lower_choose_net(lower, pointer->condition, to[i], otherwise[i]);
}

static void store_place(struct lower *lower, const struct pointer *place, uint32_t bytes, const net_id *from)
{
    struct ram *ram = place->object->kind == OBJECT_STATE ? ram_of(lower, place) : NULL;
    if (ram != NULL) {
        ram_store(lower, ram, place, bytes, from);
        return;
    }
    struct view view = view_of(lower, place);
    struct pointer local = *place;
    local.offset -= view.start;
    if (!check_place(lower, place, &view, bytes))
        return;
    if (view.fixed != NULL)
        lower_error(lower, MESSAGE_READ_ONLY, "'%s' is written, but it is %s", place->object->name,
                    place->object->kind == OBJECT_INPUT ? "a record that was read" : "constant");
    else
        cells_store(lower, view.cells, view.size, &local, bytes, from);
}

/* Where the pointer is a choice, each of its places keeps what it has if it is not the one. */
static void store_choice(struct lower *lower, const struct pointer *pointer, net_id condition, uint32_t bytes,
                         const net_id *from)
{
    if (pointer->object == NULL) {
        struct netlist *netlist = lower->netlist;
        net_id not_chosen = net_not(netlist, pointer->condition);
        store_choice(lower, pointer->then, net_and(netlist, condition, pointer->condition), bytes, from);
        store_choice(lower, pointer->otherwise, net_and(netlist, condition, not_chosen), bytes, from);
        return;
    }
    net_id *mixed = arena_new(lower->arena, bytes, sizeof *mixed);
    load_place(lower, pointer, bytes, mixed);
    for (uint32_t i = 0; i < bytes; i++)
        mixed[i] = lower_choose_net(lower, condition, from[i], mixed[i]);
    store_place(lower, pointer, bytes, mixed);
}

void lower_store(struct lower *lower, const struct pointer *pointer, uint32_t bytes, const net_id *from)
{
    if (pointer->object != NULL)
        store_place(lower, pointer, bytes, from);
    else
        store_choice(lower, pointer, net_constant(lower->netlist, 1, 1), bytes, from);
}
