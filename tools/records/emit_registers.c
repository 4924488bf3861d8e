/* SPDX-License-Identifier: Apache-2.0 */
/* docs/registers.md: the blocks of the register file, register by register. */
#include <string.h>

#include "tools/records/model.h"

static const struct constant *find_constant(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->constant_count; i++)
        if (strcmp(model->constants[i].name, name) == 0)
            return &model->constants[i];
    return NULL;
}

#define SPELT_OUT 8u /* a longer array has one row for all its elements */

/* `step`: what an offset has besides its number. */
static void emit_fields(const struct record *record, uint32_t base, const char *step, const char *prefix, FILE *out)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct field *field = &record->fields[i];
        uint32_t count = field->count ? field->count : 1;
        if (strncmp(field->name, "reserved", 8) == 0)
            continue;
        bool one_row = count > SPELT_OUT;
        char every[32];
        snprintf(every, sizeof every, " + n * 0x%x", field->bytes);
        for (uint32_t n = 0; n < (one_row ? 1 : count); n++) {
            char name[128];
            const char *dot = field->record ? "." : "";
            if (one_row)
                snprintf(name, sizeof name, "%.40s%.40s[n]%s", prefix, field->name, dot);
            else if (field->count)
                snprintf(name, sizeof name, "%.40s%.40s[%u]%s", prefix, field->name, n, dot);
            else
                snprintf(name, sizeof name, "%.40s%.40s%s", prefix, field->name, dot);
            uint32_t at = base + field->offset + n * field->bytes;
            if (field->record)
                emit_fields(field->record, at, one_row ? every : step, name, out);
            else
                fprintf(out, "| `0x%03x%s` | `%s` | %s |\n", at, one_row ? every : step, name, field->comment);
        }
    }
}

/* A block is a record with the constant NAME_OFFSET. */
static void emit_block(const struct model *model, const struct record *record, FILE *out)
{
    char name[128];
    snprintf(name, sizeof name, "%.100s_OFFSET", record->name);
    for (char *c = name; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    const struct constant *offset = find_constant(model, name);
    if (!offset)
        return;
    fprintf(out, "\n## `%s`\n\n%s%s| offset | register | |\n|---|---|---|\n", record->name, record->comment,
            *record->comment ? "\n\n" : "");
    emit_fields(record, (uint32_t)offset->value, "", "", out);
}

void emit_registers(const struct model *model, const char *header, FILE *out)
{
    fprintf(out,
            "# Registers\n\n"
            "Made by `make docs` from `%s`, which is their only declaration: do not edit. Registers are 32 bits wide,\n"
            "little endian. Software walks the list of blocks from offset 0: each begins with its type, version, "
            "length in\n"
            "bytes and the offset of the next one (0 = none).\n",
            header);
    for (size_t i = 0; i < model->record_count; i++)
        if (strcmp(model->records[i]->header, header) == 0)
            emit_block(model, model->records[i], out);
}
