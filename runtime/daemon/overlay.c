/* SPDX-License-Identifier: Apache-2.0 */
/* VPCs and routes: the overlay network holds them, the daemon remembers where they came from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/daemon.h"
#include "runtime/daemon/log.h"
#include "runtime/net/address.h"

int daemon_vpc_add(struct daemon *daemon, const struct net_vpc *vpc, enum origin origin, struct cipu_error *error)
{
    struct vpc_record *records = realloc(daemon->vpcs, (daemon->vpc_count + 1) * sizeof(*records));
    if (!records)
        return cipu_fail(error, -ENOMEM, "no memory for VPC %s", vpc->name);
    daemon->vpcs = records;
    int result = net_vpc_add(daemon->net, vpc, error);
    if (result < 0)
        return result;
    records[daemon->vpc_count++] = (struct vpc_record){*vpc, origin};
    log_info("VPC created", "name=%s\tvni=%u", vpc->name, vpc->vni);
    return 0;
}

int daemon_vpc_remove(struct daemon *daemon, const char *name, struct cipu_error *error)
{
    int result = net_vpc_remove(daemon->net, name, error);
    if (result < 0)
        return result;
    log_info("VPC removed", "name=%s", name);
    for (size_t i = 0; i < daemon->vpc_count; i++) {
        if (strcmp(daemon->vpcs[i].vpc.name, name) != 0)
            continue;
        daemon->vpc_count--;
        memmove(&daemon->vpcs[i], &daemon->vpcs[i + 1], (daemon->vpc_count - i) * sizeof(daemon->vpcs[0]));
        break;
    }
    return 0;
}

const struct net_vpc *daemon_vpc_by_name(const struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->vpc_count; i++)
        if (strcmp(daemon->vpcs[i].vpc.name, name) == 0)
            return &daemon->vpcs[i].vpc;
    return NULL;
}

const struct net_vpc *daemon_vpc_by_vni(const struct daemon *daemon, uint32_t vni)
{
    for (size_t i = 0; i < daemon->vpc_count; i++)
        if (daemon->vpcs[i].vpc.vni == vni)
            return &daemon->vpcs[i].vpc;
    return NULL;
}

int daemon_route_add(struct daemon *daemon, const struct net_route *route, enum origin origin, struct cipu_error *error)
{
    struct route_record *records = realloc(daemon->routes, (daemon->route_count + 1) * sizeof(*records));
    if (!records)
        return cipu_fail(error, -ENOMEM, "no memory for a route");
    daemon->routes = records;
    int result = net_route_add(daemon->net, route, error);
    if (result < 0)
        return result;
    records[daemon->route_count++] = (struct route_record){*route, origin};
    return 0;
}

int daemon_route_remove(struct daemon *daemon, const char *vpc, const struct net_address *prefix,
                        struct cipu_error *error)
{
    int result = net_route_remove(daemon->net, vpc, prefix, error);
    if (result < 0)
        return result;
    for (size_t i = 0; i < daemon->route_count; i++) {
        const struct net_route *route = &daemon->routes[i].route;
        if (strcmp(route->vpc, vpc) != 0 || !net_address_same_host(&route->prefix, prefix) ||
            route->prefix.prefix != prefix->prefix)
            continue;
        daemon->routes[i] = daemon->routes[--daemon->route_count];
        break;
    }
    return 0;
}
