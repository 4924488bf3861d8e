/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/design.h"

#include "tools/hlsc/memory.h"

void design_init(struct design *design, const char *name, const char *source)
{
    memset(design, 0, sizeof *design);
    design->name = name;
    design->source = source;
    net_init(&design->netlist);
}

void design_free(struct design *design)
{
    net_free(&design->netlist);
    free(design->streams);
    free(design->registers);
    free(design->rams);
    memset(design, 0, sizeof *design);
}

/* Room for one more zeroed element. */
static void *append(void *array, uint32_t *count, size_t bytes)
{
    array = memory_check(realloc(array, (*count + (size_t)1) * bytes));
    memset((char *)array + *count * bytes, 0, bytes);
    (*count)++;
    return array;
}

uint32_t design_add_stream(struct design *design, const char *name, enum stream_direction direction, uint32_t bytes)
{
    design->streams = append(design->streams, &design->stream_count, sizeof *design->streams);
    struct design_stream *stream = &design->streams[design->stream_count - 1];
    stream->name = name;
    stream->direction = direction;
    stream->bytes = bytes;
    return design->stream_count - 1;
}

uint32_t design_add_register(struct design *design, const char *name, uint32_t width)
{
    design->registers = append(design->registers, &design->register_count, sizeof *design->registers);
    design->registers[design->register_count - 1].name = name;
    design->registers[design->register_count - 1].width = width;
    return design->register_count - 1;
}

uint32_t design_add_ram(struct design *design, const char *name, uint32_t words, uint32_t width)
{
    design->rams = append(design->rams, &design->ram_count, sizeof *design->rams);
    struct design_ram *ram = &design->rams[design->ram_count - 1];
    ram->name = name;
    ram->words = words;
    ram->width = width;
    return design->ram_count - 1;
}

void design_visit(struct design *design, void (*visit)(net_id *net, void *context), void *context)
{
    visit(&design->wait, context);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        visit(&design->streams[i].fire, context);
        visit(&design->streams[i].data, context);
    }
    for (uint32_t i = 0; i < design->register_count; i++)
        visit(&design->registers[i].next, context);
    for (uint32_t i = 0; i < design->ram_count; i++) {
        struct design_ram *ram = &design->rams[i];
        visit(&ram->write_enable, context);
        visit(&ram->write_address, context);
        visit(&ram->write_data, context);
        for (uint32_t port = 0; port < ram->read_count; port++) {
            visit(&ram->reads[port].address, context);
            visit(&ram->reads[port].enable, context);
        }
    }
}

uint32_t design_address_width(uint32_t words)
{
    return words <= 2 ? 1u : 32u - (uint32_t)__builtin_clz(words - 1u);
}
