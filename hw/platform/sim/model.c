/* SPDX-License-Identifier: Apache-2.0 */
#include "hw/platform/sim/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESET_CYCLES 4u

unsigned rtl_power_on_seed;

bool rtl_has_pin(const struct rtl *rtl, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < rtl->model->pin_count; i++)
        found |= strcmp(rtl->pins[i].name, name) == 0;
    return found;
}

struct rtl_pin rtl_pin(const struct rtl *rtl, const char *name, uint32_t bits)
{
    for (size_t i = 0; i < rtl->model->pin_count; i++)
        if (strcmp(rtl->pins[i].name, name) == 0 && (!bits || rtl->pins[i].bits == bits))
            return rtl->pins[i];
    fprintf(stderr, "module %s has no port %s of %u bits\n", rtl->model->name, name, bits);
    abort();
}

int rtl_open(struct rtl *rtl, const struct rtl_model *model)
{
    return rtl_open_instance(rtl, model, model->name);
}

int rtl_open_instance(struct rtl *rtl, const struct rtl_model *model, const char *instance)
{
    *rtl = (struct rtl){.model = model};
    rtl->object = model->create(instance, rtl_power_on_seed);
    rtl->pins = calloc(model->pin_count, sizeof *rtl->pins);
    if (!rtl->object || !rtl->pins) {
        rtl_close(rtl);
        return -ENOMEM;
    }
    model->pins(rtl->object, rtl->pins);
    /* Whatever the model holds, what stands at its pins is defined. */
    for (size_t i = 0; i < model->pin_count; i++)
        if (!rtl->pins[i].output)
            memset(rtl->pins[i].value, 0, (rtl->pins[i].bits + 7) / 8);
    rtl->clk = rtl_pin(rtl, "clk", 1).value;
    rtl->rst = rtl_pin(rtl, "rst", 1).value;
    rtl_reset(rtl);
    return 0;
}

void rtl_close(struct rtl *rtl)
{
    if (rtl->object)
        rtl->model->destroy(rtl->object);
    free(rtl->pins);
    *rtl = (struct rtl){0};
}

void rtl_reset(struct rtl *rtl)
{
    *rtl->rst = 1;
    for (unsigned i = 0; i < RESET_CYCLES; i++) {
        rtl_settle(rtl);
        rtl_tick(rtl);
    }
    *rtl->rst = 0;
    rtl_settle(rtl);
}

uint64_t rtl_get(const struct rtl_pin *pin, uint32_t from, uint32_t bits)
{
    const uint8_t *bytes = (const uint8_t *)pin->value + from / 8;
    uint32_t shift = from % 8, count = (shift + bits + 7) / 8;
    unsigned __int128 value = 0;
    memcpy(&value, bytes, count);
    value >>= shift;
    return bits < 64 ? (uint64_t)value & ((UINT64_C(1) << bits) - 1) : (uint64_t)value;
}

void rtl_put(const struct rtl_pin *pin, uint32_t from, uint32_t bits, uint64_t value)
{
    uint8_t *bytes = (uint8_t *)pin->value + from / 8;
    uint32_t shift = from % 8, count = (shift + bits + 7) / 8;
    unsigned __int128 word = 0, mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
    memcpy(&word, bytes, count);
    word = (word & ~(mask << shift)) | ((unsigned __int128)value & mask) << shift;
    memcpy(bytes, &word, count);
}
