/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that this device carries out itself: VIRTIO 1.2, 5.2.6. */
#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_blk_internal.h"

struct blk_range { /* struct virtio_blk_discard_write_zeroes */
    uint64_t sector;
    uint32_t sectors;
    uint32_t flags;
};

#define RANGE_UNMAP 1u

static_assert(sizeof(struct blk_header) == BLK_HEADER_BYTES, "5.2.6");
static_assert(sizeof(struct blk_range) == 16, "5.2.6");

static bool within(const struct virtio_blk *blk, uint64_t sector, uint64_t sectors)
{
    uint64_t capacity = blk->sectors;
    return sector <= capacity && sectors <= capacity - sector;
}

static uint8_t status_of(int result)
{
    return result ? BLK_S_IOERR : BLK_S_OK;
}

/* 5.2.6.2: without a write cache what was written is durable before the request completes. */
static bool is_durable(const struct virtio_blk *blk)
{
    uint64_t features = blk->accepted;
    return features & BLK_F_CONFIG_WCE ? !blk->write_cache : !(features & BLK_F_FLUSH);
}

static uint8_t read_sectors(struct blk_request *request, uint64_t sector, uint32_t *written)
{
    struct virtio_blk *blk = request->blk;
    uint32_t bytes = request->writable;
    if (bytes % BLK_SECTOR_BYTES || !within(blk, sector, bytes / BLK_SECTOR_BYTES))
        return BLK_S_IOERR;
    for (uint32_t done = 0; done < bytes;) {
        uint32_t step = bytes - done < BLOCK_DATA_MAX ? bytes - done : BLOCK_DATA_MAX;
        int result = block_volume_operate(blk->volume, blk->function, BACKEND_READ, sector * BLK_SECTOR_BYTES + done,
                                          step, blk->buffer, false);
        if (!result)
            result = request->write(request, blk->buffer, done, step);
        if (result)
            return BLK_S_IOERR;
        *written = done += step;
    }
    return BLK_S_OK;
}

static uint8_t write_sectors(struct blk_request *request, uint64_t sector)
{
    struct virtio_blk *blk = request->blk;
    uint32_t bytes = request->readable - BLK_HEADER_BYTES;
    if (blk->offered & BLK_F_RO || bytes % BLK_SECTOR_BYTES || !within(blk, sector, bytes / BLK_SECTOR_BYTES))
        return BLK_S_IOERR;
    for (uint32_t done = 0; done < bytes;) {
        uint32_t step = bytes - done < BLOCK_DATA_MAX ? bytes - done : BLOCK_DATA_MAX;
        int result = request->read(request, blk->buffer, BLK_HEADER_BYTES + done, step);
        if (!result)
            result = block_volume_operate(blk->volume, blk->function, BACKEND_WRITE, sector * BLK_SECTOR_BYTES + done,
                                          step, blk->buffer, is_durable(blk));
        if (result)
            return BLK_S_IOERR;
        done += step;
    }
    return BLK_S_OK;
}

static uint8_t get_id(struct blk_request *request, uint32_t *written)
{
    uint32_t bytes = request->writable < VIRTIO_BLK_SERIAL_BYTES ? request->writable : VIRTIO_BLK_SERIAL_BYTES;
    if (bytes == 0 || request->write(request, request->blk->serial, 0, bytes))
        return BLK_S_IOERR;
    *written = bytes;
    return BLK_S_OK;
}

static uint8_t check_range(const struct virtio_blk *blk, const struct blk_range *range, bool zeroes)
{
    if (range->flags & ~(zeroes ? RANGE_UNMAP : 0u))
        return BLK_S_UNSUPP;
    if (range->sectors > BLK_ZERO_SECTORS_MAX || !within(blk, range->sector, range->sectors))
        return BLK_S_IOERR;
    return BLK_S_OK;
}

/* All ranges are checked before the first is touched. */
static uint8_t clear_ranges(struct blk_request *request, bool zeroes)
{
    struct virtio_blk *blk = request->blk;
    struct blk_range ranges[BLK_ZERO_SEGMENTS_MAX];
    uint32_t bytes = request->readable - BLK_HEADER_BYTES, count = bytes / (uint32_t)sizeof ranges[0];
    if (!(blk->accepted & (zeroes ? BLK_F_WRITE_ZEROES : BLK_F_DISCARD)))
        return BLK_S_UNSUPP;
    if (count == 0 || bytes % sizeof ranges[0] || count > BLK_ZERO_SEGMENTS_MAX ||
        request->read(request, ranges, BLK_HEADER_BYTES, bytes))
        return BLK_S_IOERR;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t status = check_range(blk, &ranges[i], zeroes);
        if (status)
            return status;
    }
    int result = 0;
    for (uint32_t i = 0; i < count && !result; i++)
        if (ranges[i].sectors)
            result = block_volume_operate(blk->volume, blk->function, zeroes ? BACKEND_WRITE_ZEROES : BACKEND_DISCARD,
                                          ranges[i].sector * BLK_SECTOR_BYTES,
                                          (uint64_t)ranges[i].sectors * BLK_SECTOR_BYTES, NULL, is_durable(blk));
    return status_of(result);
}

uint8_t blk_execute(struct blk_request *request, uint32_t *written)
{
    struct virtio_blk *blk = request->blk;
    struct blk_header header;
    *written = 0;
    if (request->readable < BLK_HEADER_BYTES || request->read(request, &header, 0, sizeof header))
        return BLK_S_IOERR;
    switch (header.type) {
    case BLK_T_IN:
        return read_sectors(request, header.sector, written);
    case BLK_T_OUT:
        return write_sectors(request, header.sector);
    case BLK_T_FLUSH:
        return status_of(block_volume_operate(blk->volume, blk->function, BACKEND_FLUSH, 0, 0, NULL, false));
    case BLK_T_GET_ID:
        return get_id(request, written);
    case BLK_T_DISCARD:
        return clear_ranges(request, false);
    case BLK_T_WRITE_ZEROES:
        return clear_ranges(request, true);
    default:
        return BLK_S_UNSUPP;
    }
}

static int raw_read(struct blk_request *request, void *to, uint32_t skip, uint32_t bytes)
{
    uint16_t status;
    return block_raw_from_guest(request->blk->engine, request->tag, to, skip, bytes, &status);
}

static int raw_write(struct blk_request *request, const void *from, uint32_t skip, uint32_t bytes)
{
    uint16_t status;
    return block_raw_to_guest(request->blk->engine, request->tag, from, skip, bytes, &status);
}

/* The header is always fetched: the card has none where a driver cut it into several descriptors. */
void blk_execute_raw(struct virtio_blk *blk, const struct block_raw *raw)
{
    struct blk_request request = {.blk = blk,
                                  .readable = raw->command.readable,
                                  .writable = raw->command.writable,
                                  .read = raw_read,
                                  .write = raw_write,
                                  .tag = raw->command.tag};
    uint32_t written;
    uint8_t status = blk_execute(&request, &written);
    blk->raw_requests++;
    blk->raw_errors += status != 0;
    block_raw_complete(blk->engine, request.tag, status, 0, written + 1, false);
}
