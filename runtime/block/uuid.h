/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's identity out of its name: RFC 4122, 4.3 (version 5). The same name gives the same after any restart. */
#ifndef CIPU_BLOCK_UUID_H
#define CIPU_BLOCK_UUID_H

#include <stddef.h>
#include <stdint.h>

void volume_uuid(const char *name, uint8_t uuid[16]);

/* FIPS 180-4, 6.1. At most 4096 bytes. Not for secrets. */
void sha1(const void *data, size_t bytes, uint8_t digest[20]);

#endif
