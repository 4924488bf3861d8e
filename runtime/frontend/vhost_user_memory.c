/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: pieces that come one by one or as a table. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/frontend/vhost_user_session.h"

static bool overlap(uint64_t first, uint64_t other, uint64_t first_bytes, uint64_t other_bytes)
{
    return first < other + other_bytes && other < first + first_bytes;
}

static int check_region(const struct vhost_user_region *region)
{
    if (region->bytes == 0 || region->guest_address > UINT64_MAX - region->bytes ||
        region->user_address > UINT64_MAX - region->bytes || region->offset > INT64_MAX ||
        region->bytes > INT64_MAX - region->offset)
        return -EINVAL;
    return 0;
}

static int check_apart(const struct vhost_user_session *session, const struct vhost_user_region *region)
{
    for (unsigned i = 0; i < session->piece_count; i++) {
        const struct vhost_user_region *other = &session->pieces[i].region;
        if (overlap(region->guest_address, other->guest_address, region->bytes, other->bytes) ||
            overlap(region->user_address, other->user_address, region->bytes, other->bytes))
            return -EEXIST;
    }
    return 0;
}

static int describe(const struct vhost_user_region *region, int fd, struct vhost_user_piece *piece)
{
    struct stat status;
    int result = check_region(region);
    if (result)
        return result;
    if (fstat(fd, &status) < 0)
        return -errno;
    *piece = (struct vhost_user_piece){*region, status.st_dev, status.st_ino};
    return 0;
}

static int add(struct vhost_user_session *session, const struct vhost_user_piece *piece, int fd)
{
    if (session->piece_count == VHOST_USER_MEMORY_SLOTS)
        return -ENOSPC;
    int result = check_apart(session, &piece->region);
    if (!result)
        result = session->ops->memory_map(session->device, piece->region.guest_address, piece->region.bytes, fd,
                                          (off_t)piece->region.offset);
    if (!result)
        session->pieces[session->piece_count++] = *piece;
    return result;
}

static void drop(struct vhost_user_session *session, unsigned number)
{
    session->ops->memory_unmap(session->device, session->pieces[number].region.guest_address);
    session->pieces[number] = session->pieces[--session->piece_count];
}

static bool same_piece(const struct vhost_user_piece *left, const struct vhost_user_piece *right)
{
    return !memcmp(&left->region, &right->region, sizeof left->region) && left->device == right->device &&
           left->inode == right->inode;
}

static int read_table(struct vhost_user_session *session, struct vhost_user_piece *pieces, unsigned *count)
{
    const struct vhost_user_memory *table = &session->message.payload.memory;
    size_t bytes = offsetof(struct vhost_user_memory, regions) + (size_t)table->count * sizeof table->regions[0];
    if (table->count > VHOST_USER_TABLE_REGIONS || table->count != session->message.fd_count ||
        bytes != session->message.header.size)
        return -EINVAL;
    *count = table->count;
    for (unsigned i = 0; i < table->count; i++) {
        int result = describe(&table->regions[i], session->message.fds[i], &pieces[i]);
        if (result)
            return result;
    }
    return 0;
}

/* What is in the new table as in the old one stays: requests may be under way in it. */
int vhost_user_set_mem_table(struct vhost_user_session *session)
{
    struct vhost_user_piece pieces[VHOST_USER_TABLE_REGIONS];
    bool stays[VHOST_USER_TABLE_REGIONS] = {false};
    unsigned count;
    int result = read_table(session, pieces, &count);
    if (result)
        return result;
    for (unsigned i = session->piece_count; i-- > 0;) {
        bool kept = false;
        for (unsigned k = 0; k < count && !kept; k++)
            if (!stays[k] && same_piece(&session->pieces[i], &pieces[k]))
                kept = stays[k] = true;
        if (!kept)
            drop(session, i);
    }
    for (unsigned k = 0; k < count && !result; k++)
        if (!stays[k])
            result = add(session, &pieces[k], session->message.fds[k]);
    int updated = vhost_user_rings_update(session);
    return result ? result : updated;
}

int vhost_user_get_max_mem_slots(struct vhost_user_session *session)
{
    const uint64_t slots = VHOST_USER_MEMORY_SLOTS;
    vhost_user_reply(session, &slots, sizeof slots, -1);
    return VHOST_USER_REPLIED;
}

int vhost_user_add_mem_reg(struct vhost_user_session *session)
{
    struct vhost_user_piece piece;
    int fd = session->message.fds[0];
    int result = describe(&session->message.payload.region.region, fd, &piece);
    if (!result)
        result = add(session, &piece, fd);
    return result ? result : vhost_user_rings_update(session);
}

/* The offset is none of its marks: clients send 0. */
int vhost_user_rem_mem_reg(struct vhost_user_session *session)
{
    const struct vhost_user_region *region = &session->message.payload.region.region;
    for (unsigned i = 0; i < session->piece_count; i++) {
        const struct vhost_user_region *piece = &session->pieces[i].region;
        if (piece->guest_address != region->guest_address || piece->bytes != region->bytes ||
            piece->user_address != region->user_address)
            continue;
        drop(session, i);
        return vhost_user_rings_update(session);
    }
    return -ENOENT;
}

void vhost_user_memory_forget(struct vhost_user_session *session)
{
    while (session->piece_count)
        drop(session, session->piece_count - 1);
}

bool vhost_user_translate(const struct vhost_user_session *session, uint64_t user_address, uint64_t bytes,
                          uint64_t *guest_address)
{
    for (unsigned i = 0; i < session->piece_count; i++) {
        const struct vhost_user_region *piece = &session->pieces[i].region;
        if (user_address < piece->user_address || bytes > piece->bytes ||
            user_address - piece->user_address > piece->bytes - bytes)
            continue;
        *guest_address = piece->guest_address + (user_address - piece->user_address);
        return true;
    }
    return false;
}
