/* SPDX-License-Identifier: Apache-2.0 */
/* Returns from the function with what `call` returned unless that is 0. */
#ifndef CIPU_TRY_H
#define CIPU_TRY_H

#define TRY(call)                \
    do {                         \
        int try_result = (call); \
        if (try_result)          \
            return try_result;   \
    } while (0)

#endif
