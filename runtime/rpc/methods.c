/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/methods.h"

#include "runtime/rpc/methods_controller.h"
#include "runtime/rpc/methods_volume.h"

static int methods_get(struct rpc_call *call);

static const struct rpc_method methods[] = {
    {"version_get", "The daemon's version and card", NULL, 0, rpc_version_get},
    {"rpc_methods_get", "The methods and their parameters", NULL, 0, methods_get},
    {"function_create", "Makes a function and its socket", &function_schema, sizeof(struct function_settings),
     rpc_function_create},
    {"function_delete", "Disconnects and removes a function", &function_name_schema, sizeof(struct function_selector),
     rpc_function_delete},
    {"function_list", "All functions", NULL, 0, rpc_function_list},
    {"function_show", "A function with its device's state and counters", &function_name_schema,
     sizeof(struct function_selector), rpc_function_show},
    {"vpc_create", "Makes a VPC", &vpc_schema, sizeof(struct net_vpc), rpc_vpc_create},
    {"vpc_delete", "Removes a VPC that has no functions and routes", &vpc_name_schema, sizeof(struct vpc_selector),
     rpc_vpc_delete},
    {"vpc_list", "All VPCs", NULL, 0, rpc_vpc_list},
    {"route_add", "Adds a route to a tunnel endpoint", &route_schema, sizeof(struct net_route), rpc_route_add},
    {"route_delete", "Removes a route", &route_prefix_schema, sizeof(struct net_route), rpc_route_delete},
    {"route_list", "All routes, or those of a VPC", &vpc_filter_schema, sizeof(struct vpc_selector), rpc_route_list},
    {"port_list", "The Ethernet ports", NULL, 0, rpc_port_list},
    {"flow_list", "Flows in the card, with counters", &flow_list_schema, sizeof(struct flow_selector), rpc_flow_list},
    {"flow_flush", "Removes flows, which the slow path decides anew", &vpc_filter_schema, sizeof(struct vpc_selector),
     rpc_flow_flush},
    {"disk_list", "Disks and what they are cut into", NULL, 0, rpc_disk_list},
    {"volume_create", "Opens a volume, or makes it", &volume_schema, sizeof(struct volume_settings), rpc_volume_create},
    {"volume_delete", "Closes a volume that nothing uses, and with destroy removes it from its disk",
     &volume_delete_schema, sizeof(struct volume_selector), rpc_volume_delete},
    {"volume_list", "All volumes", NULL, 0, rpc_volume_list},
    {"volume_resize", "Grows a volume", &volume_resize_schema, sizeof(struct volume_selector), rpc_volume_resize},
    {"volume_set_qos", "Changes a volume's limits; 0 takes one away", &volume_qos_schema, sizeof(struct volume_qos),
     rpc_volume_set_qos},
    {"volume_latency", "Where the time of a volume's reads and writes went", &volume_name_schema,
     sizeof(struct volume_selector), rpc_volume_latency},
    {"volume_erase", "Erases a volume that nothing uses", &volume_name_schema, sizeof(struct volume_selector),
     rpc_volume_erase},
    {"volume_set_faults", "Sets what goes wrong with a volume whose backend is fault:", &volume_fault_schema,
     sizeof(struct volume_faults), rpc_volume_set_faults},
    {"volume_attach", "Makes a volume a namespace of a running NVMe controller", &attachment_schema,
     sizeof(struct controller_selector), rpc_volume_attach},
    {"volume_detach", "Takes a volume away from an NVMe controller", &attachment_schema,
     sizeof(struct controller_selector), rpc_volume_detach},
    {"controller_create", "Makes a disk controller and its socket", &controller_schema,
     sizeof(struct controller_settings), rpc_controller_create},
    {"controller_delete", "Disconnects and removes a disk controller", &controller_name_schema,
     sizeof(struct controller_selector), rpc_controller_delete},
    {"controller_list", "All disk controllers", NULL, 0, rpc_controller_list},
    {"controller_show", "A disk controller with its counters", &controller_name_schema,
     sizeof(struct controller_selector), rpc_controller_show},
    {"controller_set_ana", "Sets an NVMe controller's asymmetric access state", &controller_ana_schema,
     sizeof(struct controller_selector), rpc_controller_set_ana},
    {"subsystem_list", "NVMe subsystems, and where their guests make namespaces", NULL, 0, rpc_subsystem_list},
    {"reservation_list", "Registrants and reservations of a volume, or of all that have some",
     &reservation_volume_schema, sizeof(struct reservation_selector), rpc_reservation_list},
    {"reservation_clear", "Takes all registrations and the reservation of a volume away", &reservation_clear_schema,
     sizeof(struct reservation_selector), rpc_reservation_clear},
    {"stats_get", "All counters", NULL, 0, rpc_stats_get},
    {"capture_start", "Copies packets into a pcap file", &capture_schema, sizeof(struct capture_settings),
     rpc_capture_start},
    {"capture_stop", "Ends the capture", NULL, 0, rpc_capture_stop},
    {"capture_show", "Whether a capture runs", NULL, 0, rpc_capture_show},
    {"log_level_set", "Sets what is logged", &log_level_schema, sizeof(struct log_level_setting), rpc_log_level_set},
    {"config_reload", "Reads the configuration file again, as SIGHUP does", NULL, 0, rpc_config_reload},
    {"shutdown", "Stops the daemon", NULL, 0, rpc_shutdown},
};

const struct rpc_service cipud_service = {methods, sizeof(methods) / sizeof(methods[0]), NULL};

static json_t *describe_parameters(const struct schema *schema)
{
    json_t *list = json_array();
    for (size_t i = 0; schema && i < schema->count; i++) {
        const struct field *field = &schema->fields[i];
        char expected[192], name[32];
        field_json_name(field, name);
        field_expected(field, expected, sizeof(expected));
        json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s}", "name", name, "required", (int)field->required,
                                              "list", field->list != 0, "expected", expected));
    }
    return list;
}

static int methods_get(struct rpc_call *call)
{
    call->result = json_array();
    for (size_t i = 0; i < cipud_service.count; i++)
        json_array_append_new(call->result,
                              json_pack("{s:s, s:s, s:o}", "name", methods[i].name, "summary", methods[i].summary,
                                        "parameters", describe_parameters(methods[i].parameters)));
    return 0;
}
