/* SPDX-License-Identifier: Apache-2.0 */
/* The vhost-user server in front of a device that remembers: QEMU's orders, what each message does, what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/frontend/vhost_user_server.h"
#include "tests/peers/vhost_user_client.h"
#include "tests/runtime/frontend/plain_vhost_device.h"

#define GUEST    UINT64_C(0x40000000)
#define USER     UINT64_C(0x7f0000000000)
#define MEMORY   (UINT64_C(4) << 20)
#define PROTOCOL UINT64_MAX

struct served {
    char folder[32];
    char path[64];
    struct plain_vhost_device device;
    struct vhost_user_server *server;
    struct vhost_user_client client;
    struct vhost_user_machine machine;
    int memory;
};

static void make_machine(struct served *served, enum vhost_user_qemu version)
{
    struct vhost_user_machine *machine = &served->machine;
    *machine = (struct vhost_user_machine){.version = version,
                                           .queues = 3,
                                           .started = 2,
                                           .entries = PLAIN_ENTRIES,
                                           .features = UINT64_MAX,
                                           .protocol = PROTOCOL,
                                           .piece_count = 2,
                                           .inflight = -1};
    machine->pieces[0] = (struct vhost_user_region){0, MEMORY / 2, USER, 0};
    machine->pieces[1] = (struct vhost_user_region){GUEST, MEMORY / 2, USER + (MEMORY << 4), MEMORY / 2};
    machine->piece_fds[0] = machine->piece_fds[1] = served->memory;
    for (unsigned i = 0; i < machine->queues; i++)
        machine->rings[i] = (struct vhost_user_address){.index = i,
                                                        .descriptors = USER + i * 65536,
                                                        .avail = USER + i * 65536 + 4096,
                                                        .used = USER + (MEMORY << 4) + i * 65536};
}

static int setup(void **state)
{
    struct served *served = calloc(1, sizeof *served);
    struct cipu_error error = {{0}};
    *state = served;
    snprintf(served->folder, sizeof served->folder, "/tmp/cipu-test-XXXXXX");
    if (!mkdtemp(served->folder))
        return -1;
    snprintf(served->path, sizeof served->path, "%s/socket", served->folder);
    served->memory = memfd_create("guest", MFD_CLOEXEC);
    if (ftruncate(served->memory, (off_t)MEMORY))
        return -1;
    plain_vhost_device_init(&served->device);
    if (vhost_user_server_create(served->path, &plain_vhost_device_ops, &served->device, &served->server, &error)) {
        print_error("%s\n", error.text);
        return -1;
    }
    make_machine(served, QEMU_11_1);
    return vhost_user_client_connect(&served->client, served->path);
}

static int teardown(void **state)
{
    struct served *served = *state;
    vhost_user_client_close(&served->client);
    vhost_user_server_destroy(served->server);
    int result = served->device.pieces || access(served->path, F_OK) == 0 ? -1 : 0;
    for (unsigned i = 0; i < PLAIN_QUEUES; i++)
        if (served->device.running[i] || served->device.called[i])
            result = -1;
    plain_vhost_device_free(&served->device);
    if (served->machine.inflight >= 0)
        close(served->machine.inflight);
    close(served->memory);
    rmdir(served->folder);
    free(served);
    return result;
}

static void reconnect(struct served *served)
{
    vhost_user_client_close(&served->client);
    assert_int_equal(vhost_user_client_connect(&served->client, served->path), 0);
}

/* Everything up to running rings, then asks to be told of errors. */
static void start(struct served *served)
{
    assert_int_equal(vhost_user_client_realize(&served->client, &served->machine), 0);
    assert_int_equal(vhost_user_client_start(&served->client, &served->machine), 0);
    served->client.needs_reply = true;
}

static void check_running(struct served *served, uint16_t position)
{
    struct plain_vhost_device now;
    pthread_mutex_lock(&served->device.lock);
    now = served->device;
    pthread_mutex_unlock(&served->device.lock);
    for (unsigned i = 0; i < PLAIN_QUEUES; i++)
        assert_int_equal(now.running[i], i < served->machine.started);
    for (unsigned i = 0; i < served->machine.started; i++) {
        assert_int_equal(now.queues[i].descriptors, i * 65536);
        assert_int_equal(now.queues[i].avail, i * 65536 + 4096);
        assert_int_equal(now.queues[i].used, GUEST + i * 65536);
        assert_int_equal(now.queues[i].entries, served->machine.entries);
        assert_int_equal(now.queues[i].position, position);
        assert_true(now.called[i]);
    }
}

static void check_order(struct served *served, enum vhost_user_qemu version, uint64_t protocol)
{
    uint64_t value;
    make_machine(served, version);
    served->machine.protocol = protocol;
    assert_int_equal(vhost_user_client_realize(&served->client, &served->machine), 0);
    served->device.position = 7;
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(vhost_user_client_start(&served->client, &served->machine), 0);
        assert_int_equal(vhost_user_client_get(&served->client, VHOST_USER_GET_FEATURES, &value), 0);
        check_running(served, round ? 7 : 0);
        assert_int_equal(served->device.features, PLAIN_FEATURES);
        assert_int_equal(vhost_user_client_stop(&served->client, &served->machine), 0);
        assert_int_equal(served->machine.bases[0], 7);
        assert_false(served->device.running[0]);
    }
    if (served->machine.inflight >= 0)
        close(served->machine.inflight);
    served->machine.inflight = -1;
    reconnect(served);
}

static void test_orders(void **state)
{
    struct served *served = *state;
    check_order(served, QEMU_7_2, UINT64_MAX);
    check_order(served, QEMU_11_1, UINT64_MAX);
    /* What a client falls back to without slots, status or an inflight buffer. */
    check_order(served, QEMU_7_2,
                1u << VHOST_USER_PROTOCOL_MQ | 1u << VHOST_USER_PROTOCOL_REPLY_ACK | 1u << VHOST_USER_PROTOCOL_CONFIG);
    check_order(served, QEMU_7_2, 1u << VHOST_USER_PROTOCOL_CONFIG);
}

static void test_kicks(void **state)
{
    struct served *served = *state;
    start(served);
    for (unsigned round = 1; round <= 100; round++) {
        eventfd_write(served->client.kicks[1], 1);
        for (unsigned i = 0; i < 1000 && served->device.kicks[1] < round; i++)
            usleep(1000);
        assert_int_equal(served->device.kicks[1], round);
    }
    assert_int_equal(served->device.kicks[0], 0);
    /* A new eventfd takes the old one's place. */
    int fresh = eventfd(0, EFD_NONBLOCK);
    assert_int_equal(vhost_user_client_set_ring_fd(&served->client, VHOST_USER_SET_VRING_KICK, 1, fresh), 0);
    eventfd_write(fresh, 1);
    for (unsigned i = 0; i < 1000 && served->device.kicks[1] < 101; i++)
        usleep(1000);
    assert_int_equal(served->device.kicks[1], 101);
    close(fresh);
}

static void test_ring_life(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    start(served);
    /* Disabled and enabled again: it goes on where it was. */
    served->device.position = 77;
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
    assert_false(served->device.running[0]);
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
    assert_true(served->device.running[0]);
    assert_int_equal(served->device.queues[0].position, 77);
    /* While it runs, its size and base stay; the same size is no change. */
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_BASE, 0, 5), -EREMOTEIO);
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_NUM, 0, 64), -EREMOTEIO);
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_NUM, 0, PLAIN_ENTRIES), 0);
    /* A new address moves it. */
    unsigned starts = served->device.starts;
    struct vhost_user_address address = served->machine.rings[0];
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &address, sizeof address, NULL, 0), 0);
    assert_int_equal(served->device.starts, starts);
    address.descriptors += 8192;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &address, sizeof address, NULL, 0), 0);
    assert_int_equal(served->device.starts, starts + 1);
    assert_int_equal(served->device.queues[0].descriptors, 8192);
    /* A device that cannot. */
    served->device.start_result = -EIO;
    assert_int_equal(vhost_user_client_set_ring_fd(client, VHOST_USER_SET_VRING_KICK, 2, client->kicks[0]),
                     -EREMOTEIO); /* it has no address either */
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, 0, 1), -EREMOTEIO);
    assert_false(served->device.running[0]);
    /* A reset leaves nothing of it. */
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
    assert_false(served->device.running[1]);
    assert_true(served->device.called[1]); /* the client does not give that again */
    assert_int_equal(served->device.forgets, 1);
}

static void test_memory(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    start(served);
    assert_int_equal(served->device.pieces, 2);
    /* Hot-added memory, up to as many slots as were told. */
    for (unsigned i = 2; i < 64; i++) {
        const struct vhost_user_region region = {GUEST * (i + 1), 4096, USER * 2 + GUEST * i, 0};
        assert_int_equal(vhost_user_client_add_memory(client, &region, served->memory), 0);
    }
    struct vhost_user_region more = {GUEST * 100, 4096, USER * 3, 0};
    assert_int_equal(vhost_user_client_add_memory(client, &more, served->memory), -EREMOTEIO);
    assert_int_equal(served->device.pieces, 64);
    struct vhost_user_one_region remove = {0, {GUEST * 3, 4096, USER * 2 + GUEST * 2, 0}};
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_REM_MEM_REG, &remove, sizeof remove, NULL, 0), 0);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_REM_MEM_REG, &remove, sizeof remove, NULL, 0),
                     -EREMOTEIO);
    /* Overlapping, empty, beyond all bounds. */
    const struct vhost_user_region bad[] = {
        {0, 4096, USER * 3, 0},
        {GUEST + MEMORY / 2 - 4096, 8192, USER * 3, 0},
        {GUEST * 200, 4096, USER + 4096, 0},
        {GUEST * 200, 0, USER * 3, 0},
        {UINT64_MAX - 4095, 8192, USER * 3, 0},
        {GUEST * 200, 8192, UINT64_MAX - 4095, 0},
        {GUEST * 200, 4096, USER * 3, UINT64_MAX - 4095},
        {GUEST * 200, UINT64_MAX, USER * 3, 4096},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(vhost_user_client_add_memory(client, &bad[i], served->memory), -EREMOTEIO);
    assert_int_equal(served->device.pieces, 63);
    assert_true(served->device.running[0]);
    /* The rings' own piece goes away: they stop. */
    struct vhost_user_one_region own = {0, served->machine.pieces[1]};
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_REM_MEM_REG, &own, sizeof own, NULL, 0), -EREMOTEIO);
    assert_false(served->device.running[0]);
    assert_false(served->device.running[1]);
}

/* A table that comes while rings run: what stays in it is not touched. */
static void test_memory_table(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    served->machine.protocol &= ~(UINT64_C(1) << VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS);
    start(served);
    unsigned starts = served->device.starts;
    struct vhost_user_memory table = {.count = 3};
    memcpy(table.regions, served->machine.pieces, 2 * sizeof table.regions[0]);
    table.regions[2] = (struct vhost_user_region){GUEST * 8, 4096, USER * 3, 0};
    int fds[3] = {served->memory, served->memory, served->memory};
    const size_t head = offsetof(struct vhost_user_memory, regions), each = sizeof table.regions[0];
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 3 * each, fds, 3), 0);
    assert_int_equal(served->device.maps, 3);
    assert_int_equal(served->device.unmaps, 0);
    assert_int_equal(served->device.starts, starts);
    table.count = 2;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 2 * each, fds, 2), 0);
    assert_int_equal(served->device.unmaps, 1);
    /* Another file at the same place is another piece. */
    int other = memfd_create("other", MFD_CLOEXEC);
    assert_int_equal(ftruncate(other, (off_t)MEMORY), 0);
    fds[1] = other;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 2 * each, fds, 2), 0);
    assert_int_equal(served->device.unmaps, 2);
    assert_int_equal(served->device.pieces, 2);
    close(other);
    fds[1] = served->memory;
    /* Counts that lie. */
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 2 * each, fds, 1),
                     -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 1 * each, fds, 2),
                     -EREMOTEIO);
    table.count = 9;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head + 2 * each, fds, 2),
                     -EREMOTEIO);
    table.count = UINT32_MAX;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_MEM_TABLE, &table, head, fds, 0), -EREMOTEIO);
    assert_int_equal(served->device.pieces, 2);
}

static void test_config(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    const size_t head = offsetof(struct vhost_user_config, data);
    start(served);
    struct vhost_user_config config = {.offset = 10, .bytes = 20};
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, head + 20), 0);
    assert_int_equal(client->message.header.size, head + 20);
    assert_memory_equal(client->message.payload.config.data, served->device.config + 10, 20);
    config = (struct vhost_user_config){.offset = 0, .bytes = 256};
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, head + 256), 0);
    assert_int_equal(client->message.payload.config.data[255], 0);
    /* Beyond the configuration, and a size that is not the message's: an empty answer. */
    config = (struct vhost_user_config){.offset = 250, .bytes = 10};
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, head + 10), 0);
    assert_int_equal(client->message.header.size, 0);
    config = (struct vhost_user_config){.offset = UINT32_MAX, .bytes = 10};
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, head + 10), 0);
    assert_int_equal(client->message.header.size, 0);
    config = (struct vhost_user_config){.offset = 0, .bytes = 256};
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_CONFIG, &config, head + 10), 0);
    assert_int_equal(client->message.header.size, 0);
    config = (struct vhost_user_config){.offset = 3, .bytes = 1, .data = {99}};
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_CONFIG, &config, head + 1, NULL, 0), 0);
    assert_int_equal(served->device.config[3], 99);
    config.offset = 64;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_CONFIG, &config, head + 1, NULL, 0), -EREMOTEIO);
    config.offset = 256;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_CONFIG, &config, head + 1, NULL, 0), -EREMOTEIO);
}

static void test_device_tells(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    struct vhost_user_header told;
    uint64_t status;
    eventfd_t count;
    start(served);
    served->device.frontend.config_changed(served->device.frontend.context);
    struct pollfd wait = {.fd = client->backend, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(recv(client->backend, &told, sizeof told, 0), sizeof told);
    assert_int_equal(told.request, VHOST_USER_BACKEND_CONFIG_CHANGE);
    assert_int_equal(told.flags, VHOST_USER_VERSION);
    assert_int_equal(told.size, 0);
    served->device.frontend.queue_failed(served->device.frontend.context, 1);
    assert_int_equal(eventfd_read(client->errors[1], &count), 0);
    assert_int_equal(vhost_user_client_get(client, VHOST_USER_GET_STATUS, &status), 0);
    assert_true(status & 64);
    /* A client that never reads is not waited for. */
    for (unsigned i = 0; i < 100000; i++)
        served->device.frontend.config_changed(served->device.frontend.context);
}

static void test_features(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    uint64_t value;
    start(served);
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_FEATURES, client->features), 0);
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_FEATURES, client->features & ~UINT64_C(1)),
                     -EREMOTEIO); /* rings run */
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_FEATURES, client->features | UINT64_C(1) << 26),
                     -EREMOTEIO); /* logging is not offered */
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_PROTOCOL_FEATURES, UINT64_MAX), -EREMOTEIO);
    assert_int_equal(vhost_user_client_get(client, VHOST_USER_GET_PROTOCOL_FEATURES, &value), 0);
    assert_int_equal(value,
                     1u << 0 | 1u << 3 | 1u << 5 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 16);
    assert_int_equal(vhost_user_client_get(client, VHOST_USER_GET_FEATURES, &value), 0);
    assert_int_equal(value, PLAIN_FEATURES | UINT64_C(1) << 30);
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_STATUS, 256), -EREMOTEIO);
    /* FEATURES_OK without good features reads back as clear. */
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
    assert_int_equal(vhost_user_client_set(client, VHOST_USER_SET_STATUS, 11), 0);
    assert_int_equal(vhost_user_client_get(client, VHOST_USER_GET_STATUS, &value), 0);
    assert_int_equal(value, 3);
}

static void test_bad_rings(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    assert_int_equal(vhost_user_client_realize(client, &served->machine), 0);
    client->needs_reply = true;
    static const uint32_t bad_entries[] = {0, 1, 3, 127, 256, 0x10000, UINT32_MAX};
    for (unsigned i = 0; i < sizeof bad_entries / sizeof bad_entries[0]; i++)
        assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_NUM, 0, bad_entries[i]), -EREMOTEIO);
    static const uint32_t requests[] = {VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_BASE,
                                        VHOST_USER_SET_VRING_ENABLE, VHOST_USER_GET_VRING_BASE};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vhost_user_client_set_ring(client, requests[i], PLAIN_QUEUES, 1), -EREMOTEIO);
        assert_int_equal(vhost_user_client_set_ring(client, requests[i], UINT32_MAX, 1), -EREMOTEIO);
    }
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_ENABLE, 0, 2), -EREMOTEIO);
    assert_int_equal(vhost_user_client_set_ring(client, VHOST_USER_SET_VRING_BASE, 0, 0x10000), -EREMOTEIO);
    struct vhost_user_address address = served->machine.rings[0];
    address.index = PLAIN_QUEUES;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &address, sizeof address, NULL, 0),
                     -EREMOTEIO);
    address.index = 0;
    address.flags = 1;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &address, sizeof address, NULL, 0),
                     -EREMOTEIO);
    /* Not eventfds: nothing to wait for. */
    for (uint32_t request = VHOST_USER_SET_VRING_KICK; request <= VHOST_USER_SET_VRING_ERR; request++) {
        assert_int_equal(vhost_user_client_set_ring_fd(client, request, 0, served->memory), -EREMOTEIO);
        assert_int_equal(vhost_user_client_set_ring_fd(client, request, PLAIN_QUEUES, client->calls[0]), -EREMOTEIO);
        const uint64_t both = VHOST_USER_VRING_NO_FD, strange = 0x200;
        assert_int_equal(vhost_user_client_send(client, request, &both, 8, &client->calls[0], 1), -EREMOTEIO);
        assert_int_equal(vhost_user_client_send(client, request, &strange, 8, &client->calls[0], 1), -EREMOTEIO);
        assert_int_equal(vhost_user_client_send(client, request, &(uint64_t){0}, 8, NULL, 0), -EREMOTEIO);
    }
    assert_int_equal(vhost_user_client_set_ring_fd(client, VHOST_USER_SET_VRING_KICK, 0, -1), -EREMOTEIO);
    assert_int_equal(vhost_user_client_set_ring_fd(client, VHOST_USER_SET_VRING_CALL, 0, -1), 0);
    /* Rings whose addresses lie nowhere, end outside, or are not aligned. */
    assert_int_equal(vhost_user_client_start(client, &served->machine), 0);
    client->needs_reply = true;
    static const int64_t shifts[] = {8, MEMORY / 2 - 2047, -4096, INT64_MAX};
    for (unsigned i = 0; i < 4; i++) {
        address = served->machine.rings[0];
        address.descriptors += (uint64_t)shifts[i];
        assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_ADDR, &address, sizeof address, NULL, 0),
                         -EREMOTEIO);
        assert_false(served->device.running[0]);
    }
    assert_int_equal(served->device.starts, 2);
}

static void test_bad_messages(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    start(served);
    const uint8_t bytes[64] = {0};
    /* Sizes that are not the request's, descriptors that are not asked for, requests that do not exist. */
    for (uint32_t request = 0; request < 50; request++)
        assert_int_equal(vhost_user_client_send(client, request, bytes, 3, NULL, 0), -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, UINT32_MAX, bytes, 0, NULL, 0), -EREMOTEIO);
    int fds[40];
    for (unsigned i = 0; i < 40; i++)
        fds[i] = served->memory;
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_OWNER, NULL, 0, fds, 1), -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_VRING_CALL, bytes, 8, fds, 40), -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, fds, 1), -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0), 0);
    assert_true(served->device.running[0]);
    /* Who does not ask is disconnected. */
    client->needs_reply = false;
    assert_int_equal(vhost_user_client_send(client, 99, NULL, 0, NULL, 0), 0);
    assert_true(vhost_user_client_hung_up(client));
    reconnect(served);
    /* Framing that is lost. */
    const struct vhost_user_header frames[] = {
        {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 513},
        {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, UINT32_MAX},
        {VHOST_USER_GET_FEATURES, 2, 0},
        {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_REPLY, 0},
    };
    for (unsigned i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        assert_int_equal(vhost_user_client_raw(client, &frames[i], sizeof frames[i], NULL, 0), 0);
        assert_true(vhost_user_client_hung_up(client));
        reconnect(served);
    }
    /* The end inside a message. */
    assert_int_equal(vhost_user_client_raw(client, &frames[0], 5, NULL, 0), 0);
    reconnect(served);
    uint64_t value;
    assert_int_equal(vhost_user_client_get(client, VHOST_USER_GET_FEATURES, &value), 0);
    /* What was not negotiated is not there. */
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_STATUS, NULL, 0), -ECONNRESET);
    reconnect(served);
}

static void test_inflight(void **state)
{
    struct served *served = *state;
    struct vhost_user_client *client = &served->client;
    struct {
        uint64_t features;
        uint16_t version, entries, last, used;
    } head;
    start(served);
    assert_true(served->device.queues[0].inflight != NULL);
    assert_true(served->machine.inflight_description.bytes >= 3u * (16 + 16 * PLAIN_ENTRIES));
    assert_int_equal(pread(served->machine.inflight, &head, sizeof head, 0), sizeof head);
    assert_int_equal(head.version, 1);
    assert_int_equal(head.entries, PLAIN_ENTRIES);
    /* The client cannot cut what the server writes to. */
    assert_int_equal(ftruncate(served->machine.inflight, 0), -1);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &served->machine.inflight_description,
                                            sizeof(struct vhost_user_inflight), &served->machine.inflight, 1),
                     -EREMOTEIO); /* rings run */
    assert_int_equal(vhost_user_client_stop(client, &served->machine), 0);
    client->needs_reply = true;
    const struct vhost_user_inflight good = served->machine.inflight_description;
    struct vhost_user_inflight bad[8] = {good, good, good, good, good, good, good, good};
    bad[0].bytes = 100;
    bad[1].offset = 8;
    bad[2].offset = UINT64_MAX - 4095;
    bad[3].queues = PLAIN_QUEUES + 1;
    bad[4].entries = PLAIN_ENTRIES * 2;
    bad[5].queues = 0;
    bad[6].offset = 1 << 20;
    bad[7].entries = 0;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &bad[i], sizeof bad[i],
                                                &served->machine.inflight, 1),
                         -EREMOTEIO);
    /* No memory file, one that is too small, one that must not be sealed. */
    assert_int_equal(
        vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &good, sizeof good, &client->calls[0], 1),
        -EREMOTEIO);
    int small = memfd_create("small", MFD_ALLOW_SEALING), loose = memfd_create("loose", 0);
    assert_int_equal(ftruncate(small, 4096), 0);
    assert_int_equal(ftruncate(loose, 1 << 20), 0);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &good, sizeof good, &small, 1),
                     -EREMOTEIO);
    assert_int_equal(vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &good, sizeof good, &loose, 1),
                     -EREMOTEIO);
    close(small);
    close(loose);
    /* The client's own, as after its migration, and the message without padding. */
    int own = memfd_create("own", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(own, (off_t)good.bytes), 0);
    assert_int_equal(
        vhost_user_client_send(client, VHOST_USER_SET_INFLIGHT_FD, &good, VHOST_USER_INFLIGHT_BYTES, &own, 1), 0);
    assert_int_equal(ftruncate(own, 0), -1);
    close(own);
    assert_int_equal(vhost_user_client_ask(client, VHOST_USER_GET_INFLIGHT_FD, &good, VHOST_USER_INFLIGHT_BYTES), 0);
    assert_int_equal(client->message.header.size, VHOST_USER_INFLIGHT_BYTES);
    assert_int_equal(client->message.fd_count, 1);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Clients that come and go in all states leave nothing behind. */
static void test_connections(void **state)
{
    struct served *served = *state;
    struct vhost_user_server_statistics statistics;
    unsigned before = 0;
    for (unsigned round = 0; round < 20; round++) {
        if (round % 3)
            assert_int_equal(vhost_user_client_realize(&served->client, &served->machine), 0);
        if (round % 3 == 2)
            assert_int_equal(vhost_user_client_start(&served->client, &served->machine), 0);
        reconnect(served);
        uint64_t value;
        assert_int_equal(vhost_user_client_get(&served->client, VHOST_USER_GET_FEATURES, &value), 0);
        assert_int_equal(served->device.pieces, 0);
        if (round == 5)
            before = open_descriptors();
    }
    assert_int_equal(open_descriptors(), before);
    vhost_user_server_statistics(served->server, &statistics);
    assert_true(statistics.connected);
    assert_true(statistics.connections >= 20);
    assert_true(statistics.messages > 200);
    assert_int_equal(statistics.errors, 0);
}

static void test_socket_file(void **state)
{
    struct served *served = *state;
    struct vhost_user_server *other = NULL;
    struct cipu_error error;
    assert_int_equal(vhost_user_server_create(served->path, &plain_vhost_device_ops, &served->device, &other, &error),
                     -EADDRINUSE);
    assert_non_null(strstr(error.text, "another server"));
    char path[200];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(vhost_user_server_create(path, &plain_vhost_device_ops, &served->device, &other, &error),
                     -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kicks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_device_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(test_features, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inflight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
