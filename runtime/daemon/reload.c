/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies a changed configuration file. Objects made by remote calls stay. A function whose device is described as
 * before keeps it, so its guest notices nothing. What could not be applied is tried again by the next reload.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/reload.h"
#include "runtime/net/address.h"

static void refused(struct changes *changes, const char *what, const char *name, const struct cipu_error *error)
{
    changes->refused++;
    log_error("the reload could not apply a change", "object=%s\tname=%s\terror=%s", what, name, error->text);
}

void reload_count(struct changes *changes, int result, const char *what, const char *name,
                  const struct cipu_error *error)
{
    if (result < 0)
        refused(changes, what, name, error);
    else
        changes->applied++;
}

static bool ports_equal(const struct config *a, const struct config *b)
{
    if (a->port_count != b->port_count)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        if (!schema_equal(&port_schema, &a->ports[i].port, &b->ports[i].port))
            return false;
    return true;
}

/* What only a restart can change. */
static bool fixed_equal(const struct config *old, const struct config *new)
{
    bool equal = true;
    const struct {
        const char *key;
        bool same;
    } fixed[] = {
        {"card", strcmp(old->card, new->card) == 0},          {"rpc", strcmp(old->rpc, new->rpc) == 0},
        {"metrics", strcmp(old->metrics, new->metrics) == 0}, {"state", strcmp(old->state, new->state) == 0},
        {"flow-idle", old->flow_idle == new->flow_idle},      {"ports", ports_equal(old, new)},
    };
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (!fixed[i].same)
            log_error("the reload is refused: this key needs a restart", "key=%s", fixed[i].key);
        equal &= fixed[i].same;
    }
    return equal;
}

static const struct net_vpc *vpc_in(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->vpc_count; i++)
        if (strcmp(config->vpcs[i].vpc.name, name) == 0)
            return &config->vpcs[i].vpc;
    return NULL;
}

static bool vpc_stays(const struct vpc_record *record, const struct config *config)
{
    const struct net_vpc *wanted = vpc_in(config, record->vpc.name);
    return record->origin == ORIGIN_CALL || (wanted && schema_equal(&vpc_schema, &record->vpc, wanted));
}

static bool vpc_stays_by_name(const struct daemon *daemon, const struct config *config, const char *name)
{
    for (size_t i = 0; i < daemon->vpc_count; i++)
        if (strcmp(daemon->vpcs[i].vpc.name, name) == 0)
            return vpc_stays(&daemon->vpcs[i], config);
    return false;
}

static int compare_addresses(const struct net_address *a, const struct net_address *b)
{
    int order = a->family != b->family ? a->family - b->family : a->prefix - b->prefix;
    return order ? order : memcmp(a->bytes, b->bytes, net_address_bytes(a->family));
}

static int compare_routes(const void *first, const void *second)
{
    const struct net_route *a = *(const struct net_route *const *)first;
    const struct net_route *b = *(const struct net_route *const *)second;
    int order = strcmp(a->vpc, b->vpc);
    if (!order)
        order = compare_addresses(&a->prefix, &b->prefix);
    if (!order)
        order = compare_addresses(&a->remote, &b->remote);
    if (!order)
        order = a->has_mac - b->has_mac;
    return order || !a->has_mac ? order : memcmp(a->mac, b->mac, sizeof(a->mac));
}

/* Routes in order, since there may be many: structures of `stride` bytes whose first member is a route. */
static const struct net_route **sort_routes(const void *routes, size_t count, size_t stride)
{
    const struct net_route **sorted = calloc(count ? count : 1, sizeof(*sorted));
    if (!sorted)
        return NULL;
    for (size_t i = 0; i < count; i++)
        sorted[i] = (const void *)((const char *)routes + i * stride);
    qsort(sorted, count, sizeof(*sorted), compare_routes);
    return sorted;
}

static bool route_among(const struct net_route **sorted, size_t count, const struct net_route *route)
{
    return bsearch(&route, sorted, count, sizeof(*sorted), compare_routes) != NULL;
}

static const struct function_settings *function_in(const struct config *config, unsigned id)
{
    for (size_t i = 0; i < config->function_count; i++)
        if (config->functions[i].function.net.id == id)
            return &config->functions[i].function;
    return NULL;
}

static bool same_device(const struct function_settings *a, const struct function_settings *b)
{
    return a->access == b->access && strcmp(a->socket, b->socket) == 0 && memcmp(a->net.mac, b->net.mac, 6) == 0 &&
           a->mtu == b->mtu && a->queue_size == b->queue_size;
}

/* The routes that leave are copied first: removal moves the others. */
static struct net_route *leaving_routes(const struct daemon *daemon, const struct config *config, size_t *leaving)
{
    const struct net_route **wanted = sort_routes(config->routes, config->route_count, sizeof(config->routes[0]));
    struct net_route *routes = calloc(daemon->route_count ? daemon->route_count : 1, sizeof(*routes));
    for (size_t i = 0; wanted && routes && i < daemon->route_count; i++) {
        const struct route_record *record = &daemon->routes[i];
        if (record->origin == ORIGIN_FILE && !(route_among(wanted, config->route_count, &record->route) &&
                                               vpc_stays_by_name(daemon, config, record->route.vpc)))
            routes[(*leaving)++] = record->route;
    }
    free(wanted);
    return routes;
}

static void remove_routes(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    size_t leaving = 0;
    struct net_route *routes = leaving_routes(daemon, config, &leaving);
    for (size_t i = 0; i < leaving; i++) {
        int result = daemon_route_remove(daemon, routes[i].vpc, &routes[i].prefix, &error);
        reload_count(changes, result, "route", routes[i].vpc, &error);
    }
    free(routes);
}

/* Takes functions out of the overlay network; those that are gone, or whose device is another, wholly. */
static void remove_functions(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (unsigned i = 0; i < CARD_FUNCTIONS; i++) {
        struct function *function = daemon->functions[i];
        if (!function || function->origin == ORIGIN_CALL)
            continue;
        const struct function_settings *wanted = function_in(config, i);
        bool same = wanted && schema_equal(&function_schema, wanted, &function->settings);
        if (same && vpc_stays_by_name(daemon, config, wanted->net.vpc))
            continue;
        if (!wanted || !same_device(wanted, &function->settings)) {
            char name[NET_NAME_BYTES];
            memcpy(name, function->settings.net.name, sizeof(name));
            int result = daemon_function_remove(daemon, i, &error);
            reload_count(changes, result, "function", name, &error);
        } else if (net_function_remove(daemon->net, i, &error) < 0) {
            refused(changes, "function", function->settings.net.name, &error);
        } else {
            function->joined = false;
        }
    }
}

static void change_vpcs(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (size_t i = daemon->vpc_count; i-- > 0;) {
        char name[NET_NAME_BYTES];
        memcpy(name, daemon->vpcs[i].vpc.name, sizeof(name));
        if (!vpc_stays(&daemon->vpcs[i], config))
            reload_count(changes, daemon_vpc_remove(daemon, name, &error), "vpc", name, &error);
    }
    for (size_t i = 0; i < config->vpc_count; i++) {
        const struct net_vpc *wanted = &config->vpcs[i].vpc;
        const struct net_vpc *there = daemon_vpc_by_name(daemon, wanted->name);
        if (!there || !schema_equal(&vpc_schema, wanted, there))
            reload_count(changes, daemon_vpc_add(daemon, wanted, ORIGIN_FILE, &error), "vpc", wanted->name, &error);
    }
}

/* A function that left the overlay network for the reload comes back with its device if that still fits. */
static int rejoin(struct daemon *daemon, struct function *function, const struct function_settings *wanted,
                  struct cipu_error *error)
{
    int mtu = daemon_function_mtu(daemon, wanted, error);
    int result = mtu < 0 ? mtu : (unsigned)mtu != function->mtu ? 1 : daemon_function_join(daemon, wanted, error);
    if (result == 0) {
        function->settings = *wanted;
        function->joined = true;
        log_info("function changed", "id=%u\tname=%s\tvpc=%s", wanted->net.id, wanted->net.name, wanted->net.vpc);
        return 0;
    }
    daemon_function_drop(daemon, wanted->net.id);
    return result < 0 ? result : daemon_function_add(daemon, wanted, ORIGIN_FILE, error);
}

static void add_functions(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    for (size_t i = 0; i < config->function_count; i++) {
        const struct function_settings *wanted = &config->functions[i].function;
        struct function *function = daemon->functions[wanted->net.id];
        if (function && function->joined && schema_equal(&function_schema, wanted, &function->settings))
            continue;
        int result = function && !function->joined ? rejoin(daemon, function, wanted, &error)
                                                   : daemon_function_add(daemon, wanted, ORIGIN_FILE, &error);
        reload_count(changes, result, "function", wanted->net.name, &error);
    }
}

static void add_routes(struct daemon *daemon, const struct config *config, struct changes *changes)
{
    struct cipu_error error;
    /* Of what is there now: adding moves the records. */
    size_t there_count = daemon->route_count;
    struct route_record *there = calloc(there_count ? there_count : 1, sizeof(*there));
    const struct net_route **sorted = NULL;
    if (there && there_count)
        memcpy(there, daemon->routes, there_count * sizeof(*there));
    if (there)
        sorted = sort_routes(there, there_count, sizeof(*there));
    for (size_t i = 0; sorted && i < config->route_count; i++) {
        const struct net_route *wanted = &config->routes[i].route;
        if (!route_among(sorted, there_count, wanted))
            reload_count(changes, daemon_route_add(daemon, wanted, ORIGIN_FILE, &error), "route", wanted->vpc, &error);
    }
    free(sorted);
    free(there);
}

static void log_errors(const struct config_errors *errors)
{
    for (const char *line = errors->text, *end; line && (end = strchr(line, '\n')); line = end + 1)
        log_error("the reload is refused: the configuration has an error", "error=%.*s", (int)(end - line), line);
}

int daemon_reload(struct daemon *daemon)
{
    struct config *config;
    struct config_errors errors;
    struct changes changes = {0};
    if (config_read(daemon->config_path, &config, &errors) < 0) {
        log_errors(&errors);
        config_errors_free(&errors);
        return -EINVAL;
    }
    if (!fixed_equal(daemon->config, config)) {
        config_free(config);
        return -EINVAL;
    }
    remove_routes(daemon, config, &changes);
    remove_functions(daemon, config, &changes);
    reload_remove_controllers(daemon, config, &changes);
    reload_remove_subsystems(daemon, config, &changes);
    reload_remove_volumes(daemon, config, &changes);
    reload_add_disks(daemon, config, &changes);
    reload_add_subsystems(daemon, config, &changes);
    reload_add_volumes(daemon, config, &changes);
    reload_add_controllers(daemon, config, &changes);
    change_vpcs(daemon, config, &changes);
    add_functions(daemon, config, &changes);
    add_routes(daemon, config, &changes);
    config_free(daemon->config);
    daemon->config = config;
    log_info("configuration reloaded", "file=%s\tapplied=%u\trefused=%u", daemon->config_path, changes.applied,
             changes.refused);
    return 0;
}
