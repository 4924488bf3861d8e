/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of an encrypted volume. The key file has the key-encrypting key; the volume's data key, drawn at random, is
 * kept wrapped by it (RFC 3394). Both lie in memory that is neither swapped nor dumped, and are overwritten at the end;
 * libcrypto's expanded keys lie in its own memory, which it overwrites when it frees them. No key is ever logged.
 *
 * Data is encrypted by AES-256-XTS (IEEE 1619) in units of 512 bytes; the tweak is the unit's number from the volume's
 * beginning, as with dm-crypt's aes-xts-plain64. A unit that is all zeros where it is kept was never written, or was
 * deallocated: it reads as zeros.
 *
 * Threads: one at a time. Errors: negative errno.
 */
#ifndef CIPU_BLOCK_CRYPT_KEY_H
#define CIPU_BLOCK_CRYPT_KEY_H

#include "driver/card.h"

#define CRYPT_UNIT          512u
#define CRYPT_WRAPPED_BYTES 72u /* two keys of 32 bytes, and RFC 3394's 8 */

struct crypt_keys;

/* Reads the key file: 32 bytes, or 64 hexadecimal digits and perhaps a line's end, that nobody but its owner may read.
 */
int crypt_keys_open(const char *path, struct crypt_keys **keys, struct cipu_error *error);
void crypt_keys_close(struct crypt_keys *keys);

/* Draws another data key, which is not used yet. */
int crypt_keys_draw(struct crypt_keys *keys, uint8_t wrapped[CRYPT_WRAPPED_BYTES]);
/* Unwraps a data key, which is not used yet. -EACCES: the key file is not the one that it was wrapped by. */
int crypt_keys_unwrap(struct crypt_keys *keys, const uint8_t wrapped[CRYPT_WRAPPED_BYTES]);
/* Uses what was drawn or unwrapped; of the key of before nothing is left. */
int crypt_keys_use(struct crypt_keys *keys);

/* In place; whole units, the first of which has this number. */
int crypt_encrypt(struct crypt_keys *keys, uint64_t unit, void *data, uint64_t bytes);
int crypt_decrypt(struct crypt_keys *keys, uint64_t unit, void *data, uint64_t bytes);

#endif
