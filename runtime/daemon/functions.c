/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: the overlay network's part, the device, the socket; and the card's events about them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/log.h"

static bool has_access_port(void *context, const struct net_port *port)
{
    unsigned *id = context;
    if (port->uplink || port->function != *id)
        return true;
    *id = CARD_FUNCTIONS;
    return false;
}

static int check_settings(struct daemon *daemon, const struct function_settings *settings, struct cipu_error *error)
{
    unsigned id = settings->net.id;
    if (daemon->functions[id])
        return cipu_fail(error, -EEXIST, "function %u is there already", id);
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        const struct function *other = daemon->functions[i];
        if (other && strcmp(other->settings.net.name, settings->net.name) == 0)
            return cipu_fail(error, -EEXIST, "function %u has the name %s already", i, settings->net.name);
        if (other && settings->socket[0] && strcmp(other->settings.socket, settings->socket) == 0)
            return cipu_fail(error, -EEXIST, "function %u has the socket %s already", i, settings->socket);
    }
    unsigned port_of = id;
    net_each_port(daemon->net, has_access_port, &port_of);
    if (settings->access && port_of == id)
        return cipu_fail(error, -EINVAL, "found no access port for function %u, which its type needs", id);
    if (!settings->access && port_of != id)
        return cipu_fail(error, -EINVAL, "an access port stands for function %u, expected type access", id);
    if (settings->access != (settings->socket[0] == 0))
        return cipu_fail(error, -EINVAL,
                         settings->access ? "found socket %s, expected none: a function of type access is reached "
                                            "through its port"
                                          : "found no socket%s, expected the absolute path of one",
                         settings->socket);
    if (!daemon_vpc_by_name(daemon, settings->net.vpc))
        return cipu_fail(error, -ENOENT, "found VPC %s, expected one that is there", settings->net.vpc);
    return 0;
}

int daemon_function_mtu(struct daemon *daemon, const struct function_settings *settings, struct cipu_error *error)
{
    int carried = net_vpc_mtu(daemon->net, settings->net.vpc);
    if (carried < 0)
        return cipu_fail(error, carried, "found VPC %s, expected one that is there", settings->net.vpc);
    if (settings->mtu > (unsigned)carried)
        return cipu_fail(error, -EINVAL, "found mtu %u, expected at most %d: what VPC %s carries", settings->mtu,
                         carried, settings->net.vpc);
    return settings->mtu ? (int)settings->mtu : carried;
}

static int open_device(struct daemon *daemon, struct function *function, struct cipu_error *error)
{
    const struct function_settings *settings = &function->settings;
    struct virtio_net_settings device = {
        .function = settings->net.id,
        .mtu = (uint16_t)function->mtu,
        .queue_entries = settings->queue_size,
        .map_doorbells = daemon->map_doorbells,
    };
    memcpy(device.mac, settings->net.mac, sizeof(device.mac));
    int result = virtio_net_create(daemon->card, daemon->host, &device, &function->device, error);
    if (result < 0)
        return result;
    virtio_net_set_link(function->device, true);
    return 0;
}

static void free_function(struct function *function)
{
    if (function->server)
        vfio_user_server_destroy(function->server);
    if (function->device)
        virtio_net_destroy(function->device);
    free(function);
}

/* From here on the card's events find the function, or no longer. */
static void set_function(struct daemon *daemon, unsigned id, struct function *function)
{
    pthread_mutex_lock(&daemon->functions_lock);
    daemon->functions[id] = function;
    pthread_mutex_unlock(&daemon->functions_lock);
}

int daemon_function_join(struct daemon *daemon, const struct function_settings *settings, struct cipu_error *error)
{
    return net_function_add(daemon->net, &settings->net, error);
}

int daemon_function_add(struct daemon *daemon, const struct function_settings *settings, enum origin origin,
                        struct cipu_error *error)
{
    int result = check_settings(daemon, settings, error);
    int mtu = result < 0 ? result : daemon_function_mtu(daemon, settings, error);
    if (mtu < 0)
        return mtu;
    struct function *function = calloc(1, sizeof(*function));
    if (!function)
        return cipu_fail(error, -ENOMEM, "no memory for function %u", settings->net.id);
    function->settings = *settings;
    function->origin = origin;
    function->mtu = (unsigned)mtu;
    result = settings->access ? 0 : open_device(daemon, function, error);
    if (result == 0)
        result = daemon_function_join(daemon, settings, error);
    if (result < 0) {
        free_function(function);
        return result;
    }
    function->joined = true;
    set_function(daemon, settings->net.id, function);
    /* The socket comes last: who connects finds everything there. */
    if (function->device)
        result = vfio_user_server_create(settings->socket, &virtio_pci_device_ops, function->device, &function->server,
                                         error);
    if (result < 0) {
        net_function_remove(daemon->net, settings->net.id, NULL);
        daemon_function_drop(daemon, settings->net.id);
        return result;
    }
    log_info("function created", "id=%u\tname=%s\tvpc=%s\tsocket=%s\tmtu=%d", settings->net.id, settings->net.name,
             settings->net.vpc, settings->socket, mtu);
    return 0;
}

void daemon_function_drop(struct daemon *daemon, unsigned id)
{
    struct function *function = daemon->functions[id];
    set_function(daemon, id, NULL);
    free_function(function);
}

int daemon_function_remove(struct daemon *daemon, unsigned id, struct cipu_error *error)
{
    struct function *function = id < CARD_FUNCTIONS ? daemon->functions[id] : NULL;
    if (!function)
        return cipu_fail(error, -ENOENT, "found function %u, expected one that is there", id);
    if (function->joined) {
        int result = net_function_remove(daemon->net, id, error);
        if (result < 0)
            return result;
    }
    log_info("function removed", "id=%u\tname=%s", id, function->settings.net.name);
    daemon_function_drop(daemon, id);
    return 0;
}

struct function *daemon_function_by_name(struct daemon *daemon, const char *name)
{
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->functions[i] && strcmp(daemon->functions[i]->settings.net.name, name) == 0)
            return daemon->functions[i];
    return NULL;
}

static const char *queue_fault_name(unsigned fault)
{
    static const char *const names[] = {
        [FAULT_NONE] = "none",
        [FAULT_AVAIL_INDEX] = "avail_index",
        [FAULT_DESCRIPTOR_INDEX] = "descriptor_index",
        [FAULT_DESCRIPTOR_LOOP] = "descriptor_loop",
        [FAULT_DESCRIPTOR_LENGTH] = "descriptor_length",
        [FAULT_INDIRECT] = "indirect",
        [FAULT_DIRECTION] = "direction",
        [FAULT_ADDRESS] = "address",
        [FAULT_HEADER] = "header",
        [FAULT_SETTING] = "setting",
    };
    return fault < sizeof(names) / sizeof(names[0]) ? names[fault] : "unknown";
}

/* A guest may have its queues stopped as often as it likes: one line a second for each function. */
static void log_stop(struct function *function, const struct event_entry *event)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec == function->stop_logged) {
        function->stops_unlogged++;
        return;
    }
    log_warning("queue stopped by the card",
                "function=%u\tname=%s\tqueue=%u\tfault=%s\tvalue=0x%" PRIx64 "\tunlogged=%u", event->function,
                function->settings.net.name, event->queue, queue_fault_name(event->detail), event->address,
                function->stops_unlogged);
    function->stop_logged = now.tv_sec;
    function->stops_unlogged = 0;
}

/* On the slow path's thread. Dropped packets are only counted. */
void daemon_card_event(void *context, const struct event_entry *event)
{
    struct daemon *daemon = context;
    atomic_fetch_add(&daemon->events, 1);
    pthread_mutex_lock(&daemon->functions_lock);
    struct function *function = event->function < CARD_FUNCTIONS ? daemon->functions[event->function] : NULL;
    if (function)
        atomic_store(&function->events_dropped, event->dropped);
    if (function && event->kind == EVENT_QUEUE_STOPPED) {
        atomic_fetch_add(&function->queue_stops, 1);
        log_stop(function, event);
        if (function->device)
            virtio_net_queue_fault(function->device, event);
    } else if (function && event->kind == EVENT_PACKET_DROPPED) {
        atomic_fetch_add(&function->packet_drops, 1);
    }
    struct controller *controller = event->function < CARD_FUNCTIONS ? daemon->controllers[event->function] : NULL;
    if (controller)
        controller_card_event(controller, event);
    pthread_mutex_unlock(&daemon->functions_lock);
}
