/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of a disk's metadata: a good disk, of which any bytes were changed, with checksums that fit again or not.
 * What it takes for a disk must be one: each extent belongs to one volume, lies within the disk, and all changes work.
 *
 * Input: a byte of flags (1: seal the superblock, 2: seal the tables), then changes of four bytes each: what
 * (superblock, first table, second table), place (2 bytes), value.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/crc32c.h"
#include "tests/runtime/block/disk_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image good, image; /* made once: memory is dear */

static void make_good(void)
{
    struct disk_volumes *disk;
    image_make_disk(&good);
    assert(disk_volumes_open(&good.store, false, &disk, NULL) == 0);
    assert(disk_volumes_create(disk, "one", 3u << IMAGE_EXTENT_SHIFT, NULL) == 0);
    assert(disk_volumes_create(disk, "two", 700 * 512, NULL) == 1);
    disk_volumes_close(disk);
    image_forget(&good);
    image_open(&image, good.store.bytes);
}

/* The records that matter are at a table's beginning and at the extents': places are spread over both. */
static size_t place_in_table(unsigned place)
{
    size_t records = sizeof(struct disk_table) + DISK_VOLUMES * sizeof(struct disk_volume_record);
    return place & 0x8000 ? records + (place & 0x7f) : place & 0x3ff;
}

static void change(const uint8_t *data, size_t size)
{
    struct disk_superblock *superblock = (struct disk_superblock *)image.bytes;
    const struct disk_superblock before = *superblock;
    unsigned flags = size ? data[0] : 0;
    for (size_t i = 1; i + 4 <= size; i += 4) {
        unsigned place = data[i + 1] | (unsigned)data[i + 2] << 8;
        if (data[i] % 3 == 0)
            image.bytes[place % sizeof *superblock] = data[i + 3];
        else
            image.bytes[before.tables[data[i] % 3 - 1] + place_in_table(place)] = data[i + 3];
    }
    if (flags & 1)
        superblock->crc = crc32c(0, superblock, offsetof(struct disk_superblock, crc));
    for (unsigned i = 0; flags & 2 && i < 2; i++)
        disk_table_seal((struct disk_table *)(image.bytes + before.tables[i]), &before);
}

static void check(struct disk_volumes *disk)
{
    const struct disk_superblock *superblock = disk_volumes_superblock(disk);
    const struct disk_volume_record *records = disk_table_volumes(disk_volumes_table(disk));
    uint8_t *seen = calloc(1, image.store.bytes / DISK_BLOCK + 1);
    for (unsigned i = 0; i < DISK_VOLUMES; i++) {
        if (!records[i].name[0])
            continue;
        uint64_t *map = disk_volumes_map(disk, i);
        for (uint32_t k = 0; k < records[i].extents; k++) {
            assert(map[k] >= superblock->data && map[k] % DISK_BLOCK == 0);
            assert(map[k] + (UINT64_C(1) << superblock->extent_shift) <= image.store.bytes);
            assert(!seen[map[k] / DISK_BLOCK]);
            seen[map[k] / DISK_BLOCK] = 1;
        }
        free(map);
    }
    free(seen);
}

static void use(struct disk_volumes *disk)
{
    int number = disk_volumes_create(disk, "new", UINT64_C(1) << disk_volumes_superblock(disk)->extent_shift, NULL);
    if (number >= 0) {
        disk_volumes_grow(disk, (unsigned)number, UINT64_C(3) << disk_volumes_superblock(disk)->extent_shift, NULL);
        assert(disk_volumes_erase(disk, (unsigned)number, NULL) == 0);
    }
    for (unsigned i = 0; i < DISK_VOLUMES; i++)
        if (disk_table_volumes(disk_volumes_table(disk))[i].name[0])
            assert(disk_volumes_remove(disk, i, NULL) == 0);
    assert(disk_table_free(disk_volumes_table(disk)) == disk_volumes_table(disk)->extents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk_volumes *disk;
    if (!good.bytes)
        make_good();
    memcpy(image.bytes, good.bytes, good.store.bytes);
    change(data, size);
    if (disk_volumes_open(&image.store, false, &disk, NULL) == 0) {
        check(disk);
        use(disk);
        disk_volumes_close(disk);
        assert(disk_volumes_open(&image.store, false, &disk, NULL) == 0);
        disk_volumes_close(disk);
    }
    image_forget(&image);
    return 0;
}
