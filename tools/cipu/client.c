/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/cipu/cipu.h"

#define REPLY_TIMEOUT_S 60

struct client {
    int fd;
    json_int_t id;
    char *buffer;
    size_t capacity, length;
    const char *path;
};

static _Noreturn void unreachable(const char *path, const char *why)
{
    fprintf(stderr, "cipu: no daemon answers at %s: %s\n", path, why);
    exit(EXIT_UNREACHABLE);
}

struct client *client_open(const struct options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_S};
    if (strlen(options->socket) >= sizeof(address.sun_path))
        usage_error("--socket: expected a path of at most %zu bytes", sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, options->socket, strlen(options->socket) + 1);
    struct client *client = calloc(1, sizeof(*client));
    if (!client)
        unreachable(options->socket, strerror(ENOMEM));
    client->path = options->socket;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        unreachable(options->socket, strerror(errno));
    return client;
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->buffer);
    free(client);
}

static void send_all(const struct client *client, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t sent = send(client->fd, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return; /* the daemon may have said why before it closed */
        text += sent;
        bytes -= (size_t)sent;
    }
}

/* Replies are one line each. */
static json_t *receive(struct client *client)
{
    char *end;
    while (!(end = client->length ? memchr(client->buffer, '\n', client->length) : NULL)) {
        if (client->length == client->capacity) {
            client->capacity = client->capacity ? 2 * client->capacity : 65536;
            char *grown = realloc(client->buffer, client->capacity);
            if (!grown)
                unreachable(client->path, strerror(ENOMEM));
            client->buffer = grown;
        }
        ssize_t got = recv(client->fd, client->buffer + client->length, client->capacity - client->length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            unreachable(client->path, got == 0 ? "it closed the connection" : strerror(errno));
        client->length += (size_t)got;
    }
    json_t *reply = json_loadb(client->buffer, (size_t)(end - client->buffer), 0, NULL);
    if (!json_is_object(reply))
        unreachable(client->path, "its reply is no JSON-RPC");
    size_t used = (size_t)(end - client->buffer) + 1;
    memmove(client->buffer, client->buffer + used, client->length - used);
    client->length -= used;
    return reply;
}

json_t *client_call(struct client *client, const char *method, json_t *parameters)
{
    json_t *request = json_pack("{s:s, s:s, s:o*, s:I}", "jsonrpc", "2.0", "method", method, "params", parameters, "id",
                                ++client->id);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text)
        unreachable(client->path, strerror(ENOMEM));
    send_all(client, text, strlen(text));
    free(text);
    json_t *reply = receive(client);
    json_t *result = json_incref(json_object_get(reply, "result"));
    if (!result) {
        const char *message = json_string_value(json_object_get(json_object_get(reply, "error"), "message"));
        fprintf(stderr, "cipu: %s\n", message ? message : "the daemon refused without a reason");
    }
    json_decref(reply);
    return result;
}

json_t *call_once(const struct options *options, const char *method, json_t *parameters)
{
    struct client *client = client_open(options);
    json_t *result = client_call(client, method, parameters);
    client_close(client);
    return result;
}
