/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "tools/cipu/cipu.h"

const struct command commands[] = {
    {"function", "list", "", "List the functions", "cipu function list\n", 0, run_function_list},
    {"function", "show", "ID|NAME", "Show a function, its device and its counters",
     "cipu function show 0\ncipu --json function show web\n", 0, run_function_show},
    {"function", "add",
     "ID name NAME vpc VPC mac MAC [addresses A,B,...] [socket PATH] [type virtio-net|access] [mtu N] [queue-size N]",
     "Make a function and its socket",
     "cipu function add 7 name db vpc blue mac 02:00:00:00:02:07 addresses 10.0.0.7 socket /run/cipu/db.sock\n", 0,
     run_function_add},
    {"function", "del", "ID|NAME", "Disconnect and remove a function", "cipu function del db\n", 0, run_function_del},
    {"vpc", "list", "", "List the VPCs", "cipu vpc list\n", 0, run_vpc_list},
    {"vpc", "add", "NAME vni N mac MAC [gateways A/B,...] [mtu N]", "Make a VPC",
     "cipu vpc add green vni 200 mac 02:00:00:00:01:02 gateways 10.2.0.1/24,fd00:2::1/64\n", 0, run_vpc_add},
    {"vpc", "del", "NAME", "Remove a VPC that has no functions and routes", "cipu vpc del green\n", 0, run_vpc_del},
    {"route", "list", "[VPC]", "List the routes", "cipu route list\ncipu route list blue\n", 0, run_route_list},
    {"route", "add", "VPC PREFIX via ENDPOINT [mac MAC]", "Send a prefix of a VPC to a tunnel endpoint",
     "cipu route add blue 10.9.0.0/16 via 192.0.2.9\n"
     "cipu route add blue 10.0.0.9 via 192.0.2.9 mac 02:00:00:00:03:09\n",
     0, run_route_add},
    {"route", "del", "VPC PREFIX", "Remove a route", "cipu route del blue 10.9.0.0/16\n", 0, run_route_del},
    {"flow", "list", "[vpc VPC] [limit N]", "List the flows in the card",
     "cipu flow list\ncipu flow list vpc blue limit 20\n", 0, run_flow_list},
    {"flow", "flush", "[VPC]", "Remove flows; the slow path decides them anew",
     "cipu flow flush\ncipu flow flush blue\n", 0, run_flow_flush},
    {"port", "list", "", "List the Ethernet ports", "cipu port list\n", 0, run_port_list},
    {"disk", "list", "", "List the disks and what they are cut into", "cipu disk list\n", 0, run_disk_list},
    {"volume", "list", "", "List the volumes", "cipu volume list\n", 0, run_volume_list},
    {"volume", "create",
     "NAME backend URI [size S] [block-size N] [read-only] [create] [iops N] [bandwidth S] [iops-burst N] "
     "[bandwidth-burst S] [weight N]",
     "Open a volume, or make it",
     "cipu volume create scratch backend memory: size 64MiB\n"
     "cipu volume create data backend file:/var/lib/cipu/data size 20GiB create iops 5000 bandwidth 200MiB\n",
     0, run_volume_create},
    {"volume", "delete", "NAME [destroy]", "Close a volume; with destroy, erase it and remove it from its disk",
     "cipu volume delete scratch\n", 0, run_volume_delete},
    {"volume", "resize", "NAME SIZE", "Grow a volume", "cipu volume resize data 40GiB\n", 0, run_volume_resize},
    {"volume", "qos", "NAME [iops N] [bandwidth S] [iops-burst N] [bandwidth-burst S] [weight N]",
     "Change a volume's limits; 0 takes one away", "cipu volume qos data iops 10000 bandwidth 0\n", 0, run_volume_qos},
    {"volume", "latency", "NAME", "Show where the time of a volume's reads and writes went",
     "cipu volume latency data\n", 0, run_volume_latency},
    {"volume", "erase", "NAME", "Erase a volume that nothing uses", "cipu volume erase data\n", 0, run_volume_erase},
    {"stats", NULL, "[--watch SECONDS]", "Show all counters", "cipu stats\ncipu --json stats\ncipu stats --watch 2\n",
     OPTION_WATCH, run_stats},
    {"capture", NULL, "-w FILE [port N] [--count N] [--seconds N]", "Write packets of the ports into a pcap file",
     "cipu capture -w /tmp/uplink.pcap port 0 --seconds 2\ncipu capture -w - | tcpdump -r - -n\n",
     OPTION_WRITE | OPTION_COUNT | OPTION_SECONDS, run_capture},
    {"rpc", NULL, "METHOD [PARAMETERS]", "Call any method of the daemon",
     "cipu rpc rpc_methods_get\ncipu rpc function_show '{\"id\": 0}'\n", 0, run_rpc},
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);
