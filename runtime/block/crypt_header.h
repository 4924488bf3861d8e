/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an encrypted volume begins with. Little endian.
 *
 *   0                struct crypt_header, one copy
 *   CRYPT_COPY       the other one
 *   CRYPT_DATA       the volume's bytes, encrypted (runtime/block/crypt_key.h)
 *
 * Of the two copies the one counts that is whole, by its checksum, and has the higher generation. Another data key is
 * written over the first copy, and when that is durable over the second: whatever instant a crash comes, one is whole.
 * A copy that is older or damaged is written anew when the volume is opened, so that the key that it has is nowhere.
 */
#ifndef CIPU_BLOCK_CRYPT_HEADER_H
#define CIPU_BLOCK_CRYPT_HEADER_H

#include <assert.h>

#include "runtime/block/crypt_key.h"
#include "runtime/block/disk_store.h"

#define CRYPT_MAGIC       "CIPUCRPT"
#define CRYPT_VERSION     1u
#define CRYPT_XTS_PLAIN64 1u
#define CRYPT_BLOCK       4096u /* a copy's */
#define CRYPT_COPY        32768u
#define CRYPT_DATA        65536u
#define CRYPT_BLANK       131072u /* so much is zeros where there is nothing yet; others' data may begin at 64 KiB */

struct crypt_header {
    char magic[8];
    uint32_t version;
    uint32_t cipher; /* CRYPT_XTS_PLAIN64 */
    uint64_t generation;
    uint64_t data;       /* CRYPT_DATA */
    uint32_t unit_bytes; /* CRYPT_UNIT */
    uint32_t reserved;
    uint8_t key[CRYPT_WRAPPED_BYTES];
    uint8_t reserved2[396];
    uint32_t crc; /* CRC-32C of all before */
};
static_assert(sizeof(struct crypt_header) == 512, "a sector, which a disk writes whole or not at all");

struct crypt_place {
    struct disk_store *store; /* its `bytes` and its offsets are the backend's own */
    struct crypt_keys *keys;
    uint8_t *block; /* CRYPT_BLOCK bytes, aligned to as many */
    bool read_only;
};

/* Reads the header and unwraps its key, which is not used yet; with `create` makes one where all is zeros. -EINVAL: no
 * header, or damaged; -EACCES: the key file is another one's. */
int crypt_header_open(const struct crypt_place *place, bool create, struct crypt_header *header,
                      struct cipu_error *error);

/* Another data key, which is not used yet, replaces the one that is there, and is durable in both copies when this
 * returns 0. After an error either may be there. */
int crypt_header_renew(const struct crypt_place *place, struct crypt_header *header, struct cipu_error *error);

#endif
