/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/refused/common.h"

/* expect-anywhere HLS002 found no STEP and no ARBITER */
HLS_INLINE uint32_t nothing(void)
{
    return 0;
}
