/* SPDX-License-Identifier: Apache-2.0 */
#include "hw/platform/sim/stream.h"

#include <stdio.h>
#include <stdlib.h>

static struct rtl_pin part(const struct rtl *rtl, const char *name, const char *suffix)
{
    char text[128];
    snprintf(text, sizeof text, "%.100s_%.20s", name, suffix);
    return rtl_pin(rtl, text, 0);
}

struct rtl_stream rtl_stream(const struct rtl *rtl, const char *name, uint32_t index, uint32_t bytes)
{
    struct rtl_pin valid = part(rtl, name, "valid"), ready = part(rtl, name, "ready"), data = part(rtl, name, "data");
    bytes = bytes ? bytes : data.bits / valid.bits / 8;
    if (index >= valid.bits || ready.bits != valid.bits || data.bits != valid.bits * bytes * 8) {
        fprintf(stderr, "module %s, stream %s[%u]: %u streams of %u bits in all, expected records of %u bytes\n",
                rtl->model->name, name, index, valid.bits, data.bits, bytes);
        abort();
    }
    return (struct rtl_stream){.valid = (uint8_t *)valid.value + index / 8,
                               .ready = (uint8_t *)ready.value + index / 8,
                               .mask = (uint8_t)(1u << index % 8),
                               .data = (uint8_t *)data.value + (size_t)index * bytes,
                               .bytes = bytes};
}
