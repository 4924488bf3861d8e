/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/block/disk_image.h"

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/crc32c.h"

void image_apply(uint8_t *bytes, const struct image_entry *entry)
{
    if (entry->kind == IMAGE_WRITE)
        memcpy(bytes + entry->offset, entry->data, entry->bytes);
    else if (entry->kind == IMAGE_ZERO)
        memset(bytes + entry->offset, 0, entry->bytes);
}

static int record(struct disk_store *store, enum image_kind kind, uint64_t offset, const void *data, uint64_t bytes)
{
    struct image *image = (struct image *)store;
    assert(offset % DISK_BLOCK == 0 && bytes % DISK_BLOCK == 0 && (uintptr_t)data % DISK_BLOCK == 0);
    assert(offset <= store->bytes && bytes <= store->bytes - offset);
    if (image->fail_in) {
        image->fail_in--;
        if (!image->fail_in)
            return -EIO;
    }
    if (image->count == image->room) {
        image->room = 2 * image->room + 64;
        struct image_entry *log = realloc(image->log, image->room * sizeof *log);
        assert(log);
        image->log = log;
    }
    struct image_entry *entry = &image->log[image->count++];
    *entry = (struct image_entry){kind, offset, bytes, kind == IMAGE_WRITE ? malloc(bytes) : NULL};
    if (kind == IMAGE_WRITE)
        memcpy(entry->data, data, bytes);
    image_apply(image->bytes, entry);
    return 0;
}

static int store_read(struct disk_store *store, uint64_t offset, void *data, size_t bytes)
{
    if (offset > store->bytes || bytes > store->bytes - offset)
        return -EIO;
    memcpy(data, ((struct image *)store)->bytes + offset, bytes);
    return 0;
}

static int store_write(struct disk_store *store, uint64_t offset, const void *data, size_t bytes)
{
    return record(store, IMAGE_WRITE, offset, data, bytes);
}

static int store_zero(struct disk_store *store, uint64_t offset, uint64_t bytes)
{
    return record(store, IMAGE_ZERO, offset, NULL, bytes);
}

static int store_sync(struct disk_store *store)
{
    return record(store, IMAGE_SYNC, 0, NULL, 0);
}

static const struct disk_store_ops store_ops = {store_read, store_write, store_zero, store_sync};

void image_open(struct image *image, uint64_t bytes)
{
    *image = (struct image){.store = {&store_ops, bytes}, .bytes = calloc(1, bytes)};
}

void image_forget(struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        free(image->log[i].data);
    image->count = 0;
}

void image_close(struct image *image)
{
    image_forget(image);
    free(image->log);
    free(image->bytes);
}

void image_make_disk(struct image *image)
{
    struct disk_superblock superblock = {
        .version = DISK_VERSION, .extent_shift = IMAGE_EXTENT_SHIFT, .capacity = IMAGE_EXTENTS};
    memcpy(superblock.magic, DISK_MAGIC, 8);
    superblock.table_bytes = 64 + 128 * DISK_VOLUMES + 8 * IMAGE_EXTENTS;
    superblock.table_bytes = (superblock.table_bytes + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
    superblock.tables[0] = DISK_BLOCK;
    superblock.tables[1] = DISK_BLOCK + superblock.table_bytes;
    superblock.data = superblock.tables[1] + superblock.table_bytes;
    superblock.crc = crc32c(0, &superblock, offsetof(struct disk_superblock, crc));
    assert(disk_superblock_check(&superblock) == 0);
    image_open(image, superblock.data + ((uint64_t)IMAGE_EXTENTS << IMAGE_EXTENT_SHIFT));
    memset(image->bytes + superblock.data, 0xee, (size_t)IMAGE_EXTENTS << IMAGE_EXTENT_SHIFT);
    memcpy(image->bytes, &superblock, sizeof superblock);
    struct disk_table *table = (struct disk_table *)(image->bytes + superblock.tables[1]);
    disk_table_make(table, &superblock);
    table->generation = 1;
    disk_table_seal(table, &superblock);
    assert(disk_table_check(table, &superblock) == 0);
}
