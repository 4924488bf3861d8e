/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/reservation_store.h"

#include <stdio.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/state_file.h"

static const char *record_name(const uint8_t uuid[16], char name[64])
{
    size_t at = (size_t)snprintf(name, 64, "reservations-");
    for (unsigned i = 0; i < 16; i++)
        at += (size_t)snprintf(name + at, 64 - at, "%02x", uuid[i]);
    return name;
}

int reservation_store(const char *folder, const uint8_t uuid[16], const void *record, size_t bytes)
{
    char name[64];
    int result = state_file_write(folder, record_name(uuid, name), record, bytes);
    if (result < 0)
        log_error("reservations not stored", "folder=%s\tname=%s\treason=%s", folder, name, strerror(-result));
    return result;
}

long reservation_load(const char *folder, const uint8_t uuid[16], void *record, size_t bytes)
{
    char name[64];
    return state_file_read(folder, record_name(uuid, name), record, bytes);
}

int reservation_forget(const char *folder, const uint8_t uuid[16])
{
    char name[64];
    return state_file_remove(folder, record_name(uuid, name));
}
