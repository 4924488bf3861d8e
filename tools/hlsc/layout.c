/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/layout.h"

#include "tools/hlsc/memory.h"

#include <llvm-c/DebugInfo.h>

#define DIMENSIONS_MAX 4u

/* Operands of LLVM's debug information nodes. */
enum {
    SUBPROGRAM_TYPE = 4,
    SUBROUTINE_TYPES = 3,
    TYPE_NAME = 2,
    TYPE_BASE = 3,
    COMPOSITE_ELEMENTS = 4,
    SUBRANGE_COUNT = 0,
};

struct reader {
    struct layout *layout;
    const struct front *front;
};

/* A piece of the state: what has this type from this byte on. */
struct piece {
    LLVMMetadataRef type;
    const char *name;
    uint32_t offset;
    struct net_place place;
};

struct array {
    LLVMMetadataRef element;
    uint64_t dimensions[DIMENSIONS_MAX];
    uint32_t count;
};

static void read_piece(struct reader *reader, struct piece piece, bool in_ram);

static LLVMValueRef operand(const struct front *front, LLVMMetadataRef node, uint32_t index)
{
    LLVMValueRef value = LLVMMetadataAsValue(front->context, node);
    uint32_t count = LLVMGetMDNodeNumOperands(value);
    if (index >= count)
        return NULL;
    LLVMValueRef *operands = arena_new(front->arena, count, sizeof *operands);
    LLVMGetMDNodeOperands(value, operands);
    return operands[index];
}

static LLVMMetadataRef operand_node(const struct front *front, LLVMMetadataRef node, uint32_t index)
{
    LLVMValueRef value = operand(front, node, index);
    return value != NULL ? LLVMValueAsMetadata(value) : NULL;
}

static bool is_kind(LLVMMetadataRef node, unsigned kind)
{
    return node != NULL && LLVMGetMetadataKind(node) == kind;
}

/* Behind typedef and const, which have no size of their own. */
static LLVMMetadataRef plain(const struct front *front, LLVMMetadataRef type)
{
    while (is_kind(type, LLVMDIDerivedTypeMetadataKind) && LLVMDITypeGetSizeInBits(type) == 0)
        type = operand_node(front, type, TYPE_BASE);
    return type;
}

static uint32_t bytes_of(const struct front *front, LLVMMetadataRef type)
{
    type = plain(front, type);
    return type != NULL ? (uint32_t)(LLVMDITypeGetSizeInBits(type) / 8) : 0;
}

static uint32_t element_count(const struct front *front, LLVMMetadataRef type)
{
    LLVMValueRef elements = operand(front, type, COMPOSITE_ELEMENTS);
    return elements != NULL ? LLVMGetMDNodeNumOperands(elements) : 0;
}

static LLVMMetadataRef element(const struct front *front, LLVMMetadataRef type, uint32_t index)
{
    return operand_node(front, operand_node(front, type, COMPOSITE_ELEMENTS), index);
}

static bool refuse(const struct reader *reader, const struct piece *piece, const char *what)
{
    message_error(reader->front->messages, piece->place, MESSAGE_STATE, "state field '%s' is %s", piece->name, what);
    return false;
}

static bool is_float(LLVMMetadataRef type)
{
    size_t length;
    const char *name = LLVMDITypeGetName(type, &length);
    return strstr(name, "float") != NULL || strstr(name, "double") != NULL;
}

static void add_field(struct reader *reader, const struct piece *piece, uint32_t bytes, uint32_t entries)
{
    struct layout *layout = reader->layout;
    layout->fields = memory_grow(layout->fields, &layout->capacity, layout->count + 1, sizeof *layout->fields);
    layout->fields[layout->count++] = (struct layout_field){piece->name, piece->offset, bytes, entries, piece->place};
}

static void add_register(struct reader *reader, const struct piece *piece, uint32_t bytes, bool in_ram)
{
    for (uint32_t i = 0; i < bytes; i++)
        reader->layout->meaningful[piece->offset + i] = true;
    if (!in_ram)
        add_field(reader, piece, bytes, 0);
}

static bool read_array(const struct front *front, LLVMMetadataRef type, struct array *array)
{
    array->count = element_count(front, type);
    array->element = plain(front, operand_node(front, type, TYPE_BASE));
    if (array->count == 0 || array->count > DIMENSIONS_MAX)
        return false;
    for (uint32_t i = 0; i < array->count; i++) {
        LLVMMetadataRef range = element(front, type, i);
        LLVMValueRef count = is_kind(range, LLVMDISubrangeMetadataKind) ? operand(front, range, SUBRANGE_COUNT) : NULL;
        if (count == NULL || !LLVMIsAConstantInt(count))
            return false;
        array->dimensions[i] = LLVMConstIntGetZExtValue(count);
    }
    return true;
}

/* Dimension by dimension; the last one of bytes is one register. */
static void read_dimension(struct reader *reader, struct piece piece, const struct array *array, uint32_t dimension,
                           bool in_ram)
{
    uint32_t bytes = bytes_of(reader->front, array->element);
    uint64_t inner = 1;
    for (uint32_t i = dimension + 1; i < array->count; i++)
        inner *= array->dimensions[i];
    if (dimension == array->count) {
        piece.type = array->element;
        read_piece(reader, piece, in_ram);
        return;
    }
    uint32_t entries = (uint32_t)array->dimensions[dimension], stride = (uint32_t)inner * bytes;
    if (!in_ram && entries >= LAYOUT_RAM_ENTRIES) {
        add_field(reader, &piece, stride, entries);
        read_dimension(reader, piece, array, dimension + 1, true);
        return;
    }
    if (dimension + 1 == array->count && bytes == 1) {
        add_register(reader, &piece, entries, in_ram);
        return;
    }
    for (uint32_t i = 0; i < entries; i++) {
        struct piece part = {piece.type, arena_format(reader->front->arena, "%s_%u", piece.name, i),
                             piece.offset + i * stride, piece.place};
        read_dimension(reader, part, array, dimension + 1, in_ram);
    }
}

static void read_member(struct reader *reader, const struct piece *whole, LLVMMetadataRef member, uint32_t index,
                        bool in_ram)
{
    size_t length;
    const char *name = LLVMDITypeGetName(member, &length);
    struct piece part = {operand_node(reader->front, member, TYPE_BASE), NULL,
                         whole->offset + (uint32_t)(LLVMDITypeGetOffsetInBits(member) / 8), whole->place};
    part.name = *whole->name != 0 ? arena_format(reader->front->arena, "%s_%.*s", whole->name, (int)length, name)
                                  : arena_text(reader->front->arena, name, length);
    part.place.line = LLVMDITypeGetLine(member);
    if ((LLVMDITypeGetFlags(member) & LLVMDIFlagBitField) != 0)
        refuse(reader, &part, "a bit-field");
    else if (index > 0 && LLVMDITypeGetOffsetInBits(member) == 0)
        refuse(reader, &part, "a member of a union");
    else
        read_piece(reader, part, in_ram);
}

static void read_composite(struct reader *reader, const struct piece *piece, LLVMMetadataRef type, bool in_ram)
{
    const struct front *front = reader->front;
    struct array array;
    uint32_t count = element_count(front, type);
    if (read_array(front, type, &array)) {
        read_dimension(reader, *piece, &array, 0, in_ram);
    } else if (count > 0 && is_kind(element(front, type, 0), LLVMDIEnumeratorMetadataKind)) {
        add_register(reader, piece, bytes_of(front, type), in_ram);
    } else {
        for (uint32_t i = 0; i < count; i++)
            read_member(reader, piece, element(front, type, i), i, in_ram);
    }
}

static void read_piece(struct reader *reader, struct piece piece, bool in_ram)
{
    LLVMMetadataRef type = plain(reader->front, piece.type);
    if (type == NULL)
        refuse(reader, &piece, "of unknown type");
    else if (is_kind(type, LLVMDIBasicTypeMetadataKind) && is_float(type))
        refuse(reader, &piece, "a floating point number");
    else if (is_kind(type, LLVMDIBasicTypeMetadataKind))
        add_register(reader, &piece, bytes_of(reader->front, type), in_ram);
    else if (is_kind(type, LLVMDICompositeTypeMetadataKind))
        read_composite(reader, &piece, type, in_ram);
    else
        refuse(reader, &piece, "a pointer");
}

void layout_read(struct layout *layout, const struct front *front)
{
    memset(layout, 0, sizeof *layout);
    if (!front->has_state)
        return;
    struct reader reader = {layout, front};
    LLVMMetadataRef program = LLVMGetSubprogram(front->kernel);
    LLVMMetadataRef type = program != NULL ? operand_node(front, program, SUBPROGRAM_TYPE) : NULL;
    LLVMMetadataRef types = type != NULL ? operand_node(front, type, SUBROUTINE_TYPES) : NULL;
    LLVMMetadataRef pointer = types != NULL ? plain(front, operand_node(front, types, 1)) : NULL;
    LLVMMetadataRef state =
        is_kind(pointer, LLVMDIDerivedTypeMetadataKind) ? plain(front, operand_node(front, pointer, TYPE_BASE)) : NULL;
    if (!is_kind(state, LLVMDICompositeTypeMetadataKind)) {
        message_error(front->messages, front->place, MESSAGE_ARGUMENTS,
                      "the first argument is no pointer to a struct, the state");
        return;
    }
    layout->bytes = bytes_of(front, state);
    layout->meaningful = arena_new(front->arena, layout->bytes + 1, sizeof *layout->meaningful);
    struct piece whole = {state, "", 0, front->place};
    read_piece(&reader, whole, false);
}
