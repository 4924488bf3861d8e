/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/namespace_pool.h"

const char *origin_name(enum origin origin)
{
    static const char *const names[] = {[ORIGIN_FILE] = "file", [ORIGIN_CALL] = "call", [ORIGIN_GUEST] = "guest"};
    return names[origin];
}

int daemon_block_engine(struct daemon *daemon, struct block_engine **engine, struct cipu_error *error)
{
    int result = daemon->block ? 0 : block_engine_open(daemon->card, daemon->host, &daemon->block, error);
    *engine = daemon->block;
    return result;
}

void daemon_volumes_close(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->volume_count; i++)
        if (block_volume_close(daemon->volumes[i].volume) < 0)
            log_error("a volume does not close: its backend hangs", "name=%s", daemon->volumes[i].wanted.name);
    free(daemon->volumes);
    free(daemon->disks);
    block_engine_close(daemon->block);
    daemon->volumes = NULL;
    daemon->disks = NULL;
    daemon->block = NULL;
    daemon->volume_count = daemon->disk_count = 0;
}

/* ---- disks ---- */

int daemon_disk_add(struct daemon *daemon, const struct disk_settings *settings, enum origin origin,
                    struct cipu_error *error)
{
    struct block_engine *engine;
    int result = daemon_block_engine(daemon, &engine, error);
    if (result < 0)
        return result;
    struct disk_record *records = realloc(daemon->disks, (daemon->disk_count + 1) * sizeof(*records));
    if (!records)
        return cipu_fail(error, -ENOMEM, "no memory for disk %s", settings->name);
    daemon->disks = records;
    result = disk_set_add(block_engine_disks(engine), settings, error);
    if (result < 0)
        return result;
    records[daemon->disk_count++] = (struct disk_record){*settings, origin};
    log_info("disk opened", "name=%s\tpath=%s", settings->name, settings->path);
    return 0;
}

int daemon_disk_remove(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    size_t i = 0;
    while (i < daemon->disk_count && strcmp(daemon->disks[i].wanted.name, name) != 0)
        i++;
    if (i == daemon->disk_count)
        return cipu_fail(error, -ENOENT, "found disk %s, expected one that is there", name);
    int result = disk_set_remove(block_engine_disks(daemon->block), name, error);
    if (result < 0)
        return result;
    log_info("disk closed", "name=%s", name);
    daemon->disk_count--;
    memmove(&daemon->disks[i], &daemon->disks[i + 1], (daemon->disk_count - i) * sizeof(daemon->disks[0]));
    return 0;
}

/* ---- volumes ---- */

void daemon_volumes_lock(struct daemon *daemon)
{
    pthread_mutex_lock(&daemon->volumes_lock);
}

void daemon_volumes_unlock(struct daemon *daemon)
{
    pthread_mutex_unlock(&daemon->volumes_lock);
}

struct volume_record *daemon_volume_by_name(struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->volume_count; i++)
        if (strcmp(daemon->volumes[i].wanted.name, name) == 0)
            return &daemon->volumes[i];
    return NULL;
}

bool daemon_volume_exists(struct daemon *daemon, const char *name)
{
    daemon_volumes_lock(daemon);
    bool exists = daemon_volume_by_name(daemon, name) != NULL;
    daemon_volumes_unlock(daemon);
    return exists;
}

/* With the lock held. */
static int enter(struct daemon *daemon, const struct volume_record *record, struct cipu_error *error)
{
    const char *name = record->wanted.name;
    if (daemon_volume_by_name(daemon, name))
        return cipu_fail(error, -EEXIST, "volume %s is there already", name);
    struct volume_record *records = realloc(daemon->volumes, (daemon->volume_count + 1) * sizeof(*records));
    if (!records)
        return cipu_fail(error, -ENOMEM, "no memory for volume %s", name);
    records[daemon->volume_count++] = *record;
    daemon->volumes = records;
    log_info("volume opened", "name=%s\tbackend=%s", name, record->wanted.backend);
    return 0;
}

int daemon_volume_enter(struct daemon *daemon, struct block_volume *volume, const struct volume_settings *settings,
                        enum origin origin, struct namespace_pool *pool, struct cipu_error *error)
{
    const struct volume_record record = {.volume = volume, .wanted = *settings, .origin = origin, .pool = pool};
    daemon_volumes_lock(daemon);
    int result = enter(daemon, &record, error);
    daemon_volumes_unlock(daemon);
    return result;
}

/* Names that guests' namespaces have, or will have, are nobody else's; on a disk neither. */
static int check_name(const struct daemon *daemon, const struct volume_settings *settings, struct cipu_error *error)
{
    const char *slash = strncmp(settings->backend, "disk:", 5) == 0 ? strchr(settings->backend, '/') : NULL;
    for (const struct namespace_pool *pool = daemon->pools; pool; pool = pool->next)
        if (namespace_pool_names(pool, settings->name) || (slash && namespace_pool_names(pool, slash + 1)))
            return cipu_fail(error, -EEXIST, "volume %s: found a name that namespaces of subsystem %s have",
                             settings->name, pool->name);
    return 0;
}

int daemon_volume_add(struct daemon *daemon, const struct volume_settings *settings, enum origin origin,
                      struct cipu_error *error)
{
    struct block_engine *engine;
    struct block_volume *volume;
    if (daemon_volume_exists(daemon, settings->name))
        return cipu_fail(error, -EEXIST, "volume %s is there already", settings->name);
    int result = check_name(daemon, settings, error);
    if (result < 0)
        return result;
    result = daemon_block_engine(daemon, &engine, error);
    if (result < 0)
        return result;
    result = block_volume_open(engine, settings, &volume, error);
    if (result < 0)
        return result;
    result = daemon_volume_enter(daemon, volume, settings, origin, NULL, error);
    if (result < 0)
        block_volume_close(volume);
    return result;
}

/* With the lock held. */
static int leave(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    struct volume_record *record = daemon_volume_by_name(daemon, name);
    if (!record)
        return cipu_fail(error, -ENOENT, "found volume %s, expected one that is there", name);
    int result = block_volume_close(record->volume);
    if (result < 0)
        return cipu_fail(error, result, "volume %s is in use", name);
    log_info("volume closed", "name=%s", name);
    daemon->volume_count--;
    size_t after = daemon->volume_count - (size_t)(record - daemon->volumes);
    memmove(record, record + 1, after * sizeof(*record));
    return 0;
}

int daemon_volume_remove(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    daemon_volumes_lock(daemon);
    int result = leave(daemon, name, error);
    daemon_volumes_unlock(daemon);
    return result;
}

bool daemon_volume_same(const struct volume_settings *there, const struct volume_settings *wanted)
{
    return strcmp(there->backend, wanted->backend) == 0 && there->block_bytes == wanted->block_bytes &&
           there->read_only == wanted->read_only;
}

static bool same_limits(const struct volume_limits *a, const struct volume_limits *b)
{
    return a->operations == b->operations && a->bytes == b->bytes && a->operations_burst == b->operations_burst &&
           a->bytes_burst == b->bytes_burst && a->weight == b->weight;
}

int daemon_volume_change(struct volume_record *record, const struct volume_settings *wanted, struct cipu_error *error)
{
    int result = 0;
    if (!daemon_volume_same(&record->wanted, wanted))
        return cipu_fail(error, -EINVAL, "volume %s: backend, block-size and read-only cannot change while it is open",
                         wanted->name);
    if (!same_limits(&record->wanted.limits, &wanted->limits))
        result = block_volume_set_limits(record->volume, &wanted->limits, error);
    if (result < 0)
        return result;
    record->wanted.limits = wanted->limits;
    if (wanted->bytes && wanted->bytes != record->wanted.bytes)
        result = block_volume_resize(record->volume, wanted->bytes, error);
    if (result < 0)
        return result;
    record->wanted.bytes = wanted->bytes;
    record->wanted.create = wanted->create;
    log_info("volume changed", "name=%s", wanted->name);
    return 0;
}
