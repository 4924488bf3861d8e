/* SPDX-License-Identifier: Apache-2.0 */
/* A changed configuration file's disk controllers: volumes are attached and detached while guests run; all else makes
 * another controller of it, whose guest loses it. */
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/reload.h"

static const struct controller_settings *controller_in(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->controller_count; i++)
        if (strcmp(config->controllers[i].controller.name, name) == 0)
            return &config->controllers[i].controller;
    return NULL;
}

static bool has_volume(const struct controller_settings *settings, const char *name)
{
    for (unsigned i = 0; i < settings->volume_count; i++)
        if (strcmp(settings->volumes[i], name) == 0)
            return true;
    return false;
}

/* The same but for the volumes, which an NVMe controller gets and loses as it runs. */
static bool is_same(const struct controller_settings *there, const struct controller_settings *wanted)
{
    struct controller_settings other = *wanted;
    if (there->type != CONTROLLER_NVME)
        return schema_equal(&controller_schema, there, wanted);
    memcpy(other.volumes, there->volumes, sizeof other.volumes);
    other.volume_count = there->volume_count;
    return schema_equal(&controller_schema, there, &other);
}

void reload_remove_controllers(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        struct controller *controller = daemon->controllers[i];
        if (!controller || controller->origin == ORIGIN_CALL)
            continue;
        const struct controller_settings there = controller->settings;
        const struct controller_settings *wanted = controller_in(config, there.name);
        if (!wanted || !is_same(&there, wanted)) {
            reload_count(changes, daemon_controller_remove(daemon, i, &error), "controller", there.name, &error);
            continue;
        }
        for (unsigned n = 0; n < there.volume_count; n++)
            if (!has_volume(wanted, there.volumes[n]))
                reload_count(changes, daemon_volume_detach(daemon, controller, there.volumes[n], &error), "attachment",
                             there.volumes[n], &error);
    }
}

void reload_add_controllers(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (size_t i = 0; i < config->controller_count; i++) {
        const struct controller_settings *wanted = &config->controllers[i].controller;
        struct controller *controller = daemon_controller_by_name(daemon, wanted->name);
        if (!controller) {
            reload_count(changes, daemon_controller_add(daemon, wanted, ORIGIN_FILE, &error), "controller",
                         wanted->name, &error);
            continue;
        }
        for (unsigned n = 0; n < wanted->volume_count; n++) {
            uint32_t nsid;
            if (!has_volume(&controller->settings, wanted->volumes[n]))
                reload_count(changes, daemon_volume_attach(daemon, controller, wanted->volumes[n], &nsid, &error),
                             "attachment", wanted->volumes[n], &error);
        }
    }
}
