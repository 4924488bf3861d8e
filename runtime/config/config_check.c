/* SPDX-License-Identifier: Apache-2.0 */
/* What holds between the values of a configuration: references, duplicates, what belongs together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config/config_check.h"
#include "runtime/net/address.h"

int config_endpoint_parse(const char *text, char host[256], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!colon || length > 255)
        return -EINVAL;
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length)) {
        return -EINVAL;
    }
    memcpy(host, text, length);
    host[length] = 0;
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || number == 0 || number > 65535)
        return -EINVAL;
    *port = (uint16_t)number;
    return 0;
}

static bool same_address(const struct net_address *a, const struct net_address *b)
{
    return net_address_same_host(a, b) && a->prefix == b->prefix;
}

static const struct config_function *function_by_id(const struct config *config, unsigned id)
{
    for (size_t i = 0; i < config->function_count; i++)
        if (config->functions[i].function.net.id == id)
            return &config->functions[i];
    return NULL;
}

static bool known_vpc(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->vpc_count; i++)
        if (!config->vpcs[i].vpc.name[0] || strcmp(config->vpcs[i].vpc.name, name) == 0)
            return true; /* one whose name could not be read may be it */
    return false;
}

static void check_gateway(const struct checker *checker, size_t index, unsigned family)
{
    const struct config_port *item = &checker->config->ports[index];
    const struct net_address *own = family == 4 ? &item->port.ipv4 : &item->port.ipv6;
    const struct net_address *gateway = family == 4 ? &item->port.gateway4 : &item->port.gateway6;
    char text[64], subnet[64];
    if (!gateway->family || net_address_contains(own, gateway))
        return;
    net_address_format(gateway, false, text, sizeof(text));
    if (own->family)
        net_address_format(own, true, subnet, sizeof(subnet));
    else
        snprintf(subnet, sizeof(subnet), "the port's ipv%u, which is not set", family);
    if (family == 4)
        REPORT("ports", index, &item->lines, port_schema, "gateway4",
               "found %s, expected an address in the subnet of %s", text, subnet);
    else
        REPORT("ports", index, &item->lines, port_schema, "gateway6",
               "found %s, expected an address in the subnet of %s", text, subnet);
}

static void check_access(const struct checker *checker, size_t index)
{
    const struct config_port *item = &checker->config->ports[index];
    const struct config_function *function = function_by_id(checker->config, item->port.function);
    unsigned given = item->lines.fields[schema_find(&port_schema, "function") - port_schema.fields];
    if (item->port.uplink) {
        if (given)
            REPORT("ports", index, &item->lines, port_schema, "function",
                   "found %u, expected none: an uplink stands for no function", item->port.function);
        if (!item->port.ipv4.family && !item->port.ipv6.family)
            REPORT("ports", index, &item->lines, port_schema, "ipv4",
                   "found nothing, expected ipv4 or ipv6: the uplink's tunnel endpoint");
        return;
    }
    if (!given)
        REPORT("ports", index, &item->lines, port_schema, "function",
               "found nothing, expected the id of the function that the access port stands for");
    else if (!function || (!function->lines.bad && !function->function.access))
        REPORT("ports", index, &item->lines, port_schema, "function",
               "found %u, expected the id of a function of type access", item->port.function);
}

static void check_ports(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->port_count; i++) {
        const struct config_port *item = &checker->config->ports[i];
        for (size_t j = 0; j < i && !item->lines.bad; j++) {
            const struct config_port *other = &checker->config->ports[j];
            if (other->lines.bad)
                continue;
            if (other->port.id == item->port.id)
                REPORT("ports", i, &item->lines, port_schema, "id",
                       "found %u a second time, expected it once (the first is in line %u)", item->port.id,
                       field_line(&other->lines, &port_schema, "id"));
            else if (!item->port.uplink && !other->port.uplink && item->port.function == other->port.function)
                REPORT("ports", i, &item->lines, port_schema, "function",
                       "found %u a second time, expected one access port for it (the first is in line %u)",
                       item->port.function, field_line(&other->lines, &port_schema, "function"));
        }
        if (item->lines.bad)
            continue;
        check_gateway(checker, i, 4);
        check_gateway(checker, i, 6);
        check_access(checker, i);
    }
}

static void check_vpcs(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->vpc_count; i++) {
        const struct config_vpc *item = &checker->config->vpcs[i];
        for (size_t j = 0; j < i && !item->lines.bad; j++) {
            const struct config_vpc *other = &checker->config->vpcs[j];
            if (other->lines.bad)
                continue;
            if (strcmp(other->vpc.name, item->vpc.name) == 0)
                REPORT("vpcs", i, &item->lines, vpc_schema, "name",
                       "found \"%s\" a second time, expected it once (the first is in line %u)", item->vpc.name,
                       field_line(&other->lines, &vpc_schema, "name"));
            if (other->vpc.vni == item->vpc.vni)
                REPORT("vpcs", i, &item->lines, vpc_schema, "vni",
                       "found %u a second time, expected it once (the first is in line %u)", item->vpc.vni,
                       field_line(&other->lines, &vpc_schema, "vni"));
        }
    }
}

static void check_addresses(const struct checker *checker, size_t index, const struct config_function *other)
{
    const struct config_function *item = &checker->config->functions[index];
    for (unsigned a = 0; a < item->function.net.address_count; a++) {
        for (unsigned b = 0; b < other->function.net.address_count; b++) {
            char text[64];
            if (!same_address(&item->function.net.addresses[a], &other->function.net.addresses[b]))
                continue;
            net_address_format(&item->function.net.addresses[a], false, text, sizeof(text));
            REPORT("functions", index, &item->lines, function_schema, "addresses",
                   "found %s a second time, expected it once in VPC %s (the first is in line %u)", text,
                   item->function.net.vpc, field_line(&other->lines, &function_schema, "addresses"));
        }
    }
}

static void check_function_pair(const struct checker *checker, size_t index, const struct config_function *other)
{
    const struct config_function *item = &checker->config->functions[index];
    const struct function_settings *a = &item->function, *b = &other->function;
    if (a->net.id == b->net.id)
        REPORT("functions", index, &item->lines, function_schema, "id",
               "found %u a second time, expected it once (the first is in line %u)", a->net.id,
               field_line(&other->lines, &function_schema, "id"));
    if (strcmp(a->net.name, b->net.name) == 0)
        REPORT("functions", index, &item->lines, function_schema, "name",
               "found \"%s\" a second time, expected it once (the first is in line %u)", a->net.name,
               field_line(&other->lines, &function_schema, "name"));
    if (a->socket[0] && strcmp(a->socket, b->socket) == 0)
        REPORT("functions", index, &item->lines, function_schema, "socket",
               "found %s a second time, expected one socket for each function (the first is in line %u)", a->socket,
               field_line(&other->lines, &function_schema, "socket"));
    if (strcmp(a->net.vpc, b->net.vpc) != 0)
        return;
    if (memcmp(a->net.mac, b->net.mac, 6) == 0) {
        char mac[18];
        net_mac_format(a->net.mac, mac);
        REPORT("functions", index, &item->lines, function_schema, "mac",
               "found %s a second time, expected it once in VPC %s (the first is in line %u)", mac, a->net.vpc,
               field_line(&other->lines, &function_schema, "mac"));
    }
    check_addresses(checker, index, other);
}

static void check_socket(const struct checker *checker, size_t index)
{
    const struct config_function *item = &checker->config->functions[index];
    const char *path = item->function.socket;
    if (item->function.access && path[0])
        REPORT("functions", index, &item->lines, function_schema, "socket",
               "found %s, expected none: a function of type access is reached through its port", path);
    else if (!item->function.access && !path[0])
        REPORT("functions", index, &item->lines, function_schema, "socket",
               "found nothing, expected an absolute path of at most %d bytes", SOCKET_PATH_BYTES - 1);
    else if (path[0] && (strcmp(path, checker->config->rpc) == 0 || strcmp(path, checker->config->metrics) == 0))
        REPORT("functions", index, &item->lines, function_schema, "socket",
               "found %s, expected a path that neither rpc nor metrics uses", path);
}

static void check_functions(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->function_count; i++) {
        const struct config_function *item = &checker->config->functions[i];
        if (item->lines.bad)
            continue;
        if (!known_vpc(checker->config, item->function.net.vpc))
            REPORT("functions", i, &item->lines, function_schema, "vpc",
                   "found \"%s\", expected the name of a VPC of this file", item->function.net.vpc);
        check_socket(checker, i);
        for (size_t j = 0; j < i; j++)
            if (!checker->config->functions[j].lines.bad)
                check_function_pair(checker, i, &checker->config->functions[j]);
    }
}

static bool uplink_of_family(const struct config *config, unsigned family)
{
    for (size_t i = 0; i < config->port_count; i++) {
        const struct net_port *port = &config->ports[i].port;
        if (config->ports[i].lines.bad)
            return true; /* it may be the one */
        if (port->uplink && (family == 4 ? port->ipv4.family : port->ipv6.family))
            return true;
    }
    return false;
}

static void check_routes(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->route_count; i++) {
        const struct config_route *item = &checker->config->routes[i];
        char text[64];
        if (item->lines.bad)
            continue;
        if (!known_vpc(checker->config, item->route.vpc))
            REPORT("routes", i, &item->lines, route_schema, "vpc",
                   "found \"%s\", expected the name of a VPC of this file", item->route.vpc);
        net_address_format(&item->route.remote, false, text, sizeof(text));
        if (!uplink_of_family(checker->config, item->route.remote.family))
            REPORT("routes", i, &item->lines, route_schema, "via",
                   "found %s, expected an uplink port with an ipv%u address", text, item->route.remote.family);
    }
}

struct route_place {
    const struct config_route *item;
    size_t index;
};

static int compare_places(const void *first, const void *second)
{
    const struct route_place *a = first, *b = second;
    int order = strcmp(a->item->route.vpc, b->item->route.vpc);
    if (!order)
        order = memcmp(&a->item->route.prefix, &b->item->route.prefix, sizeof(struct net_address));
    return order ? order : a->index < b->index ? -1 : 1;
}

/* Sorted, so that ten thousand routes are checked at once. */
static void check_duplicate_routes(const struct checker *checker)
{
    size_t count = checker->config->route_count;
    struct route_place *places = calloc(count ? count : 1, sizeof(*places));
    if (!places)
        return;
    for (size_t i = 0; i < count; i++)
        places[i] = (struct route_place){&checker->config->routes[i], i};
    qsort(places, count, sizeof(*places), compare_places);
    for (size_t i = 1; i < count; i++) {
        const struct net_route *a = &places[i - 1].item->route, *b = &places[i].item->route;
        char text[64];
        if (places[i - 1].item->lines.bad || places[i].item->lines.bad || strcmp(a->vpc, b->vpc) != 0 ||
            !same_address(&a->prefix, &b->prefix))
            continue;
        net_address_format(&b->prefix, true, text, sizeof(text));
        REPORT("routes", places[i].index, &places[i].item->lines, route_schema, "prefix",
               "found %s a second time, expected it once in VPC %s (the first is in line %u)", text, b->vpc,
               field_line(&places[i - 1].item->lines, &route_schema, "prefix"));
    }
    free(places);
}

static void check_metrics(const struct checker *checker)
{
    const char *metrics = checker->config->metrics;
    unsigned line = field_line(&checker->config->lines, &config_schema, "metrics");
    char host[256], quoted[64];
    uint16_t port;
    if (metrics[0] == '/' && strlen(metrics) >= SOCKET_PATH_BYTES)
        config_error(checker->errors, checker->file, line, "metrics",
                     "found a path of %zu bytes, expected an absolute path of at most %d bytes", strlen(metrics),
                     SOCKET_PATH_BYTES - 1);
    else if (metrics[0] == '/' && strcmp(metrics, checker->config->rpc) == 0)
        config_error(checker->errors, checker->file, line, "metrics", "found %s, expected a path that rpc does not use",
                     metrics);
    else if (metrics[0] && metrics[0] != '/' && config_endpoint_parse(metrics, host, &port) < 0)
        config_error(checker->errors, checker->file, line, "metrics",
                     "found %s, expected HOST:PORT, [IPV6]:PORT or an absolute path",
                     quote_text(metrics, strlen(metrics), quoted));
}

void config_check(const struct config *config, const char *file, struct config_errors *errors)
{
    struct checker checker = {config, file, errors};
    check_metrics(&checker);
    check_ports(&checker);
    check_vpcs(&checker);
    check_functions(&checker);
    check_routes(&checker);
    check_duplicate_routes(&checker);
}
