/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/crypt_header.h"

#include <errno.h>
#include <string.h>

#include "runtime/block/crc32c.h"

#define COPIES 2u

enum copy_state { COPY_GOOD, COPY_DAMAGED, COPY_ABSENT };

static uint64_t place_of(unsigned copy)
{
    return copy ? CRYPT_COPY : 0;
}

static uint32_t checksum(const struct crypt_header *header)
{
    return crc32c(0, header, offsetof(struct crypt_header, crc));
}

static int read_copy(const struct crypt_place *place, unsigned copy, struct crypt_header *header,
                     enum copy_state *state)
{
    memset(place->block, 0, CRYPT_BLOCK); /* a backend that keeps nothing leaves what is there */
    int result = place->store->ops->read(place->store, place_of(copy), place->block, CRYPT_BLOCK);
    if (result)
        return result;
    memcpy(header, place->block, sizeof *header);
    bool is_header = memcmp(header->magic, CRYPT_MAGIC, sizeof header->magic) == 0;
    *state = !is_header ? COPY_ABSENT : header->crc == checksum(header) ? COPY_GOOD : COPY_DAMAGED;
    return 0;
}

static int write_copy(const struct crypt_place *place, unsigned copy, const struct crypt_header *header)
{
    memset(place->block, 0, CRYPT_BLOCK);
    memcpy(place->block, header, sizeof *header);
    int result = place->store->ops->write(place->store, place_of(copy), place->block, CRYPT_BLOCK);
    return result ? result : place->store->ops->sync(place->store);
}

static int write_both(const struct crypt_place *place, const struct crypt_header *header)
{
    int result = 0;
    for (unsigned copy = 0; copy < COPIES && !result; copy++)
        result = write_copy(place, copy, header);
    return result;
}

static int draw(const struct crypt_place *place, struct crypt_header *header)
{
    int result = crypt_keys_draw(place->keys, header->key);
    header->crc = checksum(header);
    return result;
}

/* ---- making one ---- */

static int check_blank(const struct crypt_place *place, struct cipu_error *error)
{
    for (uint64_t at = 0; at < CRYPT_BLANK && at + CRYPT_BLOCK <= place->store->bytes; at += CRYPT_BLOCK) {
        int result = place->store->ops->read(place->store, at, place->block, CRYPT_BLOCK);
        if (result)
            return cipu_fail(error, result, "crypt: reading its beginning: %s", strerror(-result));
        if (place->block[0] || memcmp(place->block, place->block + 1, CRYPT_BLOCK - 1) != 0)
            return cipu_fail(error, -EINVAL, "crypt: found other data at %llu, expected an encrypted volume or zeros",
                             (unsigned long long)at);
    }
    return 0;
}

static int make(const struct crypt_place *place, struct crypt_header *header, struct cipu_error *error)
{
    struct crypt_header back;
    enum copy_state state = COPY_ABSENT;
    *header = (struct crypt_header){.version = CRYPT_VERSION,
                                    .cipher = CRYPT_XTS_PLAIN64,
                                    .generation = 1,
                                    .data = CRYPT_DATA,
                                    .unit_bytes = CRYPT_UNIT};
    memcpy(header->magic, CRYPT_MAGIC, sizeof header->magic);
    int result = draw(place, header);
    if (!result)
        result = write_both(place, header);
    if (!result)
        result = read_copy(place, 1, &back, &state);
    if (!result && state != COPY_GOOD)
        result = -EIO;
    return result ? cipu_fail(error, result, "crypt: making its header: %s", strerror(-result)) : 0;
}

/* ---- opening ---- */

static int check_fields(const struct crypt_header *header, struct cipu_error *error)
{
    if (header->version != CRYPT_VERSION || header->cipher != CRYPT_XTS_PLAIN64 || header->data != CRYPT_DATA ||
        header->unit_bytes != CRYPT_UNIT)
        return cipu_fail(error, -EINVAL,
                         "crypt: found a header of version %u, cipher %u, data at %llu, units of %u bytes, expected "
                         "%u, %u, %u and %u",
                         header->version, header->cipher, (unsigned long long)header->data, header->unit_bytes,
                         CRYPT_VERSION, CRYPT_XTS_PLAIN64, CRYPT_DATA, CRYPT_UNIT);
    return 0;
}

/* The other copy is as the one that counts. */
static int repair(const struct crypt_place *place, unsigned copy, const struct crypt_header *header,
                  struct cipu_error *error)
{
    int result = place->read_only ? 0 : write_copy(place, copy, header);
    return result ? cipu_fail(error, result, "crypt: repairing copy %u of its header: %s", copy, strerror(-result)) : 0;
}

static int choose(const struct crypt_place *place, const struct crypt_header *copies, const enum copy_state *states,
                  struct crypt_header *header, struct cipu_error *error)
{
    bool second = states[0] != COPY_GOOD || (states[1] == COPY_GOOD && copies[1].generation > copies[0].generation);
    const struct crypt_header *chosen = &copies[second], *other = &copies[!second];
    int result = check_fields(chosen, error);
    if (result)
        return result;
    if (crypt_keys_unwrap(place->keys, chosen->key))
        return cipu_fail(error, -EACCES,
                         "crypt: found a header that this key file does not open, expected the key file that the "
                         "volume was made with");
    *header = *chosen;
    return memcmp(chosen, other, sizeof *chosen) ? repair(place, !second, chosen, error) : 0;
}

int crypt_header_open(const struct crypt_place *place, bool create, struct crypt_header *header,
                      struct cipu_error *error)
{
    struct crypt_header copies[COPIES];
    enum copy_state states[COPIES];
    if (place->store->bytes < CRYPT_DATA + CRYPT_BLOCK)
        return cipu_fail(error, -EINVAL, "crypt: found %llu bytes, expected at least %u",
                         (unsigned long long)place->store->bytes, CRYPT_DATA + CRYPT_BLOCK);
    for (unsigned copy = 0; copy < COPIES; copy++) {
        int result = read_copy(place, copy, &copies[copy], &states[copy]);
        if (result)
            return cipu_fail(error, result, "crypt: reading copy %u of its header: %s", copy, strerror(-result));
    }
    if (states[0] == COPY_GOOD || states[1] == COPY_GOOD)
        return choose(place, copies, states, header, error);
    if (states[0] == COPY_DAMAGED || states[1] == COPY_DAMAGED)
        return cipu_fail(error, -EINVAL, "crypt: found a header whose copies are both damaged");
    int result = check_blank(place, error);
    if (result)
        return result;
    if (!create || place->read_only)
        return cipu_fail(error, -EINVAL, "crypt: found no header there, and create is not set");
    return make(place, header, error);
}

int crypt_header_renew(const struct crypt_place *place, struct crypt_header *header, struct cipu_error *error)
{
    struct crypt_header next = *header;
    next.generation++;
    int result = place->read_only ? -EROFS : draw(place, &next);
    if (!result)
        result = write_both(place, &next);
    if (result)
        return cipu_fail(error, result, "crypt: another key: %s", strerror(-result));
    *header = next;
    return 0;
}
