/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's properties in BAR 0 (Base 3.1.3) and its doorbells (PCIe 3.1.2). The frontend's thread. */
#include <errno.h>
#include <string.h>

#include "runtime/device/nvme_internal.h"

#define AQA_MASK       0x0fff0fffu
#define ADDRESS_MASK   (~UINT64_C(0xfff))
#define DOORBELL_BYTES 4u

static uint64_t capabilities(void)
{
    return (NVME_ENTRIES_MAX - 1) | NVME_CAP_CQR | (uint64_t)NVME_READY_UNITS << NVME_CAP_TO_SHIFT | NVME_CAP_CSS_NVM |
           NVME_CAP_CRMS_READY;
}

static void put(uint8_t *registers, size_t offset, uint64_t value, size_t bytes)
{
    memcpy(registers + offset, &value, bytes);
}

/* Doorbells read as zeros, as does what is reserved. */
int nvme_register_read(struct nvme_controller *controller, uint64_t offset, void *data, size_t bytes)
{
    uint8_t registers[NVME_REG_END] = {0};
    pthread_mutex_lock(&controller->lock);
    put(registers, NVME_REG_CAP, capabilities(), 8);
    put(registers, NVME_REG_VS, NVME_VERSION_2_0, 4);
    put(registers, NVME_REG_INTMS, controller->interrupt_mask, 4);
    put(registers, NVME_REG_INTMC, controller->interrupt_mask, 4);
    put(registers, NVME_REG_CC, controller->cc, 4);
    put(registers, NVME_REG_CSTS, controller->csts, 4);
    put(registers, NVME_REG_AQA, controller->aqa, 4);
    put(registers, NVME_REG_ASQ, controller->asq, 8);
    put(registers, NVME_REG_ACQ, controller->acq, 8);
    put(registers, NVME_REG_CRTO, NVME_READY_UNITS, 4);
    pthread_mutex_unlock(&controller->lock);
    memset(data, 0, bytes);
    if (offset < sizeof registers)
        memcpy(data, registers + offset, bytes < sizeof registers - offset ? bytes : sizeof registers - offset);
    return 0;
}

static bool configuration_is_valid(const struct nvme_controller *controller)
{
    uint32_t cc = controller->cc;
    return NVME_CC_CSS(cc) == 0 && NVME_CC_MPS(cc) == 0 && NVME_CC_AMS(cc) == 0 && (controller->aqa & 0xfff) &&
           controller->aqa >> 16;
}

static void begin_shutdown(struct nvme_controller *controller)
{
    if (controller->csts & (NVME_CSTS_SHST_BUSY | NVME_CSTS_SHST_DONE))
        return;
    bool runs = controller->life != NVME_STOPPED;
    controller->csts |= runs ? NVME_CSTS_SHST_BUSY : NVME_CSTS_SHST_DONE;
    controller->shutdown_asked = runs;
}

/* Clearing EN is a reset (Base 3.7.2); it wins over all else that the same write asks for. */
static void write_configuration(struct nvme_controller *controller, uint32_t value)
{
    uint32_t before = controller->cc;
    controller->cc = value & NVME_CC_WRITABLE;
    bool was = before & NVME_CC_ENABLE, is = value & NVME_CC_ENABLE;
    if (was && !is) {
        if (controller->life == NVME_STOPPED)
            controller->csts = 0;
        else
            controller->stop_asked = true;
    } else if (NVME_CC_SHN(value) && !NVME_CC_SHN(before)) {
        begin_shutdown(controller);
    } else if (!was && is) {
        if (controller->life == NVME_STOPPED) /* a shutdown while it was disabled */
            controller->csts = 0;
        if (!configuration_is_valid(controller))
            nvme_set_fatal(controller);
    }
    pthread_cond_broadcast(&controller->changed);
}

static void set_part(uint64_t *value, uint64_t part, unsigned shift, size_t bytes, uint64_t mask)
{
    if (bytes == 4)
        part = (*value & ~(UINT64_C(0xffffffff) << shift)) | part << shift;
    *value = part & mask;
}

static int write_register(struct nvme_controller *controller, uint64_t offset, uint64_t value, size_t bytes)
{
    bool enabled = controller->cc & NVME_CC_ENABLE;
    unsigned shift = offset % 8 ? 32 : 0;
    switch (offset & ~UINT64_C(3)) {
    case NVME_REG_INTMS:
        controller->interrupt_mask |= (uint32_t)value;
        return 0;
    case NVME_REG_INTMC:
        controller->interrupt_mask &= ~(uint32_t)value;
        return 0;
    case NVME_REG_CC:
        write_configuration(controller, (uint32_t)value);
        return 0;
    case NVME_REG_AQA:
        if (!enabled)
            controller->aqa = (uint32_t)value & AQA_MASK;
        return 0;
    case NVME_REG_ASQ:
    case NVME_REG_ASQ + 4:
        if (!enabled)
            set_part(&controller->asq, value, shift, bytes, ADDRESS_MASK);
        return 0;
    case NVME_REG_ACQ:
    case NVME_REG_ACQ + 4:
        if (!enabled)
            set_part(&controller->acq, value, shift, bytes, ADDRESS_MASK);
        return 0;
    default:
        return 0; /* read-only or reserved */
    }
}

static int write_doorbell(struct nvme_controller *controller, uint64_t offset, uint32_t value)
{
    uint64_t index = (offset - NVME_REG_DOORBELLS) / DOORBELL_BYTES;
    pthread_mutex_lock(&controller->lock);
    bool runs = controller->life == NVME_RUNNING;
    pthread_mutex_unlock(&controller->lock);
    if (!runs)
        return 0;
    if (index >= 2u * (controller->queues + 1u)) {
        nvme_event_post(controller, NVME_EVENT_ERROR, NVME_ERROR_DOORBELL_REGISTER);
        return 0;
    }
    if (index % 2 == 0)
        controller->rung |= 1u << index / 2;
    return cipu_card_doorbell_word(controller->card, DOORBELL_NVME + controller->base, (uint32_t)index, value);
}

int nvme_register_write(struct nvme_controller *controller, uint64_t offset, const void *data, size_t bytes)
{
    uint64_t value = 0;
    if ((bytes != 4 && bytes != 8) || offset % bytes)
        return -EINVAL;
    memcpy(&value, data, bytes);
    if (offset >= NVME_REG_DOORBELLS)
        return bytes == 4 ? write_doorbell(controller, offset, (uint32_t)value) : -EINVAL;
    pthread_mutex_lock(&controller->lock);
    int result = write_register(controller, offset, value, bytes);
    pthread_mutex_unlock(&controller->lock);
    return result;
}

void nvme_registers_reset(struct nvme_controller *controller)
{
    pthread_mutex_lock(&controller->lock);
    controller->cc = 0;
    nvme_stop_and_wait(controller);
    controller->csts = controller->aqa = controller->interrupt_mask = 0;
    controller->asq = controller->acq = 0;
    pthread_mutex_unlock(&controller->lock);
}
