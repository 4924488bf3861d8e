/* SPDX-License-Identifier: Apache-2.0 */
/* Records for the kernels of this folder, each of which uses something that hlsc accepts and that is not obvious. */
#include "hls/include/hls.h"

struct question {
    uint64_t wide;
    uint32_t a;
    uint32_t b;
    uint16_t c;
    uint8_t d;
    uint8_t kind;
    int32_t s;
    uint8_t bytes[40];
};

struct answer {
    uint64_t wide;
    uint32_t words[4];
    uint8_t bytes[16];
};

#define ANSWER_BEGIN                                           \
    STREAM_WAIT(STREAM_CAN_READ(in) && STREAM_CAN_WRITE(out)); \
    STREAM_READ(struct question, q, in);                       \
    STREAM_OPEN(struct answer, r, out);                        \
    HLS_ZERO(r, sizeof *r)
#define ANSWER_END                      \
    STREAM_PUSH(struct answer, r, out); \
    STEP_END
