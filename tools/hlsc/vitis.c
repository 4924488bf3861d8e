/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/vitis.h"

/* The kernel language in C++, where a stream's argument is an hls::stream. */
static const char language[] =
    "#define CIPU_HLS_H\n"
    "#include <stdbool.h>\n"
    "#include <stddef.h>\n"
    "#include <stdint.h>\n"
    "#include <string.h>\n"
    "#include <hls_stream.h>\n"
    "\n"
    "#define HLS_INLINE static inline\n"
    "#define STEP(name, ...) static int name(__VA_ARGS__)\n"
    "#define ARBITER(name, ...) static int name(__VA_ARGS__)\n"
    "#define STEP_END return 1\n"
    "#define STREAM_IN(type, name) hls::stream<type> &name\n"
    "#define STREAM_IN_COND(type, name) hls::stream<type> &name\n"
    "#define STREAM_OUT(type, name) hls::stream<type> &name\n"
    "#define STREAM_CAN_READ(port) (!(port).empty())\n"
    "#define STREAM_CAN_WRITE(port) (!(port).full())\n"
    "#define STREAM_WAIT(condition) do { if (!(condition)) return 0; } while (0)\n"
    "#define STREAM_READ(type, name, port) const type name##_record = (port).read(); const type *name = "
    "&name##_record\n"
    "#define STREAM_OPEN(type, name, port) type name##_record; type *name = &name##_record\n"
    "#define STREAM_PUSH(type, name, port) (port).write(*(name))\n"
    "#define HLS_COPY(to, from, bytes) memcpy((to), (from), (bytes))\n"
    "#define HLS_ZERO(to, bytes) memset((to), 0, (bytes))\n"
    "#define HLS_SELDOM(condition) (condition)\n"
    "#define HLS_ALIGN(to, first, second, shift) do { \\\n"
    "    memcpy((uint8_t *)(to), (const uint8_t *)(first) + (shift), 64 - (shift)); \\\n"
    "    memcpy((uint8_t *)(to) + (64 - (shift)), (const uint8_t *)(second), (shift)); } while (0)\n"
    "#define HLS_WINDOW(to, bytes, from, from_bytes, offset) \\\n"
    "    hls_window((uint8_t *)(to), (bytes), (from), (from_bytes), (offset))\n"
    "#define HLS_VIEW(name, bytes, from, from_bytes, offset) const uint8_t *name = (from) + (offset)\n"
    "#define HLS_RECORD(type, name, from) const type *name = (const type *)(const void *)(from)\n"
    "\n"
    "HLS_INLINE void hls_window(uint8_t *to, uint32_t bytes, const uint8_t *from, uint32_t from_bytes, uint32_t "
    "offset)\n"
    "{\n"
    "    for (uint32_t i = 0; i < bytes; i++)\n"
    "        to[i] = offset + i < from_bytes ? from[offset + i] : 0;\n"
    "}\n"
    "\n"
    "HLS_INLINE uint16_t hls_be16(const uint8_t *bytes)\n"
    "{\n"
    "    return (uint16_t)((uint32_t)bytes[0] << 8 | bytes[1]);\n"
    "}\n"
    "\n"
    "HLS_INLINE uint32_t hls_be32(const uint8_t *bytes)\n"
    "{\n"
    "    return (uint32_t)hls_be16(bytes) << 16 | hls_be16(bytes + 2);\n"
    "}\n"
    "\n"
    "HLS_INLINE void hls_put_be16(uint8_t *bytes, uint32_t value)\n"
    "{\n"
    "    bytes[0] = (uint8_t)(value >> 8);\n"
    "    bytes[1] = (uint8_t)value;\n"
    "}\n"
    "\n"
    "HLS_INLINE void hls_put_be32(uint8_t *bytes, uint32_t value)\n"
    "{\n"
    "    hls_put_be16(bytes, value >> 16);\n"
    "    hls_put_be16(bytes + 2, value);\n"
    "}\n";

static void write_arguments(const struct kernel *kernel, FILE *to, const char *first, bool with_types)
{
    const struct design *design = &kernel->design;
    fprintf(to, "%s", first);
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const struct design_stream *stream = &design->streams[i];
        const char *separator = i > 0 || *first != 0 ? ", " : "";
        if (with_types)
            fprintf(to, "%shls::stream<struct %s> &%s", separator, stream->record, stream->name);
        else
            fprintf(to, "%s%s", separator, stream->name);
    }
}

void vitis_write(const struct kernel *kernel, FILE *to)
{
    const struct design *design = &kernel->design;
    fprintf(to,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* %s for AMD Vitis HLS, written by hlsc. No release of that tool has seen it. */\n"
            "%s\n#include \"%s\"\n\n",
            design->source, language, design->source);
    fprintf(to, "void %s_top(", design->name);
    write_arguments(kernel, to, "", true);
    fprintf(to, ")\n{\n#pragma HLS INTERFACE mode=ap_ctrl_none port=return\n#pragma HLS PIPELINE II=1 style=frp\n");
    for (uint32_t i = 0; i < design->stream_count; i++) {
        const char *name = design->streams[i].name;
        fprintf(to, "#pragma HLS INTERFACE mode=axis port=%s\n#pragma HLS AGGREGATE variable=%s compact=byte\n", name,
                name);
    }
    if (kernel->has_state)
        fprintf(to, "    static struct %s_state state;\n#pragma HLS RESET variable=state\n", design->name);
    fprintf(to, "    %s(", design->name);
    write_arguments(kernel, to, kernel->has_state ? "&state" : "", false);
    fprintf(to, ");\n}\n");
}
