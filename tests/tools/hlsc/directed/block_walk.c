/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of all formats with lists that are read in parts, now and then with an error. */
#include "hls/block_list/list.h"
#include "tests/tools/hlsc/directed.h"

static uint64_t state;
static struct directed_queue list, more_data;
static uint64_t page;

static bool chance(uint32_t percent)
{
    return random_below(&state, 100) < percent;
}

static void reset(uint64_t seed)
{
    state = seed | 1u;
    list.first = list.behind = 0;
    more_data.first = more_data.behind = 0;
}

static void prp(uint8_t *to)
{
    page = chance(40) ? page + NVME_PAGE_BYTES : random_next(&state) & ~(uint64_t)(NVME_PAGE_BYTES - 1u);
    uint64_t entry = chance(1) ? page + 8u : page;
    memcpy(to, &entry, sizeof entry);
    page = entry;
}

static void sgl(uint8_t *to)
{
    struct nvme_sgl made;
    memset(&made, 0, sizeof made);
    made.address = random_next(&state);
    made.length = chance(10) ? 0 : random_below(&state, chance(20) ? 200000 : 3000);
    made.identifier = chance(15) ? NVME_SGL_BIT_BUCKET << 4 : NVME_SGL_DATA << 4;
    if (chance(5)) {
        made.identifier = chance(70) ? NVME_SGL_SEGMENT << 4 : NVME_SGL_LAST_SEGMENT << 4;
        made.length = 16u * random_below(&state, 80) + (chance(5) ? 1u : 0u);
    }
    if (chance(1))
        made.identifier = (uint8_t)random_next(&state);
    memcpy(to, &made, sizeof made);
}

static void descriptor(uint8_t *to, uint32_t index)
{
    struct virtq_descriptor made;
    made.address = random_next(&state);
    made.length = random_below(&state, chance(20) ? 200000 : 3000);
    made.flags =
        (uint16_t)((chance(97) ? VIRTQ_NEXT : 0) | (chance(50) ? VIRTQ_WRITE : 0) | (chance(1) ? VIRTQ_INDIRECT : 0));
    made.next = (uint16_t)(chance(80) ? index + 1u : random_below(&state, 140));
    memcpy(to, &made, sizeof made);
}

/* What a read brings: its tag says the format. */
static void answer(struct directed_queue *queue, uint32_t format, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += BEAT_BYTES) {
        struct beat beat;
        memset(&beat, 0, sizeof beat);
        for (uint32_t i = 0; i < BEAT_BYTES; i += format == BLOCK_PRP ? 8 : 16) {
            if (format == BLOCK_PRP)
                prp(beat.data + i);
            else if (format == BLOCK_SGL)
                sgl(beat.data + i);
            else
                descriptor(beat.data + i, (at + i) / 16u);
        }
        beat.meta.bytes = (uint8_t)(bytes - at < BEAT_BYTES ? bytes - at : BEAT_BYTES);
        beat.meta.last = at + BEAT_BYTES >= bytes;
        beat.meta.error = beat.meta.last && chance(2);
        directed_put(queue, &beat, sizeof beat);
    }
}

static void job(uint8_t *to)
{
    const uint32_t flags[] = {ANSWER_MOVE_IN, ANSWER_MOVE_OUT, ANSWER_COMPLETE, ANSWER_MOVE_OUT | ANSWER_COMPLETE};
    struct block_job made;
    struct block_listed listed;
    memset(&made, 0, sizeof made);
    made.context.format = (uint8_t)(1u + random_below(&state, chance(5) ? 4 : 3));
    made.context.tag = (uint16_t)(made.context.format | random_below(&state, 4096) << 2);
    made.context.function = (uint16_t)random_below(&state, CARD_FUNCTIONS);
    made.context.pointer0 = random_next(&state) & ~(uint64_t)(chance(95) ? 3 : 0);
    made.context.pointer1 = random_next(&state) & ~(uint64_t)(chance(90) ? NVME_PAGE_BYTES - 1u : 7);
    if (made.context.format == BLOCK_SGL)
        made.context.pointer1 = 16u * random_below(&state, 80) | (uint64_t)random_below(&state, 4) << 60;
    made.context.table_entries = 1u + random_below(&state, 128);
    made.context.first = (uint16_t)random_below(&state, chance(80) ? 8 : 130);
    made.answer.flags = flags[random_below(&state, 4)];
    made.answer.address = random_next(&state);
    made.answer.length = 1u + random_below(&state, chance(30) ? BLOCK_DATA_MAX : 30000);
    made.answer.skip = random_below(&state, chance(30) ? 5000 : 17);
    block_list_begin(&listed, &made);
    if (listed.list_bytes != 0)
        answer(&list, made.context.format, listed.list_bytes);
    memcpy(to, &listed, sizeof listed);
}

static bool record(const char *stream, uint8_t *to)
{
    if (strcmp(stream, "list") == 0)
        return directed_get(&list, to, sizeof(struct beat));
    if (strcmp(stream, "more_data") == 0)
        return directed_get(&more_data, to, sizeof(struct beat));
    if (list.behind - list.first > DIRECTED_QUEUE / 2u)
        return false;
    job(to);
    return true;
}

static void seen(const char *stream, const uint8_t *from)
{
    struct dma_request request;
    if (strcmp(stream, "more") != 0)
        return;
    memcpy(&request, from, sizeof request);
    if (!(request.flags & DMA_WINDOW))
        answer(&more_data, request.tag & 3u, (uint32_t)request.length);
}

const struct directed directed = {reset, record, seen};
