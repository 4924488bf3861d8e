/* SPDX-License-Identifier: Apache-2.0 */
/* A backend on a file that is open already, for disks: it has a descriptor and a ring of its own. */
#ifndef CIPU_BACKEND_FILE_H
#define CIPU_BACKEND_FILE_H

#include "runtime/block/file_open.h"

int file_backend_open(const struct block_file *file, const char *path, struct block_backend **backend,
                      struct cipu_error *error);

#endif
