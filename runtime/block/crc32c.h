/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli): RFC 3720, 12.1 and appendix B.4. */
#ifndef CIPU_CRC32C_H
#define CIPU_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of `data`, after what gave `crc`; 0 at the beginning. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
