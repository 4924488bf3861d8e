/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of volumes' reservations as files of the state folder, one each. The subsystem checks a record's sum itself.
 * Any thread. Errors: negative errno.
 */
#ifndef CIPU_DAEMON_RESERVATION_STORE_H
#define CIPU_DAEMON_RESERVATION_STORE_H

#include <stddef.h>
#include <stdint.h>

int reservation_store(const char *folder, const uint8_t uuid[16], const void *record, size_t bytes);
long reservation_load(const char *folder, const uint8_t uuid[16], void *record, size_t bytes);
int reservation_forget(const char *folder, const uint8_t uuid[16]);

#endif
