/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SystemVerilog module as seen from C: tools/verilate makes one `struct rtl_model` of each, and everything that
 * drives it is C. A model belongs to one thread at a time; several models of a kind are independent of each other.
 */
#ifndef CIPU_RTL_MODEL_H
#define CIPU_RTL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A port of the module. Its value lies in the model: little endian, in whole bytes; bits beyond `bits` are zero. */
struct rtl_pin {
    const char *name;
    uint32_t bits;
    bool output;
    void *value;
};

struct rtl_model {
    const char *name;
    size_t pin_count;
    /* `instance` is its name in a waveform, `seed` of what flip-flops and RAMs hold at first; 0 = zeros. */
    void *(*create)(const char *instance, unsigned seed);
    void (*destroy)(void *object);
    void (*evaluate)(void *object); /* after inputs have changed */
    void (*pins)(void *object, struct rtl_pin *pins);
    void (*trace)(void *object, void *file); /* joins a waveform (waveform.h); NULL = built without */
};

/* The seed of models that are opened from now on; a test may change it. */
extern unsigned rtl_power_on_seed;

/* One instance, with `clk` and `rst` found. */
struct rtl {
    const struct rtl_model *model;
    void *object;
    struct rtl_pin *pins;
    uint8_t *clk, *rst;
    uint64_t cycles; /* since it was opened */
};

/* Returns 0 or -ENOMEM; in reset for a few cycles, then ready for rtl_settle. */
int rtl_open(struct rtl *rtl, const struct rtl_model *model);
/* The same for one of several instances. */
int rtl_open_instance(struct rtl *rtl, const struct rtl_model *model, const char *instance);
void rtl_close(struct rtl *rtl);
void rtl_reset(struct rtl *rtl);

bool rtl_has_pin(const struct rtl *rtl, const char *name);

/* The pin of that name; stops the program with a message if there is none or it is not so wide (bits 0 = any). */
struct rtl_pin rtl_pin(const struct rtl *rtl, const char *name, uint32_t bits);

/* Part of a wide pin: `bits` from bit `from`; both fields lie within the pin, values of up to 64 bits. */
uint64_t rtl_get(const struct rtl_pin *pin, uint32_t from, uint32_t bits);
void rtl_put(const struct rtl_pin *pin, uint32_t from, uint32_t bits, uint64_t value);

/* A cycle is: set inputs, rtl_settle, look at outputs, rtl_tick. */
static inline void rtl_settle(struct rtl *rtl)
{
    rtl->model->evaluate(rtl->object);
}

/* The two halves of a cycle's end; a waveform looks in between. */
static inline void rtl_rise(struct rtl *rtl)
{
    *rtl->clk = 1;
    rtl->model->evaluate(rtl->object);
    rtl->cycles++;
}

static inline void rtl_fall(struct rtl *rtl)
{
    *rtl->clk = 0;
}

static inline void rtl_tick(struct rtl *rtl)
{
    rtl_rise(rtl);
    rtl_fall(rtl);
}

#endif
