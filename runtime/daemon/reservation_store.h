/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of volumes' reservations as files of a folder, one each: written beside, made durable, and put in place at
 * once. The subsystem checks a record's sum itself.
 */
#ifndef CIPU_DAEMON_RESERVATION_STORE_H
#define CIPU_DAEMON_RESERVATION_STORE_H

#include "runtime/device/nvme.h"

/* `context` is the folder's path, which exists. */
extern const struct nvme_subsystem_ops reservation_store_ops;

#endif
