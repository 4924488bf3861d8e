/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/emit_names.h"

#include "tools/hlsc/memory.h"

#define INLINE_DEPTH 3u /* operations in one expression, one inside the other */

/* Words of SystemVerilog that C takes as names. */
static const char *const reserved[] = {
    "always",    "and",      "assert",        "assign",    "assume",    "automatic",  "before",      "begin",
    "bind",      "bit",      "buf",           "byte",      "cell",      "chandle",    "checker",     "class",
    "clk",       "config",   "cover",         "cross",     "deassign",  "design",     "disable",     "dist",
    "edge",      "end",      "event",         "expect",    "export",    "final",      "first_match", "force",
    "forever",   "fork",     "function",      "generate",  "genvar",    "global",     "idle",        "iff",
    "import",    "initial",  "inout",         "input",     "inside",    "instance",   "integer",     "interface",
    "join",      "large",    "let",           "liblist",   "library",   "local",      "logic",       "matches",
    "medium",    "module",   "nand",          "new",       "nor",       "not",        "null",        "or",
    "output",    "package",  "packed",        "parameter", "primitive", "priority",   "program",     "property",
    "protected", "pulldown", "pullup",        "pure",      "rand",      "randc",      "real",        "ref",
    "reg",       "release",  "repeat",        "reject_on", "restrict",  "rst",        "scalared",    "sequence",
    "small",     "solve",    "soft",          "specify",   "string",    "strong",     "super",       "supply0",
    "supply1",   "table",    "tagged",        "task",      "this",      "throughout", "time",        "timeprecision",
    "timeunit",  "tran",     "tri",           "type",      "unique",    "until",      "untyped",     "use",
    "uwire",     "var",      "vectored",      "virtual",   "wait",      "wait_order", "wand",        "weak",
    "wildcard",  "wire",     "with",          "within",    "wor",       "xnor",       "xor",         "clearing",
    "dirty",     "written",  "clear_address", "pause"};

/* What clang and LLVM call values that have no name in C. */
static const char *const temporaries[] = {
    "add",      "and", "bf",     "brmerge", "call",    "cmp",  "cond", "conv",   "dec",     "div",
    "frombool", "inc", "land",   "lnot",    "loadedv", "lor",  "mul",  "narrow", "neg",     "not",
    "or",       "rem", "retval", "sel",     "sext",    "shl",  "shr",  "spec",   "storedv", "sub",
    "switch",   "tmp", "tobool", "trunc",   "umax",    "umin", "xor",  "zext"};

/* A hint that says something: its first word, without number, is none of LLVM's. */
static bool speaks(const char *name)
{
    size_t length = name != NULL ? strcspn(name, "0123456789.") : 0;
    for (size_t i = 0; i < sizeof temporaries / sizeof temporaries[0]; i++)
        if (strlen(temporaries[i]) == length && strncmp(name, temporaries[i], length) == 0)
            return false;
    return length > 0;
}

static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static char **find_name(const struct emit_names *names, const char *name)
{
    uint32_t i = hash_text(name);
    while (names->taken[i & (names->taken_capacity - 1)] != NULL &&
           strcmp(names->taken[i & (names->taken_capacity - 1)], name) != 0)
        i++;
    return &names->taken[i & (names->taken_capacity - 1)];
}

static void grow_names(struct emit_names *names)
{
    char **old = names->taken;
    uint32_t count = names->taken_capacity;
    names->taken_capacity = count == 0 ? 1024 : 2 * count;
    names->taken = memory_new(names->taken_capacity, sizeof *names->taken);
    for (uint32_t i = 0; i < count; i++)
        if (old[i] != NULL)
            *find_name(names, old[i]) = old[i];
    free(old);
}

const char *emit_unique(struct emit_names *names, const char *wanted)
{
    char name[160];
    snprintf(name, sizeof name, "%.120s", wanted);
    for (char *at = name; *at != '\0'; at++)
        if ((*at < 'a' || *at > 'z') && (*at < 'A' || *at > 'Z') && (*at < '0' || *at > '9'))
            *at = '_';
    size_t length = strlen(name);
    for (uint32_t i = 2; *find_name(names, name) != NULL; i++)
        snprintf(name + length, sizeof name - length, "_v%u", i);
    if (2 * ++names->taken_count > names->taken_capacity)
        grow_names(names);
    size_t bytes = strlen(name) + 1;
    char *copy = memory_new(bytes, 1);
    memcpy(copy, name, bytes);
    *find_name(names, name) = copy;
    return copy;
}

static void name_node(struct emit_names *names, net_id id)
{
    const struct design *design = names->schedule->design;
    const struct net_node *node = net_get(&design->netlist, id);
    char name[160];
    if (node->op == NET_REGISTER) {
        names->base[id] = names->state[node->index];
        return;
    }
    switch ((enum net_op)node->op) {
    case NET_STREAM_DATA:
        snprintf(name, sizeof name, "%s_data", design->streams[node->index].name);
        break;
    case NET_STREAM_VALID:
        snprintf(name, sizeof name, "%s_valid", design->streams[node->index].name);
        break;
    case NET_STREAM_ROOM:
        snprintf(name, sizeof name, "%s_room", design->streams[node->index].name);
        break;
    case NET_RAM_DATA:
        snprintf(name, sizeof name, "%s_word%u", design->rams[node->index].name, node->low);
        break;
    default:
        if (speaks(node->name))
            snprintf(name, sizeof name, "%s", node->name);
        else
            snprintf(name, sizeof name, "n%u", id);
        break;
    }
    /* Leaves were given their names by their owners. */
    names->base[id] = node->count == 0 ? *find_name(names, name) : emit_unique(names, name);
}

/* Port and state names are fixed before all others. */
static void name_interface(struct emit_names *names)
{
    const struct design *design = names->schedule->design;
    static const char *const suffixes[] = {"valid", "ready", "data", "room"};
    char name[160];
    for (uint32_t i = 0; i < design->stream_count; i++) {
        for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++) {
            snprintf(name, sizeof name, "%s_%s", design->streams[i].name, suffixes[j]);
            emit_unique(names, name);
        }
    }
    for (uint32_t i = 0; i < design->ram_count; i++) {
        for (uint32_t port = 0; port < design->rams[i].read_count; port++) {
            snprintf(name, sizeof name, "%s_word%u", design->rams[i].name, port);
            emit_unique(names, name);
        }
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        names->state[i] = emit_unique(names, design->registers[i].name);
}

/* Nodes that are used once, as a whole and in their own stage, are written where they are used. */
static void find_inlined(struct emit_names *names)
{
    const struct schedule *schedule = names->schedule;
    const struct netlist *netlist = &schedule->design->netlist;
    uint32_t *uses = memory_new(schedule->node_count, sizeof *uses);
    uint8_t *depth = memory_new(schedule->node_count, sizeof *depth);
    for (net_id id = 1; id < schedule->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        for (uint32_t i = 0; (schedule_is_source(schedule, id) || schedule_is_wire(node)) && i < node->count; i++) {
            net_id operand = net_operand(netlist, id, i);
            bool fits = schedule_is_source(schedule, id) && schedule->stage[operand] == schedule->stage[id];
            uses[operand] += fits ? 1 : 2;
        }
    }
    for (net_id id = 1; id < schedule->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        uint32_t inner = 0;
        for (uint32_t i = 0; i < node->count; i++) {
            net_id operand = net_operand(netlist, id, i);
            inner = names->inlined[operand] && depth[operand] > inner ? depth[operand] : inner;
        }
        depth[id] = (uint8_t)(inner + 1);
        /* A signed shift within an unsigned expression would be unsigned. */
        names->inlined[id] = schedule_is_source(schedule, id) && node->count > 0 && !speaks(node->name) &&
                             node->op != NET_ASHR && uses[id] == 1 && inner + 1 < INLINE_DEPTH;
    }
    free(uses);
    free(depth);
}

/* What others than nodes refer to has a name. */
static void keep(struct emit_names *names, net_id id)
{
    if (id != NET_NONE)
        names->inlined[id] = 0;
}

static void keep_ends(struct emit_names *names)
{
    const struct design *design = names->schedule->design;
    keep(names, design->wait);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        keep(names, design->streams[i].fire);
        keep(names, design->streams[i].data);
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        keep(names, design->registers[i].next);
    for (uint32_t i = 0; i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        keep(names, ram->write_enable);
        keep(names, ram->write_address);
        keep(names, ram->write_data);
        for (uint32_t port = 0; port < ram->read_count; port++)
            keep(names, ram->reads[port].address);
    }
}

/* The other signals of the module. */
static void name_control(struct emit_names *names)
{
    const struct schedule *schedule = names->schedule;
    static const char *const of_stream[] = {"fifo", "head", "tail", "count",  "credit", "push",
                                            "pop",  "take", "back", "waited", "before"};
    static const char *const of_ram[] = {"memory", "read", "write", "write_address", "write_word", "guard"};
    char name[160];
    for (uint32_t i = 0; i < schedule->design->stream_count; i++) {
        for (size_t j = 0; j < sizeof of_stream / sizeof of_stream[0]; j++) {
            snprintf(name, sizeof name, "%s_%s", schedule->design->streams[i].name, of_stream[j]);
            emit_unique(names, name);
        }
    }
    for (uint32_t i = 0; i < schedule->design->ram_count; i++) {
        for (size_t j = 0; j < sizeof of_ram / sizeof of_ram[0]; j++) {
            snprintf(name, sizeof name, "%s_%s", schedule->design->rams[i].name, of_ram[j]);
            emit_unique(names, name);
        }
    }
}

void emit_names_init(struct emit_names *names, const struct schedule *schedule)
{
    memset(names, 0, sizeof *names);
    names->schedule = schedule;
    names->base = memory_new(schedule->node_count, sizeof *names->base);
    names->state = memory_new(schedule->design->register_count, sizeof *names->state);
    names->inlined = memory_new(schedule->node_count, sizeof *names->inlined);
    grow_names(names);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        emit_unique(names, reserved[i]);
    name_interface(names);
    name_control(names);
    find_inlined(names);
    keep_ends(names);
    for (net_id id = 1; id < schedule->node_count; id++)
        if (schedule_is_source(schedule, id) && !names->inlined[id])
            name_node(names, id);
}

void emit_names_free(struct emit_names *names)
{
    for (uint32_t i = 0; i < names->taken_capacity; i++)
        free(names->taken[i]);
    free(names->taken);
    free(names->base);
    free(names->state);
    free(names->inlined);
}

void emit_range(uint32_t width, FILE *out)
{
    if (width > 1)
        fprintf(out, "[%u:0] ", width - 1);
}

static void emit_constant(const struct netlist *netlist, net_id id, uint32_t low, uint32_t width, FILE *out)
{
    uint64_t word = net_constant_bits(netlist, id, low);
    if (width <= 10) {
        fprintf(out, "%u'd%u", width, (unsigned)(word & ((1u << width) - 1u)));
        return;
    }
    fprintf(out, "%u'h", width);
    bool begun = false;
    for (uint32_t digit = (width + 3) / 4; digit-- > 0;) {
        uint32_t bits = width - 4 * digit < 4 ? width - 4 * digit : 4;
        uint32_t value = (uint32_t)net_constant_bits(netlist, id, low + 4 * digit) & ((1u << bits) - 1u);
        begun |= value != 0 || digit == 0;
        if (begun)
            fprintf(out, "%x", value);
    }
}

uint32_t emit_piece_end(const struct schedule *schedule, net_id id, uint32_t low, uint32_t stage)
{
    uint32_t width = net_width(&schedule->design->netlist, id), end = low;
    const uint16_t *last = schedule->last[id];
    while (end < width && last[end] != SCHEDULE_UNUSED && last[end] >= stage)
        end++;
    return end;
}

void emit_piece(const struct emit_names *names, net_id id, uint32_t low, uint32_t end, uint32_t stage, FILE *out)
{
    if (low == 0 && end == net_width(&names->schedule->design->netlist, id))
        fprintf(out, "%s_at%u", names->base[id], stage);
    else
        fprintf(out, "%s_b%u_at%u", names->base[id], low, stage);
}

static void emit_bits(uint32_t low, uint32_t width, uint32_t of, FILE *out)
{
    if (width == of)
        return;
    if (width == 1)
        fprintf(out, "[%u]", low);
    else
        fprintf(out, "[%u:%u]", low + width - 1, low);
}

static void emit_source(const struct emit_names *names, net_id id, uint32_t low, uint32_t width, uint32_t stage,
                        FILE *out)
{
    const struct schedule *schedule = names->schedule;
    uint32_t of = net_width(&schedule->design->netlist, id);
    if (names->inlined[id]) {
        fputc('(', out);
        emit_expression(names, id, out);
        fputc(')', out);
    } else if (stage <= schedule_settled(schedule, id)) {
        fputs(names->base[id], out);
        emit_bits(low, width, of, out);
    } else {
        uint32_t begin = low;
        while (begin > 0 && schedule->last[id][begin - 1] != SCHEDULE_UNUSED && schedule->last[id][begin - 1] >= stage)
            begin--;
        uint32_t end = emit_piece_end(schedule, id, low, stage);
        emit_piece(names, id, begin, end, stage, out);
        emit_bits(low - begin, width, end - begin, out);
    }
}

/* Copies of one bit, as a sign extension has them: the number of equal operands from `i` downwards. */
static uint32_t equal_operands(const struct netlist *netlist, net_id id, uint32_t i)
{
    uint32_t count = 1;
    while (count <= i && net_operand(netlist, id, i - count) == net_operand(netlist, id, i))
        count++;
    return count;
}

/* The highest bits come first. */
static void emit_concat(const struct emit_names *names, net_id id, uint32_t low, uint32_t width, uint32_t stage,
                        FILE *out)
{
    const struct netlist *netlist = &names->schedule->design->netlist;
    uint32_t end = net_width(netlist, id), total = end;
    const char *before = "{";
    for (uint32_t i = net_get(netlist, id)->count; i-- > 0;) {
        net_id part = net_operand(netlist, id, i);
        uint32_t at = end - net_width(netlist, part);
        uint32_t from = low > at ? low : at, to = low + width < end ? low + width : end;
        uint32_t copies = width == total ? equal_operands(netlist, id, i) : 1;
        if (from < to) {
            fputs(before, out);
            before = ", ";
            if (copies > 1)
                fprintf(out, "{%u{", copies);
            emit_slice(names, part, from - at, to - from, stage, out);
            if (copies > 1)
                fputs("}}", out);
        }
        end = at - (copies - 1) * net_width(netlist, part);
        i -= copies - 1;
    }
    fputc('}', out);
}

void emit_slice(const struct emit_names *names, net_id id, uint32_t low, uint32_t width, uint32_t stage, FILE *out)
{
    const struct netlist *netlist = &names->schedule->design->netlist;
    const struct net_node *node = net_get(netlist, id);
    if (node->op == NET_CONSTANT)
        emit_constant(netlist, id, low, width, out);
    else if (node->op == NET_SLICE)
        emit_slice(names, net_operand(netlist, id, 0), low + node->low, width, stage, out);
    else if (node->op == NET_CONCAT)
        emit_concat(names, id, low, width, stage, out);
    else
        emit_source(names, id, low, width, stage, out);
}

void emit_reference(const struct emit_names *names, net_id id, uint32_t stage, FILE *out)
{
    emit_slice(names, id, 0, net_width(&names->schedule->design->netlist, id), stage, out);
}

static void emit_operand(const struct emit_names *names, net_id id, uint32_t i, FILE *out)
{
    emit_reference(names, net_operand(&names->schedule->design->netlist, id, i), names->schedule->stage[id], out);
}

static void emit_binary(const struct emit_names *names, net_id id, const char *symbol, FILE *out)
{
    emit_operand(names, id, 0, out);
    fprintf(out, " %s ", symbol);
    emit_operand(names, id, 1, out);
}

static void emit_signed(const struct emit_names *names, net_id id, FILE *out)
{
    fputs("$signed(", out);
    emit_operand(names, id, 0, out);
    fputs(net_get(&names->schedule->design->netlist, id)->op == NET_SLT ? ") < $signed(" : ") >>> ", out);
    emit_operand(names, id, 1, out);
    if (net_get(&names->schedule->design->netlist, id)->op == NET_SLT)
        fputc(')', out);
}

void emit_expression(const struct emit_names *names, net_id id, FILE *out)
{
    static const char *const symbols[NET_OP_COUNT] = {
        [NET_AND] = "&", [NET_OR] = "|",  [NET_XOR] = "^", [NET_ADD] = "+",  [NET_SUB] = "-",
        [NET_MUL] = "*", [NET_EQ] = "==", [NET_ULT] = "<", [NET_SHL] = "<<", [NET_LSHR] = ">>",
    };
    switch ((enum net_op)net_get(&names->schedule->design->netlist, id)->op) {
    case NET_NOT:
        fputc('~', out);
        emit_operand(names, id, 0, out);
        break;
    case NET_ANY:
        fputc('|', out);
        emit_operand(names, id, 0, out);
        break;
    case NET_MUX:
        emit_operand(names, id, 0, out);
        fputs(" ? ", out);
        emit_operand(names, id, 1, out);
        fputs(" : ", out);
        emit_operand(names, id, 2, out);
        break;
    case NET_SLT:
    case NET_ASHR:
        emit_signed(names, id, out);
        break;
    default:
        emit_binary(names, id, symbols[net_get(&names->schedule->design->netlist, id)->op], out);
        break;
    }
}
