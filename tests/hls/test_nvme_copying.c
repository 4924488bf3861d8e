/* SPDX-License-Identifier: Apache-2.0 */
/* NVMe queues with the kernels' copying form: what they do not write, or use without asking for it, shows. */
#define HLS_COPYING
#include "tests/hls/test_nvme_queues.c"
