/* SPDX-License-Identifier: Apache-2.0 */
/* Every command as it should be and as it should not: replies, errors, what the device is told, and that the connection
 * goes on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/runtime/frontend/served_device.h"

#define EXPECT_ERROR(served, command, value, error) \
    assert_int_equal(served_command((served), (command), &(value), sizeof(value)), -(error))

static void test_device_info(void **state)
{
    struct served_device *served = *state;
    struct vfio_user_device_info info = {.argsz = sizeof info}, reply;
    struct vfio_user_exchange exchange = {.data = &info, .bytes = sizeof info, .reply = &reply, .room = sizeof reply};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_INFO, &exchange), 0);
    assert_int_equal(exchange.reply_bytes, 16);
    assert_int_equal(reply.argsz, 16);
    assert_int_equal(reply.flags, 3);
    assert_int_equal(reply.regions, 9);
    assert_int_equal(reply.irqs, 5);
    info.argsz = 15;
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_INFO, info, EINVAL);
}

/* Every fixed-size command with each wrong size; the connection survives all of them. */
static void test_wrong_sizes(void **state)
{
    struct served_device *served = *state;
    static const struct {
        uint16_t command;
        size_t bytes;
        bool longer_is_wrong;
    } CASES[] = {
        {VFIO_USER_DMA_MAP, sizeof(struct vfio_user_dma_map), true},
        {VFIO_USER_DMA_UNMAP, sizeof(struct vfio_user_dma_unmap), true},
        {VFIO_USER_DEVICE_GET_INFO, sizeof(struct vfio_user_device_info), true},
        {VFIO_USER_DEVICE_GET_REGION_INFO, sizeof(struct vfio_user_region_info), false},
        {VFIO_USER_DEVICE_GET_REGION_IO_FDS, sizeof(struct vfio_user_region_io_fds), false},
        {VFIO_USER_DEVICE_GET_IRQ_INFO, sizeof(struct vfio_user_irq_info), true},
        {VFIO_USER_DEVICE_SET_IRQS, sizeof(struct vfio_user_irq_set), true},
        {VFIO_USER_REGION_READ, sizeof(struct vfio_user_region_access), true},
        {VFIO_USER_REGION_WRITE, sizeof(struct vfio_user_region_access) + 4, true},
        {VFIO_USER_REGION_WRITE_MULTI, 8 + sizeof(struct vfio_user_write_multi), true},
        {VFIO_USER_DEVICE_FEATURE, sizeof(struct vfio_user_feature), false},
        {VFIO_USER_DEVICE_RESET, 0, true},
    };
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        memset(bytes, 0, sizeof bytes);
        for (size_t size = 0; size < CASES[i].bytes; size++)
            assert_int_equal(served_command(served, CASES[i].command, bytes, size), -EINVAL);
        if (CASES[i].longer_is_wrong)
            for (size_t size = CASES[i].bytes + 1; size < CASES[i].bytes + 9; size++)
                assert_int_equal(served_command(served, CASES[i].command, bytes, size), -EINVAL);
    }
    assert_int_equal(served->device.maps + served->device.unmaps + served->device.resets + served->device.writes, 0);
    assert_int_equal(vfio_user_client_reset(served->client), 0);
    assert_true(served_statistics(served).errors > 100);
}

static void test_unknown_commands(void **state)
{
    struct served_device *served = *state;
    static const uint16_t COMMANDS[] = {0, 11, 12, 14, 17, 18, 19, 255, 0xffff};
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        assert_int_equal(served_command(served, COMMANDS[i], NULL, 0), -ENOTSUP);
}

static void test_region_info(void **state)
{
    struct served_device *served = *state;
    struct {
        struct vfio_user_region_info info;
        struct vfio_user_sparse_mmap areas;
    } reply;
    struct vfio_user_region_info info = {.argsz = sizeof info};
    struct vfio_user_exchange exchange = {.data = &info, .bytes = sizeof info, .reply = &reply, .room = sizeof reply};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange), 0);
    assert_int_equal(exchange.reply_bytes, 32);
    assert_int_equal(reply.info.size, PLAIN_REGION_BYTES);
    assert_int_equal(reply.info.flags, 3);
    assert_int_equal(exchange.reply_fd, -1);

    info.index = 2;
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange), 0);
    assert_int_equal(reply.info.flags, 1);
    info.index = 8;
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange), 0);
    assert_int_equal(reply.info.size, 0);
    assert_int_equal(reply.info.flags, 0);
    info.index = 9;
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_REGION_INFO, info, EINVAL);
    info.index = UINT32_MAX;
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_REGION_INFO, info, EINVAL);
    info.index = 0;
    info.argsz = 31;
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_REGION_INFO, info, EINVAL);
}

/* First without room for the capability, as QEMU asks; then with it; and the page that comes can be mapped. */
static void test_sparse_mmap(void **state)
{
    struct served_device *served = *state;
    struct {
        struct vfio_user_region_info info;
        struct vfio_user_sparse_mmap areas;
    } reply;
    struct vfio_user_region_info info = {.argsz = sizeof info};
    struct vfio_user_exchange exchange = {.data = &info, .bytes = sizeof info, .reply = &reply, .room = sizeof reply};
    int file = memfd_create("pages", 0);
    assert_int_equal(ftruncate(file, 16384), 0);
    assert_int_equal(pwrite(file, "bell", 4, 8192), 4);
    served->device.doorbell_fd = file;

    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange), 0);
    assert_int_equal(exchange.reply_bytes, 32);
    assert_int_equal(reply.info.argsz, 64);
    assert_int_equal(reply.info.flags, 7);
    assert_int_equal(reply.info.cap_offset, 0);
    close(exchange.reply_fd);

    info.argsz = 64;
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_INFO, &exchange), 0);
    assert_int_equal(exchange.reply_bytes, 64);
    assert_int_equal(reply.info.flags, 15);
    assert_int_equal(reply.info.cap_offset, 32);
    assert_int_equal(reply.areas.id, 1);
    assert_int_equal(reply.areas.version, 1);
    assert_int_equal(reply.areas.areas, 1);
    assert_int_equal(reply.areas.size, 8192);
    char *page =
        mmap(NULL, 4096, PROT_READ, MAP_SHARED, exchange.reply_fd, (off_t)(reply.info.offset + reply.areas.offset));
    assert_ptr_not_equal(page, MAP_FAILED);
    assert_memory_equal(page, "bell", 4);
    munmap(page, 4096);
    close(exchange.reply_fd);
    served->device.doorbell_fd = -1;
    close(file);
}

static void test_region_io_fds(void **state)
{
    struct served_device *served = *state;
    struct vfio_user_region_io_fds request = {.argsz = sizeof request}, reply;
    struct vfio_user_exchange exchange = {
        .data = &request, .bytes = sizeof request, .reply = &reply, .room = sizeof reply};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_REGION_IO_FDS, &exchange), 0);
    assert_int_equal(reply.count, 0);
    request.index = 9;
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_REGION_IO_FDS, request, EINVAL);
}

static void test_irq_info(void **state)
{
    struct served_device *served = *state;
    struct vfio_user_irq_info request = {.argsz = sizeof request, .index = 2}, reply;
    struct vfio_user_exchange exchange = {
        .data = &request, .bytes = sizeof request, .reply = &reply, .room = sizeof reply};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_IRQ_INFO, &exchange), 0);
    assert_int_equal(reply.count, PLAIN_VECTORS);
    assert_int_equal(reply.flags, 1); /* eventfd; not NORESIZE */
    for (request.index = 0; request.index < 5; request.index++)
        assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_GET_IRQ_INFO, &exchange), 0);
    EXPECT_ERROR(served, VFIO_USER_DEVICE_GET_IRQ_INFO, request, EINVAL);
}

static int set_irqs(struct served_device *served, uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
                    const int *fds, unsigned fd_count)
{
    const struct vfio_user_irq_set request = {sizeof request, flags, index, start, count};
    struct vfio_user_exchange exchange = {.data = &request, .bytes = sizeof request, .fds = fds, .fd_count = fd_count};
    return vfio_user_client_exchange(served->client, VFIO_USER_DEVICE_SET_IRQS, &exchange);
}

static void test_set_irqs(void **state)
{
    struct served_device *served = *state;
    int fds[PLAIN_VECTORS + 1];
    for (unsigned i = 0; i < PLAIN_VECTORS + 1; i++)
        fds[i] = eventfd(0, EFD_NONBLOCK);
    assert_int_equal(set_irqs(served, 0x24, 2, 1, 2, fds, 2), 0);
    assert_true(served->device.vectors[1] >= 0 && served->device.vectors[2] >= 0 && served->device.vectors[0] < 0);
    eventfd_t value;
    eventfd_write(served->device.vectors[2], 5);
    assert_int_equal(eventfd_read(fds[1], &value), 0);
    assert_int_equal(value, 5);
    assert_int_equal(set_irqs(served, 0x24, 2, 1, 1, NULL, 0), 0);
    assert_true(served->device.vectors[1] < 0 && served->device.vectors[2] >= 0);
    assert_int_equal(set_irqs(served, 0x21, 2, 0, 0, NULL, 0), 0);
    assert_true(served->device.vectors[2] < 0);
    assert_int_equal(set_irqs(served, 0x24, 2, 0, 4, fds, 4), 0);

    static const struct {
        uint32_t flags, index, start, count;
        unsigned fds;
        int error;
    } WRONG[] = {
        {0x24, 2, 0, 5, 5, EINVAL},                                      /* more than there are */
        {0x24, 2, 4, 1, 1, EINVAL},                                      /* beyond the last */
        {0x24, 2, UINT32_MAX, 2, 2, EINVAL},                             /* overflow */
        {0x24, 2, 1, UINT32_MAX, 1, EINVAL}, {0x24, 2, 0, 2, 1, EINVAL}, /* fewer descriptors than vectors */
        {0x24, 2, 0, 1, 2, EINVAL},                                      /* more */
        {0x24, 2, 0, 0, 0, EINVAL},                                      /* nothing */
        {0x21, 2, 0, 0, 1, EINVAL},                                      /* a descriptor where none belongs */
        {0x24, 0, 0, 1, 1, EINVAL},                                      /* an index without vectors */
        {0x24, 5, 0, 1, 1, EINVAL},                                      /* no such index */
        {0x24, UINT32_MAX, 0, 1, 1, EINVAL}, {0x0c, 2, 0, 1, 0, EINVAL}, /* mask */
        {0x11, 2, 0, 1, 0, EINVAL},                                      /* unmask */
        {0x34, 2, 0, 1, 1, EINVAL},                                      /* two actions */
        {0x27, 2, 0, 1, 1, EINVAL},                                      /* all kinds of data */
        {0x25, 2, 0, 1, 1, EINVAL},                                      /* two kinds of data */
        {0x20, 2, 0, 1, 0, EINVAL},                                      /* no data */
        {0x04, 2, 0, 1, 1, EINVAL},                                      /* no action */
        {0x124, 2, 0, 1, 1, EINVAL},                                     /* unknown flag */
        {0x21, 2, 0, 1, 0, ENOTSUP},                                     /* a client raising interrupts */
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_int_equal(
            set_irqs(served, WRONG[i].flags, WRONG[i].index, WRONG[i].start, WRONG[i].count, fds, WRONG[i].fds),
            -WRONG[i].error);
    /* Whatever could block its writer is no interrupt. */
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(set_irqs(served, 0x24, 2, 0, 1, &pipes[1], 1), -EINVAL);
    close(pipes[0]);
    close(pipes[1]);
    for (unsigned i = 0; i < PLAIN_VECTORS + 1; i++)
        close(fds[i]);
}

static void test_irq_made_nonblocking(void **state)
{
    struct served_device *served = *state;
    int fd = eventfd(0, 0);
    assert_int_equal(set_irqs(served, 0x24, 2, 0, 1, &fd, 1), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
}

static void test_region_access(void **state)
{
    struct served_device *served = *state;
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(vfio_user_client_write(served->client, 0, 0x1234, bytes, 1000), 0);
    uint8_t back[4096];
    assert_int_equal(vfio_user_client_read(served->client, 0, 0x1234, back, 1000), 0);
    assert_memory_equal(bytes, back, 1000);
    assert_int_equal(vfio_user_client_read(served->client, 7, 0, back, 4096), 0);
    assert_int_equal(vfio_user_client_write_posted(served->client, 0, 0, "posted", 6), 0);
    assert_int_equal(vfio_user_client_read(served->client, 0, 0, back, 6), 0);
    assert_memory_equal(back, "posted", 6);

    static const struct vfio_user_region_access WRONG[] = {
        {PLAIN_REGION_BYTES, 0, 1},
        {PLAIN_REGION_BYTES - 3, 0, 4},
        {0, 0, PLAIN_REGION_BYTES + 1},
        {UINT64_MAX, 0, 1},
        {UINT64_MAX - 3, 0, 8},
        {0, 0, UINT32_MAX},
        {0, 1, 1},
        {0, 8, 1},
        {0, 9, 1},
        {0, UINT32_MAX, 1},
        {0, 0, 0},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        EXPECT_ERROR(served, VFIO_USER_REGION_READ, WRONG[i], EINVAL);
    struct {
        struct vfio_user_region_access access;
        uint8_t data[8];
    } write = {.access = {0, 0, 7}};
    EXPECT_ERROR(served, VFIO_USER_REGION_WRITE, write, EINVAL); /* count and size disagree */
    write.access.count = 9;
    EXPECT_ERROR(served, VFIO_USER_REGION_WRITE, write, EINVAL);
    write.access = (struct vfio_user_region_access){PLAIN_REGION_BYTES - 4, 0, 8};
    EXPECT_ERROR(served, VFIO_USER_REGION_WRITE, write, EINVAL);
    write.access = (struct vfio_user_region_access){0, 2, 8};
    EXPECT_ERROR(served, VFIO_USER_REGION_WRITE, write, EPERM); /* read-only */
    assert_int_equal(served->device.writes, 2);
}

struct multi {
    uint64_t count;
    struct vfio_user_write_multi writes[VFIO_USER_WRITE_MULTI_MAX + 1];
};

static void test_write_multi(void **state)
{
    struct served_device *served = *state;
    static struct multi request;
    const size_t one = sizeof request.writes[0];
    request.count = VFIO_USER_WRITE_MULTI_MAX;
    for (unsigned i = 0; i <= VFIO_USER_WRITE_MULTI_MAX; i++)
        request.writes[i] = (struct vfio_user_write_multi){.offset = 8u * i, .count = 4, .data = {(uint8_t)i, 1, 2, 3}};
    assert_int_equal(
        vfio_user_client_post(served->client, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + request.count * one), 0);
    uint8_t back[4];
    assert_int_equal(vfio_user_client_read(served->client, 0, 8 * 199, back, 4), 0);
    assert_int_equal(back[0], 199);
    assert_int_equal(served->device.writes, 200);
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + request.count * one), 0);

    assert_int_equal(vfio_user_client_read(served->client, 0, 0, back, 4), 0); /* writes are done after their reply */
    unsigned before = served->device.writes;
    request.count = VFIO_USER_WRITE_MULTI_MAX + 1;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + request.count * one), -EINVAL);
    request.count = 3;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + 2 * one), -EINVAL);
    request.count = 0;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8), -EINVAL);
    request.count = UINT64_MAX;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8), -EINVAL);
    request.count = UINT64_C(0x1000000000000000);
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8), -EINVAL);
    request.count = 2; /* one bad write: none is done */
    request.writes[1].count = 9;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + 2 * one), -EINVAL);
    request.writes[1].count = 4;
    request.writes[1].offset = PLAIN_REGION_BYTES - 2;
    assert_int_equal(served_command(served, VFIO_USER_REGION_WRITE_MULTI, &request, 8 + 2 * one), -EINVAL);
    assert_int_equal(served->device.writes, before);
}

static void test_reset_and_features(void **state)
{
    struct served_device *served = *state;
    assert_int_equal(vfio_user_client_reset(served->client), 0);
    assert_int_equal(served->device.resets, 1);
    for (uint32_t index = 0; index < 12; index++) {
        const struct vfio_user_feature probe = {sizeof probe, index | VFIO_USER_FEATURE_PROBE | VFIO_USER_FEATURE_GET};
        EXPECT_ERROR(served, VFIO_USER_DEVICE_FEATURE, probe, ENOTTY);
    }
    const struct vfio_user_feature small = {7, VFIO_USER_FEATURE_PROBE};
    EXPECT_ERROR(served, VFIO_USER_DEVICE_FEATURE, small, EINVAL);
}

/* Descriptors that no command asked for are closed, and the command is refused. */
static void test_descriptors_do_not_leak(void **state)
{
    struct served_device *served = *state;
    int fds[VFIO_USER_MESSAGE_FDS];
    for (unsigned i = 0; i < VFIO_USER_MESSAGE_FDS; i++)
        fds[i] = eventfd(0, 0);
    unsigned before = open_descriptors();
    static const uint16_t COMMANDS[] = {VFIO_USER_DMA_MAP,
                                        VFIO_USER_DMA_UNMAP,
                                        VFIO_USER_DEVICE_GET_INFO,
                                        VFIO_USER_REGION_READ,
                                        VFIO_USER_DEVICE_RESET,
                                        VFIO_USER_DEVICE_SET_IRQS,
                                        99};
    static const uint8_t ZEROS[64];
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        struct vfio_user_exchange exchange = {.data = ZEROS, .bytes = 0, .fds = fds, .fd_count = VFIO_USER_MESSAGE_FDS};
        exchange.bytes = COMMANDS[i] == VFIO_USER_DEVICE_RESET ? 0 : 24;
        assert_int_not_equal(vfio_user_client_exchange(served->client, COMMANDS[i], &exchange), 0);
    }
    uint8_t byte; /* they are closed before the next message is looked at */
    assert_int_equal(vfio_user_client_read(served->client, 0, 0, &byte, 1), 0);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(served->device.resets, 0);
    for (unsigned i = 0; i < VFIO_USER_MESSAGE_FDS; i++)
        close(fds[i]);
}

static void test_bad_flags_in_header(void **state)
{
    struct served_device *served = *state;
    struct vfio_user_header header = {.id = 77, .command = VFIO_USER_DEVICE_RESET, .size = sizeof header};
    static const uint32_t FLAGS[] = {0x20, 0x40, 0x80000000u, 2, 15};
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        header.flags = FLAGS[i];
        assert_int_equal(vfio_user_client_send_raw(served->client, &header, sizeof header, NULL, 0), 0);
    }
    header.flags = VFIO_USER_REPLY; /* to nothing that was asked */
    assert_int_equal(vfio_user_client_send_raw(served->client, &header, sizeof header, NULL, 0), 0);
    assert_int_equal(vfio_user_client_reset(served->client), 0);
    assert_int_equal(served->device.resets, 1);
    assert_int_equal(served_statistics(served).errors, 6);
}

/* One byte at a time is a message too. */
static void test_bytes_in_drops(void **state)
{
    struct served_device *served = *state;
    struct {
        struct vfio_user_header header;
        struct vfio_user_region_access access;
        uint8_t data[4];
    } message = {{.command = VFIO_USER_REGION_WRITE, .size = sizeof message, .flags = VFIO_USER_NO_REPLY},
                 {0x40, 0, 4},
                 {1, 2, 3, 4}};
    message.header.size = sizeof message.header + sizeof message.access + sizeof message.data;
    for (size_t i = 0; i < message.header.size; i++)
        assert_int_equal(vfio_user_client_send_raw(served->client, (uint8_t *)&message + i, 1, NULL, 0), 0);
    uint8_t back[4];
    assert_int_equal(vfio_user_client_read(served->client, 0, 0x40, back, 4), 0);
    assert_memory_equal(back, message.data, 4);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, served_device_setup, served_device_teardown)
    const struct CMUnitTest tests[] = {
        SERVED(test_device_info),
        SERVED(test_wrong_sizes),
        SERVED(test_unknown_commands),
        SERVED(test_region_info),
        SERVED(test_sparse_mmap),
        SERVED(test_region_io_fds),
        SERVED(test_irq_info),
        SERVED(test_set_irqs),
        SERVED(test_irq_made_nonblocking),
        SERVED(test_region_access),
        SERVED(test_write_multi),
        SERVED(test_reset_and_features),
        SERVED(test_bad_flags_in_header),
        SERVED(test_descriptors_do_not_leak),
        SERVED(test_bytes_in_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
