/* SPDX-License-Identifier: Apache-2.0 */
/* A changed configuration file's disks and volumes. A volume grows and gets other limits while guests use it; all else
 * makes another one of it, which is refused as long as it is attached. */
#include <string.h>

#include "runtime/daemon/reload.h"
#include "runtime/daemon/volumes.h"

static const struct volume_settings *volume_in(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->volume_count; i++)
        if (strcmp(config->volumes[i].volume.name, name) == 0)
            return &config->volumes[i].volume;
    return NULL;
}

static const struct disk_settings *disk_in(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->disk_count; i++)
        if (strcmp(config->disks[i].disk.name, name) == 0)
            return &config->disks[i].disk;
    return NULL;
}

void reload_remove_volumes(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    daemon_volumes_lock(daemon);
    for (size_t i = daemon->volume_count; i-- > 0;) {
        const struct volume_record *record = &daemon->volumes[i];
        const struct volume_settings *wanted = volume_in(config, record->wanted.name);
        char name[VOLUME_NAME_BYTES];
        if (record->origin != ORIGIN_FILE || (wanted && daemon_volume_same(&record->wanted, wanted)))
            continue;
        memcpy(name, record->wanted.name, sizeof(name));
        reload_count(changes, daemon_volume_remove(daemon, name, &error), "volume", name, &error);
    }
    daemon_volumes_unlock(daemon);
    for (size_t i = daemon->disk_count; i-- > 0;) {
        const struct disk_record *record = &daemon->disks[i];
        const struct disk_settings *wanted = disk_in(config, record->wanted.name);
        char name[DISK_NAME_BYTES];
        if (record->origin == ORIGIN_CALL || (wanted && schema_equal(&disk_schema, &record->wanted, wanted)))
            continue;
        memcpy(name, record->wanted.name, sizeof(name));
        reload_count(changes, daemon_disk_remove(daemon, name, &error), "disk", name, &error);
    }
}

static bool disk_is_there(const struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->disk_count; i++)
        if (strcmp(daemon->disks[i].wanted.name, name) == 0)
            return true;
    return false;
}

void reload_add_disks(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (size_t i = 0; i < config->disk_count; i++) {
        const struct disk_settings *wanted = &config->disks[i].disk;
        if (!disk_is_there(daemon, wanted->name))
            reload_count(changes, daemon_disk_add(daemon, wanted, ORIGIN_FILE, &error), "disk", wanted->name, &error);
    }
}

void reload_add_volumes(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    daemon_volumes_lock(daemon);
    for (size_t i = 0; i < config->volume_count; i++) {
        const struct volume_settings *wanted = &config->volumes[i].volume;
        struct volume_record *record = daemon_volume_by_name(daemon, wanted->name);
        if (record && schema_equal(&volume_schema, &record->wanted, wanted))
            continue;
        int result = record ? daemon_volume_change(record, wanted, &error)
                            : daemon_volume_add(daemon, wanted, ORIGIN_FILE, &error);
        reload_count(changes, result, "volume", wanted->name, &error);
    }
    daemon_volumes_unlock(daemon);
}
