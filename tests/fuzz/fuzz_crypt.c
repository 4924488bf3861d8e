/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of an encrypted volume's header: a good one, of which any bytes were changed, with checksums that fit
 * again or not. What it takes for a header must be one, of a key that was wrapped by the key file's; it is then alike
 * in both copies, and another key can take its place.
 *
 * Input: a byte of flags (1, 2: seal the first, the second copy; 4: create; 8: read only), then changes of four bytes
 * each: what (first copy, second copy, zeros instead of the first, of the second), place (2 bytes), value.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/block/crc32c.h"
#include "runtime/block/crypt_header.h"
#include "tests/runtime/block/disk_image.h"

#define IMAGE_BYTES (192u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image good, image; /* made once */
static struct crypt_keys *keys;
static uint8_t block[CRYPT_BLOCK] __attribute__((aligned(CRYPT_BLOCK)));

static void make_good(void)
{
    char path[] = "/tmp/cipu-fuzz-key-XXXXXX";
    struct crypt_header header;
    int fd = mkstemp(path);
    assert(fd >= 0 && write(fd, "0123456789abcdef0123456789abcdef", 32) == 32);
    assert(crypt_keys_open(path, &keys, NULL) == 0);
    close(fd);
    unlink(path);
    image_open(&good, IMAGE_BYTES);
    image_open(&image, IMAGE_BYTES);
    const struct crypt_place place = {&good.store, keys, block, false};
    assert(crypt_header_open(&place, true, &header, NULL) == 0);
    image_forget(&good);
}

static void change(const uint8_t *data, size_t size)
{
    for (size_t i = 1; i + 4 <= size; i += 4) {
        uint8_t *copy = image.bytes + (data[i] & 1 ? CRYPT_COPY : 0);
        if (data[i] & 2)
            memset(copy, 0, CRYPT_BLOCK);
        else
            copy[(data[i + 1] | (unsigned)data[i + 2] << 8) % sizeof(struct crypt_header)] = data[i + 3];
    }
    for (unsigned i = 0; i < 2; i++) {
        struct crypt_header *header = (struct crypt_header *)(image.bytes + i * CRYPT_COPY);
        if (size && data[0] >> i & 1)
            header->crc = crc32c(0, header, offsetof(struct crypt_header, crc));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crypt_header header, again;
    if (!good.bytes)
        make_good();
    memcpy(image.bytes, good.bytes, IMAGE_BYTES);
    change(data, size);
    const struct crypt_place place = {&image.store, keys, block, size && data[0] & 8};
    if (crypt_header_open(&place, size && data[0] & 4, &header, NULL) == 0) {
        assert(header.version == CRYPT_VERSION && header.data == CRYPT_DATA);
        assert(place.read_only ? image.count == 0 : memcmp(image.bytes, image.bytes + CRYPT_COPY, sizeof header) == 0);
        again = header;
        int result = crypt_header_renew(&place, &again, NULL);
        assert(place.read_only ? result < 0 : result == 0 && memcmp(again.key, header.key, sizeof again.key) != 0);
        if (!result)
            assert(crypt_header_open(&place, false, &header, NULL) == 0 && memcmp(&again, &header, sizeof header) == 0);
    }
    image_forget(&image);
    return 0;
}
