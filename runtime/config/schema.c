/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/config/schema.h"

#include "hls/include/beat.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An IP packet of this size, a VLAN tag and an Ethernet header are the largest packet. */
#define MTU_MAX      (PACKET_BYTES_MAX - 18)
#define MTU_MIN      576
#define FUNCTION_MAX (CARD_FUNCTIONS - 2)

static const char *const port_modes[] = {"access", "uplink", NULL};
static const char *const function_types[] = {"virtio-net", "access", NULL};

static const char *const controller_types[] = {"nvme", "virtio-blk", NULL};
static const char *const transports[] = {"vfio-user", "vhost-user", NULL};

#define WEIGHT_MAX 1000
#define RATE_MAX   UINT64_C(1000000000000)

#define AT(structure, member) .offset = offsetof(structure, member)

#define LIMITS(structure)                                                                                         \
    {"iops", FIELD_COUNT, AT(structure, limits.operations), .minimum = 1, .maximum = UINT32_MAX},                 \
        {"bandwidth", FIELD_SIZE, AT(structure, limits.bytes), .minimum = 1, .maximum = RATE_MAX},                \
        {"iops-burst", FIELD_COUNT, AT(structure, limits.operations_burst), .minimum = 1, .maximum = UINT32_MAX}, \
        {"bandwidth-burst", FIELD_SIZE, AT(structure, limits.bytes_burst), .minimum = 1, .maximum = RATE_MAX},    \
    {                                                                                                             \
        "weight", FIELD_UNSIGNED, AT(structure, limits.weight), .minimum = 1, .maximum = WEIGHT_MAX               \
    }

static const struct field port_fields[] = {
    {"id", FIELD_UNSIGNED, AT(struct net_port, id), .required = true, .maximum = CARD_PORTS - 1},
    {"mode", FIELD_CHOICE, AT(struct net_port, uplink), .required = true, .choices = port_modes},
    {"function", FIELD_UNSIGNED, AT(struct net_port, function), .maximum = FUNCTION_MAX},
    {"mac", FIELD_MAC, AT(struct net_port, mac), .required = true},
    {"ipv4", FIELD_INTERFACE, AT(struct net_port, ipv4), .family = 4},
    {"ipv6", FIELD_INTERFACE, AT(struct net_port, ipv6), .family = 6},
    {"gateway4", FIELD_ADDRESS, AT(struct net_port, gateway4), .family = 4},
    {"gateway6", FIELD_ADDRESS, AT(struct net_port, gateway6), .family = 6},
    {"mtu", FIELD_UNSIGNED, AT(struct net_port, mtu), .minimum = MTU_MIN, .maximum = MTU_MAX},
};

static const struct field vpc_fields[] = {
    {"name", FIELD_NAME, AT(struct net_vpc, name), .required = true},
    {"vni", FIELD_UNSIGNED, AT(struct net_vpc, vni), .required = true, .minimum = 1, .maximum = 0xffffff},
    {"mac", FIELD_MAC, AT(struct net_vpc, mac), .required = true},
    {"gateways", FIELD_INTERFACE, AT(struct net_vpc, gateways), .list = NET_GATEWAYS,
     .count_offset = offsetof(struct net_vpc, gateway_count)},
    {"mtu", FIELD_UNSIGNED, AT(struct net_vpc, mtu), .minimum = MTU_MIN, .maximum = MTU_MAX},
};

static const struct field function_fields[] = {
    {"id", FIELD_UNSIGNED, AT(struct function_settings, net.id), .required = true, .maximum = FUNCTION_MAX},
    {"name", FIELD_NAME, AT(struct function_settings, net.name), .required = true},
    {"type", FIELD_CHOICE, AT(struct function_settings, access), .choices = function_types},
    {"vpc", FIELD_NAME, AT(struct function_settings, net.vpc), .required = true},
    {"mac", FIELD_MAC, AT(struct function_settings, net.mac), .required = true},
    {"addresses", FIELD_PREFIX, AT(struct function_settings, net.addresses), .list = NET_ADDRESSES,
     .count_offset = offsetof(struct function_settings, net.address_count)},
    {"socket", FIELD_SOCKET, AT(struct function_settings, socket)},
    {"mtu", FIELD_UNSIGNED, AT(struct function_settings, mtu), .minimum = MTU_MIN, .maximum = MTU_MAX},
    {"queue-size", FIELD_UNSIGNED, AT(struct function_settings, queue_size), .power_of_two = true, .minimum = 2,
     .maximum = 32768},
};

static const struct field route_fields[] = {
    {"vpc", FIELD_NAME, AT(struct net_route, vpc), .required = true},
    {"prefix", FIELD_PREFIX, AT(struct net_route, prefix), .required = true},
    {"via", FIELD_ADDRESS, AT(struct net_route, remote), .required = true},
    {"mac", FIELD_MAC, AT(struct net_route, mac), .present_offset = offsetof(struct net_route, has_mac)},
};

static const struct field disk_fields[] = {
    {"name", FIELD_NAME, AT(struct disk_settings, name), .required = true},
    {"path", FIELD_TEXT, AT(struct disk_settings, path), .required = true},
    {"size", FIELD_SIZE, AT(struct disk_settings, bytes), .minimum = DISK_BYTES_MIN, .maximum = INT64_MAX},
    {"create", FIELD_BOOLEAN, AT(struct disk_settings, create)},
};

static const struct field volume_fields[] = {
    {"name", FIELD_NAME, AT(struct volume_settings, name), .required = true},
    {"backend", FIELD_TEXT, AT(struct volume_settings, backend), .required = true},
    {"size", FIELD_SIZE, AT(struct volume_settings, bytes), .minimum = 512, .maximum = INT64_MAX},
    {"block-size", FIELD_UNSIGNED, AT(struct volume_settings, block_bytes), .power_of_two = true, .minimum = 512,
     .maximum = 4096},
    {"read-only", FIELD_BOOLEAN, AT(struct volume_settings, read_only)},
    {"create", FIELD_BOOLEAN, AT(struct volume_settings, create)},
    LIMITS(struct volume_settings),
};

static const struct field subsystem_fields[] = {
    {"name", FIELD_NAME, AT(struct subsystem_settings, name), .required = true},
    {"nqn", FIELD_TEXT, AT(struct subsystem_settings, nqn), .required = true},
    {"place", FIELD_TEXT, AT(struct subsystem_settings, place), .required = true},
    {"capacity", FIELD_SIZE, AT(struct subsystem_settings, capacity), .required = true, .minimum = 512,
     .maximum = INT64_MAX},
    {"namespaces", FIELD_UNSIGNED, AT(struct subsystem_settings, namespaces), .minimum = 1,
     .maximum = SUBSYSTEM_NAMESPACES},
    LIMITS(struct subsystem_settings),
};

static const struct field controller_fields[] = {
    {"id", FIELD_UNSIGNED, AT(struct controller_settings, id), .required = true, .maximum = FUNCTION_MAX},
    {"name", FIELD_NAME, AT(struct controller_settings, name), .required = true},
    {"type", FIELD_LEVEL, AT(struct controller_settings, type), .required = true, .choices = controller_types},
    {"transport", FIELD_CHOICE, AT(struct controller_settings, vhost_user), .choices = transports},
    {"socket", FIELD_SOCKET, AT(struct controller_settings, socket), .required = true},
    {"volumes", FIELD_NAME, AT(struct controller_settings, volumes), .list = CONTROLLER_VOLUMES,
     .count_offset = offsetof(struct controller_settings, volume_count)},
    {"subsystem", FIELD_TEXT, AT(struct controller_settings, subsystem)},
    {"queues", FIELD_UNSIGNED, AT(struct controller_settings, queues), .minimum = 1, .maximum = CONTROLLER_QUEUES_MAX},
    {"serial", FIELD_TEXT, AT(struct controller_settings, serial)},
};

_Static_assert(CONTROLLER_VOLUMES == BLOCK_NAMESPACES && CONTROLLER_QUEUES_MAX == BLOCK_CONTROLLER_QUEUES - 1,
               "what the card knows of a controller");
_Static_assert(VOLUME_NAME_BYTES == NET_NAME_BYTES && VOLUME_BACKEND_BYTES == FIELD_TEXT_BYTES &&
                   DISK_PATH_BYTES == FIELD_TEXT_BYTES,
               "read as names and texts");

const struct schema port_schema = {"port", port_fields, COUNT(port_fields)};
const struct schema vpc_schema = {"vpc", vpc_fields, COUNT(vpc_fields)};
const struct schema function_schema = {"function", function_fields, COUNT(function_fields)};
const struct schema route_schema = {"route", route_fields, COUNT(route_fields)};
const struct schema disk_schema = {"disk", disk_fields, COUNT(disk_fields)};
const struct schema volume_schema = {"volume", volume_fields, COUNT(volume_fields)};
const struct schema subsystem_schema = {"subsystem", subsystem_fields, COUNT(subsystem_fields)};
const struct schema controller_schema = {"controller", controller_fields, COUNT(controller_fields)};
