/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on a disk that is cut into volumes. Little endian.
 *
 *   0            struct disk_superblock; written once, last of all when a disk is laid out
 *   tables[0]    a table: struct disk_table, DISK_VOLUMES struct disk_volume_record, `capacity` struct
 * disk_extent_record tables[1]    another data         extents, one after the other, up to the end of the file or
 * device
 *
 * Of the two tables the one counts that is whole, by its checksum, and has the higher generation. A change is written
 * over the other one and counts when that is durable: whatever instant a crash comes, one of them is whole.
 *
 * An extent is of use to a volume only when it is known to be zeros. What was given back is DISK_ERASING until its
 * zeros are durable, and an erasing that was interrupted goes on when the disk is opened.
 */
#ifndef CIPU_BLOCK_DISK_FORMAT_H
#define CIPU_BLOCK_DISK_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_BLOCK             4096u /* all places and sizes are multiples */
#define DISK_MAGIC             "CIPUDISK"
#define DISK_TABLE_MAGIC       "CIPUTABL"
#define DISK_VERSION           1u
#define DISK_VOLUMES           256u
#define DISK_EXTENT_SHIFT      22u /* 4 MiB */
#define DISK_EXTENT_SHIFT_MIN  16u
#define DISK_EXTENT_SHIFT_MAX  32u
#define DISK_CAPACITY_MAX      (1u << 26)
#define DISK_VOLUME_NAME_BYTES 64u

/* Fits a sector of 512 bytes, which a disk writes whole or not at all. */
struct disk_superblock {
    char magic[8];
    uint32_t version;
    uint32_t extent_shift; /* log2 of an extent's bytes */
    uint32_t capacity;     /* extents that the tables have records of; the disk may grow to as many */
    uint32_t reserved;
    uint64_t tables[2]; /* where they begin */
    uint64_t table_bytes;
    uint64_t data;
    uint8_t reserved2[60];
    uint32_t crc; /* CRC-32C of all before */
};

struct disk_table {
    char magic[8];
    uint64_t generation;
    uint32_t extents; /* records that count: more were not there when it was written */
    uint32_t crc;     /* CRC-32C of the whole table, with zeros here */
    uint8_t reserved[40];
};

enum disk_volume_flags { DISK_VOLUME_ERASING = 1 /* all of it is being erased */ };

struct disk_volume_record {
    char name[DISK_VOLUME_NAME_BYTES]; /* "" = none */
    uint64_t bytes;
    uint32_t extents;
    uint32_t flags; /* enum disk_volume_flags */
    uint8_t reserved[48];
};

enum disk_extent_state {
    DISK_UNKNOWN = 0, /* free; never erased */
    DISK_CLEAN = 1,   /* free; zeros */
    DISK_ERASING = 2, /* was given back */
    DISK_USED = 3,
};

struct disk_extent_record {
    uint16_t volume; /* USED: its record */
    uint8_t state;   /* enum disk_extent_state */
    uint8_t reserved;
    uint32_t index; /* USED: which of the volume's */
};

static_assert(sizeof(struct disk_superblock) == 120, "superblock");
static_assert(sizeof(struct disk_table) == 64, "table");
static_assert(sizeof(struct disk_volume_record) == 128, "volume record");
static_assert(sizeof(struct disk_extent_record) == 8, "extent record");

#endif
