/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/interpret.h"

#include "tools/hlsc/bits.h"
#include "tools/hlsc/evaluate.h"
#include "tools/hlsc/memory.h"
#include "tools/hlsc/net_store.h"

/* A depth-first walk; `done` marks the nodes that it has seen. */
struct walk {
    struct interpreter *interpreter;
    bool *done;
    net_id *stack;
    uint32_t depth, capacity;
};

static void walk_push(struct walk *walk, net_id id)
{
    if (id == NET_NONE || walk->done[id])
        return;
    walk->stack = memory_grow(walk->stack, &walk->capacity, walk->depth + 1, sizeof *walk->stack);
    walk->stack[walk->depth++] = id;
}

/* A node is left on the stack until all that it needs is in order. */
static void walk_from(struct walk *walk, net_id root)
{
    struct interpreter *interpreter = walk->interpreter;
    const struct design *design = interpreter->design;
    walk_push(walk, root);
    while (walk->depth > 0) {
        net_id id = walk->stack[walk->depth - 1];
        const struct net_node *node = net_get(&design->netlist, id);
        uint32_t before = walk->depth;
        for (uint32_t i = 0; i < node->count; i++)
            walk_push(walk, net_operand(&design->netlist, id, i));
        if (node->op == NET_RAM_DATA)
            walk_push(walk, design->rams[node->index].reads[node->low].address);
        if (walk->depth > before)
            continue;
        walk->depth--;
        if (!walk->done[id])
            interpreter->order[interpreter->order_count++] = id;
        walk->done[id] = true;
    }
}

static void find_order(struct interpreter *interpreter)
{
    const struct design *design = interpreter->design;
    struct walk walk = {.interpreter = interpreter};
    walk.done = memory_new(design->netlist.node_count, sizeof *walk.done);
    interpreter->order = memory_new(design->netlist.node_count, sizeof *interpreter->order);
    walk_from(&walk, design->wait);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        walk_from(&walk, design->streams[i].fire);
        walk_from(&walk, design->streams[i].data);
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        walk_from(&walk, design->registers[i].next);
    for (uint32_t i = 0; i < design->ram_count; i++) {
        walk_from(&walk, design->rams[i].write_enable);
        walk_from(&walk, design->rams[i].write_address);
        walk_from(&walk, design->rams[i].write_data);
    }
    free(walk.done);
    free(walk.stack);
}

void interpreter_init(struct interpreter *interpreter, const struct design *design)
{
    const struct netlist *netlist = &design->netlist;
    uint32_t words = 0, operands = 0;
    interpreter->design = design;
    interpreter->order_count = 0;
    interpreter->offsets = memory_new(netlist->node_count, sizeof *interpreter->offsets);
    for (net_id id = 1; id < netlist->node_count; id++) {
        interpreter->offsets[id] = words;
        words += bits_words(net_width(netlist, id));
        operands = operands < net_get(netlist, id)->count ? net_get(netlist, id)->count : operands;
    }
    interpreter->operands = memory_new(operands, sizeof *interpreter->operands);
    interpreter->values = memory_new(words, sizeof *interpreter->values);
    interpreter->registers = memory_new(design->register_count, sizeof *interpreter->registers);
    for (uint32_t i = 0; i < design->register_count; i++)
        interpreter->registers[i] = memory_new(bits_words(design->registers[i].width), sizeof(uint64_t));
    interpreter->rams = memory_new(design->ram_count, sizeof *interpreter->rams);
    for (uint32_t i = 0; i < design->ram_count; i++)
        interpreter->rams[i] =
            memory_new((size_t)design->rams[i].words * bits_words(design->rams[i].width), sizeof(uint64_t));
    interpreter_reset(interpreter);
    find_order(interpreter);
}

void interpreter_free(struct interpreter *interpreter)
{
    for (uint32_t i = 0; i < interpreter->design->register_count; i++)
        free(interpreter->registers[i]);
    for (uint32_t i = 0; i < interpreter->design->ram_count; i++)
        free(interpreter->rams[i]);
    free(interpreter->registers);
    free(interpreter->rams);
    free(interpreter->order);
    free(interpreter->operands);
    free(interpreter->offsets);
    free(interpreter->values);
}

void interpreter_reset(struct interpreter *interpreter)
{
    const struct design *design = interpreter->design;
    for (uint32_t i = 0; i < design->register_count; i++)
        memcpy(interpreter->registers[i], net_constant_words(&design->netlist, design->registers[i].initial),
               bits_words(design->registers[i].width) * sizeof(uint64_t));
    for (uint32_t i = 0; i < design->ram_count; i++)
        memset(interpreter->rams[i], 0,
               (size_t)design->rams[i].words * bits_words(design->rams[i].width) * sizeof(uint64_t));
}

static uint64_t *value_of(const struct interpreter *interpreter, net_id id)
{
    return interpreter->values + interpreter->offsets[id];
}

static bool holds(const struct interpreter *interpreter, net_id id)
{
    return id != NET_NONE && value_of(interpreter, id)[0] != 0;
}

/* A word of a RAM, NULL beyond its end. */
static uint64_t *ram_word(const struct interpreter *interpreter, uint32_t index, net_id address)
{
    const struct design_ram *ram = &interpreter->design->rams[index];
    uint64_t word = value_of(interpreter, address)[0];
    return word < ram->words ? interpreter->rams[index] + word * bits_words(ram->width) : NULL;
}

static void evaluate_leaf(struct interpreter *interpreter, net_id id, const struct interpreter_stream *streams)
{
    const struct design *design = interpreter->design;
    const struct net_node *node = net_get(&design->netlist, id);
    uint64_t *value = value_of(interpreter, id);
    bits_clear(value, node->width);
    switch ((enum net_op)node->op) {
    case NET_CONSTANT:
        memcpy(value, net_constant_words(&design->netlist, id), bits_words(node->width) * sizeof *value);
        break;
    case NET_STREAM_DATA:
        for (uint32_t i = 0; streams[node->index].ready && i < node->width / 8u; i++)
            value[i / 8u] |= (uint64_t)streams[node->index].record[i] << (8u * (i % 8u));
        break;
    case NET_STREAM_VALID:
    case NET_STREAM_ROOM:
        value[0] = streams[node->index].ready;
        break;
    case NET_REGISTER:
        memcpy(value, interpreter->registers[node->index], bits_words(node->width) * sizeof *value);
        break;
    default: {
        const struct design_ram *ram = &design->rams[node->index];
        const uint64_t *word = ram_word(interpreter, node->index, ram->reads[node->low].address);
        if (word != NULL)
            memcpy(value, word, bits_words(node->width) * sizeof *value);
        break;
    }
    }
}

static void evaluate_node(struct interpreter *interpreter, net_id id, const struct interpreter_stream *streams)
{
    const struct netlist *netlist = &interpreter->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    if (node->count == 0) {
        evaluate_leaf(interpreter, id, streams);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++)
        interpreter->operands[i] = value_of(interpreter, net_operand(netlist, id, i));
    evaluate_operation(netlist, node, netlist->operands + node->first, interpreter->operands,
                       value_of(interpreter, id));
}

static void push(const struct interpreter *interpreter, uint32_t index, struct interpreter_stream *stream)
{
    const struct design_stream *declared = &interpreter->design->streams[index];
    const uint64_t *value = value_of(interpreter, declared->data);
    for (uint32_t i = 0; i < declared->bytes; i++)
        stream->record[i] = (uint8_t)(value[i / 8u] >> (8u * (i % 8u)));
}

bool interpreter_activate(struct interpreter *interpreter, struct interpreter_stream *streams)
{
    const struct design *design = interpreter->design;
    for (uint32_t i = 0; i < interpreter->order_count; i++)
        evaluate_node(interpreter, interpreter->order[i], streams);
    bool happens = holds(interpreter, design->wait);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        streams[i].fired = happens && holds(interpreter, design->streams[i].fire);
        if (streams[i].fired && design->streams[i].direction == STREAM_OUTPUT)
            push(interpreter, i, &streams[i]);
    }
    for (uint32_t i = 0; happens && i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        uint64_t *word = holds(interpreter, ram->write_enable) ? ram_word(interpreter, i, ram->write_address) : NULL;
        if (word != NULL)
            memcpy(word, value_of(interpreter, ram->write_data), bits_words(ram->width) * sizeof *word);
    }
    for (uint32_t i = 0; happens && i < design->register_count; i++)
        memcpy(interpreter->registers[i], value_of(interpreter, design->registers[i].next),
               bits_words(design->registers[i].width) * sizeof(uint64_t));
    return happens;
}
