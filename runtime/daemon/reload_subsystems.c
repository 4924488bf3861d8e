/* SPDX-License-Identifier: Apache-2.0 */
/* A changed configuration file's subsystems: other limits hold for what guests make from then on; all else makes
 * another one of it, which is refused as long as it has controllers. */
#include <string.h>

#include "runtime/daemon/reload.h"
#include "runtime/daemon/subsystems.h"

static const struct subsystem_settings *subsystem_in(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->subsystem_count; i++)
        if (strcmp(config->subsystems[i].subsystem.name, name) == 0)
            return &config->subsystems[i].subsystem;
    return NULL;
}

void reload_remove_subsystems(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    struct namespace_pool *next;
    for (struct namespace_pool *pool = daemon->pools; pool; pool = next) {
        const struct subsystem_settings *wanted = subsystem_in(config, pool->name);
        char name[NET_NAME_BYTES];
        next = pool->next;
        if (wanted && strcmp(wanted->nqn, pool->settings.nqn) == 0 && strcmp(wanted->place, pool->settings.place) == 0)
            continue;
        memcpy(name, pool->name, sizeof(name));
        reload_count(changes, daemon_pool_remove(daemon, name, &error), "subsystem", name, &error);
    }
}

void reload_add_subsystems(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (size_t i = 0; i < config->subsystem_count; i++) {
        const struct subsystem_settings *wanted = &config->subsystems[i].subsystem;
        struct namespace_pool *pool = daemon_pool_by_name(daemon, wanted->name);
        if (pool && schema_equal(&subsystem_schema, wanted, &pool->settings))
            continue;
        int result = pool ? namespace_pool_change(pool, wanted, &error) : daemon_pool_add(daemon, wanted, &error);
        reload_count(changes, result, "subsystem", wanted->name, &error);
    }
}
