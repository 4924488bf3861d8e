/* SPDX-License-Identifier: Apache-2.0 */
/* Version negotiation: both sides tell their limits as JSON; each keeps to the other's. Unknown keys are ignored. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "runtime/frontend/vfio_user_session.h"

/* Sets *value to the smaller of itself and the client's number, if there is one. */
static int limit(const json_t *capabilities, const char *key, size_t least, size_t *value)
{
    const json_t *number = json_object_get(capabilities, key);
    if (!number)
        return 0;
    if (!json_is_integer(number) || json_integer_value(number) < (json_int_t)least)
        return -EINVAL;
    if ((json_int_t)*value > json_integer_value(number))
        *value = (size_t)json_integer_value(number);
    return 0;
}

static int read_limits(const json_t *root, struct vfio_user_limits *limits, bool *write_multiple)
{
    if (!json_is_object(root))
        return -EINVAL;
    const json_t *capabilities = json_object_get(root, "capabilities");
    if (!capabilities)
        return 0;
    if (!json_is_object(capabilities))
        return -EINVAL;
    size_t fds = VFIO_USER_MAX_FDS, page = SIZE_MAX / 2;
    int result = limit(capabilities, "max_msg_fds", 0, &fds);
    if (!result)
        result = limit(capabilities, "max_data_xfer_size", 1, &limits->transfer);
    if (!result)
        result = limit(capabilities, "max_dma_maps", 1, &limits->maps);
    if (!result)
        result = limit(capabilities, "pgsizes", 1, &page);
    if (result)
        return result;
    if (json_object_get(capabilities, "max_msg_fds"))
        limits->fds = (unsigned)fds;
    const json_t *multiple = json_object_get(capabilities, "write_multiple");
    if (multiple && !json_is_boolean(multiple))
        return -EINVAL;
    *write_multiple = json_is_true(multiple);
    return 0;
}

int vfio_user_version(struct vfio_user_session *session)
{
    const struct vfio_user_version *request = (const struct vfio_user_version *)session->payload;
    const char *text = (const char *)(request + 1);
    size_t bytes = session->message.bytes - sizeof *request;
    struct vfio_user_limits limits = session->limits;
    bool write_multiple = false;

    if (request->major != 0)
        return -EINVAL;
    if (bytes > 0) {
        if (text[bytes - 1] != 0)
            return -EINVAL;
        json_t *root = json_loadb(text, bytes - 1, 0, NULL);
        int result = root ? read_limits(root, &limits, &write_multiple) : -EINVAL;
        json_decref(root);
        if (result)
            return result;
    }
    session->limits = limits;
    session->negotiated = true;

    /* Short: QEMU takes no reply that is longer than its request. */
    const struct vfio_user_version reply = {0, 0};
    char json[256];
    int length = snprintf(json, sizeof json,
                          "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%zu,\"max_dma_maps\":%zu,"
                          "\"pgsizes\":4096%s}}",
                          limits.fds < 1 ? 1u : limits.fds, limits.transfer, limits.maps,
                          write_multiple ? ",\"write_multiple\":true" : "");
    vfio_user_reply(session, &reply, sizeof reply, json, (size_t)length + 1, -1);
    return 0;
}
