/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"

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

struct volume_record *daemon_volume_by_name(struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->volume_count; i++)
        if (strcmp(daemon->volumes[i].wanted.name, name) == 0)
            return &daemon->volumes[i];
    return NULL;
}

int daemon_volume_add(struct daemon *daemon, const struct volume_settings *settings, enum origin origin,
                      struct cipu_error *error)
{
    struct block_engine *engine;
    struct block_volume *volume;
    if (daemon_volume_by_name(daemon, settings->name))
        return cipu_fail(error, -EEXIST, "volume %s is there already", settings->name);
    int result = daemon_block_engine(daemon, &engine, error);
    if (result < 0)
        return result;
    struct volume_record *records = realloc(daemon->volumes, (daemon->volume_count + 1) * sizeof(*records));
    if (!records)
        return cipu_fail(error, -ENOMEM, "no memory for volume %s", settings->name);
    daemon->volumes = records;
    result = block_volume_open(engine, settings, &volume, error);
    if (result < 0)
        return result;
    records[daemon->volume_count++] = (struct volume_record){volume, *settings, origin};
    log_info("volume opened", "name=%s\tbackend=%s", settings->name, settings->backend);
    return 0;
}

int daemon_volume_remove(struct daemon *daemon, const char *name, struct cipu_error *error)
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
