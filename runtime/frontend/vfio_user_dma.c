/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory comes and goes: the table of pieces, kept so that the device only ever hears of exact ones. */
#include <errno.h>
#include <stdlib.h>

#include "runtime/frontend/vfio_user_session.h"

int vfio_user_dma_map(struct vfio_user_session *session)
{
    const struct vfio_user_dma_map *request = (const struct vfio_user_dma_map *)session->payload;
    struct interval range;

    if (request->argsz < sizeof *request ||
        request->flags & ~(uint32_t)(VFIO_USER_DMA_FLAG_READ | VFIO_USER_DMA_FLAG_WRITE) || !request->flags)
        return -EINVAL;
    if (!interval_make(request->address, request->length, &range))
        return -EINVAL;
    if (request->offset > (uint64_t)INT64_MAX || request->length > (uint64_t)INT64_MAX - request->offset)
        return -EINVAL;
    if (session->maps.count >= session->limits.maps)
        return -ENOSPC;

    struct interval *piece = malloc(sizeof *piece);
    if (!piece)
        return -ENOMEM;
    *piece = range;
    int result = interval_map_insert(&session->maps, piece);
    if (result) {
        free(piece);
        return result;
    }
    int fd = session->message.fd_count ? session->message.fds[0] : -1;
    int protection = (request->flags & VFIO_USER_DMA_FLAG_READ ? CIPU_DMA_READ : 0) |
                     (request->flags & VFIO_USER_DMA_FLAG_WRITE ? CIPU_DMA_WRITE : 0);
    result = session->ops->dma_map(session->device, request->address, request->length, fd, (off_t)request->offset,
                                   protection);
    if (result) {
        interval_map_remove(&session->maps, piece);
        free(piece);
        return result;
    }
    atomic_fetch_add(&session->counters->mappings, 1);
    vfio_user_reply(session, NULL, 0, NULL, 0, -1);
    return 0;
}

/* A range may hold any number of pieces, also none (a client behind an IOMMU clears all addresses first), but cut none
 * in two. */
static int unmap_range(struct vfio_user_session *session, const struct interval *range)
{
    struct interval *edge = interval_map_find(&session->maps, range->first);
    if (edge && edge->first != range->first)
        return -EINVAL;
    edge = interval_map_find(&session->maps, range->last);
    if (edge && edge->last != range->last)
        return -EINVAL;
    struct interval *piece;
    while ((piece = interval_map_overlap(&session->maps, range))) {
        int result = session->ops->dma_unmap(session->device, piece->first, piece->last - piece->first + 1);
        if (result)
            return result;
        interval_map_remove(&session->maps, piece);
        free(piece);
        atomic_fetch_sub(&session->counters->mappings, 1);
    }
    return 0;
}

int vfio_user_dma_unmap(struct vfio_user_session *session)
{
    const struct vfio_user_dma_unmap *request = (const struct vfio_user_dma_unmap *)session->payload;
    struct interval range = {0, UINT64_MAX};

    if (request->argsz < sizeof *request || request->flags & ~(uint32_t)VFIO_USER_UNMAP_ALL)
        return -EINVAL;
    if (request->flags & VFIO_USER_UNMAP_ALL) {
        if (request->address || request->length)
            return -EINVAL;
    } else if (!interval_make(request->address, request->length, &range)) {
        return -EINVAL;
    }
    int result = unmap_range(session, &range);
    if (result)
        return result;
    vfio_user_reply(session, request, sizeof *request, NULL, 0, -1);
    return 0;
}

void vfio_user_dma_forget(struct vfio_user_session *session)
{
    interval_map_clear(&session->maps, free);
    atomic_store(&session->counters->mappings, 0);
}
