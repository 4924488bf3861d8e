/* SPDX-License-Identifier: Apache-2.0 */
/* The methods about disks and volumes. */
#ifndef CIPU_METHODS_VOLUME_H
#define CIPU_METHODS_VOLUME_H

#include "runtime/rpc/methods.h"

int rpc_volume_create(struct rpc_call *call);
int rpc_volume_delete(struct rpc_call *call);
int rpc_volume_list(struct rpc_call *call);
int rpc_volume_resize(struct rpc_call *call);
int rpc_volume_set_qos(struct rpc_call *call);
int rpc_volume_latency(struct rpc_call *call);
int rpc_volume_erase(struct rpc_call *call);
int rpc_volume_set_faults(struct rpc_call *call);
int rpc_disk_list(struct rpc_call *call);
extern const struct schema volume_name_schema;   /* struct volume_selector */
extern const struct schema volume_delete_schema; /* struct volume_selector */
extern const struct schema volume_resize_schema; /* struct volume_selector */
extern const struct schema volume_qos_schema;    /* struct volume_qos */
extern const struct schema volume_fault_schema;  /* struct volume_faults */

struct volume_selector {
    char name[NET_NAME_BYTES];
    uint64_t bytes;
    bool destroy;
};

/* Limits that are not given stay. */
struct volume_qos {
    char name[NET_NAME_BYTES];
    struct volume_limits limits;
    bool has_operations, has_bytes, has_operations_burst, has_bytes_burst, has_weight;
};

struct volume_faults {
    char name[NET_NAME_BYTES];
    char rules[FIELD_TEXT_BYTES];
};

#endif
