/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/backend.h"

#include <errno.h>
#include <string.h>

static const struct backend_ops *const kinds[] = {&backend_null, &backend_memory, &backend_file,
                                                  &backend_disk, &backend_crypt,  &backend_fault};
#define KINDS (sizeof kinds / sizeof kinds[0])

int backend_open(const char *uri, const struct backend_options *options, struct block_backend **backend,
                 struct cipu_error *error)
{
    *backend = NULL;
    for (size_t i = 0; i < KINDS; i++) {
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(uri, kinds[i]->scheme, length) == 0)
            return kinds[i]->open(uri + length, options, backend, error);
    }
    return cipu_fail(error, -EINVAL,
                     "found backend \"%.48s\", expected null:, memory:, file:PATH, disk:NAME/VOLUME, "
                     "crypt:KEYFILE,BACKEND or fault:RULES,BACKEND",
                     uri);
}
