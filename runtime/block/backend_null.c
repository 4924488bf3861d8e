/* SPDX-License-Identifier: Apache-2.0 */
/* null: takes everything and keeps nothing. Reads leave the guest's memory as it is. For measuring all the rest. */
#include <errno.h>
#include <stdlib.h>

#include "runtime/block/backend.h"

struct null_backend {
    struct block_backend base;
    uint64_t bytes;
};

static int null_open(const char *rest, const struct backend_options *options, struct block_backend **backend,
                     struct cipu_error *error)
{
    if (rest[0])
        return cipu_fail(error, -EINVAL, "found \"null:%.48s\", expected null: alone", rest);
    if (options->bytes < 512)
        return cipu_fail(error, -EINVAL, "null: found a size of %llu bytes, expected at least 512",
                         (unsigned long long)options->bytes);
    struct null_backend *null = calloc(1, sizeof *null);
    if (!null)
        return cipu_fail(error, -ENOMEM, "null: no memory");
    null->base.ops = &backend_null;
    null->bytes = options->bytes / 512 * 512;
    *backend = &null->base;
    return 0;
}

static void null_close(struct block_backend *backend)
{
    free(backend);
}

static void null_info(const struct block_backend *backend, struct backend_info *info)
{
    const struct null_backend *null = (const struct null_backend *)backend;
    *info = (struct backend_info){.bytes = null->bytes, .block_bytes = 512};
}

static void null_submit(struct block_backend *backend, struct backend_request *request)
{
    (void)backend;
    request->result = 0;
    request->done(request);
}

static int null_resize(struct block_backend *backend, uint64_t bytes, struct cipu_error *error)
{
    (void)error;
    ((struct null_backend *)backend)->bytes = bytes / 512 * 512;
    return 0;
}

const struct backend_ops backend_null = {
    .scheme = "null:",
    .open = null_open,
    .close = null_close,
    .info = null_info,
    .submit = null_submit,
    .resize = null_resize,
    .moves_nothing = true,
};
