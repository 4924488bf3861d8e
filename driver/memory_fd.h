/* SPDX-License-Identifier: Apache-2.0 */
/* Files that may stand for memory. */
#ifndef CIPU_MEMORY_FD_H
#define CIPU_MEMORY_FD_H

#include <stdbool.h>

/* Whether the kernel itself provides the file's pages. Where another process does (FUSE, network), who touches the
 * memory may be stopped for ever. */
bool memory_fd_is_kernels(int fd);

#endif
