/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of the namespaces that a subsystem's guests made: one JSON text. Reading it trusts nothing. Pure
 * functions; errors: negative errno.
 */
#ifndef CIPU_DAEMON_NAMESPACE_RECORD_H
#define CIPU_DAEMON_NAMESPACE_RECORD_H

#include "runtime/device/nvme.h"
#include "runtime/net/net.h"

#define NAMESPACE_RECORDS_BYTES 65536u

struct namespace_record {
    struct nvme_namespace_wish wish; /* nsid 0 = no record; bytes only while it is made */
    uint8_t uuid[16];
    uint64_t controllers; /* bit = controller id that it is attached to */
    bool going;           /* being made, or being removed: what there is of it is not wanted */
};

struct namespace_records {
    struct namespace_record namespaces[NVME_NAMESPACES_MAX]; /* by namespace id - 1 */
    char controllers[NVME_CONTROLLERS_MAX][NET_NAME_BYTES];  /* names by controller id; "" = none */
};

/* The text's bytes; -ENOMEM. */
long namespace_records_write(const struct namespace_records *records, char text[NAMESPACE_RECORDS_BYTES]);
/* -EINVAL: damaged. */
int namespace_records_read(struct namespace_records *records, const char *text, size_t bytes);

#endif
