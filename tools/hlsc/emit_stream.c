/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When activations begin, and what becomes of their records. Nothing under way ever stops: an activation begins only if
 * each output's FIFO has a slot for it, which is promised to it until it has pushed or passed.
 */
#include "tools/hlsc/emit_parts.h"

static bool is_output(const struct design *design, uint32_t stream)
{
    return design->streams[stream].direction == STREAM_OUTPUT;
}

/* An output that is ever pushed. */
static bool is_pushed(const struct design *design, uint32_t stream)
{
    return is_output(design, stream) && design->streams[stream].fire != NET_NONE;
}

/* A slot was promised to the activation in a stage. */
static void emit_take(const char *name, uint32_t stage, FILE *out)
{
    if (stage == 0)
        fprintf(out, "wire %s_take0 = %s_room;\n", name, name);
    else
        fprintf(out, "reg %s_take%u;\n", name, stage);
}

void emit_stream_declarations(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const char *name = design->streams[i].name;
        uint32_t log2 = emit_fifo_log2(names->schedule, i);
        if (!is_output(design, i))
            continue;
        if (!is_pushed(design, i)) {
            fprintf(out, "wire %s_room /* verilator public_flat_rd */ = 1'b1;\n", name);
            continue;
        }
        fprintf(out, "reg [%u:0] %s_fifo [0:%u];\n", 8 * design->streams[i].bytes - 1, name, (1u << log2) - 1);
        fprintf(out, "reg [%u:0] %s_head, %s_tail;\n", log2 - 1, name, name);
        fprintf(out, "reg [%u:0] %s_count, %s_credit;\n", log2, name, name);
        fprintf(out, "wire %s_room /* verilator public_flat_rd */ = |%s_credit;\n", name, name);
        for (uint32_t stage = 0; !emit_always_room(design, i) && stage <= names->schedule->push[i]; stage++)
            emit_take(name, stage, out);
    }
}

/* A guarded RAM's word is on its way to be written. */
static void emit_guard(const struct emit_names *names, uint32_t index, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct design_ram *ram = &schedule->design->rams[index];
    fprintf(out, "wire %s_guard = 1'b0", ram->name);
    for (uint32_t stage = 1; stage <= schedule->rams[index].write; stage++) {
        for (uint32_t port = 0; port < ram->read_count; port++) {
            fprintf(out, "\n    | (active_%u & (", stage);
            emit_reference(names, ram->reads[port].address, 0, out);
            fprintf(out, " == ");
            emit_reference(names, ram->write_address, stage, out);
            fprintf(out, "))");
        }
    }
    fprintf(out, ";\n");
}

static void emit_interval(uint32_t interval, FILE *out)
{
    if (interval == 1)
        return;
    uint32_t width = design_address_width(interval);
    fprintf(out, "// An activation every %u cycles at most.\nreg ", interval);
    emit_range(width, out);
    fprintf(out,
            "pause;\nalways @(posedge clk) begin\n    if (|pause) pause <= pause - %u'd1;\n"
            "    if (active_0) pause <= %u'd%u;\n    if (rst) pause <= %u'd0;\nend\n",
            width, width, interval - 1, width);
}

static void emit_ready(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        if (is_output(design, i))
            continue;
        fprintf(out, "assign %s_ready = ", stream->name);
        if (stream->fire == NET_NONE) {
            fprintf(out, "1'b0");
        } else {
            fprintf(out, "active_0 & ");
            emit_reference(names, stream->fire, 0, out);
        }
        fprintf(out, ";\n");
    }
}

/* No edge of the clock would change anything, nor anything leave: a simulation need not clock the module. */
static void emit_idle(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    fprintf(out, "assign idle = ~(");
    emit_reference(names, design->wait, 0, out);
    fprintf(out, ")");
    if (design->ram_count > 0)
        fprintf(out, " & ~clearing");
    if (names->schedule->interval > 1)
        fprintf(out, " & ~|pause");
    for (uint32_t stage = 1; stage < names->schedule->stages; stage++)
        fprintf(out, " & ~active_%u", stage);
    for (uint32_t i = 0; i < design->stream_count; i++)
        if (is_pushed(design, i))
            fprintf(out, " & ~|%s_count", design->streams[i].name);
    fprintf(out, ";\n");
}

void emit_issue(const struct emit_names *names, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct design *design = schedule->design;
    fprintf(out, "\n// ---- an activation begins\n");
    for (uint32_t i = 0; i < design->ram_count; i++)
        if (schedule->rams[i].guarded)
            emit_guard(names, i, out);
    emit_interval(schedule->interval, out);
    fprintf(out, "assign active_0 = ~rst & (");
    emit_reference(names, design->wait, 0, out);
    fprintf(out, ")");
    if (design->ram_count > 0)
        fprintf(out, " & ~clearing");
    if (schedule->interval > 1)
        fprintf(out, " & ~|pause");
    for (uint32_t i = 0; i < design->ram_count; i++)
        if (schedule->rams[i].guarded)
            fprintf(out, " & ~%s_guard", design->rams[i].name);
    fprintf(out, ";\n");
    if (schedule->stages > 1) {
        fprintf(out, "always @(posedge clk) begin\n");
        for (uint32_t stage = 1; stage < schedule->stages; stage++)
            fprintf(out, "    active_%u <= ~rst & active_%u;\n", stage, stage - 1);
        fprintf(out, "end\n");
    }
    emit_ready(names, out);
    emit_idle(names, out);
}

/* Slots that were promised are taken when an activation begins and come back when it does not push, or when the record
 * has left. */
static void emit_fifo(const struct emit_names *names, uint32_t index, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct design_stream *stream = &schedule->design->streams[index];
    const char *name = stream->name;
    uint32_t log2 = emit_fifo_log2(schedule, index), stage = schedule->push[index];
    bool always = emit_always_room(schedule->design, index);
    fprintf(out, "\n// ---- output %s\nwire %s_push = active_%u & ", name, name, stage);
    emit_reference(names, stream->fire, stage, out);
    fprintf(out, ";\nwire %s_pop = %s_valid & %s_ready;\n", name, name, name);
    fprintf(out, "wire %s_back = active_%u & ~%s_push", name, stage, name);
    if (!always)
        fprintf(out, " & %s_take%u", name, stage);
    fprintf(out, ";\nassign %s_valid = |%s_count;\nassign %s_data = %s_fifo[%s_head];\n", name, name, name, name, name);
    fprintf(out, "always @(posedge clk) begin\n    if (%s_push) %s_fifo[%s_tail] <= ", name, name, name);
    emit_reference(names, stream->data, stage, out);
    fprintf(out, ";\n");
    for (uint32_t i = 1; !always && i <= stage; i++)
        fprintf(out, "    %s_take%u <= %s_take%u;\n", name, i, name, i - 1);
    fprintf(out, "    if (%s_push) %s_tail <= %s_tail + %u'd1;\n", name, name, name, log2);
    fprintf(out, "    if (%s_pop) %s_head <= %s_head + %u'd1;\n", name, name, name, log2);
    fprintf(out, "    %s_count <= %s_count + {%u'd0, %s_push} - {%u'd0, %s_pop};\n", name, name, log2, name, log2,
            name);
    fprintf(out, "    %s_credit <= %s_credit + {%u'd0, %s_pop} + {%u'd0, %s_back} - {%u'd0, active_0", name, name, log2,
            name, log2, name, log2);
    fprintf(out, always ? "};\n" : " & %s_take0};\n", name);
    fprintf(out,
            "    if (rst) begin\n        %s_head <= %u'd0;\n        %s_tail <= %u'd0;\n        %s_count <= %u'd0;\n"
            "        %s_credit <= %u'd%u;\n    end\nend\n",
            name, log2, name, log2, name, log2 + 1, name, log2 + 1, 1u << log2);
}

/* A record that is offered stays until it is taken. */
static void emit_input_checks(const struct design_stream *stream, FILE *out)
{
    const char *name = stream->name;
    fprintf(out,
            "reg %s_waited;\nreg [%u:0] %s_before;\nalways @(posedge clk) begin\n"
            "    %s_waited <= ~rst & %s_valid & ~%s_ready;\n    %s_before <= %s_data;\n"
            "    if (~rst) begin\n        assert (~%s_waited | (%s_valid & (%s_data == %s_before)));\n"
            "        assert (~%s_ready | %s_valid);\n    end\nend\n",
            name, 8 * stream->bytes - 1, name, name, name, name, name, name, name, name, name, name, name, name);
}

static void emit_output_checks(const char *name, uint32_t log2, FILE *out)
{
    fprintf(out,
            "always @(posedge clk) begin\n    if (~rst) begin\n"
            "        assert (~(%s_push & ~%s_pop) | %s_count != %u'd%u);\n"
            "        assert (%s_credit <= %u'd%u);\n    end\nend\n",
            name, name, name, log2 + 1, 1u << log2, name, log2 + 1, 1u << log2);
}

/* The rules of the protocol, and what the compiler promises itself. */
static void emit_checks(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    fprintf(out, "\n`ifdef HLSC_CHECK\n");
    for (uint32_t i = 0; i < design->stream_count; i++) {
        if (is_pushed(design, i))
            emit_output_checks(design->streams[i].name, emit_fifo_log2(names->schedule, i), out);
        else if (!is_output(design, i))
            emit_input_checks(&design->streams[i], out);
    }
    fprintf(out, "`endif\n");
}

void emit_outputs(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    for (uint32_t i = 0; i < design->stream_count; i++) {
        if (is_pushed(design, i))
            emit_fifo(names, i, out);
        else if (is_output(design, i))
            fprintf(out, "assign %s_valid = 1'b0;\nassign %s_data = %u'd0;\n", design->streams[i].name,
                    design->streams[i].name, 8 * design->streams[i].bytes);
    }
    emit_checks(names, out);
}
