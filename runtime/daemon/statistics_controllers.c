/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/block/engine.h"
#include "runtime/daemon/controllers.h"
#include "runtime/daemon/statistics.h"

struct counters {
    struct vfio_user_server_statistics socket;
    struct block_function_statistics engine;
    uint64_t raw_commands, raw_errors, resets, faults;
};

static void count_socket(const struct controller *controller, struct vfio_user_server_statistics *socket)
{
    if (controller->server)
        vfio_user_server_statistics(controller->server, socket);
    if (controller->vhost_server) {
        struct vhost_user_server_statistics vhost;
        vhost_user_server_statistics(controller->vhost_server, &vhost);
        socket->connected = vhost.connected;
        socket->connections = vhost.connections;
        socket->messages = vhost.messages;
        socket->errors = vhost.errors;
    }
}

static struct counters count(struct daemon *daemon, const struct controller *controller)
{
    struct counters counters = {0};
    count_socket(controller, &counters.socket);
    block_function_statistics(daemon->block, controller->settings.id, &counters.engine);
    if (controller->nvme) {
        struct nvme_state state;
        nvme_state(controller->nvme, &state);
        counters.raw_commands = state.commands;
        counters.raw_errors = state.errors;
        counters.resets = state.resets;
        counters.faults = state.faults;
    }
    if (controller->blk) {
        struct virtio_blk_state state;
        virtio_blk_state(controller->blk, &state);
        counters.raw_commands = state.raw_requests;
        counters.raw_errors = state.raw_errors;
        counters.resets = state.resets;
    }
    return counters;
}

json_t *daemon_controller_counters(struct daemon *daemon, const struct controller *controller)
{
    struct counters counters = count(daemon, controller);
    json_int_t commands = (json_int_t)counters.engine.commands + (json_int_t)counters.raw_commands;
    json_int_t errors = (json_int_t)counters.engine.errors + (json_int_t)counters.raw_errors;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "commands", commands, "errors", errors,
                     "raw_commands", (json_int_t)counters.raw_commands, "resets", (json_int_t)counters.resets, "faults",
                     (json_int_t)counters.faults, "queue_stops", (json_int_t)atomic_load(&controller->queue_stops),
                     "doorbells_refused", (json_int_t)atomic_load(&controller->doorbells_refused), "connections",
                     (json_int_t)counters.socket.connections, "messages", (json_int_t)counters.socket.messages,
                     "message_errors", (json_int_t)counters.socket.errors);
}

json_t *daemon_controller_statistics(struct daemon *daemon)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct controller *controller = daemon->controllers[i];
        if (!controller)
            continue;
        json_t *object = daemon_controller_counters(daemon, controller);
        json_object_set_new(object, "id", json_integer(i));
        json_object_set_new(object, "name", json_string(controller->settings.name));
        json_object_set_new(object, "connected", json_boolean(controller_connected(controller)));
        json_array_append_new(list, object);
    }
    return list;
}
