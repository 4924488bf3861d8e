/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses to the device's regions. Writes are answered before they are carried out: a client may hold its own locks
 * until then. */
#include <errno.h>
#include <string.h>

#include "runtime/frontend/vfio_user_session.h"

static int check_access(struct vfio_user_session *session, uint32_t index, uint64_t offset, uint64_t count, bool write)
{
    struct device_region region = {.mmap_fd = -1};
    if (index >= DEVICE_REGIONS || count == 0 || count > VFIO_USER_MAX_TRANSFER)
        return -EINVAL;
    session->ops->region_info(session->device, index, &region);
    if (offset >= region.size || count > region.size - offset)
        return -EINVAL;
    return (write ? region.writable : region.readable) ? 0 : -EPERM;
}

static void carry_out(struct vfio_user_session *session, uint32_t region, uint64_t offset, const void *data,
                      size_t bytes)
{
    if (session->ops->region_write(session->device, region, offset, data, bytes))
        atomic_fetch_add(&session->counters->errors, 1);
}

int vfio_user_region_read(struct vfio_user_session *session)
{
    const struct vfio_user_region_access *request = (const struct vfio_user_region_access *)session->payload;
    int result = check_access(session, request->region, request->offset, request->count, false);
    if (!result)
        result = session->ops->region_read(session->device, request->region, request->offset, session->answer,
                                           request->count);
    if (result)
        return result;
    vfio_user_reply(session, request, sizeof *request, session->answer, request->count, -1);
    return 0;
}

int vfio_user_region_write(struct vfio_user_session *session)
{
    const struct vfio_user_region_access *request = (const struct vfio_user_region_access *)session->payload;
    if (session->message.bytes != sizeof *request + (uint64_t)request->count)
        return -EINVAL;
    int result = check_access(session, request->region, request->offset, request->count, true);
    if (result)
        return result;
    vfio_user_reply(session, request, sizeof *request, NULL, 0, -1);
    carry_out(session, request->region, request->offset, request + 1, request->count);
    return 0;
}

int vfio_user_region_write_multi(struct vfio_user_session *session)
{
    uint64_t count;
    memcpy(&count, session->payload, sizeof count);
    const struct vfio_user_write_multi *writes =
        (const struct vfio_user_write_multi *)(session->payload + sizeof count);
    if (count == 0 || count > VFIO_USER_WRITE_MULTI_MAX ||
        session->message.bytes != sizeof count + (size_t)count * sizeof *writes)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (writes[i].count > sizeof writes[i].data)
            return -EINVAL;
        int result = check_access(session, writes[i].region, writes[i].offset, writes[i].count, true);
        if (result)
            return result;
    }
    vfio_user_reply(session, &count, sizeof count, NULL, 0, -1);
    for (size_t i = 0; i < count; i++)
        carry_out(session, writes[i].region, writes[i].offset, writes[i].data, writes[i].count);
    return 0;
}
