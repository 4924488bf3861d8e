/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of cipud (docs/cipud.md lists them); the context of their service is a struct daemon. */
#ifndef CIPU_METHODS_H
#define CIPU_METHODS_H

#include "runtime/daemon/daemon.h"
#include "runtime/rpc/json_rpc.h"

extern const struct rpc_service cipud_service; /* without its context */

/* The methods and what their parameters are. */
int rpc_function_create(struct rpc_call *call);
int rpc_function_delete(struct rpc_call *call);
int rpc_function_list(struct rpc_call *call);
int rpc_function_show(struct rpc_call *call);
extern const struct schema function_name_schema; /* struct function_selector */

struct function_selector {
    unsigned id;
    char name[NET_NAME_BYTES];
    bool has_id;
};

int rpc_check_vpc(struct rpc_call *call, const char *name); /* "" is fine; -ENOENT */
int rpc_vpc_create(struct rpc_call *call);
int rpc_vpc_delete(struct rpc_call *call);
int rpc_vpc_list(struct rpc_call *call);
int rpc_route_add(struct rpc_call *call);
int rpc_route_delete(struct rpc_call *call);
int rpc_route_list(struct rpc_call *call);
int rpc_port_list(struct rpc_call *call);
extern const struct schema vpc_name_schema;     /* struct vpc_selector */
extern const struct schema vpc_filter_schema;   /* struct vpc_selector; the name may be left out */
extern const struct schema route_prefix_schema; /* struct net_route */

struct vpc_selector {
    char name[NET_NAME_BYTES];
};

int rpc_flow_list(struct rpc_call *call);
int rpc_flow_flush(struct rpc_call *call);
extern const struct schema flow_list_schema; /* struct flow_selector */

struct flow_selector {
    char vpc[NET_NAME_BYTES];
    unsigned limit;
};

int rpc_stats_get(struct rpc_call *call);
int rpc_capture_start(struct rpc_call *call);
int rpc_capture_stop(struct rpc_call *call);
int rpc_capture_show(struct rpc_call *call);
int rpc_log_level_set(struct rpc_call *call);
int rpc_config_reload(struct rpc_call *call);
int rpc_shutdown(struct rpc_call *call);
int rpc_version_get(struct rpc_call *call);
extern const struct schema capture_schema;   /* struct capture_settings */
extern const struct schema log_level_schema; /* struct log_level_setting */

struct log_level_setting {
    unsigned level;
};

#endif
