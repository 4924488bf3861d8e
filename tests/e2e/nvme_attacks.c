/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on memory, queues, doorbells and the life of a controller. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/e2e/nvme_attacker.h"

#define BLOCKS_OF_PAGE (NVME_PAGE_BYTES / 512u)
#define LARGE          (256u * BLOCKS_OF_PAGE) /* 1 MiB */
#define SGL(TYPE)      ((uint64_t)(TYPE) << 60)
#define NOT_DWORD      2u

/* A data pointer and the status that a read, and a write, with it must get. */
struct pointer {
    const char *name;
    uint64_t prp1, prp2;
    uint32_t blocks;
    bool sgl;
    int read, write;
};

static unsigned failures;

static void found(const char *name, int got, int expected)
{
    if (got == expected)
        return;
    printf("# %s: found %s%x, expected 0x%x\n", name, got < 0 ? "errno -0x" : "0x",
           got < 0 ? (unsigned)-got : (unsigned)got, (unsigned)expected);
    failures++;
}

/* ---- data pointers ---- */

static void try_pointer(struct attacker *attacker, const struct pointer *pointer)
{
    for (unsigned i = 0; i < 2; i++) {
        struct nvme_command command =
            attacker_transfer(i ? NVME_WRITE : NVME_READ, 64, pointer->blocks, pointer->prp1, pointer->prp2);
        command.flags = pointer->sgl ? NVME_PSDT_SGL : 0;
        found(pointer->name, attacker_status(attacker, 1, &command), i ? pointer->write : pointer->read);
    }
}

static void prps(struct attacker *attacker)
{
    uint64_t good = attacker->data_address, list_address, other_address;
    uint64_t *list = nvme_initiator_alloc(&attacker->initiator, 1, &list_address);
    uint64_t *other = nvme_initiator_alloc(&attacker->initiator, 1, &other_address);
    const struct pointer pointers[] = {
        {"nowhere", ATTACKER_NOWHERE, 0, 1, false, NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"at the end of all addresses", UINT64_MAX - 3, 0, 8, false, NVME_DATA_TRANSFER_ERROR,
         NVME_DATA_TRANSFER_ERROR},
        {"another function's window", UINT64_C(1) << 50, 0, 8, false, NVME_DATA_TRANSFER_ERROR,
         NVME_DATA_TRANSFER_ERROR},
        {"read-only memory", ATTACKER_READ_ONLY, 0, 8, false, NVME_DATA_TRANSFER_ERROR, NVME_SUCCESS},
        {"PRP 1 between dwords", good + NOT_DWORD, 0, 1, false, NVME_PRP_OFFSET, NVME_PRP_OFFSET},
        {"PRP 2 nowhere", good, ATTACKER_NOWHERE, 16, false, NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"PRP 2 with an offset", good, good + NVME_PAGE_BYTES + 512, 16, false, NVME_PRP_OFFSET, NVME_PRP_OFFSET},
        {"list nowhere", good, ATTACKER_NOWHERE, LARGE, false, NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"list between words", good, list_address + 4, LARGE, false, NVME_PRP_OFFSET, NVME_PRP_OFFSET},
        {"list over the end of memory", good, ATTACKER_ADDRESS + ATTACKER_BYTES - 8, LARGE, false,
         NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"list that leads into itself with an offset", good, list_address + NVME_PAGE_BYTES - 8, LARGE, false,
         NVME_PRP_OFFSET, NVME_PRP_OFFSET},
        {"list that leads into itself", good, other_address + NVME_PAGE_BYTES - 8, LARGE, false, NVME_SUCCESS,
         NVME_SUCCESS},
    };
    for (unsigned i = 0; i < 511; i++)
        list[i] = other[i] = good;
    list[511] = list_address + NVME_PAGE_BYTES - 8;
    other[511] = other_address;
    other[300] = other_address + 8;
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++)
        try_pointer(attacker, &pointers[i]);
    list[100] = good + 512;
    try_pointer(attacker, &(struct pointer){"entry with an offset", good, list_address, LARGE, false, NVME_PRP_OFFSET,
                                            NVME_PRP_OFFSET});
    list[100] = ATTACKER_NOWHERE;
    try_pointer(attacker, &(struct pointer){"entry nowhere", good, list_address, LARGE, false, NVME_DATA_TRANSFER_ERROR,
                                            NVME_DATA_TRANSFER_ERROR});
}

static void sgls(struct attacker *attacker)
{
    uint64_t good = attacker->data_address, address, loop_address;
    struct nvme_sgl *segment = nvme_initiator_alloc(&attacker->initiator, 1, &address);
    struct nvme_sgl *loop = nvme_initiator_alloc(&attacker->initiator, 1, &loop_address);
    for (unsigned i = 0; i < 256; i++)
        segment[i] = (struct nvme_sgl){.address = good, .length = 2, .identifier = NVME_SGL_DATA << 4};
    segment[8] = (struct nvme_sgl){.address = address, .length = 16, .identifier = NVME_SGL_SEGMENT << 4};
    segment[16].identifier = 0x0f;
    segment[17].identifier = 0x70;
    loop[0] = (struct nvme_sgl){.address = loop_address, .length = 16, .identifier = NVME_SGL_SEGMENT << 4};
    loop[1] = (struct nvme_sgl){.address = good, .length = UINT32_MAX, .identifier = NVME_SGL_DATA << 4};
    loop[2] = (struct nvme_sgl){.address = ATTACKER_NOWHERE, .length = 4096, .identifier = NVME_SGL_DATA << 4};
    const struct pointer pointers[] = {
        {"SGL nowhere", ATTACKER_NOWHERE, 512, 1, true, NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"SGL that wraps", UINT64_MAX - 255, 512, 1, true, NVME_DATA_TRANSFER_ERROR, NVME_DATA_TRANSFER_ERROR},
        {"SGL into read-only memory", ATTACKER_READ_ONLY, 512, 1, true, NVME_DATA_TRANSFER_ERROR, NVME_SUCCESS},
        {"SGL longer than memory", good, 0xffffffff, 1, true, NVME_SUCCESS, NVME_SUCCESS},
        {"SGL too short", good, 511, 1, true, NVME_DATA_SGL_LENGTH, NVME_DATA_SGL_LENGTH},
        {"SGL of nothing", good, 0, 1, true, NVME_DATA_SGL_LENGTH, NVME_DATA_SGL_LENGTH},
        {"SGL of type 7", good, SGL(7) | 512, 1, true, NVME_SGL_TYPE, NVME_SGL_TYPE},
        {"SGL of subtype 1", good, SGL(0) | UINT64_C(1) << 56 | 512, 1, true, NVME_SGL_TYPE, NVME_SGL_TYPE},
        {"segment of no bytes", address, SGL(NVME_SGL_LAST_SEGMENT), 1, true, NVME_INVALID_SGL_SEGMENT,
         NVME_INVALID_SGL_SEGMENT},
        {"segment of 17 bytes", address, SGL(NVME_SGL_LAST_SEGMENT) | 17, 1, true, NVME_INVALID_SGL_SEGMENT,
         NVME_INVALID_SGL_SEGMENT},
        {"segment nowhere", ATTACKER_NOWHERE, SGL(NVME_SGL_LAST_SEGMENT) | 64, 1, true, NVME_DATA_TRANSFER_ERROR,
         NVME_DATA_TRANSFER_ERROR},
        {"segment within the last one", address, SGL(NVME_SGL_LAST_SEGMENT) | 160, 1, true, NVME_INVALID_SGL_SEGMENT,
         NVME_INVALID_SGL_SEGMENT},
        {"segment that is not the last entry", address, SGL(NVME_SGL_SEGMENT) | 160, 1, true, NVME_INVALID_SGL_COUNT,
         NVME_INVALID_SGL_COUNT},
        {"segment that leads into itself", loop_address, SGL(NVME_SGL_SEGMENT) | 16, 1, true, NVME_INVALID_SGL_COUNT,
         NVME_INVALID_SGL_COUNT},
        {"segment with a bad subtype", address + 256, SGL(NVME_SGL_LAST_SEGMENT) | 16, 1, true, NVME_SGL_TYPE,
         NVME_SGL_TYPE},
        {"segment with a bad type", address + 272, SGL(NVME_SGL_LAST_SEGMENT) | 16, 1, true, NVME_SGL_TYPE,
         NVME_SGL_TYPE},
        {"pieces of two bytes, then a segment", address + 512, SGL(NVME_SGL_LAST_SEGMENT) | 0xfffffff0, LARGE, true,
         NVME_INVALID_SGL_SEGMENT, NVME_INVALID_SGL_SEGMENT},
        {"entry longer than the data", loop_address + 16, SGL(NVME_SGL_LAST_SEGMENT) | 16, 8, true, NVME_SUCCESS,
         NVME_SUCCESS},
        {"entry nowhere", loop_address + 32, SGL(NVME_SGL_LAST_SEGMENT) | 16, 8, true, NVME_DATA_TRANSFER_ERROR,
         NVME_DATA_TRANSFER_ERROR},
    };
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++)
        try_pointer(attacker, &pointers[i]);
}

/* ---- queues ---- */

static int create_cq(struct attacker *attacker, unsigned queue, uint64_t address, uint32_t entries)
{
    struct nvme_command command = {
        .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = address, .dword10 = (entries - 1) << 16 | queue, .dword11 = 1};
    return attacker_status(attacker, 0, &command);
}

static int create_sq(struct attacker *attacker, unsigned queue, uint64_t address, uint32_t entries, unsigned completion)
{
    struct nvme_command command = {.opcode = NVME_ADMIN_CREATE_SQ,
                                   .prp1 = address,
                                   .dword10 = (entries - 1) << 16 | queue,
                                   .dword11 = completion << 16 | 1};
    return attacker_status(attacker, 0, &command);
}

static int delete_queue(struct attacker *attacker, uint8_t opcode, unsigned queue)
{
    struct nvme_command command = {.opcode = opcode, .dword10 = queue};
    return attacker_status(attacker, 0, &command);
}

/* `count` commands, put and rung at once. */
static void flood_with(struct attacker *attacker, unsigned queue, unsigned count, const struct nvme_command *pattern)
{
    struct nvme_pair *pair = attacker_pair(attacker, queue);
    uint32_t old = pair->tail;
    for (unsigned i = 0; i < count; i++) {
        struct nvme_command command = *pattern;
        command.dword10 = (uint32_t)(attacker_random(attacker) % 4096);
        command.identifier = pair->next_identifier++;
        nvme_initiator_put(pair, &command);
    }
    nvme_initiator_submitted(&attacker->initiator, pair, old);
}

static void flood(struct attacker *attacker, unsigned queue, unsigned count, uint32_t blocks)
{
    const struct nvme_command command =
        attacker_transfer(NVME_READ, 0, blocks, attacker->data_address, attacker->data_address + NVME_PAGE_BYTES);
    flood_with(attacker, queue, count, &command);
}

static unsigned collect(struct attacker *attacker, unsigned queue, unsigned expected)
{
    struct nvme_pair *pair = attacker_pair(attacker, queue);
    unsigned got = 0;
    for (unsigned tries = 0; tries < 3000 && got < expected; tries++) {
        for (; nvme_initiator_next(pair); got++) {
            uint32_t old = pair->head;
            nvme_initiator_skip(pair);
            nvme_initiator_taken(&attacker->initiator, pair, old);
        }
        usleep(got < expected ? 1000 : 0);
    }
    return got;
}

static void ring(struct attacker *attacker, uint32_t word, uint32_t value)
{
    nvme_initiator_ring(&attacker->initiator, word, value, value);
}

/* Deletion ends what is in flight: all completions are there before that of the deletion. */
static void deletion_in_flight(struct attacker *attacker)
{
    for (unsigned round = 0; round < 10; round++) {
        flood(attacker, 1, 48, 16);
        found("deletion of an SQ in use", delete_queue(attacker, NVME_ADMIN_DELETE_SQ, 1), NVME_SUCCESS);

        while (nvme_initiator_next(attacker_pair(attacker, 1)))
            nvme_initiator_skip(attacker_pair(attacker, 1));
        ring(attacker, 2, 5);
        usleep(2000);
        if (nvme_initiator_next(attacker_pair(attacker, 1)))
            found("a completion after the deletion", 1, 0);
        found("deletion of its CQ", delete_queue(attacker, NVME_ADMIN_DELETE_CQ, 1), NVME_SUCCESS);
        found("a new pair", nvme_initiator_pair(&attacker->initiator, 1, ATTACKER_ENTRIES), 0);
        found("an honest command", attacker_honest(attacker), 0);
        attacker->initiator.used = attacker->fresh + UINT64_C(16) * NVME_PAGE_BYTES;
    }
}

/* Who does not take completions gets no more than fit. */
static void full_completion_queue(struct attacker *attacker)
{
    uint64_t sq_address, cq_address;
    struct nvme_pair *pair = attacker_pair(attacker, 2);
    *pair = (struct nvme_pair){.number = 2, .entries = 64, .phase = 1};
    pair->sq = nvme_initiator_alloc(&attacker->initiator, 1, &sq_address);
    struct nvme_completion *cq = nvme_initiator_alloc(&attacker->initiator, 1, &cq_address);
    found("CQ of 4", create_cq(attacker, 2, cq_address, 4), 0);
    found("SQ of 64", create_sq(attacker, 2, sq_address, 64, 2), 0);
    flood(attacker, 2, 40, 8);
    usleep(50000);
    unsigned written = 0;
    for (unsigned i = 0; i < NVME_PAGE_BYTES / sizeof *cq; i++)
        written += cq[i].status & 1;
    found("completions in a CQ of 4", (int)written, 3);
    *pair = (struct nvme_pair){.number = 2, .entries = 4, .phase = 1, .cq = cq, .sq = pair->sq, .tail = pair->tail};
    found("all of them in the end", (int)collect(attacker, 2, 40), 40);
}

static void overlapping_queues(struct attacker *attacker)
{
    uint64_t address;
    nvme_initiator_alloc(&attacker->initiator, 4, &address);
    found("CQ", create_cq(attacker, 2, address, 64), 0);
    found("SQ over its CQ", create_sq(attacker, 2, address, 64, 2), 0);
    found("SQ over the admin SQ", create_sq(attacker, 3, attacker_pair(attacker, 0)->sq_address, 64, 2), 0);
    ring(attacker, 4, 63);
    ring(attacker, 6, 63);
    usleep(20000);
    ring(attacker, 5, 1);
    usleep(20000);
}

static void queues_in_bad_memory(struct attacker *attacker)
{
    create_cq(attacker, 2, ATTACKER_READ_ONLY, 64);
    create_sq(attacker, 2, ATTACKER_READ_ONLY, 64, 2);
    ring(attacker, 4, 20);
    usleep(20000);
}

static void doorbells(struct attacker *attacker)
{
    flood(attacker, 1, 20, 8);
    for (unsigned i = 0; i < 200; i++)
        ring(attacker, (uint32_t)(attacker_random(attacker) % 1024), (uint32_t)attacker_random(attacker));
    for (unsigned word = 0; word < 80; word++)
        ring(attacker, word, UINT32_MAX);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t value = attacker_random(attacker);
        unsigned bytes = 1u << (value & 3);
        vfio_user_client_write(attacker->client, 0, NVME_REG_DOORBELLS + (value >> 8) % 0x3000, &value, bytes);
    }
}

/* Tails that go round and round fetch the same entries again, identifiers in use among them. */
static void endless_tail(struct attacker *attacker)
{
    flood(attacker, 1, 63, 8);
    for (unsigned i = 0; i < 500; i++)
        ring(attacker, 2, i % ATTACKER_ENTRIES);
    usleep(5000);
    for (unsigned i = 0; i < 500; i++)
        ring(attacker, 3, (uint32_t)attacker_random(attacker) % ATTACKER_ENTRIES);
}

static void shadow_doorbells(struct attacker *attacker)
{
    struct nvme_command command = {
        .opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = ATTACKER_READ_ONLY, .prp2 = attacker->data_address};
    attacker_status(attacker, 0, &command);
    command.prp1 = attacker->data_address;
    command.prp2 = ATTACKER_READ_ONLY;
    attacker_status(attacker, 0, &command);
    command.prp2 = attacker->data_address;
    attacker_status(attacker, 0, &command);
    for (unsigned i = 0; i < NVME_PAGE_BYTES; i++)
        attacker->data[i] = (uint8_t)attacker_random(attacker);
    for (unsigned i = 0; i < 20; i++)
        ring(attacker, 2, i);
    usleep(10000);
}

/* ---- commands ---- */

static void too_many_event_requests(struct attacker *attacker)
{
    struct nvme_pair *admin = attacker_pair(attacker, 0);
    uint32_t old = admin->tail;
    for (unsigned i = 0; i < 8; i++) {
        struct nvme_command command = {.opcode = NVME_ADMIN_ASYNC_EVENT, .identifier = (uint16_t)(0x100 + i)};
        nvme_initiator_put(admin, &command);
    }
    nvme_initiator_submitted(&attacker->initiator, admin, old);
    for (unsigned tries = 0; tries < 1000 && !nvme_initiator_next(admin); tries++)
        usleep(1000);
    const struct nvme_completion *entry = nvme_initiator_next(admin);
    found("the fifth request of events", entry ? entry->status >> 1 & 0x7ff : -ETIMEDOUT, NVME_ASYNC_EVENT_LIMIT);
    found("those beyond four", (int)collect(attacker, 0, 4), 4);
    usleep(2000);
    found("and no more", nvme_initiator_next(admin) != NULL, 0);
}

static void aborts(struct attacker *attacker)
{
    for (unsigned round = 0; round < 20; round++) {
        flood(attacker, 1, 32, 16);
        for (unsigned i = 0; i < 8; i++) {
            struct nvme_command command = {
                .opcode = NVME_ADMIN_ABORT,
                .dword10 = (uint32_t)(attacker_random(attacker) % 3) |
                           (uint32_t)(uint16_t)(attacker_pair(attacker, 1)->next_identifier - 1 - i) << 16};
            found("abort", attacker_status(attacker, 0, &command), NVME_SUCCESS);
        }
        found("each command completes once", (int)collect(attacker, 1, 32), 32);
    }
}

/* Bytes of no meaning; what they may destroy is the attacker's own. */
static void noise(struct attacker *attacker)
{
    for (unsigned i = 0; i < 400; i++) {
        struct nvme_command command;
        unsigned queue = i % 2;
        uint8_t *bytes = (uint8_t *)&command;
        for (unsigned at = 0; at < sizeof command; at++)
            bytes[at] = (uint8_t)attacker_random(attacker);
        command.flags = i % 4 < 3 ? 0 : command.flags;
        command.namespace_id = i % 3 ? 1 : command.namespace_id;
        command.prp1 = i % 5 ? attacker->data_address + (command.prp1 & 0xfff0) : command.prp1;
        command.dword10 &= i % 7 ? 0x1ffff : UINT32_MAX;
        if (!queue && (command.opcode == NVME_ADMIN_ASYNC_EVENT || command.opcode <= NVME_ADMIN_DELETE_CQ ||
                       command.opcode == NVME_ADMIN_CREATE_CQ || command.opcode == NVME_ADMIN_DOORBELL_BUFFER))
            command.opcode = NVME_ADMIN_IDENTIFY;
        int result = attacker_status(attacker, queue, &command);
        if (result < 0)
            found("a command without meaning", result, 0);
    }
}

/* ---- memory and life ---- */

static void unmap_under_load(struct attacker *attacker)
{
    /* Writes out of the page that goes; each completes, well or not. */
    const struct nvme_command command = attacker_transfer(NVME_WRITE, 0, BLOCKS_OF_PAGE, ATTACKER_READ_ONLY, 0);
    for (unsigned round = 0; round < 20; round++) {
        flood_with(attacker, 1, 48, &command);
        found("unmap", vfio_user_client_dma_unmap(attacker->client, ATTACKER_READ_ONLY, NVME_PAGE_BYTES), 0);
        found("map",
              vfio_user_client_dma_map(attacker->client, ATTACKER_READ_ONLY, NVME_PAGE_BYTES, attacker->read_only_fd, 0,
                                       1),
              0);
        found("commands", (int)collect(attacker, 1, 48), 48);
    }
    create_cq(attacker, 2, ATTACKER_READ_ONLY, 16);
    flood(attacker, 1, 32, 16);
    found("unmap of a queue", vfio_user_client_dma_unmap(attacker->client, ATTACKER_READ_ONLY, NVME_PAGE_BYTES), 0);
    found("map",
          vfio_user_client_dma_map(attacker->client, ATTACKER_READ_ONLY, NVME_PAGE_BYTES, attacker->read_only_fd, 0, 1),
          0);
}

static void bus_master_off(struct attacker *attacker)
{
    uint16_t off = 2, on = 6;
    flood(attacker, 1, 60, 16);
    found("bus master off", vfio_user_client_write(attacker->client, 7, 4, &off, sizeof off), 0);
    ring(attacker, 2, 3);
    usleep(10000);
    found("bus master on", vfio_user_client_write(attacker->client, 7, 4, &on, sizeof on), 0);
}

/* Its bus mastering is off afterwards. */
static void reset_function(struct attacker *attacker)
{
    uint16_t on = 6;
    found("reset of the function", vfio_user_client_reset(attacker->client), 0);
    found("bus master on", vfio_user_client_write(attacker->client, 7, 4, &on, sizeof on), 0);
}

static void resets_under_load(struct attacker *attacker)
{
    for (unsigned round = 0; round < 20; round++) {
        flood(attacker, 1, 60, 16);
        uint32_t configuration = 4u << 20 | 6u << 16 | (round & 1);
        for (unsigned i = 0; i < 4; i++)
            nvme_initiator_write(&attacker->initiator, NVME_REG_CC, configuration ^ (i & 1));
        ring(attacker, 2, round);
        if (round % 4 == 3)
            reset_function(attacker);
        found("begin", attacker_begin(attacker), 0);
        found("honest", attacker_honest(attacker), 0);
    }
}

/* Nothing of before a reset arrives after it. */
static void commands_after_disable(struct attacker *attacker)
{
    flood(attacker, 1, 60, 16);
    found("disable", nvme_initiator_disable(&attacker->initiator), 0);
    memset(attacker->data, 0x5a, 2 * NVME_PAGE_BYTES);
    memset(attacker_pair(attacker, 1)->cq, 0, NVME_PAGE_BYTES / 4);
    for (unsigned word = 0; word < 6; word++)
        ring(attacker, word, 7);
    usleep(20000);
    unsigned changed = 0;
    for (unsigned i = 0; i < 2 * NVME_PAGE_BYTES; i++)
        changed += attacker->data[i] != 0x5a;
    for (unsigned i = 0; i < ATTACKER_ENTRIES; i++)
        changed += attacker_pair(attacker, 1)->cq[i].status != 0;
    found("bytes written after the reset", (int)changed, 0);
}

static void registers(struct attacker *attacker)
{
    for (unsigned i = 0; i < 300; i++) {
        uint64_t value = attacker_random(attacker), at = attacker_random(attacker);
        uint32_t bytes = 1u << (at & 3);
        vfio_user_client_write(attacker->client, 0, (at >> 8) % 0x80 / bytes * bytes, &value, bytes);
    }
}

static void disconnect_under_load(struct attacker *attacker)
{
    for (unsigned round = 0; round < 5; round++) {
        flood(attacker, 1, 60, 16);
        attacker_disconnect(attacker);
        found("connect", attacker_connect(attacker, attacker->socket, attacker->random), 0);
        found("begin", attacker_begin(attacker), 0);
        found("honest", attacker_honest(attacker), 0);
    }
}

static const struct attack {
    const char *name;
    void (*run)(struct attacker *attacker);
} ATTACKS[] = {
    {"PRPs", prps},
    {"SGLs", sgls},
    {"deletion in flight", deletion_in_flight},
    {"a full completion queue", full_completion_queue},
    {"overlapping queues", overlapping_queues},
    {"queues in bad memory", queues_in_bad_memory},
    {"doorbells", doorbells},
    {"endless tail", endless_tail},
    {"shadow doorbells", shadow_doorbells},
    {"too many requests of events", too_many_event_requests},
    {"aborts", aborts},
    {"noise", noise},
    {"unmapping under load", unmap_under_load},
    {"bus master off", bus_master_off},
    {"resets under load", resets_under_load},
    {"commands after a reset", commands_after_disable},
    {"registers", registers},
    {"disconnection under load", disconnect_under_load},
};

unsigned nvme_attacks(struct attacker *attacker, bool (*neighbour_goes_on)(void))
{
    unsigned harm = 0;
    for (size_t i = 0; i < sizeof ATTACKS / sizeof ATTACKS[0]; i++) {
        failures = 0;
        found("begin", attacker_begin(attacker), 0);
        ATTACKS[i].run(attacker);
        if (!neighbour_goes_on())
            found("the neighbour goes on", 0, 1);
        found("begin again", attacker_begin(attacker), 0);
        found("an honest driver", attacker_honest(attacker), 0);
        printf("# attack: %s: %s\n", ATTACKS[i].name, failures ? "harm" : "no harm");
        fflush(stdout);
        harm += failures != 0;
    }
    return harm;
}
