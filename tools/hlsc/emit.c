/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/emit.h"

#include "tools/hlsc/emit_names.h"
#include "tools/hlsc/emit_parts.h"
#include "tools/hlsc/memory.h"

uint32_t emit_fifo_log2(const struct schedule *schedule, uint32_t stream)
{
    uint32_t log2 = 2;
    while (1u << log2 < schedule->push[stream] + 2)
        log2++;
    return log2;
}

/* `net` can only hold where the stream has room. */
static bool implies_room(const struct netlist *netlist, net_id net, uint32_t stream)
{
    const struct net_node *node = net_get(netlist, net);
    if (node->op == NET_STREAM_ROOM)
        return node->index == stream;
    if (node->op != NET_AND && node->op != NET_OR)
        return false;
    bool first = implies_room(netlist, net_operand(netlist, net, 0), stream);
    bool second = implies_room(netlist, net_operand(netlist, net, 1), stream);
    return node->op == NET_AND ? first || second : first && second;
}

bool emit_always_room(const struct design *design, uint32_t stream)
{
    return implies_room(&design->netlist, design->wait, stream);
}

static bool is_output(const struct design_stream *stream)
{
    return stream->direction == STREAM_OUTPUT;
}

static void emit_header(const struct design *design, FILE *out)
{
    fprintf(out, "// Made by hlsc from %s.\n", design->source);
    fprintf(out, "/* verilator lint_off UNUSEDSIGNAL */ // records have fields that this kernel does not look at\n");
    fprintf(out, "module %s (\n    input wire clk,\n    input wire rst,\n", design->name);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        const char *in = is_output(stream) ? "output" : "input";
        fprintf(out, "    %s wire %s_valid,\n", in, stream->name);
        fprintf(out, "    %s wire %s_ready,\n", is_output(stream) ? "input" : "output", stream->name);
        fprintf(out, "    %s wire [%u:0] %s_data,%s%s\n", in, 8 * stream->bytes - 1, stream->name,
                stream->record != NULL ? " // " : "", stream->record != NULL ? stream->record : "");
    }
    fprintf(out, "    output wire idle\n);\n\n");
}

static void emit_state(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    fprintf(out, "// Stage i holds an activation; 0: one begins.\nwire active_0 /* verilator public_flat_rd */;\n");
    for (uint32_t stage = 1; stage < names->schedule->stages; stage++)
        fprintf(out, "reg active_%u;\n", stage);
    for (uint32_t i = 0; i < design->register_count; i++) {
        const struct design_register *state = &design->registers[i];
        fprintf(out, "reg ");
        emit_range(state->width, out);
        fprintf(out, "%s;\n", names->state[i]);
    }
}

/* Copies of what earlier stages made. */
static void emit_carried(const struct emit_names *names, uint32_t stage, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    char *text = NULL;
    size_t bytes = 0;
    FILE *copies = memory_check(open_memstream(&text, &bytes));
    for (net_id id = 1; id < schedule->node_count; id++) {
        uint32_t width = net_width(&schedule->design->netlist, id);
        if (!schedule_is_source(schedule, id) || stage <= schedule_settled(schedule, id))
            continue;
        for (uint32_t low = 0, end; low < width; low = end + 1) {
            end = emit_piece_end(schedule, id, low, stage);
            if (end == low)
                continue;
            fprintf(out, "reg ");
            emit_range(end - low, out);
            emit_piece(names, id, low, end, stage, out);
            fprintf(out, ";\n");
            fprintf(copies, "    ");
            emit_piece(names, id, low, end, stage, copies);
            fprintf(copies, " <= ");
            emit_slice(names, id, low, end - low, stage - 1, copies);
            fprintf(copies, ";\n");
        }
    }
    fclose(copies);
    if (bytes > 0)
        fprintf(out, "always @(posedge clk) begin\n%send\n", text);
    free(text);
}

static void emit_place(const struct net_place *place, struct net_place *before, FILE *out)
{
    if (place->file != NULL && (place->file != before->file || place->line != before->line))
        fprintf(out, "// %s:%u\n", place->file, place->line);
    *before = *place;
}

static void emit_stage(const struct emit_names *names, uint32_t stage, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct netlist *netlist = &schedule->design->netlist;
    struct net_place place = {NULL, 0};
    fprintf(out, "\n// ---- stage %u\n", stage);
    if (stage > 0)
        emit_carried(names, stage, out);
    for (net_id id = 1; id < schedule->node_count; id++) {
        const struct net_node *node = net_get(netlist, id);
        if (!schedule_is_source(schedule, id) || names->inlined[id] || node->count == 0 || schedule->stage[id] != stage)
            continue;
        emit_place(&node->place, &place, out);
        fprintf(out, "wire ");
        emit_range(node->width, out);
        fprintf(out, "%s = ", names->base[id]);
        emit_expression(names, id, out);
        fprintf(out, ";\n");
    }
}

static void emit_next_state(const struct emit_names *names, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct design *design = schedule->design;
    if (design->register_count == 0)
        return;
    fprintf(out, "\n// ---- state\nalways @(posedge clk) begin\n");
    for (uint32_t i = 0; i < design->register_count; i++) {
        fprintf(out, "    if (active_%u) %s <= ", schedule->registers[i].write, names->state[i]);
        emit_reference(names, design->registers[i].next, schedule->registers[i].write, out);
        fprintf(out, ";\n");
    }
    fprintf(out, "    if (rst) begin\n");
    for (uint32_t i = 0; i < design->register_count; i++) {
        fprintf(out, "        %s <= ", names->state[i]);
        emit_reference(names, design->registers[i].initial, 0, out);
        fprintf(out, ";\n");
    }
    fprintf(out, "    end\nend\n");
}

void emit_verilog(const struct schedule *schedule, FILE *out)
{
    struct emit_names names;
    emit_names_init(&names, schedule);
    emit_header(schedule->design, out);
    emit_state(&names, out);
    emit_ram_declarations(&names, out);
    emit_stream_declarations(&names, out);
    for (uint32_t stage = 0; stage < schedule->stages; stage++)
        emit_stage(&names, stage, out);
    emit_issue(&names, out);
    emit_next_state(&names, out);
    emit_rams(&names, out);
    emit_outputs(&names, out);
    fprintf(out, "\nendmodule\n/* verilator lint_on UNUSEDSIGNAL */\n");
    emit_names_free(&names);
}

static uint32_t ram_bits(const struct design *design)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < design->ram_count; i++)
        bits += design->rams[i].words * design->rams[i].width * design->rams[i].read_count;
    return bits;
}

/* Blocks of 36 kbit, 72 bits wide at most; one for each read port. */
static uint32_t ram_blocks(const struct design *design)
{
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        uint32_t deep = (ram->words + 511u) / 512u, wide = (ram->width + 71u) / 72u;
        uint32_t full = (ram->words * ram->width + 36863u) / 36864u;
        blocks += ram->read_count * (deep == 1 ? wide : full > wide ? full : wide);
    }
    return blocks;
}

void emit_report(const struct schedule *schedule, FILE *out)
{
    const struct design *design = schedule->design;
    uint32_t fifo_bits = 0, guarded = 0, longest = schedule->longest;
    for (uint32_t i = 0; i < design->stream_count; i++)
        if (is_output(&design->streams[i]))
            fifo_bits += (8u * design->streams[i].bytes) << emit_fifo_log2(schedule, i);
    for (uint32_t i = 0; i < design->ram_count; i++)
        guarded += schedule->rams[i].guarded;
    fprintf(
        out,
        "%s: stages %u, interval %u, state %u bits, pipeline %u bits, output FIFOs %u bits, RAM %u bits in %u blocks "
        "(%u guarded), longest path %.2f ns\n",
        design->name, schedule->stages, schedule->interval, schedule->state_bits, schedule->pipeline_bits, fifo_bits,
        ram_bits(design), ram_blocks(design), guarded, longest == NET_NONE ? 0.0 : schedule->arrival[longest] / 1000.0);
}
