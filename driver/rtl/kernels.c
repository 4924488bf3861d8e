/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of hls/ that have a module. */
#include "driver/rtl/rtl.h"

const struct rtl_kernel rtl_kernels[] = {{NULL, NULL}};
