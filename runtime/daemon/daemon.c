/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/controllers.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/volumes.h"

static int add_ports(struct daemon *daemon, const struct config *config, struct cipu_error *error)
{
    int result = 0;
    for (size_t i = 0; i < config->port_count && result == 0; i++)
        result = net_port_set(daemon->net, &config->ports[i].port, error);
    return result;
}

/* After a daemon was killed the kernel may hold its files for a moment longer: whether to try again. */
static bool is_held(int result, unsigned *tries)
{
    const struct timespec pause = {0, 50000000};
    if (result != -EBUSY || ++*tries > 60)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

static int add_disk(struct daemon *daemon, const struct disk_settings *settings, struct cipu_error *error)
{
    unsigned tries = 0;
    int result;
    do
        result = daemon_disk_add(daemon, settings, ORIGIN_FILE, error);
    while (is_held(result, &tries));
    return result;
}

static int add_volume(struct daemon *daemon, const struct volume_settings *settings, struct cipu_error *error)
{
    unsigned tries = 0;
    int result;
    do
        result = daemon_volume_add(daemon, settings, ORIGIN_FILE, error);
    while (is_held(result, &tries));
    return result;
}

static int add_objects(struct daemon *daemon, const struct config *config, struct cipu_error *error)
{
    int result = add_ports(daemon, config, error);
    for (size_t i = 0; i < config->disk_count && result == 0; i++)
        result = add_disk(daemon, &config->disks[i].disk, error);
    for (size_t i = 0; i < config->subsystem_count && result == 0; i++)
        result = daemon_pool_add(daemon, &config->subsystems[i].subsystem, error);
    for (size_t i = 0; i < config->volume_count && result == 0; i++)
        result = add_volume(daemon, &config->volumes[i].volume, error);
    for (size_t i = 0; i < config->vpc_count && result == 0; i++)
        result = daemon_vpc_add(daemon, &config->vpcs[i].vpc, ORIGIN_FILE, error);
    for (size_t i = 0; i < config->route_count && result == 0; i++)
        result = daemon_route_add(daemon, &config->routes[i].route, ORIGIN_FILE, error);
    for (size_t i = 0; i < config->function_count && result == 0; i++)
        result = daemon_function_add(daemon, &config->functions[i].function, ORIGIN_FILE, error);
    for (size_t i = 0; i < config->controller_count && result == 0; i++)
        result = daemon_controller_add(daemon, &config->controllers[i].controller, ORIGIN_FILE, error);
    return result;
}

static int open_card(struct daemon *daemon, const struct config *config, struct cipu_error *error)
{
    struct net_settings settings = {.flow_idle_ms = config->flow_idle * 1000};
    int result = cipu_card_open(config->card, &daemon->card, error);
    if (result == 0)
        result = cipu_host_open(daemon->card, &daemon->host, error);
    if (result == 0)
        result = net_create(daemon->card, daemon->host, &settings, &daemon->net, error);
    if (result == 0)
        net_on_event(daemon->net, daemon_card_event, daemon);
    return result;
}

static void init_volumes_lock(struct daemon *daemon)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&daemon->volumes_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
}

int daemon_open(struct daemon *daemon, struct config *config, struct event_base *base, struct cipu_error *error)
{
    *daemon = (struct daemon){
        .config_path = daemon->config_path,
        .config = config,
        .base = base,
        .map_doorbells = strstr(config->card, "poll=always") != NULL,
    };
    memcpy(daemon->state, config->state, strnlen(config->state, sizeof(daemon->state) - 1));
    pthread_mutex_init(&daemon->functions_lock, NULL);
    init_volumes_lock(daemon);
    clock_gettime(CLOCK_MONOTONIC, &daemon->started);
    int result = open_card(daemon, config, error);
    if (result == 0)
        result = add_objects(daemon, config, error);
    if (result < 0)
        daemon_close(daemon);
    return result;
}

void daemon_close(struct daemon *daemon)
{
    uint64_t bytes;
    daemon_capture_stop(daemon, &bytes, NULL);
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++)
        if (daemon->functions[i])
            daemon_function_remove(daemon, i, NULL);
    daemon_controllers_close(daemon);
    daemon_pools_close(daemon);
    daemon_volumes_close(daemon);
    if (daemon->net)
        net_destroy(daemon->net);
    if (daemon->host)
        cipu_host_close(daemon->host);
    if (daemon->card)
        cipu_card_close(daemon->card);
    free(daemon->vpcs);
    free(daemon->routes);
    config_free(daemon->config);
    pthread_mutex_destroy(&daemon->functions_lock);
    pthread_mutex_destroy(&daemon->volumes_lock);
    *daemon = (struct daemon){.config_path = daemon->config_path};
}
