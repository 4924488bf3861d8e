/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "runtime/daemon/statistics.h"
#include "runtime/daemon/volumes.h"

/* Where the coarse buckets end: half a decade each, from 10 us to 1 s. */
static const struct {
    const char *seconds;
    double nanoseconds;
} ends[] = {{"0.00001", 1e4}, {"0.00003", 3e4}, {"0.0001", 1e5}, {"0.0003", 3e5}, {"0.001", 1e6}, {"0.003", 3e6},
            {"0.01", 1e7},    {"0.03", 3e7},    {"0.1", 1e8},    {"0.3", 3e8},    {"1", 1e9}};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

/* Cumulative, as Prometheus has them. A fine bucket counts where all of it lies below the end. */
static json_t *latency(const struct block_volume *volume, uint8_t operation)
{
    struct volume_latency fine;
    json_t *buckets = json_array();
    uint64_t below = 0;
    unsigned bucket = 0;
    block_volume_latency(volume, operation, &fine);
    for (size_t i = 0; i < ENDS; i++) {
        while (bucket < LATENCY_BUCKETS && latency_bucket_begin(bucket + 1) <= ends[i].nanoseconds)
            below += fine.buckets[LATENCY_TOTAL][bucket++];
        json_array_append_new(buckets, json_pack("{s:s, s:I}", "le", ends[i].seconds, "count", (json_int_t)below));
    }
    while (bucket < LATENCY_BUCKETS)
        below += fine.buckets[LATENCY_TOTAL][bucket++];
    return json_pack("{s:o, s:I, s:f}", "buckets", buckets, "count", (json_int_t)below, "sum",
                     (double)fine.nanoseconds / 1e9);
}

static json_t *counters(const struct volume_statistics *statistics, unsigned operation)
{
    return json_pack("{s:I, s:I, s:I}", "operations", (json_int_t)statistics->operations[operation], "bytes",
                     (json_int_t)statistics->bytes[operation], "errors", (json_int_t)statistics->errors[operation]);
}

json_t *daemon_volume_statistics(struct daemon *daemon)
{
    static const char *const names[VOLUME_OPERATIONS] = {
        [BACKEND_READ] = "read",       [BACKEND_WRITE] = "write",
        [BACKEND_FLUSH] = "flush",     [BACKEND_WRITE_ZEROES] = "write_zeroes",
        [BACKEND_DISCARD] = "discard", [BACKEND_ERASE] = "erase"};
    json_t *list = json_array();
    daemon_volumes_lock(daemon);
    for (size_t i = 0; i < daemon->volume_count; i++) {
        const struct block_volume *volume = daemon->volumes[i].volume;
        struct volume_statistics statistics;
        struct volume_info info;
        block_volume_statistics(volume, &statistics);
        block_volume_info(volume, &info);
        json_t *object =
            json_pack("{s:s, s:I, s:i, s:o, s:o}", "name", info.settings.name, "size", (json_int_t)info.settings.bytes,
                      "attachments", (int)info.attachments, "read_latency", latency(volume, BACKEND_READ),
                      "write_latency", latency(volume, BACKEND_WRITE));
        for (unsigned k = BACKEND_READ; k < VOLUME_OPERATIONS; k++)
            json_object_set_new(object, names[k], counters(&statistics, k));
        json_array_append_new(list, object);
    }
    daemon_volumes_unlock(daemon);
    return list;
}
