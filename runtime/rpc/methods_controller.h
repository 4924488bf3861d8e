/* SPDX-License-Identifier: Apache-2.0 */
/* The methods about disk controllers, attachments, subsystems and reservations. */
#ifndef CIPU_METHODS_CONTROLLER_H
#define CIPU_METHODS_CONTROLLER_H

#include "runtime/rpc/methods.h"

int rpc_controller_create(struct rpc_call *call);
int rpc_controller_delete(struct rpc_call *call);
int rpc_controller_list(struct rpc_call *call);
int rpc_controller_show(struct rpc_call *call);
int rpc_controller_set_ana(struct rpc_call *call);
int rpc_volume_attach(struct rpc_call *call);
int rpc_volume_detach(struct rpc_call *call);
int rpc_subsystem_list(struct rpc_call *call);
int rpc_reservation_list(struct rpc_call *call);
int rpc_reservation_clear(struct rpc_call *call);
extern const struct schema reservation_volume_schema; /* struct reservation_selector; the name may be left out */
extern const struct schema reservation_clear_schema;  /* struct reservation_selector */
extern const struct schema controller_name_schema;    /* struct controller_selector */
extern const struct schema controller_ana_schema;     /* struct controller_selector */
extern const struct schema attachment_schema;         /* struct controller_selector */

struct controller_selector {
    char name[NET_NAME_BYTES];
    char volume[NET_NAME_BYTES];
    unsigned group, state;
};

struct reservation_selector {
    char name[NET_NAME_BYTES]; /* of a volume */
};

#endif
