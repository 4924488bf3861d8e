/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/disk.h"

#include <errno.h>
#include <stdlib.h>

struct disk_set {
    unsigned count;
};

struct disk_set *disk_set_create(void)
{
    return calloc(1, sizeof(struct disk_set));
}

void disk_set_destroy(struct disk_set *set)
{
    free(set);
}

unsigned disk_number(const struct block_backend *backend)
{
    (void)backend;
    return 0;
}

static int disk_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                     struct cipu_error *error)
{
    (void)options, (void)backend;
    return cipu_fail(error, -ENOENT, "disk:%.48s: there is no such disk", rest);
}

const struct backend_ops backend_disk = {.scheme = "disk:", .open = disk_open};
