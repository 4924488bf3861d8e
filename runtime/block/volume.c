/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use a volume, and what it did. */
#include <errno.h>
#include <string.h>

#include "runtime/block/backend_fault.h"
#include "runtime/block/engine_internal.h"

#define FENCE_MS 500

void block_volume_info(const struct block_volume *volume, struct volume_info *info)
{
    pthread_mutex_lock(&volume->engine->control);
    *info = (struct volume_info){volume->settings, volume->info, volume->number, volume->attachments};
    pthread_mutex_unlock(&volume->engine->control);
}

/* ---- who may use it ---- */

struct access_change {
    struct block_volume *volume;
    unsigned function;
    uint8_t access;
    uint16_t denied;
};

static void set_access(void *context)
{
    const struct access_change *change = context;
    change->volume->access[change->function] = change->access;
    change->volume->denied[change->function] = change->denied;
}

static bool no_writes(void *context)
{
    const struct access_change *change = context;
    return change->volume->writes[change->function] == 0;
}

int block_volume_attach(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    struct access_change change = {volume, function, VOLUME_READ | VOLUME_WRITE, 0};
    if (function >= FUNCTION_HOST)
        return cipu_fail(error, -EINVAL, "found function %u, expected less than %u", function, FUNCTION_HOST);
    int result = 0;
    pthread_mutex_lock(&volume->engine->control);
    if (volume->attached[function])
        result =
            cipu_fail(error, -EEXIST, "volume %s is attached to function %u already", volume->settings.name, function);
    else if (volume->changing)
        result = cipu_fail(error, -EBUSY, "volume %s: is being changed", volume->settings.name);
    if (!result) {
        volume->attached[function] = true;
        volume->attachments++;
        block_engine_call(volume->engine, set_access, &change);
    }
    pthread_mutex_unlock(&volume->engine->control);
    return result;
}

static void fence(void *context)
{
    const struct access_change *change = context;
    errands_fence(change->volume, change->function);
}

/* What its backend does not end in time is set apart instead (stray.c). The rest is what the card moves into a volume's
 * memory. The control lock is not held meanwhile: others go on. */
static int change_access(struct access_change *change)
{
    struct block_engine *engine = change->volume->engine;
    block_engine_call(engine, set_access, change);
    if (change->access & VOLUME_WRITE || engine_wait(engine, no_writes, change, FENCE_MS) == 0)
        return 0;
    block_engine_call(engine, fence, change);
    return engine_wait(engine, no_writes, change, FENCE_MS);
}

/* It counts as attached until nothing of it is under way. */
void block_volume_detach(struct block_volume *volume, unsigned function)
{
    struct access_change change = {volume, function, 0, 0};
    if (function >= FUNCTION_HOST)
        return;
    (void)change_access(&change);
    pthread_mutex_lock(&volume->engine->control);
    if (volume->attached[function]) {
        volume->attached[function] = false;
        volume->attachments--;
    }
    pthread_mutex_unlock(&volume->engine->control);
}

int block_volume_set_access(struct block_volume *volume, unsigned function, unsigned access, uint16_t status)
{
    struct access_change change = {volume, function, (uint8_t)access, status};
    return function < FUNCTION_HOST ? change_access(&change) : -EINVAL;
}

void block_volume_set_durable(struct block_volume *volume, unsigned function, bool durable)
{
    if (function < CARD_FUNCTIONS)
        atomic_store_explicit(&volume->durable[function], durable, memory_order_relaxed);
}

/* ---- what it did ---- */

static void copy_counters(uint64_t *to, const uint64_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] = counter_read(&from[i]);
}

void block_volume_statistics(const struct block_volume *volume, struct volume_statistics *statistics)
{
    copy_counters((uint64_t *)statistics, (const uint64_t *)&volume->statistics, sizeof *statistics);
}

void block_volume_latency(const struct block_volume *volume, uint8_t operation, struct volume_latency *latency)
{
    copy_counters((uint64_t *)latency, (const uint64_t *)&volume->latency[operation == BACKEND_WRITE], sizeof *latency);
}

struct fault_change {
    struct block_volume *volume;
    struct fault_rules rules;
    int result;
};

static void set_faults(void *context)
{
    struct fault_change *change = context;
    change->result = fault_rules_set(change->volume->backend, &change->rules);
}

int block_volume_set_faults(struct block_volume *volume, const char *rules, struct cipu_error *error)
{
    struct fault_change change = {.volume = volume};
    int result = fault_rules_parse(rules, strlen(rules), &change.rules, error);
    if (result)
        return result;
    block_engine_call(volume->engine, set_faults, &change);
    return change.result ? cipu_fail(error, change.result, "volume %s: its backend is no fault:", volume->settings.name)
                         : 0;
}
