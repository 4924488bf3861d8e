/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted volumes by another way: XTS and key wrapping made of single AES blocks, as IEEE 1619 and RFC 3394 print
 * them, and the header's layout as a table of offsets. Nothing of runtime/block is in it. */
#ifndef CIPU_TEST_CRYPT_ORACLE_H
#define CIPU_TEST_CRYPT_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORACLE_COPIES     2u
#define ORACLE_COPY_BYTES 32768u
#define ORACLE_DATA       65536u
#define ORACLE_KEY_BYTES  64u

/* Unwraps the data key out of a copy of the header; false: by this key it cannot be. */
bool oracle_key(const uint8_t *header, const uint8_t wrapping[32], uint8_t key[ORACLE_KEY_BYTES]);
uint64_t oracle_generation(const uint8_t *header);
const uint8_t *oracle_wrapped(const uint8_t *header); /* 72 bytes */
void oracle_crypt(const uint8_t key[ORACLE_KEY_BYTES], bool encrypt, uint64_t sector, uint8_t *data, size_t bytes);

#endif
