/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory: the table of pieces, and reading and writing it by messages. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/runtime/frontend/served_device.h"

static int map(struct served_device *served, uint64_t address, uint64_t length)
{
    return vfio_user_client_dma_map(served->client, address, length, -1, 0, 3);
}

static int unmap(struct served_device *served, uint64_t address, uint64_t length)
{
    return vfio_user_client_dma_unmap(served->client, address, length);
}

static void test_map(void **state)
{
    struct served_device *served = *state;
    int file = memfd_create("guest", 0);
    assert_int_equal(ftruncate(file, 1 << 20), 0);
    unsigned before = open_descriptors();
    assert_int_equal(vfio_user_client_dma_map(served->client, 0x100000, 0x8000, file, 0x4000, 1), 0);
    assert_int_equal(served->device.last_address, 0x100000);
    assert_int_equal(served->device.last_length, 0x8000);
    assert_int_equal(served->device.last_offset, 0x4000);
    assert_int_equal(served->device.last_protection, CIPU_DMA_READ);
    assert_true(served->device.last_fd);
    assert_int_equal(map(served, 0xfffc0000, 0x40000), 0);
    assert_false(served->device.last_fd);
    assert_int_equal(map(served, 0x3000, 1), 0); /* not whole pages: for the device to make of what it can */
    assert_int_equal(map(served, UINT64_MAX - 4095, 4096), 0);
    assert_int_equal(served_statistics(served).mappings, 4);
    assert_int_equal(open_descriptors(), before);
    close(file);
}

static void test_bad_maps(void **state)
{
    struct served_device *served = *state;
    static const struct vfio_user_dma_map WRONG[] = {
        {31, 3, 0, 0, 4096},                 /* argsz */
        {32, 0, 0, 0, 4096},                 /* neither read nor write */
        {32, 4, 0, 0, 4096},                 /* unknown flags */
        {32, 0x80000003, 0, 0, 4096},        /* */
        {32, 3, 0, 0, 0},                    /* empty */
        {32, 3, 0, UINT64_MAX - 4094, 4096}, /* beyond 2^64 */
        {32, 3, 0, 4096, UINT64_MAX},        /* */
        {32, 3, UINT64_MAX, 0, 4096},        /* offsets beyond any file */
        {32, 3, INT64_MAX - 4095, 0, 4097},  /* */
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_int_equal(served_command(served, VFIO_USER_DMA_MAP, &WRONG[i], sizeof WRONG[i]), -EINVAL);
    assert_int_equal(served->device.maps, 0);
    assert_int_equal(map(served, PLAIN_REFUSED, 4096), -EINVAL); /* the device's own refusal leaves nothing behind */
    assert_int_equal(served_statistics(served).mappings, 0);
    assert_int_equal(map(served, 0x10000, 0x3000), 0);
    static const uint64_t OVERLAPS[][2] = {
        {0x10000, 0x3000}, {0xf000, 0x1001}, {0x12fff, 1}, {0x11000, 0x1000}, {0, 0x100000}};
    for (size_t i = 0; i < sizeof OVERLAPS / sizeof OVERLAPS[0]; i++)
        assert_int_equal(map(served, OVERLAPS[i][0], OVERLAPS[i][1]), -EEXIST);
    assert_int_equal(map(served, 0xf000, 0x1000), 0);
    assert_int_equal(map(served, 0x13000, 0x1000), 0);
    int fds[2] = {0, 0};
    const struct vfio_user_dma_map two = {32, 3, 0, 0x100000, 4096};
    struct vfio_user_exchange exchange = {.data = &two, .bytes = sizeof two, .fds = fds, .fd_count = 2};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DMA_MAP, &exchange), -EINVAL);
}

static void test_unmap(void **state)
{
    struct served_device *served = *state;
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(map(served, 0x10000 + 0x1000 * i, 0x1000), 0);
    assert_int_equal(unmap(served, 0x11000, 0x1000), 0);
    assert_int_equal(served->device.last_address, 0x11000);
    assert_int_equal(served->device.unmaps, 1);
    assert_int_equal(unmap(served, 0x11000, 0x1000), 0); /* again: nothing there */
    assert_int_equal(served->device.unmaps, 1);
    assert_int_equal(unmap(served, 0x12000, 0x2000), 0); /* two at once */
    assert_int_equal(served->device.unmaps, 3);
    assert_int_equal(unmap(served, 0x14800, 0x800), -EINVAL); /* half of one: nothing changes */
    assert_int_equal(unmap(served, 0x14000, 0x1800), -EINVAL);
    assert_int_equal(served_statistics(served).mappings, 5);
    /* What a client behind an IOMMU does first: all addresses in growing chunks. */
    for (unsigned bits = 12; bits <= 47; bits++)
        assert_int_equal(unmap(served, UINT64_C(1) << bits, UINT64_C(1) << bits), 0);
    assert_int_equal(served_statistics(served).mappings, 0);
    assert_int_equal(unmap(served, 0, 0x1000), 0);
    assert_int_equal(unmap(served, UINT64_C(1) << 63, UINT64_C(1) << 63), 0);
    assert_int_equal(unmap(served, 0, 0), -EINVAL);
    assert_int_equal(unmap(served, 0x1000, UINT64_MAX), -EINVAL);
    const struct vfio_user_dma_unmap small = {23, 0, 0, 4096}, flags = {24, 1, 0, 4096};
    assert_int_equal(served_command(served, VFIO_USER_DMA_UNMAP, &small, sizeof small), -EINVAL);
    assert_int_equal(served_command(served, VFIO_USER_DMA_UNMAP, &flags, sizeof flags), -EINVAL);
}

static void test_unmap_all(void **state)
{
    struct served_device *served = *state;
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(map(served, 0x100000 * i, 0x1000), 0);
    const struct vfio_user_dma_unmap wrong = {24, VFIO_USER_UNMAP_ALL, 0, 4096};
    assert_int_equal(served_command(served, VFIO_USER_DMA_UNMAP, &wrong, sizeof wrong), -EINVAL);
    const struct vfio_user_dma_unmap all = {24, VFIO_USER_UNMAP_ALL, 0, 0};
    struct vfio_user_dma_unmap reply = {0};
    struct vfio_user_exchange exchange = {.data = &all, .bytes = sizeof all, .reply = &reply, .room = sizeof reply};
    assert_int_equal(vfio_user_client_exchange(served->client, VFIO_USER_DMA_UNMAP, &exchange), 0);
    assert_memory_equal(&reply, &all, sizeof all);
    assert_int_equal(served->device.unmaps, 100);
    assert_int_equal(served_statistics(served).mappings, 0);
}

/* The client's own limit is the limit; thousands fit, in any order. */
static void test_many_pieces(void **state)
{
    struct served_device *served = *state;
    const uint64_t count = 20000;
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(map(served, 0x1000 * ((i * 7919) % count), 0x1000), 0);
    assert_int_equal(served_statistics(served).mappings, count);
    for (uint64_t i = 0; i < count; i += 2)
        assert_int_equal(unmap(served, 0x1000 * i, 0x1000), 0);
    assert_int_equal(served_statistics(served).mappings, count / 2);
    assert_int_equal(unmap(served, 0, UINT64_C(1) << 40), 0);
    assert_int_equal(served->device.unmaps, count);
}

static void test_limit_of_pieces(void **state)
{
    struct served_device *served = *state;
    vfio_user_client_close(served->client);
    assert_int_equal(vfio_user_client_connect(served->path, "{\"capabilities\":{\"max_dma_maps\":3}}", &served->client),
                     0);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(map(served, 0x1000 * i, 0x1000), 0);
    assert_int_equal(map(served, 0x3000, 0x1000), -ENOSPC);
    assert_int_equal(unmap(served, 0, 0x1000), 0);
    assert_int_equal(map(served, 0x3000, 0x1000), 0);
}

static struct device_memory_messages messages_of(struct served_device *served)
{
    pthread_mutex_lock(&served->device.lock);
    assert_true(served->device.has_messages);
    struct device_memory_messages messages = served->device.messages;
    pthread_mutex_unlock(&served->device.lock);
    return messages;
}

static void test_messages(void **state)
{
    struct served_device *served = *state;
    uint8_t *bytes;
    const size_t length = 4 << 20;
    assert_int_equal(vfio_user_client_memory(served->client, CLIENT_MEMORY_PRIVATE, 0x100000, length, &bytes), 0);
    struct device_memory_messages messages = messages_of(served);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    uint8_t *copy = calloc(1, length);
    assert_int_equal(messages.read(messages.context, 0x100000, copy, length), 0); /* more than fits one message */
    assert_memory_equal(copy, bytes, length);
    assert_int_equal(vfio_user_client_dma_messages(served->client), 4);
    for (size_t i = 0; i < length; i++)
        copy[i] = (uint8_t)~copy[i];
    assert_int_equal(messages.write(messages.context, 0x100000, copy, length), 0);
    assert_memory_equal(copy, bytes, length);
    assert_int_equal(messages.read(messages.context, 0x100000 + length - 1, copy, 1), 0);
    assert_int_equal(messages.read(messages.context, 0x100000 + length - 1, copy, 2),
                     -EFAULT); /* the client's own error */
    assert_int_equal(messages.write(messages.context, 0, copy, 8), -EFAULT);
    free(copy);
}

struct load {
    struct served_device *served;
    atomic_bool stop;
    atomic_uint done;
    unsigned base;
};

static void *read_and_write(void *argument)
{
    struct load *load = argument;
    struct device_memory_messages messages = messages_of(load->served);
    for (uint32_t i = 0; !load->stop; i++) {
        uint32_t back;
        if (messages.write(messages.context, load->base, &i, sizeof i) ||
            messages.read(messages.context, load->base, &back, sizeof back) || back != i)
            return load;
        load->done++;
    }
    return NULL;
}

/* Several threads of the device and the client's own requests, on one socket. */
static void test_messages_from_threads(void **state)
{
    struct served_device *served = *state;
    uint8_t *bytes;
    assert_int_equal(vfio_user_client_memory(served->client, CLIENT_MEMORY_PRIVATE, 0, 65536, &bytes), 0);
    struct load loads[4];
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++) {
        loads[i] = (struct load){.served = served, .base = 4096 * i};
        pthread_create(&threads[i], NULL, read_and_write, &loads[i]);
    }
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t data[16];
        assert_int_equal(vfio_user_client_read(served->client, 0, 16, data, sizeof data), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *failed;
        while (!loads[i].done)
            usleep(1000);
        loads[i].stop = true;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *read_once(void *argument)
{
    struct load *load = argument;
    struct device_memory_messages messages = messages_of(load->served);
    uint32_t value;
    return (void *)(intptr_t)messages.read(messages.context, 0, &value, sizeof value);
}

static void test_unanswered_messages(void **state)
{
    struct served_device *served = *state;
    struct load load = {.served = served};
    pthread_t thread;
    void *result;
    vfio_user_client_answer(served->client, false);
    double start = seconds();
    assert_int_equal((intptr_t)read_once(&load), -ETIMEDOUT);
    assert_true(seconds() - start > 1 && seconds() - start < 4);

    /* Cancelled, it comes back at once; so do new ones until it is over. */
    pthread_create(&thread, NULL, read_once, &load);
    usleep(20000);
    struct device_memory_messages messages = messages_of(served);
    messages.cancel(messages.context, true);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ECANCELED);
    assert_int_equal((intptr_t)read_once(&load), -ECANCELED);
    messages.cancel(messages.context, false);

    /* So does one whose client goes away. */
    pthread_create(&thread, NULL, read_once, &load);
    usleep(20000);
    vfio_user_client_close(served->client);
    served->client = NULL;
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ENOTCONN);
}

/* Replies that lie: about id, command, sizes and addresses. */
static void test_bad_replies(void **state)
{
    struct served_device *served = *state;
    struct load load = {.served = served};
    vfio_user_client_close(served->client);
    served->client = NULL;
    static const struct {
        uint64_t address, count;
        size_t data;
        int error;
    } REPLIES[] = {{0, 4, 4, 0},      {0, 4, 3, EPROTO}, {0, 4, 5, EPROTO},
                   {8, 4, 4, EPROTO}, {0, 8, 8, EPROTO}, {0, UINT64_MAX, 4, EPROTO}};
    for (size_t i = 0; i < sizeof REPLIES / sizeof REPLIES[0]; i++) {
        const struct {
            struct vfio_user_header header;
            struct vfio_user_version version;
        } version = {{.command = VFIO_USER_VERSION, .size = 20}, {0, 0}};
        uint8_t in[512];
        int socket = served_socket(served);
        assert_int_equal(send(socket, &version, 20, 0), 20);
        assert_true(recv(socket, in, sizeof in, 0) > 20);
        pthread_t thread;
        pthread_create(&thread, NULL, read_once, &load);
        assert_int_equal(recv(socket, in, 32, MSG_WAITALL), 32);
        struct {
            struct vfio_user_header header;
            struct vfio_user_dma_access access;
            uint8_t data[16];
        } reply = {.access = {REPLIES[i].address, REPLIES[i].count}};
        memcpy(&reply.header, in, sizeof reply.header);
        assert_int_equal(reply.header.command, VFIO_USER_DMA_READ);
        reply.header.flags = VFIO_USER_REPLY;
        reply.header.size = (uint32_t)(32 + REPLIES[i].data);
        /* First two to nobody. */
        reply.header.id++;
        assert_int_equal(send(socket, &reply, reply.header.size, 0), reply.header.size);
        reply.header.id--;
        reply.header.command = VFIO_USER_DMA_WRITE;
        assert_int_equal(send(socket, &reply, reply.header.size, 0), reply.header.size);
        reply.header.command = VFIO_USER_DMA_READ;
        assert_int_equal(send(socket, &reply, reply.header.size, 0), reply.header.size);
        void *result;
        pthread_join(thread, &result);
        assert_int_equal((intptr_t)result, -REPLIES[i].error);
        close(socket);
    }
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, served_device_setup, served_device_teardown)
    const struct CMUnitTest tests[] = {
        SERVED(test_map),
        SERVED(test_bad_maps),
        SERVED(test_unmap),
        SERVED(test_unmap_all),
        SERVED(test_many_pieces),
        SERVED(test_limit_of_pieces),
        SERVED(test_messages),
        SERVED(test_messages_from_threads),
        SERVED(test_unanswered_messages),
        SERVED(test_bad_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
