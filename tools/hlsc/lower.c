/* SPDX-License-Identifier: Apache-2.0 */
/* The order of blocks, the cells, and the design that the last block's cells are. */
#include "tools/hlsc/lower.h"

#include "tools/hlsc/memory.h"

/* ---- blocks ---- */

enum visit { VISIT_NONE, VISIT_OPEN, VISIT_DONE };

/* A depth-first walk; blocks leave it in reverse topological order. */
struct walk {
    struct lower *lower;
    LLVMBasicBlockRef *blocks; /* as LLVM lists them */
    enum visit *visits;
    uint32_t count;
    LLVMBasicBlockRef *finished;
    uint32_t finished_count;
};

static uint32_t walk_index(const struct walk *walk, LLVMBasicBlockRef block)
{
    uint32_t i = 0;
    while (i < walk->count && walk->blocks[i] != block)
        i++;
    return i;
}

static void walk_from(struct walk *walk, uint32_t index)
{
    LLVMValueRef end = LLVMGetBasicBlockTerminator(walk->blocks[index]);
    walk->visits[index] = VISIT_OPEN;
    for (uint32_t i = 0; i < LLVMGetNumSuccessors(end); i++) {
        uint32_t next = walk_index(walk, LLVMGetSuccessor(end, i));
        if (walk->visits[next] == VISIT_OPEN) {
            walk->lower->instruction = end;
            lower_error(walk->lower, MESSAGE_LOOP, "a loop without a constant bound");
        } else if (walk->visits[next] == VISIT_NONE) {
            walk_from(walk, next);
        }
    }
    walk->visits[index] = VISIT_DONE;
    walk->finished[walk->finished_count++] = walk->blocks[index];
}

static bool order_blocks(struct lower *lower)
{
    LLVMValueRef kernel = lower->front->kernel;
    struct walk walk = {.lower = lower, .count = LLVMCountBasicBlocks(kernel)};
    walk.blocks = arena_new(lower->arena, walk.count, sizeof(LLVMBasicBlockRef));
    walk.finished = arena_new(lower->arena, walk.count, sizeof(LLVMBasicBlockRef));
    walk.visits = arena_new(lower->arena, walk.count, sizeof *walk.visits);
    LLVMGetBasicBlocks(kernel, walk.blocks);
    walk_from(&walk, 0);
    lower->blocks = arena_new(lower->arena, walk.finished_count, sizeof *lower->blocks);
    lower->block_count = walk.finished_count;
    for (uint32_t i = 0; i < walk.finished_count; i++) {
        lower->blocks[i].llvm = walk.finished[walk.finished_count - 1 - i];
        lower->blocks[i].order = i;
    }
    return lower->messages->errors == 0;
}

/* ---- cells ---- */

static uint32_t add_cells(struct lower *lower, uint32_t count)
{
    uint32_t first = lower->cell_count;
    lower->cell_count += count;
    return first;
}

static struct object *add_object(struct lower *lower, enum object_kind kind, const char *name, uint32_t bytes)
{
    struct object *object = arena_new(lower->arena, 1, sizeof *object);
    object->kind = kind;
    object->name = name;
    object->bytes = bytes;
    return object;
}

static void add_stream(struct lower *lower, uint32_t index)
{
    const struct front_stream *front = &lower->front->streams[index];
    struct stream *stream = &lower->streams[index];
    bool output = front->direction == FRONT_OUT;
    uint32_t number =
        design_add_stream(lower->design, front->name, output ? STREAM_OUTPUT : STREAM_INPUT, front->bytes);
    struct design_stream *made = &lower->design->streams[number];
    struct object *argument = add_object(lower, OBJECT_STREAM, front->name, 0);
    struct object *record = add_object(lower, output ? OBJECT_OUTPUT : OBJECT_INPUT, front->name, front->bytes);
    made->record = strncmp(front->record, "struct ", 7) == 0 ? front->record + 7 : front->record;
    made->conditional = front->direction == FRONT_IN_CONDITIONAL;
    made->place = lower->front->place;
    stream->front = front;
    stream->argument = argument;
    stream->record = record;
    stream->fire = add_cells(lower, 1);
    argument->stream = record->stream = number;
    if (output) {
        record->first_cell = add_cells(lower, front->bytes);
        record->written = add_cells(lower, front->bytes);
        stream->pushed = add_cells(lower, front->bytes);
    } else {
        net_id *bytes = arena_new(lower->arena, front->bytes, sizeof *bytes);
        lower_split(lower, net_stream_data(lower->netlist, number, front->bytes * 8), front->bytes, bytes);
        record->fixed = bytes;
    }
    LLVMValueRef parameter = LLVMGetParam(lower->front->kernel, index + lower->front->has_state);
    value_map_set(lower, parameter, value_of_pointer(pointer_to(lower, argument, 0)));
}

static void add_ram(struct lower *lower, const struct layout_field *field)
{
    struct ram *ram = &lower->rams[lower->ram_count++];
    ram->field = field;
    ram->index = design_add_ram(lower->design, field->name, field->entries, field->bytes * 8);
    lower->design->rams[ram->index].place = field->place;
    for (uint32_t port = 0; port < DESIGN_RAM_READS; port++) {
        ram->read_enable[port] = add_cells(lower, 1);
        ram->read_address[port] = add_cells(lower, 1);
    }
}

static void add_rams(struct lower *lower)
{
    lower->rams = arena_new(lower->arena, lower->layout.count, sizeof *lower->rams);
    for (uint32_t i = 0; i < lower->layout.count; i++) {
        if (lower->layout.fields[i].entries > 0)
            add_ram(lower, &lower->layout.fields[i]);
    }
    lower->port_cells = lower->cell_count;
    for (uint32_t i = 0; i < lower->ram_count; i++) {
        struct ram *ram = &lower->rams[i];
        ram->write_enable = add_cells(lower, 1);
        ram->write_address = add_cells(lower, 1);
        ram->write_bytes = add_cells(lower, ram->field->bytes);
    }
}

/* Bytes between two RAMs have consecutive cells, padding as well. */
static void add_state(struct lower *lower)
{
    const struct layout *layout = &lower->layout;
    lower->state_cells = arena_new(lower->arena, layout->bytes, sizeof *lower->state_cells);
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_field *field = &layout->fields[i];
        if (field->entries == 0)
            continue;
        for (uint32_t byte = 0; byte < field->entries * field->bytes; byte++)
            lower->state_cells[field->offset + byte] = LOWER_NO_CELL;
    }
    for (uint32_t byte = 0; byte < layout->bytes; byte++) {
        if (lower->state_cells[byte] != LOWER_NO_CELL)
            lower->state_cells[byte] = add_cells(lower, 1);
    }
    lower->state = add_object(lower, OBJECT_STATE, "state", layout->bytes);
    if (lower->front->has_state)
        value_map_set(lower, LLVMGetParam(lower->front->kernel, 0),
                      value_of_pointer(pointer_to(lower, lower->state, 0)));
}

static void add_local(struct lower *lower, LLVMValueRef alloca)
{
    LLVMValueRef count = LLVMGetOperand(alloca, 0);
    size_t length;
    const char *name = LLVMGetValueName2(alloca, &length);
    lower->instruction = alloca;
    if (!LLVMIsAConstantInt(count)) {
        lower_error(lower, MESSAGE_COPY_SIZE, "an array of variable size");
        return;
    }
    uint64_t bytes =
        LLVMABISizeOfType(lower->front->layout, LLVMGetAllocatedType(alloca)) * LLVMConstIntGetZExtValue(count);
    struct object *object = add_object(lower, OBJECT_LOCAL, arena_text(lower->arena, name, length), (uint32_t)bytes);
    object->first_cell = add_cells(lower, object->bytes);
    value_map_set(lower, alloca, value_of_pointer(pointer_to(lower, object, 0)));
}

static void add_locals(struct lower *lower)
{
    for (uint32_t i = 0; i < lower->block_count; i++) {
        LLVMValueRef instruction = LLVMGetFirstInstruction(lower->blocks[i].llvm);
        for (; instruction; instruction = LLVMGetNextInstruction(instruction)) {
            if (LLVMIsAAllocaInst(instruction))
                add_local(lower, instruction);
        }
    }
    lower->instruction = NULL;
}

/* ---- registers ---- */

static void begin_registers(struct lower *lower, net_id *cells)
{
    for (uint32_t byte = 0; byte < lower->layout.bytes; byte++) {
        if (lower->state_cells[byte] != LOWER_NO_CELL)
            cells[lower->state_cells[byte]] = net_constant(lower->netlist, 8, 0);
    }
    for (uint32_t i = 0; i < lower->layout.count; i++) {
        const struct layout_field *field = &lower->layout.fields[i];
        if (field->entries > 0)
            continue;
        uint32_t index = design_add_register(lower->design, field->name, field->bytes * 8);
        lower->design->registers[index].place = field->place;
        lower->design->registers[index].initial = net_constant(lower->netlist, field->bytes * 8, 0);
        lower_split(lower, net_register(lower->netlist, index, field->bytes * 8), field->bytes,
                    cells + lower->state_cells[field->offset]);
    }
}

static void finish_registers(struct lower *lower)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < lower->layout.count; i++) {
        const struct layout_field *field = &lower->layout.fields[i];
        if (field->entries > 0)
            continue;
        struct design_register *made = &lower->design->registers[index++];
        net_id next = lower_join(lower, lower->cells + lower->state_cells[field->offset], field->bytes, made->width);
        made->next = next != NET_NONE ? next : net_constant(lower->netlist, made->width, 0);
    }
}

/* ---- the whole ---- */

static void begin_cells(struct lower *lower)
{
    net_id no = net_constant(lower->netlist, 1, 0), *cells = lower->cells;
    for (uint32_t i = 0; i < lower->front->stream_count; i++) {
        const struct stream *stream = &lower->streams[i];
        cells[stream->fire] = no;
        for (uint32_t byte = 0; stream->front->direction == FRONT_OUT && byte < stream->front->bytes; byte++)
            cells[stream->record->written + byte] = no;
    }
    for (uint32_t i = 0; i < lower->ram_count; i++) {
        for (uint32_t port = 0; port < DESIGN_RAM_READS; port++)
            cells[lower->rams[i].read_enable[port]] = no;
        cells[lower->rams[i].write_enable] = no;
    }
    begin_registers(lower, cells);
}

static bool is_constant(const struct lower *lower, net_id net, uint64_t value)
{
    return net_is_constant(lower->netlist, net) && net_constant_bits(lower->netlist, net, 0) == value;
}

/* What an activation moves, STREAM_WAIT has asked for. What is neither proved nor refuted is left to the native card's
 * check.
 */
static void check_asked(struct lower *lower, const struct stream *stream, net_id fire)
{
    struct netlist *netlist = lower->netlist;
    uint32_t index = stream->record->stream;
    bool output = stream->front->direction == FRONT_OUT;
    net_id ready = output ? net_stream_room(netlist, index) : net_stream_valid(netlist, index);
    net_id moves = net_and(netlist, lower->design->wait, fire);
    if (lower->messages->errors == 0 &&
        lower_prove_never(lower, net_and(netlist, moves, net_not(netlist, ready))) == PROOF_MAYBE)
        lower_error(lower, MESSAGE_ASK, "stream '%s' may be %s although STREAM_WAIT did not ask STREAM_CAN_%s of it",
                    stream->front->name, output ? "written" : "read", output ? "WRITE" : "READ");
}

static void finish_stream(struct lower *lower, const struct stream *stream)
{
    struct design_stream *made = &lower->design->streams[stream->record->stream];
    net_id fire = lower->cells[stream->fire];
    check_asked(lower, stream, fire);
    made->fire = is_constant(lower, fire, 0) ? NET_NONE : fire;
    if (made->direction == STREAM_OUTPUT) {
        net_id data = lower_join(lower, lower->cells + stream->pushed, made->bytes, made->bytes * 8);
        made->data = data != NET_NONE ? data : net_constant(lower->netlist, made->bytes * 8, 0);
    } else if (!made->conditional && !lower->front->arbiter && !is_constant(lower, fire, 1)) {
        lower_error(lower, MESSAGE_CONDITIONAL, "stream '%s' is not read in every activation: STREAM_IN_COND",
                    made->name);
    }
}

static void finish(struct lower *lower)
{
    net_id wait = lower->cells[lower->wait_cell];
    lower->instruction = NULL;
    if (wait == NET_NONE && lower->messages->errors == 0)
        lower_error(lower, MESSAGE_WAIT, "there is no STREAM_WAIT");
    lower->design->wait = wait != NET_NONE ? wait : net_constant(lower->netlist, 1, 0);
    for (uint32_t i = 0; i < lower->front->stream_count; i++)
        finish_stream(lower, &lower->streams[i]);
    for (uint32_t i = 0; i < lower->ram_count; i++)
        ram_finish(lower, &lower->rams[i]);
    finish_registers(lower);
}

static void run_block(struct lower *lower, struct block *block)
{
    LLVMValueRef instruction = LLVMGetFirstInstruction(block->llvm);
    for (; instruction; instruction = LLVMGetNextInstruction(instruction))
        lower_instruction(lower, instruction);
}

static void run_blocks(struct lower *lower)
{
    for (uint32_t i = 0; i < lower->block_count; i++) {
        struct block *block = &lower->blocks[i];
        block->reached |= i == 0;
        if (!block->reached)
            continue;
        gate_enter(lower, block);
        if (i == 0) {
            lower->cells = block->cells;
            block->path = net_constant(lower->netlist, 1, 1);
            begin_cells(lower);
        }
        run_block(lower, block);
        if (LLVMIsAReturnInst(LLVMGetLastInstruction(block->llvm)))
            finish(lower);
    }
}

bool lower_kernel(struct design *design, struct front *front)
{
    struct lower lower = {.front = front, .arena = front->arena, .messages = front->messages, .design = design};
    lower.netlist = &design->netlist;
    lower.null = (struct object){.kind = OBJECT_NULL, .name = "nothing"};
    design->arbiter = front->arbiter;
    layout_read(&lower.layout, front);
    if (order_blocks(&lower)) {
        lower.streams = arena_new(lower.arena, front->stream_count, sizeof *lower.streams);
        add_rams(&lower);
        lower.wait_cell = add_cells(&lower, 1);
        for (uint32_t i = 0; i < front->stream_count; i++)
            add_stream(&lower, i);
        add_state(&lower);
        add_locals(&lower);
        run_blocks(&lower);
    }
    value_map_free(&lower.values);
    free(lower.layout.fields);
    return front->messages->errors == 0;
}
