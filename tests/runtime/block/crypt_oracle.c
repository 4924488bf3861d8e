/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/block/crypt_oracle.h"

#undef NDEBUG
#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

#define OFFSET_GENERATION 16u
#define OFFSET_KEY        40u
#define WRAPPED_BYTES     72u
#define SECTOR            512u
#define BLOCK             16u

static void aes_block(const uint8_t key[32], bool encrypt, const uint8_t from[BLOCK], uint8_t to[BLOCK])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length;
    assert(EVP_CipherInit_ex(context, EVP_aes_256_ecb(), NULL, key, NULL, encrypt) == 1);
    EVP_CIPHER_CTX_set_padding(context, 0);
    assert(EVP_CipherUpdate(context, to, &length, from, BLOCK) == 1 && length == BLOCK);
    EVP_CIPHER_CTX_free(context);
}

uint64_t oracle_generation(const uint8_t *header)
{
    uint64_t generation;
    memcpy(&generation, header + OFFSET_GENERATION, sizeof generation);
    return generation;
}

const uint8_t *oracle_wrapped(const uint8_t *header)
{
    return header + OFFSET_KEY;
}

/* RFC 3394, 2.2.2 */
bool oracle_key(const uint8_t *header, const uint8_t wrapping[32], uint8_t key[ORACLE_KEY_BYTES])
{
    const unsigned n = WRAPPED_BYTES / 8 - 1;
    const uint8_t *wrapped = oracle_wrapped(header);
    uint8_t a[8], block[BLOCK];
    memcpy(a, wrapped, 8);
    memcpy(key, wrapped + 8, ORACLE_KEY_BYTES);
    for (int j = 5; j >= 0; j--)
        for (unsigned i = n; i >= 1; i--) {
            memcpy(block, a, 8);
            block[7] ^= (uint8_t)(n * (unsigned)j + i); /* below 256 */
            memcpy(block + 8, key + 8 * (i - 1), 8);
            aes_block(wrapping, false, block, block);
            memcpy(a, block, 8);
            memcpy(key + 8 * (i - 1), block + 8, 8);
        }
    for (unsigned i = 0; i < 8; i++)
        if (a[i] != 0xa6)
            return false;
    return true;
}

/* IEEE 1619, 5.2: multiplication by alpha. */
static void next_tweak(uint8_t tweak[BLOCK])
{
    uint8_t carry = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        uint8_t high = tweak[i] >> 7;
        tweak[i] = (uint8_t)(tweak[i] << 1 | carry);
        carry = high;
    }
    if (carry)
        tweak[0] ^= 0x87;
}

void oracle_crypt(const uint8_t key[ORACLE_KEY_BYTES], bool encrypt, uint64_t sector, uint8_t *data, size_t bytes)
{
    assert(bytes % SECTOR == 0);
    for (size_t at = 0; at < bytes; at += SECTOR, sector++) {
        uint8_t tweak[BLOCK] = {0};
        memcpy(tweak, &sector, sizeof sector);
        aes_block(key + 32, true, tweak, tweak);
        for (size_t block = 0; block < SECTOR; block += BLOCK, next_tweak(tweak)) {
            uint8_t *to = data + at + block;
            for (unsigned i = 0; i < BLOCK; i++)
                to[i] ^= tweak[i];
            aes_block(key, encrypt, to, to);
            for (unsigned i = 0; i < BLOCK; i++)
                to[i] ^= tweak[i];
        }
    }
}
