/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbolic execution of a kernel's LLVM function, which has no loops: every value becomes a net, every byte of memory a
 * cell that holds a net. Blocks are visited in topological order; where paths meet, cells and phis that differ are
 * chosen by multiplexers over the branches' conditions. So no net depends on how a value was reached, only on what it
 * is, and a stream's `fire` is a cell like any other.
 *
 * lower_value.c    values, pointers and their choice
 * lower_cells.c    objects, loads and stores
 * lower_ram.c      state arrays that are RAMs
 * lower_gate.c     where paths meet
 * lower_prove.c    what conditions exclude
 * lower_arithmetic.c, lower_instruction.c, lower_call.c   the instructions
 * lower.c          the function, and the design that comes of it
 */
#ifndef CIPU_HLSC_LOWER_H
#define CIPU_HLSC_LOWER_H

#include "tools/hlsc/front.h"
#include "tools/hlsc/layout.h"

#define POINTER_TERMS 4u
#define LOWER_NO_CELL UINT32_MAX

enum object_kind {
    OBJECT_LOCAL,
    OBJECT_STATE,
    OBJECT_INPUT,  /* the record that was read */
    OBJECT_OUTPUT, /* the record that is open */
    OBJECT_CONSTANT,
    OBJECT_STREAM, /* the stream argument itself */
    OBJECT_NULL,
};

struct object {
    enum object_kind kind;
    const char *name;
    uint32_t bytes;
    uint32_t stream;     /* of inputs, outputs and streams */
    uint32_t first_cell; /* locals, outputs; the state has state_cells */
    uint32_t written;    /* outputs: first cell of as many bits, each that the byte was written */
    const net_id *fixed; /* inputs and constants: their bytes */
};

/* An offset of `index` * `stride` bytes, where the index is below `limit` (0 = unknown). */
struct pointer_term {
    net_id index; /* 64 bits, signed */
    uint64_t stride;
    uint64_t limit;
};

/* Where a pointer leads: a place in an object, or a choice between two pointers. */
struct pointer {
    const struct object *object; /* NULL: the choice */
    int64_t offset;
    struct pointer_term terms[POINTER_TERMS];
    uint32_t term_count;
    net_id condition;
    const struct pointer *then, *otherwise;
};

/* Of an LLVM value: a net (NET_NONE = undefined), a pointer, or several values (vectors, small structs). */
struct value {
    net_id net;
    const struct pointer *pointer;
    const struct value *elements;
    uint32_t count;
};

/* The cells of a RAM: what the activation reads and writes so far. */
struct ram {
    const struct layout_field *field;
    uint32_t index;                         /* in the design */
    uint32_t read_enable[DESIGN_RAM_READS]; /* cells: 1 bit */
    uint32_t read_address[DESIGN_RAM_READS];
    uint32_t write_enable;
    uint32_t write_address;
    uint32_t write_bytes; /* first of as many cells as the word has bytes; NET_NONE = as it was */
    uint32_t reads;       /* ports in use by any path */
};

/* The cells of a stream. */
struct stream {
    const struct front_stream *front;
    const struct object *argument;
    const struct object *record;
    uint32_t fire;   /* cell: 1 bit */
    uint32_t pushed; /* outputs: first of as many cells as the record has bytes */
    bool used;
};

struct block {
    LLVMBasicBlockRef llvm;
    struct block *dominator;
    struct block **successors; /* those that can be reached; switch: by case, then the default */
    uint32_t successor_count;
    net_id *conditions; /* of each successor but the last: taken when no earlier one holds */
    struct block **predecessors;
    uint32_t predecessor_count, predecessor_capacity;
    uint32_t order; /* topological */
    bool reached;
    bool in_region; /* scratch of lower_gate.c */
    struct value merged;
    net_id *cells; /* at its end */
    net_id path;   /* 1 bit: the activation comes here */
};

/* What each LLVM value is. */
struct value_map {
    const void **keys;
    struct value *values;
    size_t count, capacity;
};

struct lower {
    struct front *front;
    struct arena *arena;
    struct messages *messages;
    struct layout layout;
    struct design *design;
    struct netlist *netlist;
    struct stream *streams;
    struct ram *rams;
    uint32_t ram_count;
    const struct object *state;
    uint32_t *state_cells; /* the cell of each byte, or LOWER_NO_CELL */
    uint32_t cell_count;
    uint32_t port_cells; /* the first so many are RAM ports: chosen branch by branch, as a branch may depend on them */
    uint32_t wait_cell;
    struct block *blocks; /* in topological order */
    uint32_t block_count;
    struct block *block; /* under way */
    net_id *cells;       /* of that block */
    LLVMValueRef instruction;
    struct value_map values;
    struct object null;
};

/* Fills an empty design. Returns whether the kernel is good; messages say why not. */
bool lower_kernel(struct design *design, struct front *front);

/* ---- shared by the files of this folder named lower_* ---- */

void lower_error(struct lower *lower, enum message_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* lower_value.c */
void value_map_set(struct lower *lower, LLVMValueRef key, struct value value);
struct value lower_value(struct lower *lower, LLVMValueRef value);
/* The value as a net of the LLVM value's width; what is undefined is 0. */
net_id lower_net(struct lower *lower, LLVMValueRef value);
const struct pointer *lower_pointer(struct lower *lower, LLVMValueRef value);
uint32_t lower_width(struct lower *lower, LLVMTypeRef type);
struct value value_of_net(net_id net);
struct value value_of_pointer(const struct pointer *pointer);
struct value value_zero(struct lower *lower, LLVMTypeRef type);
/* condition ? then : otherwise; what is undefined gives way to the other. */
net_id lower_choose_net(struct lower *lower, net_id condition, net_id then, net_id otherwise);
struct value lower_choose(struct lower *lower, net_id condition, struct value then, struct value otherwise);
const struct pointer *pointer_to(struct lower *lower, const struct object *object, int64_t offset);
const struct pointer *pointer_step(struct lower *lower, const struct pointer *from, int64_t offset);
const struct pointer *pointer_step_index(struct lower *lower, const struct pointer *from, net_id index, uint64_t stride,
                                         uint64_t limit);
void value_map_free(struct value_map *map);

/* lower_cells.c: `bytes` nets of 8 bits, NET_NONE = undefined. */
void lower_load(struct lower *lower, const struct pointer *pointer, uint32_t bytes, net_id *to);
void lower_store(struct lower *lower, const struct pointer *pointer, uint32_t bytes, const net_id *from);
void cells_load(struct lower *lower, const net_id *cells, uint32_t size, const struct pointer *place, uint32_t bytes,
                net_id *to);
void cells_store(struct lower *lower, net_id *cells, uint32_t size, const struct pointer *place, uint32_t bytes,
                 const net_id *from);
net_id lower_join(struct lower *lower, const net_id *bytes, uint32_t count, uint32_t width);
void lower_split(struct lower *lower, net_id net, uint32_t count, net_id *bytes);

/* lower_ram.c */
struct ram *ram_of(struct lower *lower, const struct pointer *pointer);
void ram_load(struct lower *lower, struct ram *ram, const struct pointer *pointer, uint32_t bytes, net_id *to);
void ram_store(struct lower *lower, struct ram *ram, const struct pointer *pointer, uint32_t bytes, const net_id *from);
/* Before cells of several blocks are joined: bytes that only some of them write get the word's own. */
void ram_complete(struct lower *lower, struct block *const *blocks, uint32_t count);
void ram_finish(struct lower *lower, struct ram *ram);

/* lower_prove.c: PROOF_MAYBE = there is a state, or a record, for which it holds; PROOF_UNKNOWN = neither */
enum lower_proof { PROOF_NEVER, PROOF_MAYBE, PROOF_UNKNOWN };
enum lower_proof lower_prove_never(struct lower *lower, net_id net);

/* lower_gate.c */
void gate_add_edge(struct lower *lower, struct block *from, struct block *to);
/* Sets the block's dominator, path and lower->cells from its predecessors. */
void gate_enter(struct lower *lower, struct block *block);
void gate_phi(struct lower *lower, LLVMValueRef phi);
struct block *gate_block(struct lower *lower, LLVMBasicBlockRef llvm);

/* lower_constant.c */
const struct object *lower_global(struct lower *lower, LLVMValueRef global);

/* lower_instruction.c */
const struct pointer *lower_element_pointer(struct lower *lower, LLVMValueRef instruction);
void lower_instruction(struct lower *lower, LLVMValueRef instruction);
/* lower_arithmetic.c: returns false if it is none. */
bool lower_arithmetic(struct lower *lower, LLVMValueRef instruction, struct value *result);
/* lower_call.c */
void lower_call(struct lower *lower, LLVMValueRef call);

#endif
