/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/disk_set.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hls/include/block.h"
#include "runtime/block/disk_volumes.h"

struct disk {
    struct disk *next;
    struct disk_set *set;
    struct disk_settings settings;
    struct disk_file file;
    struct disk_volumes *volumes;
    unsigned number; /* from 1 on */
    bool open[DISK_VOLUMES];
    unsigned open_count;
    _Atomic uint64_t free_bytes; /* as the table has it after the last change */
};

struct disk_set {
    pthread_mutex_t lock; /* of everything here: a change of a disk is rare, and may take its time */
    pthread_mutex_t list; /* held with it for a change of the list, alone to look at the list; never for long */
    struct disk *first;
};

struct disk_set *disk_set_create(void)
{
    struct disk_set *set = calloc(1, sizeof *set);
    if (set)
        pthread_mutex_init(&set->lock, NULL);
    if (set)
        pthread_mutex_init(&set->list, NULL);
    return set;
}

static void close_disk(struct disk *disk)
{
    disk_volumes_close(disk->volumes);
    disk_file_close(&disk->file);
    free(disk);
}

void disk_set_destroy(struct disk_set *set)
{
    if (!set)
        return;
    while (set->first) {
        struct disk *disk = set->first;
        set->first = disk->next;
        close_disk(disk);
    }
    pthread_mutex_destroy(&set->list);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static struct disk *find_disk(struct disk_set *set, const char *name, size_t length)
{
    struct disk *disk = set->first;
    while (disk && (strncmp(disk->settings.name, name, length) != 0 || disk->settings.name[length]))
        disk = disk->next;
    return disk;
}

/* With the lock held, after a change of its table. */
static void count_free(struct disk *disk)
{
    unsigned shift = disk_volumes_superblock(disk->volumes)->extent_shift;
    disk->free_bytes = (uint64_t)disk_table_free(disk_volumes_table(disk->volumes)) << shift;
}

static unsigned free_number(const struct disk_set *set)
{
    for (unsigned number = 1; number < BLOCK_DISKS; number++) {
        const struct disk *disk = set->first;
        while (disk && disk->number != number)
            disk = disk->next;
        if (!disk)
            return number;
    }
    return 0;
}

static int open_disk(struct disk *disk, struct cipu_error *error)
{
    struct backend_options options = {.bytes = disk->settings.bytes, .create = disk->settings.create};
    struct cipu_error reason;
    int result = disk_file_open(disk->settings.path, &options, &disk->file, &reason);
    if (!result)
        result = disk_volumes_open(&disk->file.store, disk->settings.create, &disk->volumes, &reason);
    return result ? cipu_fail(error, result, "disk %s: %.190s", disk->settings.name, reason.text) : 0;
}

static int add_locked(struct disk_set *set, const struct disk_settings *settings, struct cipu_error *error)
{
    if (find_disk(set, settings->name, strlen(settings->name)))
        return cipu_fail(error, -EEXIST, "disk %s is there already", settings->name);
    struct disk *disk = calloc(1, sizeof *disk);
    if (!disk)
        return cipu_fail(error, -ENOMEM, "disk %s: no memory", settings->name);
    disk->set = set;
    disk->settings = *settings;
    disk->file.file.fd = -1;
    disk->number = free_number(set);
    int result = disk->number
                     ? open_disk(disk, error)
                     : cipu_fail(error, -ENOSPC, "found %u disks, expected at most that many", BLOCK_DISKS - 1);
    if (result) {
        close_disk(disk);
        return result;
    }
    count_free(disk);
    pthread_mutex_lock(&set->list);
    struct disk **end = &set->first;
    while (*end)
        end = &(*end)->next;
    *end = disk;
    pthread_mutex_unlock(&set->list);
    return 0;
}

int disk_set_add(struct disk_set *set, const struct disk_settings *settings, struct cipu_error *error)
{
    pthread_mutex_lock(&set->lock);
    int result = add_locked(set, settings, error);
    pthread_mutex_unlock(&set->lock);
    return result;
}

int disk_set_remove(struct disk_set *set, const char *name, struct cipu_error *error)
{
    pthread_mutex_lock(&set->lock);
    struct disk *disk = find_disk(set, name, strlen(name));
    int result = 0;
    if (!disk) {
        result = cipu_fail(error, -ENOENT, "found disk %.64s, expected one that is there", name);
    } else if (disk->open_count) {
        result = cipu_fail(error, -EBUSY, "disk %s: %u of its volumes are open", disk->settings.name, disk->open_count);
    } else {
        pthread_mutex_lock(&set->list);
        struct disk **link = &set->first;
        while (*link != disk)
            link = &(*link)->next;
        *link = disk->next;
        pthread_mutex_unlock(&set->list);
        close_disk(disk);
    }
    pthread_mutex_unlock(&set->lock);
    return result;
}

/* ---- what there is ---- */

int disk_set_info(struct disk_set *set, unsigned index, struct disk_info *info)
{
    pthread_mutex_lock(&set->lock);
    struct disk *disk = set->first;
    while (disk && index--)
        disk = disk->next;
    if (disk) {
        struct disk_table *table = disk_volumes_table(disk->volumes);
        unsigned shift = disk_volumes_superblock(disk->volumes)->extent_shift;
        *info = (struct disk_info){
            .settings = disk->settings,
            .bytes = disk->file.store.bytes,
            .extent_bytes = UINT64_C(1) << shift,
            .free_bytes = disk->free_bytes,
            .open_volumes = disk->open_count,
        };
        for (unsigned i = 0; i < DISK_VOLUMES; i++)
            info->volumes += disk_table_volumes(table)[i].name[0] != 0;
    }
    pthread_mutex_unlock(&set->lock);
    return disk ? 0 : -ENOENT;
}

int disk_set_free(struct disk_set *set, const char *name, uint64_t *bytes)
{
    pthread_mutex_lock(&set->list);
    struct disk *disk = find_disk(set, name, strlen(name));
    if (disk)
        *bytes = disk->free_bytes;
    pthread_mutex_unlock(&set->list);
    return disk ? 0 : -ENOENT;
}

int disk_volume_info(struct disk_set *set, const char *name, unsigned index, struct disk_volume_info *info)
{
    int result = -ENOENT;
    pthread_mutex_lock(&set->lock);
    struct disk *disk = find_disk(set, name, strlen(name));
    const struct disk_volume_record *records = disk ? disk_table_volumes(disk_volumes_table(disk->volumes)) : NULL;
    for (unsigned i = 0; records && i < DISK_VOLUMES && result; i++) {
        if (!records[i].name[0] || index--)
            continue;
        memcpy(info->name, records[i].name, sizeof info->name);
        info->bytes = records[i].bytes;
        info->open = disk->open[i];
        result = 0;
    }
    pthread_mutex_unlock(&set->lock);
    return result;
}

/* ---- volumes ---- */

static int find_place(struct disk_set *set, const char *place, struct disk **disk, const char **name,
                      struct cipu_error *error)
{
    const char *slash = strchr(place, '/');
    *disk = NULL;
    *name = "";
    if (!slash || slash == place || !slash[1])
        return cipu_fail(error, -EINVAL, "found \"disk:%.64s\", expected disk:NAME/VOLUME", place);
    *name = slash + 1;
    *disk = set ? find_disk(set, place, (size_t)(slash - place)) : NULL;
    return *disk ? 0 : cipu_fail(error, -ENOENT, "disk:%.64s: there is no such disk", place);
}

static int take_locked(struct disk_set *set, const char *place, const struct backend_options *options,
                       struct disk_volume *volume, struct cipu_error *error)
{
    struct disk *disk;
    const char *name;
    int result = find_place(set, place, &disk, &name, error);
    if (result || !disk)
        return result;
    if (!disk_name_is_good(name))
        return cipu_fail(error, -EINVAL, "disk:%.64s: expected a volume's name: letters, digits, '.', '_' and '-'",
                         place);
    unsigned number = disk_table_find(disk_volumes_table(disk->volumes), name);
    if (number == DISK_VOLUMES && !options->create)
        return cipu_fail(error, -ENOENT, "disk:%.64s: there is no such volume, and create is not set", place);
    if (number == DISK_VOLUMES) {
        result = disk_volumes_create(disk->volumes, name, options->bytes, error);
        count_free(disk);
        if (result < 0)
            return result;
        number = (unsigned)result;
    }
    if (disk->open[number])
        return cipu_fail(error, -EBUSY, "disk:%.64s: it is in use already", place);
    disk->open[number] = true;
    disk->open_count++;
    *volume = (struct disk_volume){disk, number};
    return 0;
}

int disk_volume_take(struct disk_set *set, const char *place, const struct backend_options *options,
                     struct disk_volume *volume, struct cipu_error *error)
{
    if (!set)
        return cipu_fail(error, -ENOENT, "disk:%.64s: there is no such disk", place);
    pthread_mutex_lock(&set->lock);
    int result = take_locked(set, place, options, volume, error);
    pthread_mutex_unlock(&set->lock);
    return result;
}

void disk_volume_give(const struct disk_volume *volume)
{
    struct disk *disk = volume->disk;
    pthread_mutex_lock(&disk->set->lock);
    disk->open[volume->number] = false;
    disk->open_count--;
    pthread_mutex_unlock(&disk->set->lock);
}

int disk_volume_shape(const struct disk_volume *volume, struct disk_shape *shape, struct cipu_error *error)
{
    struct disk *disk = volume->disk;
    pthread_mutex_lock(&disk->set->lock);
    const struct disk_volume_record *record = &disk_table_volumes(disk_volumes_table(disk->volumes))[volume->number];
    *shape = (struct disk_shape){
        .bytes = record->bytes,
        .places = disk_volumes_map(disk->volumes, volume->number),
        .extents = record->extents,
        .extent_shift = disk_volumes_superblock(disk->volumes)->extent_shift,
    };
    pthread_mutex_unlock(&disk->set->lock);
    return shape->places ? 0 : cipu_fail(error, -ENOMEM, "disk %s: no memory", disk->settings.name);
}

int disk_volume_grow(const struct disk_volume *volume, uint64_t bytes, struct cipu_error *error)
{
    pthread_mutex_lock(&volume->disk->set->lock);
    int result = disk_volumes_grow(volume->disk->volumes, volume->number, bytes, error);
    count_free(volume->disk);
    pthread_mutex_unlock(&volume->disk->set->lock);
    return result;
}

int disk_volume_erase(const struct disk_volume *volume, struct cipu_error *error)
{
    pthread_mutex_lock(&volume->disk->set->lock);
    int result = disk_volumes_erase(volume->disk->volumes, volume->number, error);
    pthread_mutex_unlock(&volume->disk->set->lock);
    return result;
}

int disk_volume_file(const struct disk_volume *volume, struct block_backend **backend, struct cipu_error *error)
{
    return file_backend_open(&volume->disk->file.file, volume->disk->settings.path, backend, error);
}

unsigned disk_volume_disk(const struct disk_volume *volume)
{
    return volume->disk->number;
}

/* DISK_VOLUMES = none. */
static unsigned find_volume(struct disk *disk, const char *name)
{
    return disk_name_is_good(name) ? disk_table_find(disk_volumes_table(disk->volumes), name) : DISK_VOLUMES;
}

bool disk_volume_exists(struct disk_set *set, const char *place)
{
    struct disk *disk;
    const char *name;
    pthread_mutex_lock(&set->lock);
    bool exists = find_place(set, place, &disk, &name, NULL) == 0 && disk && find_volume(disk, name) < DISK_VOLUMES;
    pthread_mutex_unlock(&set->lock);
    return exists;
}

int disk_volume_delete(struct disk_set *set, const char *place, struct cipu_error *error)
{
    struct disk *disk;
    const char *name;
    pthread_mutex_lock(&set->lock);
    int result = find_place(set, place, &disk, &name, error);
    if (!result && disk) {
        unsigned number = find_volume(disk, name);
        if (number == DISK_VOLUMES)
            result = cipu_fail(error, -ENOENT, "disk:%.64s: there is no such volume", place);
        else if (disk->open[number])
            result = cipu_fail(error, -EBUSY, "disk:%.64s: it is in use", place);
        else
            result = disk_volumes_remove(disk->volumes, number, error);
        count_free(disk);
    }
    pthread_mutex_unlock(&set->lock);
    return result;
}
