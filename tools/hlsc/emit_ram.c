/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RAMs: one memory for each read port, all written alike. A word that is written on the edge on which another
 * activation reads it is forwarded. After a reset all words are cleared, one address a cycle for all RAMs.
 */
#include "tools/hlsc/emit_parts.h"

static uint32_t address_max(const struct design *design)
{
    uint32_t width = 1;
    for (uint32_t i = 0; i < design->ram_count; i++) {
        uint32_t of = design_address_width(design->rams[i].words);
        width = of > width ? of : width;
    }
    return width;
}

static uint32_t words_max(const struct design *design)
{
    uint32_t words = 0;
    for (uint32_t i = 0; i < design->ram_count; i++)
        words = design->rams[i].words > words ? design->rams[i].words : words;
    return words;
}

/* The write of the activation before the one that reads falls on the same edge. */
static bool forwards(const struct schedule *schedule, uint32_t index, uint32_t port)
{
    const struct schedule_ram *placed = &schedule->rams[index];
    return !placed->guarded && placed->write == placed->address[port] + schedule->interval;
}

void emit_ram_declarations(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    if (design->ram_count == 0)
        return;
    fprintf(out, "reg clearing, dirty;\nreg ");
    emit_range(address_max(design), out);
    fprintf(out, "clear_address;\n");
    for (uint32_t i = 0; i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        fprintf(out, "wire %s_write;\nwire ", ram->name);
        emit_range(design_address_width(ram->words), out);
        fprintf(out, "%s_write_address;\nwire ", ram->name);
        emit_range(ram->width, out);
        fprintf(out, "%s_write_word;\n", ram->name);
        for (uint32_t port = 0; port < ram->read_count; port++) {
            fprintf(out, "reg ");
            emit_range(ram->width, out);
            fprintf(out, "%s_memory%u [0:%u];\n", ram->name, port, ram->words - 1);
            fprintf(out, "reg ");
            emit_range(ram->width, out);
            fprintf(out, "%s_word%u;\n", ram->name, port);
        }
    }
}

static void emit_initial(const struct design *design, FILE *out)
{
    fprintf(out, "initial begin\n    clearing = 1'b0;\n    dirty = 1'b0;\n"
                 "`ifndef SYNTHESIS // where block RAM is zero when it is given nothing else\n");
    for (uint32_t i = 0; i < design->ram_count; i++) {
        const struct design_ram *ram = &design->rams[i];
        for (uint32_t port = 0; port < ram->read_count; port++)
            fprintf(out, "    for (int i = 0; i < %u; i = i + 1) %s_memory%u[i] = %u'd0;\n", ram->words, ram->name,
                    port, ram->width);
    }
    fprintf(out, "`endif\nend\n");
}

static void emit_clear(const struct design *design, FILE *out)
{
    uint32_t width = address_max(design);
    fprintf(out, "\n// ---- RAMs\n");
    emit_initial(design, out);
    fprintf(out, "wire written = ");
    for (uint32_t i = 0; i < design->ram_count; i++)
        fprintf(out, "%s%s_write", i > 0 ? " | " : "", design->rams[i].name);
    fprintf(out,
            ";\nalways @(posedge clk) begin\n    if (written) dirty <= 1'b1;\n"
            "    if (clearing) clear_address <= clear_address + %u'd1;\n"
            "    if (clearing & (clear_address == %u'd%u)) begin\n        clearing <= 1'b0;\n        dirty <= 1'b0;\n  "
            "  end\n"
            "    if (rst) begin\n        clearing <= dirty | written;\n        dirty <= dirty | written;\n"
            "        clear_address <= %u'd0;\n    end\nend\n",
            width, width, words_max(design) - 1, width);
}

static void emit_write_port(const struct emit_names *names, uint32_t index, FILE *out)
{
    const struct design_ram *ram = &names->schedule->design->rams[index];
    uint32_t stage = names->schedule->rams[index].write, width = design_address_width(ram->words);
    bool written = ram->write_enable != NET_NONE;
    fprintf(out, "assign %s_write = clearing", ram->name);
    if (written) {
        fprintf(out, " | (active_%u & ", stage);
        emit_reference(names, ram->write_enable, stage, out);
        fputc(')', out);
    }
    fprintf(out, ";\nassign %s_write_address = ", ram->name);
    if (written)
        fprintf(out, "clearing ? ");
    fprintf(out, width == address_max(names->schedule->design) ? "clear_address" : "clear_address[%u:0]", width - 1);
    if (written) {
        fprintf(out, " : ");
        emit_reference(names, ram->write_address, stage, out);
    }
    fprintf(out, ";\nassign %s_write_word = ", ram->name);
    if (written) {
        fprintf(out, "clearing ? %u'd0 : ", ram->width);
        emit_reference(names, ram->write_data, stage, out);
    } else {
        fprintf(out, "%u'd0", ram->width);
    }
    fprintf(out, ";\n");
}

static void emit_read_port(const struct emit_names *names, uint32_t index, uint32_t port, FILE *out)
{
    const struct schedule *schedule = names->schedule;
    const struct design_ram *ram = &schedule->design->rams[index];
    uint32_t stage = schedule->rams[index].address[port];
    bool partial = (ram->words & (ram->words - 1)) != 0;
    fprintf(out, "always @(posedge clk) begin\n    if (%s_write", ram->name);
    if (partial)
        fprintf(out, " & (%s_write_address < %u'd%u)", ram->name, design_address_width(ram->words), ram->words);
    fprintf(out, ")\n        %s_memory%u[%s_write_address] <= %s_write_word;\n", ram->name, port, ram->name, ram->name);
    fprintf(out, "    %s_word%u <= %s_memory%u[", ram->name, port, ram->name, port);
    emit_reference(names, ram->reads[port].address, stage, out);
    fprintf(out, "];\n");
    if (forwards(schedule, index, port)) {
        fprintf(out, "    if (%s_write & (%s_write_address == ", ram->name, ram->name);
        emit_reference(names, ram->reads[port].address, stage, out);
        fprintf(out, "))\n        %s_word%u <= %s_write_word;\n", ram->name, port, ram->name);
    }
    fprintf(out, "end\n");
}

void emit_rams(const struct emit_names *names, FILE *out)
{
    const struct design *design = names->schedule->design;
    if (design->ram_count == 0)
        return;
    emit_clear(design, out);
    for (uint32_t i = 0; i < design->ram_count; i++) {
        emit_write_port(names, i, out);
        for (uint32_t port = 0; port < design->rams[i].read_count; port++)
            emit_read_port(names, i, port, out);
    }
}
