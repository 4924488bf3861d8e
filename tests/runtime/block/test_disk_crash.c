/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that loses power at any instant. A run of changes is made on a store that remembers each write, zeroing and
 * sync; then, for every one of them, disks are made on which it was the last thing that happened, with what was not yet
 * synced there, not there, or there in part, sector by sector. Each must open, be as before the change that was under
 * way or as after it, keep what was acknowledged, and show nobody another one's old bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "runtime/block/crc32c.h"
#include "tests/runtime/block/disk_image.h"

#define SHIFT    IMAGE_EXTENT_SHIFT
#define EXTENT   (1u << SHIFT)
#define EXTENTS  IMAGE_EXTENTS
#define VOLUMES  4u
#define SECTOR   512u
#define CHANGES  160u
#define VARIANTS 5u

static uint64_t seed = 0x2545f4914f6cdd1du;

static uint64_t random_below(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* ---- what is known of the disk ---- */

struct volume {
    unsigned extents; /* 0 = not there */
    uint8_t content[EXTENTS];
};

struct known {
    struct volume volumes[VOLUMES];
};

struct step {
    size_t begin, end; /* places in the log: the change is acknowledged at `end` */
    struct known before, after;
    bool writes; /* of data: extents may be of both */
};

static void name_of(unsigned volume, char name[DISK_VOLUME_NAME_BYTES])
{
    snprintf(name, DISK_VOLUME_NAME_BYTES, "tenant-%u", volume);
}

static unsigned number_of(struct disk_volumes *disk, unsigned volume)
{
    char name[DISK_VOLUME_NAME_BYTES];
    name_of(volume, name);
    return disk_table_find(disk_volumes_table(disk), name);
}

static bool extent_is(const uint8_t *bytes, uint8_t value)
{
    return bytes[0] == value && memcmp(bytes, bytes + 1, EXTENT - 1) == 0;
}

static bool mixed_of(const uint8_t *bytes, uint8_t one, uint8_t other)
{
    for (unsigned i = 0; i < EXTENT; i += SECTOR)
        if ((bytes[i] != one && bytes[i] != other) || memcmp(bytes + i, bytes + i + 1, SECTOR - 1) != 0)
            return false;
    return true;
}

/* Whether the volume is on the disk as in `known`, with contents of either where both are allowed. */
static bool volume_is(struct disk_volumes *disk, const uint8_t *image, unsigned volume, const struct volume *known,
                      const struct volume * or)
{
    unsigned number = number_of(disk, volume);
    if (number == DISK_VOLUMES)
        return known->extents == 0;
    if (disk_table_volumes(disk_volumes_table(disk))[number].extents != known->extents)
        return false;
    uint64_t *map = disk_volumes_map(disk, number);
    bool same = true;
    for (unsigned i = 0; i < known->extents && same; i++)
        same = or ? mixed_of(image + map[i], known->content[i], or->content[i])
                  : extent_is(image + map[i], known->content[i]);
    free(map);
    return same;
}

static bool disk_is(struct disk_volumes *disk, const uint8_t *image, const struct known *known, const struct known * or)
{
    for (unsigned i = 0; i < VOLUMES; i++)
        if (!volume_is(disk, image, i, &known->volumes[i], or ? &or->volumes[i] : NULL))
            return false;
    return true;
}

/* Nothing waits to be erased, what is clean is clean, and who takes all that is free finds zeros. */
static void check_free(struct disk_volumes *disk, struct image *image)
{
    const struct disk_superblock *superblock = disk_volumes_superblock(disk);
    struct disk_table *table = disk_volumes_table(disk);
    for (uint32_t i = 0; i < table->extents; i++) {
        const struct disk_extent_record *extent = &disk_table_extents(table)[i];
        assert_int_not_equal(extent->state, DISK_ERASING);
        if (extent->state == DISK_CLEAN)
            assert_true(extent_is(image->bytes + superblock->data + (uint64_t)i * EXTENT, 0));
    }
    uint32_t count = disk_table_free(table);
    if (!count)
        return;
    int number = disk_volumes_create(disk, "newcomer", (uint64_t)count * EXTENT, NULL);
    assert_true(number >= 0);
    uint64_t *map = disk_volumes_map(disk, (unsigned)number);
    for (uint32_t i = 0; i < count; i++)
        assert_true(extent_is(image->bytes + map[i], 0));
    free(map);
}

/* ---- the run of changes ---- */

static bool change(struct disk_volumes *disk, struct image *image, struct known *known, bool *writes)
{
    unsigned volume = (unsigned)random_below(VOLUMES), number = number_of(disk, volume);
    struct volume *one = &known->volumes[volume];
    uint64_t bytes = (uint64_t)(one->extents + 1 + random_below(4)) * EXTENT;
    char name[DISK_VOLUME_NAME_BYTES];
    unsigned extents = (unsigned)(bytes >> SHIFT);
    *writes = false;
    name_of(volume, name);
    if (!one->extents) {
        if (disk_volumes_create(disk, name, bytes, NULL) < 0)
            return false;
        *one = (struct volume){.extents = extents};
        return true;
    }
    switch (random_below(6)) {
    case 0:
        if (disk_volumes_grow(disk, number, bytes, NULL) < 0)
            return false;
        one->extents = extents;
        return true;
    case 1:
        if (disk_volumes_erase(disk, number, NULL) < 0)
            return false;
        memset(one->content, 0, sizeof one->content);
        return true;
    case 2:
    case 3:
        if (disk_volumes_remove(disk, number, NULL) < 0)
            return false;
        *one = (struct volume){0};
        return true;
    default:
        break;
    }
    /* The guest writes, and flushes. */
    uint64_t *map = disk_volumes_map(disk, number);
    uint8_t *data = aligned_alloc(DISK_BLOCK, EXTENT);
    *writes = true;
    for (unsigned i = 0; i < one->extents; i++) {
        one->content[i] = (uint8_t)(1 + random_below(200));
        memset(data, one->content[i], EXTENT);
        assert_int_equal(image->store.ops->write(&image->store, map[i], data, EXTENT), 0);
    }
    assert_int_equal(image->store.ops->sync(&image->store), 0);
    free(data);
    free(map);
    return true;
}

static unsigned make_changes(struct image *image, struct step *steps)
{
    struct disk_volumes *disk;
    struct known known = {0};
    unsigned count = 0;
    assert_int_equal(disk_volumes_open(&image->store, false, &disk, NULL), 0);
    while (count < CHANGES) {
        struct step *step = &steps[count];
        *step = (struct step){.begin = image->count, .before = known};
        if (!change(disk, image, &known, &step->writes)) {
            assert_int_equal(image->count, step->begin); /* a refusal writes nothing */
            continue;
        }
        for (uint32_t i = 0; i < EXTENTS; i++) /* what was given back is erased when the change is acknowledged */
            assert_int_not_equal(disk_table_extents(disk_volumes_table(disk))[i].state, DISK_ERASING);
        step->end = image->count;
        step->after = known;
        count++;
    }
    disk_volumes_close(disk);
    return count;
}

/* ---- crashes ---- */

/* variant 0: all that was written is there; 1: nothing since the last sync; others: a random choice of sectors. */
static void apply_unsynced(uint8_t *bytes, const struct image_entry *entries, size_t count, unsigned variant)
{
    for (size_t i = 0; i < count && variant != 1; i++) {
        if (variant == 0) {
            image_apply(bytes, &entries[i]);
            continue;
        }
        for (uint64_t at = 0; at < entries[i].bytes; at += SECTOR) {
            struct image_entry sector = {entries[i].kind, entries[i].offset + at, SECTOR,
                                         entries[i].data ? entries[i].data + at : NULL};
            if (random_below(2))
                image_apply(bytes, &sector);
        }
    }
}

/* Opens a disk that was left like this; now and then it crashes again while it recovers. */
static struct disk_volumes *recover(struct image *image)
{
    struct disk_volumes *disk = NULL;
    struct cipu_error error = {""};
    image->fail_in = (unsigned)random_below(8);
    if (disk_volumes_open(&image->store, false, &disk, NULL) == 0)
        return disk;
    image->fail_in = 0;
    if (disk_volumes_open(&image->store, false, &disk, &error) < 0)
        fail_msg("a disk cannot be opened: %s", error.text);
    return disk;
}

static void check_crash(struct image *crashed, const struct step *step, bool acknowledged)
{
    struct disk_volumes *disk = recover(crashed);
    crashed->fail_in = 0;
    bool after = disk_is(disk, crashed->bytes, &step->after, NULL);
    bool before = !acknowledged && disk_is(disk, crashed->bytes, &step->before, NULL);
    bool between = !acknowledged && step->writes && disk_is(disk, crashed->bytes, &step->before, &step->after);
    assert_true(after || before || between);
    check_free(disk, crashed);
    disk_volumes_close(disk);
}

static void test_crashes(void **state)
{
    (void)state;
    struct image image, crashed;
    struct step *steps = calloc(CHANGES, sizeof *steps);
    image_make_disk(&image);
    image_open(&crashed, image.store.bytes);
    uint8_t *synced = malloc(image.store.bytes);
    memcpy(synced, image.bytes, image.store.bytes);
    unsigned count = make_changes(&image, steps), at = 0, crashes = 0;
    size_t from = 0; /* the first entry that is not in `synced` */
    for (size_t i = 0; i <= image.count; i++) {
        while (at + 1 < count && steps[at + 1].begin <= i)
            at++;
        for (unsigned variant = 0; variant < VARIANTS; variant++, crashes++) {
            memcpy(crashed.bytes, synced, image.store.bytes);
            apply_unsynced(crashed.bytes, image.log + from, i - from, variant);
            check_crash(&crashed, &steps[at], i >= steps[at].end);
            image_forget(&crashed);
        }
        if (i < image.count && image.log[i].kind == IMAGE_SYNC)
            for (; from <= i; from++)
                image_apply(synced, &image.log[from]);
    }
    assert_true(crashes > 1000);
    print_message("%u crashes after %zu writes and syncs\n", crashes, image.count);
    free(synced);
    free(steps);
    image_close(&image);
    image_close(&crashed);
}

/* Until it is laid out there is none; and what was there before does not shine through. */
static void test_laying_out(void **state)
{
    (void)state;
    const uint64_t bytes = UINT64_C(17) << 20;
    struct image image, crashed;
    struct disk_volumes *disk;
    image_open(&image, bytes);
    image_open(&crashed, bytes);
    for (unsigned old = 0; old < 2; old++) { /* on zeros, and on an old disk whose first block was cleared */
        uint8_t *base = malloc(bytes);
        memcpy(base, image.bytes, bytes);
        image_forget(&image);
        assert_int_equal(disk_volumes_open(&image.store, true, &disk, NULL), 0);
        size_t entries = image.count, from = 0;
        for (size_t i = 0; i <= entries; i++) {
            for (unsigned variant = 0; variant < VARIANTS; variant++) {
                struct disk_volumes *again;
                memcpy(crashed.bytes, base, bytes);
                apply_unsynced(crashed.bytes, image.log + from, i - from, variant);
                int result = disk_volumes_open(&crashed.store, false, &again, NULL);
                assert_true(i < entries ? result == 0 || result == -EINVAL : result == 0);
                if (result)
                    assert_int_equal(disk_volumes_open(&crashed.store, true, &again, NULL), 0);
                assert_int_equal(disk_table_find(disk_volumes_table(again), "tenant"), DISK_VOLUMES);
                disk_volumes_close(again);
                image_forget(&crashed);
            }
            if (i < entries && image.log[i].kind == IMAGE_SYNC)
                for (; from <= i; from++)
                    image_apply(base, &image.log[from]);
        }
        /* So that its tables are of a higher generation than new ones. */
        assert_true(disk_volumes_create(disk, "tenant", 512, NULL) >= 0);
        assert_true(disk_volumes_create(disk, "other", 512, NULL) >= 0);
        assert_true(disk_volumes_create(disk, "third", 512, NULL) >= 0);
        disk_volumes_close(disk);
        memset(image.bytes, 0, DISK_BLOCK);
        free(base);
    }
    image_close(&image);
    image_close(&crashed);
}

/* A store that fails in the midst of a change: the change is refused, and the disk goes on. */
static void test_failing_store(void **state)
{
    (void)state;
    struct image image;
    struct disk_volumes *disk;
    struct known known = {0};
    image_make_disk(&image);
    assert_int_equal(disk_volumes_open(&image.store, false, &disk, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        struct known before = known;
        bool writes;
        unsigned volume = (unsigned)random_below(VOLUMES), number = number_of(disk, volume);
        image.fail_in = (unsigned)random_below(6);
        if (number < DISK_VOLUMES && random_below(2)) {
            if (disk_volumes_grow(disk, number, (uint64_t)(known.volumes[volume].extents + 1) * EXTENT, NULL) == 0)
                known.volumes[volume].extents++;
            else
                known = before;
        } else if (image.fail_in == 0) {
            change(disk, &image, &known, &writes);
        }
        image.fail_in = 0;
        assert_true(disk_is(disk, image.bytes, &known, NULL));
        image_forget(&image);
    }
    disk_volumes_close(disk);
    image_close(&image);
}

/* RFC 3720, B.4 */
static void test_checksum(void **state)
{
    (void)state;
    uint8_t data[32] = {0};
    assert_int_equal(crc32c(0, data, 32), 0x8a9136aau);
    memset(data, 0xff, 32);
    assert_int_equal(crc32c(0, data, 32), 0x62a8ab43u);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(crc32c(crc32c(0, data, 10), data + 10, 22), 0x46dd794eu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_laying_out),
        cmocka_unit_test(test_failing_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
