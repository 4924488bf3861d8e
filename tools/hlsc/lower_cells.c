/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores. An access at a variable offset is a multiplexer over the bytes that it may select; of an index only
 * those bits count that can differ, and no position beyond the object: such an access is undefined in C.
 */
#include "tools/hlsc/lower.h"

#include <string.h>

#define POSITIONS_MAX 8192u /* that one byte may be selected from */
#define CHOICE_LEAVES 64u   /* of an index that is a choice between constants */
#define OFFSET_PARTS  64u

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

/* A part of an offset: a bit times a weight, or a choice between constants times a weight. */
struct offset_part {
    net_id net;
    uint64_t weight;
    bool choice;
};

/* A constant and parts, modulo a power of two that is no less than the object's size. Parts are selected from the last
 * one outwards to the first one at the leaves: what a pointer began with is shared by all that was added later. */
struct offset {
    uint64_t constant;
    uint64_t mask;
    struct offset_part parts[OFFSET_PARTS];
    uint32_t count;
    uint64_t positions;
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

static void add_part(struct offset *offset, net_id net, uint64_t weight, bool choice, uint64_t positions)
{
    if (offset->positions <= POSITIONS_MAX)
        offset->positions *= positions;
    if (offset->count < OFFSET_PARTS)
        offset->parts[offset->count++] = (struct offset_part){net, weight, choice};
    else
        offset->positions = POSITIONS_MAX + 1;
}

/* The highest bit first, so that neighbouring bytes share the inner stages, as in a barrel shifter. */
static void add_bits(struct lower *lower, struct offset *offset, net_id index, uint64_t weight, uint64_t limit)
{
    struct netlist *netlist = lower->netlist;
    uint32_t width = net_width(netlist, index), top = 0;
    while (top < width && top < 64 && ((weight << top) & offset->mask) != 0 &&
           (limit == 0 || (uint64_t)1 << top < limit))
        top++;
    for (uint32_t i = top; i-- > 0;) {
        net_id bit = net_slice(netlist, index, i, 1);
        if (net_is_constant(netlist, bit))
            offset->constant += net_constant_bits(netlist, bit, 0) * (weight << i);
        else
            add_part(offset, bit, weight << i, false, 2);
    }
}

/* The parts of a sum, if what it carries out of its width is beyond the object; else it may be the low part of a wider
 * sum, whose carry is elsewhere. */
static void add_term(struct lower *lower, struct offset *offset, net_id index, uint64_t weight, uint64_t limit)
{
    struct netlist *netlist = lower->netlist;
    const struct net_node *node = net_get(netlist, index);
    uint32_t leaves = choice_leaves(lower, index);
    weight &= offset->mask;
    bool whole = limit == 0 && (node->width >= 64 || ((weight << node->width) & offset->mask) == 0);
    if (net_is_constant(netlist, index)) {
        offset->constant += net_constant_bits(netlist, index, 0) * weight;
    } else if (leaves <= CHOICE_LEAVES) {
        add_part(offset, index, weight, true, leaves);
    } else if (node->op == NET_ADD && whole) {
        net_id a = net_operand(netlist, index, 0), b = net_operand(netlist, index, 1);
        add_term(lower, offset, a, weight, 0);
        add_term(lower, offset, b, weight, 0);
    } else if (node->op == NET_CONCAT && limit == 0) {
        uint32_t low = net_width(netlist, index);
        for (uint32_t i = node->count; i-- > 0;) {
            net_id part = net_operand(netlist, index, i);
            low -= net_width(netlist, part);
            if (low < 64)
                add_term(lower, offset, part, weight << low, 0);
        }
    } else if (node->op == NET_SLICE && node->low == 0 && whole) {
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

static void offset_begin(struct offset *offset, uint64_t constant, uint32_t size)
{
    memset(offset, 0, sizeof *offset);
    offset->mask = ((uint64_t)1 << bits_for(size)) - 1;
    offset->constant = constant;
    offset->positions = 1;
}

/* The offset's parts, or where they are too many, those of its sum. Fails where these are as well. */
static bool find_offset(struct lower *lower, const struct pointer *place, uint32_t size, struct offset *offset)
{
    offset_begin(offset, (uint64_t)place->offset, size);
    for (uint32_t i = 0; i < place->term_count; i++)
        add_term(lower, offset, place->terms[i].index, place->terms[i].stride, place->terms[i].limit);
    if (offset->positions <= POSITIONS_MAX)
        return true;
    offset_begin(offset, 0, size);
    add_bits(lower, offset, offset_net(lower, place, size), 1, 0);
    if (offset->positions <= POSITIONS_MAX)
        return true;
    lower_error(lower, MESSAGE_DYNAMIC, "a variable offset selects between more than %u bytes", POSITIONS_MAX);
    return false;
}

/* One byte of an object, chosen by what is left of the offset. */
struct selection {
    struct lower *lower;
    const struct offset *offset;
    const net_id *cells;
    uint32_t size;
};

static net_id select_part(const struct selection *selection, uint64_t at, uint32_t parts);

static net_id select_choice(const struct selection *selection, uint64_t at, uint32_t parts, net_id net)
{
    struct lower *lower = selection->lower;
    if (net_is_constant(lower->netlist, net)) {
        uint64_t weight = selection->offset->parts[parts].weight;
        return select_part(selection, at + net_constant_bits(lower->netlist, net, 0) * weight, parts);
    }
    net_id then = select_choice(selection, at, parts, net_operand(lower->netlist, net, 1));
    net_id otherwise = select_choice(selection, at, parts, net_operand(lower->netlist, net, 2));
    return lower_choose_net(lower, net_operand(lower->netlist, net, 0), then, otherwise);
}

static net_id select_part(const struct selection *selection, uint64_t at, uint32_t parts)
{
    const struct offset *offset = selection->offset;
    if (parts == 0) {
        at &= offset->mask;
        return at < selection->size ? selection->cells[at] : NET_NONE;
    }
    const struct offset_part *part = &offset->parts[parts - 1];
    if (part->choice)
        return select_choice(selection, at, parts - 1, part->net);
    net_id then = select_part(selection, at + part->weight, parts - 1);
    net_id otherwise = select_part(selection, at, parts - 1);
    return lower_choose_net(selection->lower, part->net, then, otherwise);
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
    if (!find_offset(lower, place, size, &offset)) {
        memset(to, 0, bytes * sizeof *to);
        return;
    }
    struct selection selection = {lower, &offset, cells, size};
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = select_part(&selection, offset.constant + i, offset.count);
}

/* A store at each position that the offset may take, under the condition that it does. */
struct placement {
    struct lower *lower;
    const struct offset *offset;
    net_id *cells;
    uint32_t size, bytes;
    const net_id *from;
};

static void place_part(const struct placement *placement, uint64_t at, uint32_t part, net_id condition);

static void place_choice(const struct placement *placement, uint64_t at, uint32_t part, net_id condition, net_id net)
{
    struct netlist *netlist = placement->lower->netlist;
    if (net_is_constant(netlist, net)) {
        uint64_t weight = placement->offset->parts[part].weight;
        place_part(placement, at + net_constant_bits(netlist, net, 0) * weight, part + 1, condition);
        return;
    }
    net_id select = net_operand(netlist, net, 0);
    net_id then = net_operand(netlist, net, 1), otherwise = net_operand(netlist, net, 2);
    place_choice(placement, at, part, net_and(netlist, condition, select), then);
    place_choice(placement, at, part, net_and(netlist, condition, net_not(netlist, select)), otherwise);
}

/* The condition that the bits of the last parts are those of `value`. */
static net_id bits_are(const struct placement *placement, uint32_t first, uint64_t value)
{
    struct netlist *netlist = placement->lower->netlist;
    net_id bits[OFFSET_PARTS];
    uint32_t count = placement->offset->count - first;
    if (count == 0)
        return net_constant(netlist, 1, 1);
    for (uint32_t i = 0; i < count; i++)
        bits[i] = placement->offset->parts[placement->offset->count - 1 - i].net;
    return net_eq(netlist, net_concat(netlist, bits, count), net_constant(netlist, count, value));
}

static void place_bits(const struct placement *placement, uint64_t at, uint32_t first, net_id condition)
{
    const struct offset *offset = placement->offset;
    uint32_t count = offset->count - first;
    for (uint64_t value = 0; value < (uint64_t)1 << count; value++) {
        uint64_t to = at;
        for (uint32_t i = 0; i < count; i++)
            to += (value >> i & 1u) * offset->parts[offset->count - 1 - i].weight;
        to &= offset->mask;
        if (to + placement->bytes > placement->size)
            continue;
        net_id here = net_and(placement->lower->netlist, condition, bits_are(placement, first, value));
        for (uint32_t i = 0; i < placement->bytes; i++)
            placement->cells[to + i] =
                lower_choose_net(placement->lower, here, placement->from[i], placement->cells[to + i]);
    }
}

static void place_part(const struct placement *placement, uint64_t at, uint32_t part, net_id condition)
{
    const struct offset *offset = placement->offset;
    if (part < offset->count && offset->parts[part].choice)
        place_choice(placement, at, part, condition, offset->parts[part].net);
    else
        place_bits(placement, at, part, condition);
}

/* Choices first, so that the bits are compared at once. */
static void choices_first(struct offset *offset)
{
    uint32_t choices = 0;
    for (uint32_t i = 0; i < offset->count; i++) {
        if (offset->parts[i].choice) {
            struct offset_part part = offset->parts[i];
            memmove(&offset->parts[choices + 1], &offset->parts[choices], (i - choices) * sizeof part);
            offset->parts[choices++] = part;
        }
    }
}

void cells_store(struct lower *lower, net_id *cells, uint32_t size, const struct pointer *place, uint32_t bytes,
                 const net_id *from)
{
    struct offset offset;
    if (place->term_count == 0) {
        if (place->offset >= 0 && (uint64_t)place->offset + bytes <= size)
            memcpy(cells + place->offset, from, bytes * sizeof *from);
        return;
    }
    if (!find_offset(lower, place, size, &offset))
        return;
    choices_first(&offset);
    struct placement placement = {lower, &offset, cells, size, bytes, from};
    place_part(&placement, offset.constant, 0, net_constant(lower->netlist, 1, 1));
}

/* ---- objects ---- */

/* The cells of the object around the place: a state is cut where its RAMs are. */
struct view {
    const net_id *read;
    net_id *write;        /* the same; NULL where nothing may be written */
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
    view.read = view.write = lower->cells + lower->state_cells[start];
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
        view.read = view.write = lower->cells + object->first_cell;
        break;
    case OBJECT_INPUT:
    case OBJECT_CONSTANT:
        view.read = object->fixed;
        break;
    default:
        view.size = 0;
        break;
    }
    return view;
}

/* What comes of an earlier error is not told again. */
static bool check_place(struct lower *lower, const struct pointer *place, const struct view *view, uint32_t bytes)
{
    int64_t at = place->offset - view->start;
    bool known = place->object->kind != OBJECT_NULL && place->object->kind != OBJECT_STREAM;
    bool in_object = place->offset >= 0 && place->offset < place->object->bytes;
    if (!known && lower->messages->errors == 0)
        lower_error(lower, MESSAGE_POINTER, "a pointer that leads to no known object");
    else if (known && view->size == 0 && in_object)
        lower_error(lower, MESSAGE_RAM_WHOLE, "%u bytes across entries of a RAM; access it entry by entry", bytes);
    else if (known && (bytes > view->size || (place->term_count == 0 && (at < 0 || (uint64_t)at + bytes > view->size))))
        lower_error(lower, MESSAGE_BOUNDS, "%u bytes at offset %lld of '%s', which has %u bytes", bytes,
                    (long long)place->offset, place->object->name, place->object->bytes);
    else
        return known && view->read != NULL;
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
        cells_load(lower, view.read, view.size, &local, bytes, to);
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
    if (view.write == NULL)
        lower_error(lower, MESSAGE_READ_ONLY, "'%s' is written, but it is %s", place->object->name,
                    place->object->kind == OBJECT_INPUT ? "a record that was read" : "constant");
    else
        cells_store(lower, view.write, view.size, &local, bytes, from);
    if (place->object->kind == OBJECT_OUTPUT && place->term_count == 0) {
        for (uint32_t i = 0; i < bytes; i++)
            lower->cells[place->object->written + (uint32_t)place->offset + i] = net_constant(lower->netlist, 1, 1);
    }
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
