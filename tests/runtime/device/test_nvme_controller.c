/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, enabling and disabling, queues: what a driver does first, and last. */
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/runtime/device/nvme_bench.h"

static void test_capabilities(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    uint64_t cap = bench_register(controller, NVME_REG_CAP, 8);
    assert_int_equal(cap & 0xffff, 1023);   /* MQES */
    assert_true(cap >> 16 & 1);             /* CQR */
    assert_int_equal(cap >> 24 & 0xff, 20); /* TO */
    assert_int_equal(cap >> 32 & 0xf, 0);   /* DSTRD */
    assert_int_equal(cap >> 37 & 0xff, 1);  /* CSS */
    assert_int_equal(cap >> 48 & 0xff, 0);  /* MPSMIN, MPSMAX */
    assert_int_equal(cap >> 59 & 3, 1);     /* CRMS */
    assert_int_equal(bench_register(controller, NVME_REG_CRTO, 4), 20);
    assert_int_equal(bench_register(controller, NVME_REG_CAP, 4), cap & UINT32_MAX);
    assert_int_equal(bench_register(controller, NVME_REG_CAP + 4, 4), cap >> 32);
    assert_int_equal(bench_register(controller, NVME_REG_VS, 4), 0x20000);
    assert_int_equal(bench_register(controller, NVME_REG_CC, 4), 0);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), 0);
    bench_set_register(controller, NVME_REG_CAP, UINT64_MAX, 8);
    assert_int_equal(bench_register(controller, NVME_REG_CAP, 8), cap);
    bench_set_register(controller, NVME_REG_ASQ, 0x123456789, 8);
    assert_int_equal(bench_register(controller, NVME_REG_ASQ, 8), 0x123456000);
    bench_set_register(controller, NVME_REG_ACQ, 0x5000, 4);
    bench_set_register(controller, NVME_REG_ACQ + 4, 7, 4);
    assert_int_equal(bench_register(controller, NVME_REG_ACQ, 8), 0x700005000);
    bench_set_register(controller, NVME_REG_INTMS, 5, 4);
    bench_set_register(controller, NVME_REG_INTMC, 1, 4);
    assert_int_equal(bench_register(controller, NVME_REG_INTMS, 4), 4);
    assert_int_equal(bench_register(controller, 0x1008, 4), 0);
    uint16_t half = 0;
    assert_int_equal(nvme_ops.region_write(controller, 0, NVME_REG_CC, &half, 2), -EINVAL);
}

static void test_pci(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    uint32_t value;
    struct device_region region;
    assert_int_equal(nvme_ops.region_read(controller, DEVICE_REGION_CONFIG, 8, &value, 4), 0);
    assert_int_equal(value >> 8, 0x010802);
    nvme_ops.region_info(controller, 0, &region);
    assert_int_equal(region.size, 0x4000);
    assert_int_equal(region.mmap_fd, -1);
    nvme_ops.region_info(controller, 4, &region);
    assert_int_equal(region.size, 4096);
    assert_int_equal(nvme_ops.irq_count(controller, DEVICE_IRQ_MSIX), BENCH_QUEUES + 1);
    assert_int_equal(nvme_ops.irq_count(controller, 0), 0);
    assert_int_equal(bench_windows[0][3].bus_base, UINT64_C(3) << CIPU_WINDOW_SHIFT);
    assert_int_equal(bench_windows[1][3].length, CIPU_WINDOW_BYTES);
}

static void test_enable(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned base = bench_base(controller);
    bench_enable(controller);
    assert_true(bench_sq[base].set && bench_cq[base].set && bench_room[base].set);
    assert_int_equal(bench_sq[base].setting.address, 0x1000);
    assert_int_equal(bench_sq[base].setting.entries, 32);
    assert_int_equal(bench_sq[base].setting.flags, NVME_QUEUE_ADMIN);
    assert_int_equal(bench_sq[base].setting.function, 3);
    assert_int_equal(bench_cq[base].setting.address, 0x2000);
    assert_int_equal(bench_cq[base].setting.vector, VECTOR_BLOCK + base);
    /* The card knows both namespaces. */
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES].blocks, BENCH_VOLUME_BYTES / 512);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 1].volume, 101);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 2].blocks, 0);
    bench_disable(controller);
    assert_false(bench_sq[base].set || bench_cq[base].set || bench_room[base].set);
    bench_enable(controller);
}

static void test_waits_for_bus_master(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_set_register(controller, NVME_REG_AQA, 0x001f001f, 4);
    bench_set_register(controller, NVME_REG_ASQ, 0x1000, 8);
    bench_set_register(controller, NVME_REG_ACQ, 0x2000, 8);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    usleep(20000);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), 0);
    const uint16_t master = 6;
    assert_int_equal(nvme_ops.region_write(controller, DEVICE_REGION_CONFIG, 4, &master, 2), 0);
    assert_true(bench_wait_status(controller, ~0u, NVME_CSTS_READY));
}

static void test_bad_configurations(void **state)
{
    static const uint32_t bad[] = {0x00460011, 0x00460081, 0x00460801};
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_enable(controller);
    bench_disable(controller);
    for (unsigned i = 0; i < 3; i++) {
        bench_set_register(controller, NVME_REG_CC, bad[i], 4);
        assert_true(bench_wait_status(controller, NVME_CSTS_FATAL, NVME_CSTS_FATAL));
        assert_false(bench_register(controller, NVME_REG_CSTS, 4) & NVME_CSTS_READY);
        bench_disable(controller);
    }
    bench_set_register(controller, NVME_REG_ASQ, BENCH_MEMORY_BYTES, 8); /* not the guest's memory */
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_true(bench_wait_status(controller, NVME_CSTS_FATAL, NVME_CSTS_FATAL));
    bench_disable(controller);
    bench_enable(controller);
}

static void test_doorbells(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned page = DOORBELL_NVME + bench_base(controller);
    bench_set_register(controller, 0x1000, 3, 4);
    assert_int_equal(bench_doorbell_writes, 0); /* not enabled */
    bench_enable(controller);
    bench_set_register(controller, 0x1000, 5, 4);
    bench_set_register(controller, 0x100c, 9, 4);
    assert_int_equal(bench_doorbells[page][0], 5);
    assert_int_equal(bench_doorbells[page][3], 9);
    /* Beyond the last queue: an event, and nothing reaches the card. */
    const struct nvme_command request = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    unsigned sent = bench_send(controller, 0, &request, NULL, 0), writes = bench_doorbell_writes;
    struct bench_answer answer;
    bench_set_register(controller, 0x1000 + 8 * (BENCH_QUEUES + 1), 1, 4);
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_ERROR << 16 | NVME_ERROR_DOORBELL_REGISTER << 8 | NVME_EVENT_ERROR);
    assert_int_equal(bench_doorbell_writes, writes);
}

static void test_card_events(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned base = bench_base(controller);
    const struct nvme_command request = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    struct bench_answer answer;
    bench_enable(controller);
    unsigned sent = bench_send(controller, 0, &request, NULL, 0);
    nvme_queue_fault(controller, &(struct event_entry){.kind = EVENT_DOORBELL, .queue = (uint16_t)base});
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_ERROR << 16 | NVME_ERROR_DOORBELL_VALUE << 8 | NVME_EVENT_ERROR);
    /* An event of an earlier setting says nothing about this one. */
    struct event_entry stopped = {.kind = EVENT_QUEUE_STOPPED,
                                  .queue = (uint16_t)base,
                                  .generation = (uint16_t)(bench_sq[base].setting.generation + 100)};
    nvme_queue_fault(controller, &stopped);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), NVME_CSTS_READY);
    stopped.generation = bench_sq[base].setting.generation;
    nvme_queue_fault(controller, &stopped);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), NVME_CSTS_READY | NVME_CSTS_FATAL);
    bench_disable(controller);
    bench_enable(controller);
}

static void test_queue_commands(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned base = bench_base(controller);
    bench_enable(controller);
    bench_create_pair(controller, 2);
    assert_int_equal(bench_sq[base + 2].setting.completion, base + 2);
    assert_int_equal(bench_sq[base + 2].setting.entries, 64);
    assert_int_equal(bench_sq[base + 2].setting.base, base);
    assert_int_equal(bench_cq[base + 2].setting.vector, VECTOR_BLOCK + base + 2);
    static const struct {
        struct nvme_command command;
        uint16_t status;
    } cases[] = {
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16 | 2, .dword11 = 3}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16, .dword11 = 3}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16 | 5, .dword11 = 3}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 0u << 16 | 3, .dword11 = 3}, NVME_INVALID_QUEUE_SIZE},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 1024u << 16 | 3, .dword11 = 3}, NVME_INVALID_QUEUE_SIZE},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 2}, NVME_INVALID_FIELD},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 7}, NVME_INVALID_FIELD},
        {{.opcode = 5, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 5u << 16 | 3}, NVME_INVALID_VECTOR},
        {{.opcode = 5, .prp1 = 0x10010, .dword10 = 63u << 16 | 3, .dword11 = 3}, NVME_PRP_OFFSET},
        {{.opcode = 5, .prp1 = 0x800000, .dword10 = 63u << 16 | 3, .dword11 = 3}, NVME_DATA_TRANSFER_ERROR},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 3u << 16 | 1}, NVME_INVALID_CQ},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 1}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 2, .dword11 = 2u << 16 | 1}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 2u << 16}, NVME_INVALID_FIELD},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 2u << 16 | 9}, NVME_INVALID_FIELD},
        {{.opcode = 1, .prp1 = 0x10000, .dword10 = 63u << 16 | 3, .dword11 = 2u << 16 | 1, .dword12 = 1},
         NVME_INVALID_FIELD},
        {{.opcode = 4, .dword10 = 2}, NVME_INVALID_QUEUE_DELETION},
        {{.opcode = 4, .dword10 = 3}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 4, .dword10 = 0}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 0, .dword10 = 3}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 0, .dword10 = 0}, NVME_INVALID_QUEUE_ID},
        {{.opcode = 0, .dword10 = 2}, NVME_SUCCESS},
        {{.opcode = 4, .dword10 = 2}, NVME_SUCCESS},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (bench_status(controller, 0, &cases[i].command, NULL, 0) != cases[i].status)
            fail_msg("case %u", i);
    assert_false(bench_sq[base + 2].set || bench_cq[base + 2].set || bench_room[base + 2].set);
}

/* The sizes of entries are set before the queues are made. */
static void test_entry_sizes(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    const struct nvme_command cq = {
        .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = 0x10000, .dword10 = 63u << 16 | 1, .dword11 = 1};
    bench_enable(controller);
    bench_set_register(controller, NVME_REG_CC, 0x00060001, 4);
    assert_int_equal(bench_status(controller, 0, &cq, NULL, 0), NVME_INVALID_QUEUE_SIZE);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_int_equal(bench_status(controller, 0, &cq, NULL, 0), NVME_SUCCESS);
}

/* Submission queues may share a completion queue, and that a vector. */
static void test_shared_vector(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned base = bench_base(controller);
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench_enable(controller);
    bench_create_pair(controller, 1);
    const struct nvme_command cq = {
        .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = 0x30000, .dword10 = 15u << 16 | 3, .dword11 = 1u << 16 | 3};
    assert_int_equal(bench_status(controller, 0, &cq, NULL, 0), NVME_SUCCESS);
    const struct nvme_command polled = {
        .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = 0x31000, .dword10 = 15u << 16 | 4, .dword11 = 1u << 16 | 1};
    assert_int_equal(bench_status(controller, 0, &polled, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench_cq[base + 4].setting.vector, 0xffff);
    assert_int_equal(nvme_ops.irq_set(controller, DEVICE_IRQ_MSIX, 1, event), 0);
    assert_true(bench_vectors[VECTOR_BLOCK + base + 1] >= 0);
    assert_int_equal(bench_vectors[VECTOR_BLOCK + base + 1], bench_vectors[VECTOR_BLOCK + base + 3]);
    assert_int_equal(bench_vectors[VECTOR_BLOCK + base + 4], -1);
    assert_int_equal(bench_vectors[VECTOR_BLOCK + base], -1);
    assert_int_equal(nvme_ops.irq_set(controller, DEVICE_IRQ_MSIX, 1, -1), 0);
    assert_int_equal(bench_vectors[VECTOR_BLOCK + base + 3], -1);
    assert_int_equal(nvme_ops.irq_set(controller, DEVICE_IRQ_MSIX, 5, event), -EINVAL);
    close(event);
}

static void test_shadow_doorbells(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    unsigned base = bench_base(controller);
    const uint32_t stale[4] = {1, 7, 7, 7};
    uint32_t word;
    assert_int_equal(pwrite(bench->memory_fd, stale, sizeof stale, 0x40000), sizeof stale);
    assert_int_equal(pwrite(bench->memory_fd, stale, sizeof stale, 0x40008), sizeof stale);
    bench_enable(controller);
    bench_create_pair(controller, 1);
    assert_int_equal(bench_sq[base + 1].setting.shadow, 0);
    struct nvme_command buffers = {.opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = 0x40000, .prp2 = 0x41000};
    buffers.prp2 = 0x41004;
    assert_int_equal(bench_status(controller, 0, &buffers, NULL, 0), NVME_INVALID_FIELD);
    buffers.prp2 = 0x41000;
    assert_int_equal(bench_status(controller, 0, &buffers, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench_sq[base + 1].setting.shadow, 0x40008);
    assert_int_equal(bench_sq[base + 1].setting.event, 0x41008);
    assert_int_equal(bench_room[base + 1].setting.shadow, 0x4000c);
    assert_int_equal(pread(bench->memory_fd, &word, 4, 0x40008), 4);
    assert_int_equal(word, 0); /* what an earlier driver left is gone */
    bench_create_pair(controller, 2);
    assert_int_equal(bench_sq[base + 2].setting.shadow, 0x40010);
    assert_int_equal(bench_sq[base].setting.shadow, 0);
    /* A reset ends it. */
    bench_disable(controller);
    bench_enable(controller);
    bench_create_pair(controller, 1);
    assert_int_equal(bench_sq[base + 1].setting.shadow, 0);
}

/* A queue that is in use keeps what its shadow says. */
static void test_shadow_of_used_queue(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const uint32_t tail = 4;
    uint32_t word;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench_set_register(controller, 0x1008, 4, 4);
    assert_int_equal(pwrite(bench->memory_fd, &tail, 4, 0x40008), 4);
    const struct nvme_command buffers = {.opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = 0x40000, .prp2 = 0x41000};
    assert_int_equal(bench_status(controller, 0, &buffers, NULL, 0), NVME_SUCCESS);
    assert_int_equal(pread(bench->memory_fd, &word, 4, 0x40008), 4);
    assert_int_equal(word, 4);
}

static void test_mapped_doorbells(void **state)
{
    struct bench *bench = *state;
    struct device_region region;
    struct nvme_identify_controller *data = calloc(1, sizeof *data);
    const struct nvme_command identify = {.opcode = NVME_ADMIN_IDENTIFY, .dword10 = NVME_CNS_CONTROLLER};
    const struct nvme_command buffers = {.opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = 0x40000, .prp2 = 0x41000};
    bench_add_controller(bench, 2, 7, true);
    nvme_ops.region_info(bench->controllers[2], 0, &region);
    assert_true(region.mmap_fd >= 0);
    assert_int_equal(region.mmap_offset, 0x1000);
    assert_int_equal(region.mmap_length, 4096);
    bench_enable(bench->controllers[2]);
    assert_int_equal(bench_doorbell_writes, 2); /* what a reset left in the page is cleared */
    assert_int_equal(bench_status(bench->controllers[2], 0, &identify, data, sizeof *data), NVME_SUCCESS);
    assert_false(data->admin_commands & NVME_OACS_DOORBELL);
    assert_int_equal(bench_status(bench->controllers[2], 0, &buffers, NULL, 0), NVME_INVALID_OPCODE);
    free(data);
}

static void test_shutdown(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command request = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    struct bench_answer answer;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    unsigned sent = bench_send(controller, 0, &request, NULL, 0);
    bench_set_register(controller, NVME_REG_CC, 0x00464001, 4);
    assert_true(bench_wait_status(controller, 0xc, NVME_CSTS_SHST_DONE));
    assert_true(bench_wait(sent, 5000, &answer) && answer.silent);
    assert_int_equal(bench->volumes[0].operations[BACKEND_FLUSH], 1);
    assert_int_equal(bench->volumes[1].operations[BACKEND_FLUSH], 1);
    assert_false(bench_sq[bench_base(controller)].set);
    bench_disable(controller);
    bench_enable(controller);
}

static void test_shutdown_while_disabled(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_set_register(controller, NVME_REG_CC, 0x00464000, 4);
    assert_true(bench_wait_status(controller, 0xc, NVME_CSTS_SHST_DONE));
    bench_enable(controller);
}

/* Ready is said of the start that was asked for last. */
static void test_reset_during_start(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_enable(controller);
    bench_disable(controller);
    bench_command_ms = 5;
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    usleep(30000);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), 0);
    bench_set_register(controller, NVME_REG_CC, 0x00460000, 4);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_true(bench_wait_status(controller, ~0u, NVME_CSTS_READY));
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), NVME_CSTS_READY);
        usleep(1000);
    }
}

/* Commands that wait, and the one that executes, are the guest's no more. */
static void test_reset_with_commands(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command flush = {.opcode = NVME_FLUSH, .namespace_id = 1};
    const struct nvme_command event = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    unsigned sent[4];
    struct bench_answer answer;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    sent[3] = bench_send(controller, 0, &event, NULL, 0);
    bench_stall(&bench->volumes[0], true);
    for (unsigned i = 0; i < 3; i++)
        sent[i] = bench_send(controller, 1, &flush, NULL, 0);
    usleep(20000);
    nvme_ops.reset(controller);
    for (unsigned i = 0; i < 4; i++)
        assert_true(bench_wait(sent[i], 0, &answer) && answer.silent);
    assert_int_equal(bench_register(controller, NVME_REG_CC, 4), 0);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), 0);
    assert_false(bench_sq[bench_base(controller)].set);
    /* Ready again when the old command is over, which its disk does not prevent. */
    const uint16_t master = 6;
    assert_int_equal(nvme_ops.region_write(controller, DEVICE_REGION_CONFIG, 4, &master, 2), 0);
    bench_set_register(controller, NVME_REG_AQA, 0x001f001f, 4);
    bench_set_register(controller, NVME_REG_ASQ, 0x1000, 8);
    bench_set_register(controller, NVME_REG_ACQ, 0x2000, 8);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_true(bench_wait_status(controller, ~0u, NVME_CSTS_READY));
    bench_stall(&bench->volumes[0], false);
    bench_create_pair(controller, 1);
    assert_int_equal(bench_status(controller, 1, &flush, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_FLUSH], 1);
}

static void test_delete_with_commands(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command flush = {.opcode = NVME_FLUSH, .namespace_id = 1};
    const struct nvme_command delete = {.opcode = NVME_ADMIN_DELETE_SQ, .dword10 = 2};
    struct bench_answer answer;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench_create_pair(controller, 2);
    bench_stall(&bench->volumes[0], true);
    unsigned first = bench_send(controller, 1, &flush, NULL, 0);
    usleep(10000);
    unsigned remove = bench_send(controller, 0, &delete, NULL, 0);
    unsigned second = bench_send(controller, 2, &flush, NULL, 0), third = bench_send(controller, 1, &flush, NULL, 0);
    bench_stall(&bench->volumes[0], false);
    assert_true(bench_wait(remove, 5000, &answer) && answer.status == NVME_SUCCESS);
    assert_true(bench_wait(second, 0, &answer) && answer.status == NVME_ABORT_SQ_DELETED && !answer.silent);
    assert_true(bench_wait(first, 5000, &answer) && answer.status == NVME_SUCCESS);
    assert_true(bench_wait(third, 5000, &answer) && answer.status == NVME_SUCCESS);
}

/* One that comes while its queue is being deleted is not left waiting behind the command that deletes it. */
static void test_command_during_deletion(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    const struct nvme_command flush = {.opcode = NVME_FLUSH, .namespace_id = 1};
    const struct nvme_command delete = {.opcode = NVME_ADMIN_DELETE_SQ, .dword10 = 1};
    struct bench_answer answer;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench_drain_ms = 300;
    unsigned remove = bench_send(controller, 0, &delete, NULL, 0);
    usleep(50000);
    unsigned late = bench_send(controller, 1, &flush, NULL, 0);
    assert_true(bench_wait(late, 100, &answer) && answer.status == NVME_ABORT_SQ_DELETED && !answer.silent);
    assert_true(bench_wait(remove, 5000, &answer) && answer.status == NVME_SUCCESS);
    bench_drain_ms = 0;
}

static void test_abort(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command event = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    struct nvme_command abort = {.opcode = NVME_ADMIN_ABORT, .dword10 = 0x12340000};
    struct bench_answer answer;
    bench_enable(controller);
    assert_int_equal(bench_run(controller, 0, &abort, NULL, 0).result, 1); /* nothing aborted */
    unsigned sent = bench_send(controller, 0, &event, NULL, 0);
    abort.dword10 = (uint32_t)bench_identifier(sent) << 16;
    assert_int_equal(bench_run(controller, 0, &abort, NULL, 0).result, 0);
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(answer.status, NVME_ABORT_REQUESTED);
}

/* A card that answers nothing: it sees no guest any more until it has stopped what it had. */
static void test_dead_card(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    const uint16_t master = 6;
    bench_enable(controller);
    assert_int_equal(bench_mapped_pieces, 1);
    bench_card_dead = true;
    nvme_ops.reset(controller);
    assert_int_equal(bench_register(controller, NVME_REG_CSTS, 4), 0);
    assert_int_equal(nvme_ops.region_write(controller, DEVICE_REGION_CONFIG, 4, &master, 2), 0);
    assert_int_equal(bench_mapped_pieces, 0);
    bench_set_register(controller, NVME_REG_AQA, 0x001f001f, 4);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_true(bench_wait_status(controller, ~0u, NVME_CSTS_FATAL));
    assert_int_equal(bench_mapped_pieces, 0);
    bench_card_dead = false;
    nvme_ops.reset(controller);
    bench_enable(controller);
    assert_int_equal(bench_mapped_pieces, 1);
}

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* A reset is over before its client gives up, whatever the disk does; the memory is the guest's again. */
static void test_slow_drain(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    const uint16_t master = 6;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench_drain_ms = 3000;
    uint64_t begin = now_ms();
    nvme_ops.reset(controller);
    assert_true(now_ms() - begin < 4000);
    assert_int_equal(bench_mapped_pieces, 0);
    assert_int_equal(nvme_ops.region_write(controller, DEVICE_REGION_CONFIG, 4, &master, 2), 0);
    assert_int_equal(bench_mapped_pieces, 0);
    bench_drain_ms = 0;
    bench_enable(controller);
    assert_int_equal(bench_mapped_pieces, 1);
}

static void test_disconnect(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    unsigned base = bench_base(controller);
    bench_enable(controller);
    bench_create_pair(controller, 1);
    nvme_ops.disconnected(controller);
    assert_false(bench_sq[base].set || bench_sq[base + 1].set || bench_cq[base + 1].set);
    /* A new client starts with nothing. */
    assert_int_equal(bench_register(controller, NVME_REG_CC, 4), 0);
    assert_int_equal(nvme_ops.dma_map(controller, 0, BENCH_MEMORY_BYTES, ((struct bench *)*state)->memory_fd, 0, 3), 0);
    bench_enable(controller);
}

static void test_settings(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller;
    struct cipu_error error;
    struct nvme_settings settings = {.function = 127, .subsystem = bench->subsystem, .cntlid = 9};
    assert_int_equal(nvme_create(NULL, NULL, NULL, &settings, &controller, &error), -EINVAL);
    settings.function = 20;
    settings.queues = 32;
    assert_int_equal(nvme_create(NULL, NULL, NULL, &settings, &controller, &error), -EINVAL);
    settings.queues = 2;
    settings.cntlid = 64;
    assert_int_equal(nvme_create(NULL, NULL, NULL, &settings, &controller, &error), -EINVAL);
    settings.cntlid = 1; /* taken */
    assert_int_equal(nvme_create(NULL, NULL, NULL, &settings, &controller, &error), -EEXIST);
    assert_int_equal(nvme_subsystem_destroy(bench->subsystem), -EBUSY);
}

#define BENCHED(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCHED(test_capabilities),
        BENCHED(test_pci),
        BENCHED(test_enable),
        BENCHED(test_waits_for_bus_master),
        BENCHED(test_bad_configurations),
        BENCHED(test_doorbells),
        BENCHED(test_card_events),
        BENCHED(test_queue_commands),
        BENCHED(test_entry_sizes),
        BENCHED(test_shared_vector),
        BENCHED(test_shadow_doorbells),
        BENCHED(test_shadow_of_used_queue),
        BENCHED(test_mapped_doorbells),
        BENCHED(test_shutdown),
        BENCHED(test_shutdown_while_disabled),
        BENCHED(test_reset_during_start),
        BENCHED(test_reset_with_commands),
        BENCHED(test_delete_with_commands),
        BENCHED(test_command_during_deletion),
        BENCHED(test_abort),
        BENCHED(test_dead_card),
        BENCHED(test_slow_drain),
        BENCHED(test_disconnect),
        BENCHED(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
