/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register accesses come from any thread, and the bus belongs to the card's: they queue, one transaction is on the bus
 * at a time, and who asked sleeps until it is answered. A transaction that takes too long is answered as a root complex
 * does, with ones; it stays on the bus.
 */
#include "driver/rtl/host.h"

#define PATIENCE 65536u /* cycles */

static bool bit(const struct rtl_pin *pin)
{
    return *(const uint8_t *)pin->value & 1;
}

static void set(const struct rtl_pin *pin, bool value)
{
    *(uint8_t *)pin->value = value;
}

void rtl_registers_open(struct rtl_registers *registers, struct native_card *card, const struct rtl *rtl,
                        const _Atomic uint64_t *now)
{
    const struct {
        struct rtl_pin *pin;
        const char *name;
        uint32_t bits;
    } pins[] = {{&registers->awaddr, "lite_awaddr", 16},  {&registers->awvalid, "lite_awvalid", 1},
                {&registers->awready, "lite_awready", 1}, {&registers->wdata, "lite_wdata", 32},
                {&registers->wstrb, "lite_wstrb", 4},     {&registers->wvalid, "lite_wvalid", 1},
                {&registers->wready, "lite_wready", 1},   {&registers->bvalid, "lite_bvalid", 1},
                {&registers->bready, "lite_bready", 1},   {&registers->araddr, "lite_araddr", 16},
                {&registers->arvalid, "lite_arvalid", 1}, {&registers->arready, "lite_arready", 1},
                {&registers->rdata, "lite_rdata", 32},    {&registers->rvalid, "lite_rvalid", 1},
                {&registers->rready, "lite_rready", 1}};
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++)
        *pins[i].pin = rtl_pin(rtl, pins[i].name, pins[i].bits);
    registers->card = card;
    registers->now = now;
    pthread_mutex_init(&registers->lock, NULL);
    pthread_cond_init(&registers->answered, NULL);
    rtl_put(&registers->wstrb, 0, 4, 15);
    set(&registers->bready, true);
    set(&registers->rready, true);
}

void rtl_registers_close(struct rtl_registers *registers)
{
    pthread_cond_destroy(&registers->answered);
    pthread_mutex_destroy(&registers->lock);
}

void rtl_registers_post(struct rtl_registers *registers, struct rtl_access *access)
{
    access->next = NULL;
    access->done = false;
    pthread_mutex_lock(&registers->lock);
    if (registers->first)
        registers->last->next = access;
    else
        registers->first = access;
    registers->last = access;
    atomic_store(&registers->asked, true);
    pthread_mutex_unlock(&registers->lock);
    native_wake(registers->card);
}

void rtl_registers_wait(struct rtl_registers *registers, struct rtl_access *access)
{
    pthread_mutex_lock(&registers->lock);
    while (!access->done)
        pthread_cond_wait(&registers->answered, &registers->lock);
    pthread_mutex_unlock(&registers->lock);
}

static bool poll(void *context)
{
    struct rtl_registers *registers = context;
    return registers->active || atomic_load_explicit(&registers->asked, memory_order_acquire);
}

static void begin(struct rtl_registers *registers)
{
    pthread_mutex_lock(&registers->lock);
    struct rtl_access *access = registers->first;
    if (access) {
        registers->first = access->next;
        registers->kind = access->kind;
        registers->offset = access->offset;
        registers->value = access->value;
        registers->since = *registers->now;
    }
    registers->access = access;
    registers->active = access != NULL;
    atomic_store(&registers->asked, registers->first != NULL);
    pthread_mutex_unlock(&registers->lock);
    registers->address_sent = registers->data_sent = false;
}

static void answer(struct rtl_registers *registers, uint32_t value)
{
    if (!registers->access)
        return;
    pthread_mutex_lock(&registers->lock);
    registers->access->value = value;
    registers->access->done = true;
    pthread_cond_broadcast(&registers->answered);
    pthread_mutex_unlock(&registers->lock);
    registers->access = NULL;
}

static bool drive(void *context)
{
    struct rtl_registers *registers = context;
    bool before = registers->driven;
    if (!registers->active && atomic_load_explicit(&registers->asked, memory_order_acquire))
        begin(registers);
    registers->driven = registers->active;
    if (!registers->driven && !before)
        return false;
    bool write = registers->kind == RTL_WRITE, address = registers->active && !registers->address_sent;
    set(&registers->awvalid, write && address);
    set(&registers->wvalid, write && registers->active && !registers->data_sent);
    set(&registers->arvalid, !write && address);
    rtl_put(write ? &registers->awaddr : &registers->araddr, 0, 16, registers->offset);
    rtl_put(&registers->wdata, 0, 32, registers->value);
    return true;
}

static void finish(struct rtl_registers *registers, uint32_t value)
{
    registers->address_sent = registers->data_sent = false;
    if (registers->kind == RTL_READ_ZERO && value && registers->access)
        return;
    registers->active = false;
    if (registers->kind != RTL_WRITE)
        rtl_saw(registers->observer, "register", registers->offset, &value, sizeof value);
    answer(registers, value);
}

static bool sample(void *context)
{
    struct rtl_registers *registers = context;
    if (!registers->active)
        return registers->driven;
    bool write = registers->kind == RTL_WRITE,
         asked_before = registers->address_sent && (registers->data_sent || !write);
    bool address = bit(&registers->awvalid) && bit(&registers->awready);
    registers->address_sent |= address || (bit(&registers->arvalid) && bit(&registers->arready));
    registers->data_sent |= bit(&registers->wvalid) && bit(&registers->wready);
    if (asked_before && bit(write ? &registers->bvalid : &registers->rvalid))
        finish(registers, (uint32_t)rtl_get(&registers->rdata, 0, 32));
    else if (*registers->now - registers->since > PATIENCE)
        answer(registers, UINT32_MAX);
    return true;
}

struct rtl_device rtl_registers_device(struct rtl_registers *registers)
{
    return (struct rtl_device){.context = registers, .poll = poll, .drive = drive, .sample = sample};
}
