/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: negotiation, lost framing, one client after another, sockets left behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/frontend/vfio_user_message.h"
#include "tests/runtime/frontend/served_device.h"

static int setup_unconnected(void **state)
{
    int result = served_device_setup(state);
    if (!result) {
        struct served_device *served = *state;
        vfio_user_client_close(served->client);
        served->client = NULL;
        while (served_statistics(served).connected)
            usleep(1000);
    }
    return result;
}

static int negotiate(struct served_device *served, const void *data, size_t bytes, char *reply, size_t room)
{
    struct vfio_user_client *client;
    assert_int_equal(vfio_user_client_connect(served->path, NULL, &client), 0);
    struct vfio_user_exchange exchange = {.data = data, .bytes = bytes, .reply = reply, .room = room};
    int result = vfio_user_client_exchange(client, VFIO_USER_VERSION, &exchange);
    if (!result && reply)
        assert_int_equal(reply[exchange.reply_bytes - 1], 0);
    vfio_user_client_close(client);
    return result;
}

static int negotiate_json(struct served_device *served, const char *json, char *reply, size_t room)
{
    char request[2048] = {0};
    memcpy(request + 4, json, strlen(json) + 1);
    return negotiate(served, request, 4 + strlen(json) + 1, reply, room);
}

static void test_version(void **state)
{
    struct served_device *served = *state;
    char reply[1024];
    assert_int_equal(negotiate_json(served, CLIENT_VERSION_JSON, reply, sizeof reply), 0);
    assert_string_equal(reply + 4,
                        "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,"
                        "\"pgsizes\":4096,\"write_multiple\":true}}");
    assert_true(strlen(reply + 4) <= strlen(CLIENT_VERSION_JSON));
    /* The client's smaller limits are kept to; unknown keys are ignored; none is needed. */
    assert_int_equal(
        negotiate_json(served, "{\"extra\":[1,2],\"capabilities\":{\"x\":{},\"max_msg_fds\":2,\"max_dma_maps\":7}}",
                       reply, sizeof reply),
        0);
    assert_non_null(strstr(reply + 4, "\"max_msg_fds\":2,"));
    assert_non_null(strstr(reply + 4, "\"max_dma_maps\":7,"));
    assert_int_equal(negotiate_json(served, "{}", reply, sizeof reply), 0);
    assert_int_equal(negotiate(served, "\0\0\0\0", 4, reply, sizeof reply), 0);
    assert_int_equal(negotiate(served, "\0\0\7\0", 4, reply, sizeof reply), 0); /* a later minor version */
    assert_int_equal(reply[2], 0);
}

static void test_bad_versions(void **state)
{
    struct served_device *served = *state;
    static const char *const BAD[] = {
        "",
        "{",
        "[]",
        "7",
        "{\"capabilities\":7}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_data_xfer_size\":0}}",
        "{\"capabilities\":{\"max_dma_maps\":1.5}}",
        "{\"capabilities\":{\"pgsizes\":0}}",
        "{\"capabilities\":{\"write_multiple\":1}}",
        "{\"capabilities\":{}} x",
        "{\"capabilities\":{\"max_msg_fds\":99999999999999999999}}",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(negotiate_json(served, BAD[i], NULL, 0), -EINVAL);
    assert_int_equal(negotiate(served, "\1\0\0\0", 4, NULL, 0), -EINVAL);   /* another major version */
    assert_int_equal(negotiate(served, "\0\0\0\0{}", 6, NULL, 0), -EINVAL); /* not terminated */
    assert_int_equal(negotiate(served, "\0\0\0", 3, NULL, 0), -EINVAL);     /* truncated */
    assert_int_equal(negotiate(served, NULL, 0, NULL, 0), -EINVAL);
    char deep[1500];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(negotiate_json(served, deep, NULL, 0), -EINVAL);
}

/* Nothing but VERSION is done first, and nothing is VERSION later. */
static void test_order(void **state)
{
    struct served_device *served = *state;
    assert_int_equal(vfio_user_client_connect(served->path, NULL, &served->client), 0);
    assert_int_equal(served_command(served, VFIO_USER_DEVICE_RESET, NULL, 0), -EINVAL);
    assert_int_equal(served->device.resets, 0);
    assert_int_equal(served_command(served, VFIO_USER_VERSION, "\1\0\0\0", 4), -EINVAL);
    assert_int_equal(served_command(served, VFIO_USER_VERSION, "\0\0\0\0", 4), 0);
    assert_int_equal(served_command(served, VFIO_USER_VERSION, "\0\0\0\0", 4), -EINVAL);
    assert_int_equal(served_command(served, VFIO_USER_DEVICE_RESET, NULL, 0), 0);
}

/* A size that cannot be ends the connection; the next client is served. */
static void test_lost_framing(void **state)
{
    struct served_device *served = *state;
    static const uint32_t SIZES[] = {0, 1, 15, VFIO_USER_MAX_PAYLOAD + 17, 0x7fffffff, UINT32_MAX};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct vfio_user_client *client;
        struct vfio_user_header header = {.command = VFIO_USER_DEVICE_RESET, .size = SIZES[i]};
        assert_int_equal(vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &client), 0);
        assert_int_equal(vfio_user_client_send_raw(client, &header, sizeof header, NULL, 0), 0);
        assert_true(vfio_user_client_hung_up(client));
        vfio_user_client_close(client);
    }
    assert_int_equal(vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &served->client), 0);
    assert_int_equal(vfio_user_client_reset(served->client), 0);
}

static void test_end_inside_message(void **state)
{
    struct served_device *served = *state;
    for (size_t bytes = 1; bytes < 48; bytes += 5) {
        uint8_t message[48] = {0};
        const struct vfio_user_header header = {.command = VFIO_USER_DMA_MAP, .size = 48};
        memcpy(message, &header, sizeof header);
        int socket = served_socket(served);
        assert_int_equal(send(socket, message, bytes, 0), bytes);
        close(socket);
    }
    assert_int_equal(vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &served->client), 0);
    assert_int_equal(served->device.maps, 0);
}

/* A second client waits until the first has gone; what was the first's is gone with it. */
static void test_clients_in_turn(void **state)
{
    struct served_device *served = *state;
    uint8_t *bytes;
    struct vfio_user_client *first;
    unsigned disconnects = served->device.disconnects;
    assert_int_equal(vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &first), 0);
    assert_int_equal(vfio_user_client_memory(first, CLIENT_MEMORY_SHARED, 0, 8192, &bytes), 0);
    assert_int_equal(served_statistics(served).mappings, 1);
    int second = served_socket(served);
    char byte;
    assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);
    vfio_user_client_close(first);
    close(second);
    assert_int_equal(vfio_user_client_connect(served->path, CLIENT_VERSION_JSON, &served->client), 0);
    assert_int_equal(served_statistics(served).mappings, 0);
    assert_true(served_statistics(served).connected);
    assert_int_equal(served->device.disconnects, disconnects + 2);
    assert_int_equal(vfio_user_client_memory(served->client, CLIENT_MEMORY_SHARED, 0, 8192, &bytes), 0);
}

/* A client that takes no replies stops no one but itself: the server can still be destroyed. */
static void test_client_that_does_not_read(void **state)
{
    struct served_device *served = *state;
    int socket = served_socket(served);
    struct {
        struct vfio_user_header header;
        struct vfio_user_region_access access;
    } read = {{.command = VFIO_USER_REGION_READ, .size = sizeof read}, {0, 0, PLAIN_REGION_BYTES}};
    const struct {
        struct vfio_user_header header;
        struct vfio_user_version version;
    } version = {{.command = VFIO_USER_VERSION, .size = 20}, {0, 0}};
    assert_int_equal(send(socket, &version, 20, 0), 20);
    for (int i = 0; i < 100; i++)
        if (send(socket, &read, sizeof read, MSG_DONTWAIT) < 0)
            break;
    usleep(50000);
    vfio_user_server_destroy(served->server);
    close(socket);
    assert_int_equal(vfio_user_server_create(served->path, &plain_device_ops, &served->device, &served->server, NULL),
                     0);
}

static void test_socket_files(void **state)
{
    struct served_device *served = *state;
    struct cipu_error error;
    struct vfio_user_server *other;
    assert_int_equal(vfio_user_server_create(served->path, &plain_device_ops, &served->device, &other, &error),
                     -EADDRINUSE);
    assert_non_null(strstr(error.text, served->path));
    /* A stale one is replaced, another kind of file is not. */
    vfio_user_server_destroy(served->server);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", served->path);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    if (stale < 0)
        abort();
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    assert_int_equal(vfio_user_server_create(served->path, &plain_device_ops, &served->device, &served->server, NULL),
                     0);
    char path[96], much[300];
    snprintf(path, sizeof path, "%s/file", served->folder);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(vfio_user_server_create(path, &plain_device_ops, &served->device, &other, &error), -EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    memset(much, 'a', sizeof much - 1);
    much[sizeof much - 1] = 0;
    assert_int_equal(vfio_user_server_create(much, &plain_device_ops, &served->device, &other, &error), -ENAMETOOLONG);
    snprintf(path, sizeof path, "%s/none/socket", served->folder);
    assert_int_equal(vfio_user_server_create(path, &plain_device_ops, &served->device, &other, &error), -ENOENT);
}

struct slow_reader {
    int socket;
    atomic_bool stop;
};

static void *take_little(void *argument)
{
    struct slow_reader *reader = argument;
    char byte;
    while (!reader->stop && read(reader->socket, &byte, 1) == 1)
        usleep(1000);
    return NULL;
}

/* A client that takes a byte now and then is not waited for until it has taken all. */
static void test_client_that_reads_slowly(void **state)
{
    const size_t bytes = VFIO_USER_MAX_TRANSFER;
    (void)state;
    int ends[2];
    pthread_t thread;
    struct vfio_user_header header = {.id = 1};
    uint8_t *data = calloc(1, bytes);
    assert_non_null(data);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct slow_reader reader = {.socket = ends[1]};
    assert_int_equal(pthread_create(&thread, NULL, take_little, &reader), 0);
    assert_int_equal(vfio_user_message_send(ends[0], &header, data, bytes, NULL, 0, -1), -ETIMEDOUT);
    reader.stop = true;
    pthread_join(thread, NULL);
    /* Now it takes nothing at all. */
    int result;
    while ((result = vfio_user_message_send(ends[0], &header, NULL, 0, NULL, 0, -1)) == 0)
        ;
    assert_int_equal(result, -EAGAIN);
    close(ends[0]);
    close(ends[1]);
    free(data);
}

int main(void)
{
#define UNCONNECTED(test) cmocka_unit_test_setup_teardown(test, setup_unconnected, served_device_teardown)
    const struct CMUnitTest tests[] = {
        UNCONNECTED(test_version),
        UNCONNECTED(test_bad_versions),
        UNCONNECTED(test_order),
        UNCONNECTED(test_lost_framing),
        UNCONNECTED(test_end_inside_message),
        UNCONNECTED(test_clients_in_turn),
        UNCONNECTED(test_client_that_does_not_read),
        UNCONNECTED(test_client_that_reads_slowly),
        UNCONNECTED(test_socket_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
