/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/namespace_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/reservation_store.h"
#include "runtime/daemon/state_file.h"
#include "runtime/daemon/volumes.h"

static struct disk_set *disks_of(const struct namespace_pool *pool)
{
    return block_engine_disks(pool->daemon->block);
}

/* ---- names ---- */

static void describe(const struct namespace_pool *pool, const struct namespace_record *record, bool create,
                     struct volume_settings *volume)
{
    *volume = (struct volume_settings){
        .bytes = create ? record->wish.bytes : 0,
        .block_bytes = record->wish.block_bytes,
        .create = create,
    };
    memcpy(volume->uuid, record->uuid, sizeof volume->uuid);
    snprintf(volume->name, sizeof volume->name, "%.57s-ns%u", pool->name, record->wish.nsid);
    snprintf(volume->backend, sizeof volume->backend, "disk:%s/%s", pool->disk, volume->name);
}

bool namespace_pool_names(const struct namespace_pool *pool, const char *volume)
{
    size_t length = strlen(pool->name);
    if (strncmp(volume, pool->name, length) != 0 || strncmp(volume + length, "-ns", 3) != 0)
        return false;
    const char *number = volume + length + 3;
    return number[0] && number[strspn(number, "0123456789")] == 0;
}

static const char *file_name(const struct namespace_pool *pool, char name[96])
{
    snprintf(name, 96, "namespaces-%s", pool->name);
    return name;
}

/* ---- what is kept ---- */

/* With the lock held. */
static int save(const struct namespace_pool *pool)
{
    char name[96], *text = malloc(NAMESPACE_RECORDS_BYTES);
    long bytes = text ? namespace_records_write(&pool->records, text) : -ENOMEM;
    int result = bytes < 0 ? (int)bytes : state_file_write(pool->folder, file_name(pool, name), text, (size_t)bytes);
    free(text);
    if (result < 0)
        log_error("namespaces not kept", "subsystem=%s\treason=%s", pool->name, strerror(-result));
    return result;
}

/* A folder that is not there, or not mounted, is not one without records. */
static int check_folder(const struct namespace_pool *pool, struct cipu_error *error)
{
    struct stat status;
    if (stat(pool->folder, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    return cipu_fail(error, -ENOENT, "subsystem %s: found no folder %s, which its namespaces are kept in", pool->name,
                     pool->folder);
}

static int load(struct namespace_pool *pool, struct cipu_error *error)
{
    char name[96], *text = malloc(NAMESPACE_RECORDS_BYTES);
    long bytes = text ? state_file_read(pool->folder, file_name(pool, name), text, NAMESPACE_RECORDS_BYTES) : -ENOMEM;
    int result = bytes < 0 ? (int)bytes : namespace_records_read(&pool->records, text, (size_t)bytes);
    free(text);
    if (result == -ENOENT) /* the first time */
        return 0;
    return result ? cipu_fail(error, result, "subsystem %s: what is kept of its namespaces, %s/%s: %s", pool->name,
                              pool->folder, file_name(pool, name), result == -EINVAL ? "is damaged" : strerror(-result))
                  : 0;
}

/* Replaces one record; all is as before when that cannot be kept. */
static int keep(struct namespace_pool *pool, uint32_t nsid, const struct namespace_record *record)
{
    pthread_mutex_lock(&pool->lock);
    const struct namespace_record before = pool->records.namespaces[nsid - 1];
    pool->records.namespaces[nsid - 1] = *record;
    int result = save(pool);
    if (result < 0)
        pool->records.namespaces[nsid - 1] = before;
    pthread_mutex_unlock(&pool->lock);
    return result;
}

static struct namespace_record record_of(struct namespace_pool *pool, uint32_t nsid)
{
    pthread_mutex_lock(&pool->lock);
    struct namespace_record record = pool->records.namespaces[nsid - 1];
    pthread_mutex_unlock(&pool->lock);
    return record;
}

/* ---- bytes ---- */

static uint64_t occupied(const struct namespace_pool *pool, uint64_t bytes)
{
    return (bytes + pool->extent_bytes - 1) / pool->extent_bytes * pool->extent_bytes;
}

/* With the lock held. */
static uint64_t used_bytes(const struct namespace_pool *pool, unsigned *count)
{
    uint64_t bytes = 0;
    *count = 0;
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++) {
        struct volume_info info = {.settings.bytes = pool->records.namespaces[i].wish.bytes};
        if (!pool->records.namespaces[i].wish.nsid)
            continue;
        if (pool->volumes[i])
            block_volume_info(pool->volumes[i], &info);
        bytes += occupied(pool, info.settings.bytes);
        ++*count;
    }
    return bytes;
}

void namespace_pool_capacity(struct namespace_pool *pool, uint64_t *total, uint64_t *unallocated)
{
    uint64_t free_bytes = 0;
    unsigned count;
    disk_set_free(disks_of(pool), pool->disk, &free_bytes);
    pthread_mutex_lock(&pool->lock);
    uint64_t used = used_bytes(pool, &count);
    *total = pool->settings.capacity;
    uint64_t left = used < *total ? (*total - used) / pool->extent_bytes * pool->extent_bytes : 0;
    pthread_mutex_unlock(&pool->lock);
    *unallocated = left < free_bytes ? left : free_bytes;
}

/* ---- making and removing ---- */

/* What there may be of it is gone, or is to be tried again at the next start. */
static void destroy(struct namespace_pool *pool, const struct namespace_record *record)
{
    struct volume_settings settings;
    struct cipu_error error = {0};
    describe(pool, record, false, &settings);
    int result = disk_volume_delete(disks_of(pool), settings.backend + strlen("disk:"), &error);
    if (result == 0 || result == -ENOENT)
        result = reservation_forget(pool->folder, record->uuid);
    if (result < 0) {
        log_error("a namespace is not erased: the next start tries again", "volume=%s\treason=%s", settings.name,
                  error.text[0] ? error.text : strerror(-result));
        return;
    }
    keep(pool, record->wish.nsid, &(struct namespace_record){0});
}

static int check_room(struct namespace_pool *pool, uint64_t bytes)
{
    unsigned count;
    pthread_mutex_lock(&pool->lock);
    uint64_t used = used_bytes(pool, &count), capacity = pool->settings.capacity, wanted = occupied(pool, bytes);
    unsigned most = pool->settings.namespaces;
    pthread_mutex_unlock(&pool->lock);
    if (count >= most)
        return -EMFILE;
    return used > capacity || wanted > capacity - used ? -ENOSPC : 0;
}

static void set_volume(struct namespace_pool *pool, uint32_t nsid, struct block_volume *volume)
{
    struct volume_info info;
    pthread_mutex_lock(&pool->lock);
    pool->volumes[nsid - 1] = volume;
    if (volume) {
        block_volume_info(volume, &info);
        pool->records.namespaces[nsid - 1].wish.bytes = info.settings.bytes;
    }
    pthread_mutex_unlock(&pool->lock);
}

/* Opened, and among the daemon's volumes. */
static int open_volume(struct namespace_pool *pool, const struct namespace_record *record, bool create,
                       struct cipu_error *error)
{
    struct block_volume *volume;
    struct volume_settings settings;
    describe(pool, record, create, &settings);
    pthread_mutex_lock(&pool->lock);
    settings.limits = pool->settings.limits;
    pthread_mutex_unlock(&pool->lock);
    int result = block_volume_open(pool->daemon->block, &settings, &volume, error);
    if (result < 0)
        return result;
    result = daemon_volume_enter(pool->daemon, volume, &settings, ORIGIN_GUEST, pool, error);
    if (result < 0)
        block_volume_close(volume);
    else
        set_volume(pool, record->wish.nsid, volume);
    return result;
}

/* Nobody looks at it any more when it is closed. */
static int close_volume(struct namespace_pool *pool, const struct namespace_record *record, struct cipu_error *error)
{
    struct volume_settings settings;
    describe(pool, record, false, &settings);
    set_volume(pool, record->wish.nsid, NULL);
    return daemon_volume_remove(pool->daemon, settings.name, error);
}

/* RFC 4122, 4.4: not out of the name, which the next namespace of this id has as well. */
static int make_uuid(uint8_t uuid[16])
{
    if (getrandom(uuid, 16, 0) != 16)
        return -EIO;
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return 0;
}

static bool is_there_already(const struct namespace_pool *pool, const struct namespace_record *record)
{
    struct volume_settings settings;
    describe(pool, record, false, &settings);
    return disk_volume_exists(disks_of(pool), settings.backend + strlen("disk:")) ||
           daemon_volume_exists(pool->daemon, settings.name);
}

int namespace_pool_make(struct namespace_pool *pool, const struct nvme_namespace_wish *wish,
                        struct block_volume **volume)
{
    struct namespace_record record = {.wish = *wish, .going = true};
    struct cipu_error error = {0};
    if (is_there_already(pool, &record))
        return -EEXIST;
    int result = check_room(pool, wish->bytes);
    if (!result)
        result = make_uuid(record.uuid);
    if (!result)
        result = keep(pool, wish->nsid, &record);
    if (result)
        return result;
    result = open_volume(pool, &record, true, &error);
    if (result == 0) {
        record.going = false;
        result = keep(pool, wish->nsid, &record);
        if (result < 0)
            close_volume(pool, &record, NULL);
    }
    if (result < 0) {
        log_warning("a guest's namespace is not made", "subsystem=%s\tnsid=%u\treason=%s", pool->name, wish->nsid,
                    error.text[0] ? error.text : strerror(-result));
        destroy(pool, &record);
        return result;
    }
    pthread_mutex_lock(&pool->lock);
    *volume = pool->volumes[wish->nsid - 1];
    pthread_mutex_unlock(&pool->lock);
    log_info("a guest made a namespace", "subsystem=%s\tnsid=%u\tbytes=%llu", pool->name, wish->nsid,
             (unsigned long long)wish->bytes);
    return 0;
}

int namespace_pool_retire(struct namespace_pool *pool, uint32_t nsid)
{
    struct namespace_record record = record_of(pool, nsid);
    if (!record.wish.nsid)
        return -ENOENT;
    record.going = true;
    return keep(pool, nsid, &record);
}

void namespace_pool_remove(struct namespace_pool *pool, uint32_t nsid)
{
    const struct namespace_record record = record_of(pool, nsid);
    struct cipu_error error = {0};
    if (close_volume(pool, &record, &error) < 0) {
        log_error("a namespace is not erased: the next start tries again", "subsystem=%s\tnsid=%u\treason=%s",
                  pool->name, nsid, error.text);
        return;
    }
    destroy(pool, &record);
    log_info("a namespace was deleted", "subsystem=%s\tnsid=%u", pool->name, nsid);
}

/* ---- controllers ---- */

int namespace_pool_attach(struct namespace_pool *pool, uint32_t nsid, uint16_t cntlid, bool attached)
{
    struct namespace_record record = record_of(pool, nsid);
    uint64_t bit = UINT64_C(1) << cntlid;
    if (!record.wish.nsid)
        return -ENOENT;
    if (attached && !record.wish.shared) /* whoever had it, and is not there any more, has it no longer */
        record.controllers = 0;
    record.controllers = attached ? record.controllers | bit : record.controllers & ~bit;
    return keep(pool, nsid, &record);
}

/* With the lock held: an id that no other controller has, or has left a namespace for. */
static int find_id(const struct namespace_pool *pool, uint64_t taken)
{
    int least = -ENOSPC;
    for (int i = (int)NVME_CONTROLLERS_MAX - 1; i >= 0; i--) {
        uint64_t users = taken >> i & 1;
        for (unsigned n = 0; n < NVME_NAMESPACES_MAX; n++)
            users |= pool->records.namespaces[n].controllers >> i & 1;
        if (!users && (least < 0 || !pool->records.controllers[i][0] || pool->records.controllers[least][0]))
            least = i;
    }
    return least;
}

int namespace_pool_controller(struct namespace_pool *pool, const char *name, uint64_t taken)
{
    int result = -ENOENT;
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < (int)NVME_CONTROLLERS_MAX && result < 0; i++)
        if (strcmp(pool->records.controllers[i], name) == 0 && !(taken >> i & 1))
            result = i;
    if (result < 0 && (result = find_id(pool, taken)) >= 0) {
        char before[NET_NAME_BYTES];
        memcpy(before, pool->records.controllers[result], sizeof before);
        snprintf(pool->records.controllers[result], NET_NAME_BYTES, "%s", name);
        int saved = save(pool);
        if (saved < 0) {
            memcpy(pool->records.controllers[result], before, sizeof before);
            result = saved;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return result;
}

bool namespace_pool_get(struct namespace_pool *pool, uint32_t nsid, struct namespace_record *record,
                        struct block_volume **volume)
{
    pthread_mutex_lock(&pool->lock);
    *record = pool->records.namespaces[nsid - 1];
    *volume = pool->volumes[nsid - 1];
    pthread_mutex_unlock(&pool->lock);
    return record->wish.nsid && !record->going && *volume;
}

/* ---- opening ---- */

static int find_disk(struct namespace_pool *pool, struct cipu_error *error)
{
    struct disk_info info;
    for (unsigned i = 0; disk_set_info(disks_of(pool), i, &info) == 0; i++)
        if (strcmp(info.settings.name, pool->disk) == 0) {
            pool->extent_bytes = info.extent_bytes;
            return 0;
        }
    return cipu_fail(error, -ENOENT, "subsystem %s: found disk:%s, expected a disk that is there", pool->name,
                     pool->disk);
}

static int open_volumes(struct namespace_pool *pool, struct cipu_error *error)
{
    int result = 0;
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX && result == 0; nsid++) {
        const struct namespace_record record = record_of(pool, nsid);
        if (record.wish.nsid && record.going)
            destroy(pool, &record);
        else if (record.wish.nsid)
            result = open_volume(pool, &record, false, error);
    }
    return result;
}

int namespace_pool_open(struct daemon *daemon, const struct subsystem_settings *settings,
                        struct namespace_pool **result, struct cipu_error *error)
{
    struct block_engine *engine;
    int code = daemon_block_engine(daemon, &engine, error);
    if (code < 0)
        return code;
    struct namespace_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return cipu_fail(error, -ENOMEM, "no memory for subsystem %s", settings->name);
    pthread_mutex_init(&pool->lock, NULL);
    pool->daemon = daemon;
    pool->settings = *settings;
    snprintf(pool->name, sizeof pool->name, "%s", settings->name);
    snprintf(pool->folder, sizeof pool->folder, "%s", daemon->state);
    snprintf(pool->disk, sizeof pool->disk, "%.63s", settings->place + strlen("disk:"));
    code = find_disk(pool, error);
    if (code == 0)
        code = check_folder(pool, error);
    if (code == 0)
        code = load(pool, error);
    if (code == 0)
        code = open_volumes(pool, error);
    if (code < 0) {
        namespace_pool_close(pool);
        return code;
    }
    *result = pool;
    return 0;
}

void namespace_pool_close(struct namespace_pool *pool)
{
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++) {
        const struct namespace_record record = record_of(pool, nsid);
        struct cipu_error error;
        if (pool->volumes[nsid - 1] && close_volume(pool, &record, &error) < 0)
            log_error("a volume does not close", "subsystem=%s\tnsid=%u\treason=%s", pool->name, nsid, error.text);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int namespace_pool_change(struct namespace_pool *pool, const struct subsystem_settings *settings,
                          struct cipu_error *error)
{
    if (strcmp(settings->nqn, pool->settings.nqn) != 0 || strcmp(settings->place, pool->settings.place) != 0)
        return cipu_fail(error, -EINVAL, "subsystem %s: nqn and place cannot change while it has controllers",
                         pool->name);
    pthread_mutex_lock(&pool->lock);
    pool->settings = *settings;
    pthread_mutex_unlock(&pool->lock);
    return 0;
}
