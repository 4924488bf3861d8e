/* SPDX-License-Identifier: Apache-2.0 */
/* Records and a state for the kernels of this folder, each of which hlsc refuses: the message that is due stands behind
 * `expect` in the line that it is due for. */
#include "hls/include/hls.h"

struct item {
    uint32_t a;
    uint16_t b;
    uint8_t c[2];
};
