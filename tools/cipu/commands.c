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
    {"stats", NULL, "[--watch SECONDS]", "Show all counters", "cipu stats\ncipu --json stats\ncipu stats --watch 2\n",
     OPTION_WATCH, run_stats},
    {"capture", NULL, "-w FILE [port N] [--count N] [--seconds N]", "Write packets of the ports into a pcap file",
     "cipu capture -w /tmp/uplink.pcap port 0 --seconds 2\ncipu capture -w - | tcpdump -r - -n\n",
     OPTION_WRITE | OPTION_COUNT | OPTION_SECONDS, run_capture},
    {"rpc", NULL, "METHOD [PARAMETERS]", "Call any method of the daemon",
     "cipu rpc rpc_methods_get\ncipu rpc function_show '{\"id\": 0}'\n", 0, run_rpc},
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);
