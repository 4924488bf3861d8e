/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/block/engine_traffic.h"

#include <unistd.h>

struct piece {
    bool busy;
    struct block_command command;
    uint8_t guest[TRAFFIC_PIECE_BYTES], model[TRAFFIC_PIECE_BYTES];
};

static void begin_piece(struct fixture *fixture, struct piece *pieces, unsigned i)
{
    struct cipu_host *host = fixture->host;
    struct piece *piece = &pieces[i];
    static const uint8_t opcodes[] = {BLOCK_READ,  BLOCK_READ,  BLOCK_WRITE,
                                      BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES};
    uint8_t opcode = opcodes[fake_random(host, sizeof opcodes)];
    uint32_t blocks = TRAFFIC_PIECE_BYTES / 512, from = (uint32_t)fake_random(host, blocks);
    uint32_t length = 512 * (1 + (uint32_t)fake_random(host, blocks - from));
    piece->command = command_at(fixture, i, opcode, (uint64_t)i * TRAFFIC_PIECE_BYTES + from * 512, length);
    piece->command.flags = fake_random(host, 2) ? BLOCK_VIRTIO : 0;
    if (fake_random(host, 4) == 0)
        piece->command.flags |= BLOCK_FUA;
    if (fake_random(host, 2))
        piece->command.flags |= BLOCK_UNMAP;
    for (uint32_t k = 0; k < length; k++)
        piece->guest[k] = (uint8_t)(opcode == BLOCK_READ ? 0xee : fake_random(host, 256));
    piece->busy = true;
    fake_command(host, piece->command, piece->guest);
}

static void end_piece(struct fixture *fixture, struct piece *piece)
{
    const struct block_command *command = &piece->command;
    const struct fake_tag *tag = &fixture->host->tags[command->tag];
    uint8_t *model = piece->model + command->offset % TRAFFIC_PIECE_BYTES;
    assert_int_equal(tag->status, 0);
    assert_false(tag->silent);
    if (command->opcode == BLOCK_READ)
        assert_memory_equal(piece->guest, model, command->length);
    else if (command->opcode == BLOCK_WRITE)
        memcpy(model, piece->guest, command->length);
    else if (command->opcode == BLOCK_WRITE_ZEROES)
        memset(model, 0, command->length);
    uint32_t data = command->opcode == BLOCK_READ ? command->length : 0;
    assert_int_equal(tag->written, command->flags & BLOCK_VIRTIO ? data + 1 : 0);
    piece->busy = false;
}

void traffic(struct fixture *fixture, unsigned commands)
{
    struct piece *pieces = calloc(TRAFFIC_PIECES, sizeof *pieces);
    struct cipu_host *host = fixture->host;
    unsigned begun = 0, ended = 0;
    while (ended < commands) {
        unsigned i = (unsigned)fake_random(host, TRAFFIC_PIECES);
        if (!pieces[i].busy && begun < commands)
            begin_piece(fixture, pieces, i), begun++;
        if (fake_random(host, 16) == 0)
            host->hold_moves = !host->hold_moves;
        if (fake_random(host, 16) == 0)
            host->hold_tells = !host->hold_tells;
        if (begun == commands)
            host->hold_moves = host->hold_tells = false;
        fake_step(host);
        for (unsigned k = 0; k < TRAFFIC_PIECES; k++)
            if (pieces[k].busy && host->tags[pieces[k].command.tag].completed)
                end_piece(fixture, &pieces[k]), ended++;
    }
    host->hold_moves = host->hold_tells = false;
    while (host->held)
        fake_step(host);
    free(pieces);
}

void check_counters(struct fixture *fixture, unsigned commands)
{
    struct volume_statistics statistics;
    struct volume_latency latency;
    uint64_t operations = 0;
    /* A call is behind all notices that the card gave before. */
    block_volume_set_access(fixture->volume, FUNCTION, VOLUME_READ | VOLUME_WRITE, 0);
    usleep(10000);
    block_volume_statistics(fixture->volume, &statistics);
    for (unsigned i = 0; i < VOLUME_OPERATIONS; i++) {
        operations += statistics.operations[i];
        assert_int_equal(statistics.errors[i], 0);
    }
    assert_int_equal(operations, commands);
    for (unsigned kind = BACKEND_READ; kind <= BACKEND_WRITE; kind++) {
        block_volume_latency(fixture->volume, (uint8_t)kind, &latency);
        assert_int_equal(latency.count, statistics.operations[kind]);
        assert_int_equal(latency.bytes, statistics.bytes[kind]);
        for (unsigned stage = 0; stage < LATENCY_STAGES; stage++) {
            uint64_t count = 0;
            for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
                count += latency.buckets[stage][i];
            assert_int_equal(count, latency.count);
        }
    }
}
