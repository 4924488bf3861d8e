/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations of one namespace (Base 8.19): who is registered, who holds it, and what follows for everybody's access.
 * A state machine without I/O: commands in, status and notifications out.
 *
 * Threads: the owner serialises.
 */
#ifndef CIPU_NVME_RESERVATION_H
#define CIPU_NVME_RESERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NVME_REGISTRANTS_MAX 64u
#define NVME_NO_CONTROLLER   0xffffu

enum nvme_reservation_type { /* Base figure 403 */
                             NVME_RESERVATION_NONE = 0,
                             NVME_WRITE_EXCLUSIVE = 1,
                             NVME_EXCLUSIVE_ACCESS = 2,
                             NVME_WRITE_EXCLUSIVE_REGISTRANTS = 3,
                             NVME_EXCLUSIVE_ACCESS_REGISTRANTS = 4,
                             NVME_WRITE_EXCLUSIVE_ALL = 5,
                             NVME_EXCLUSIVE_ACCESS_ALL = 6,
};

enum nvme_register_action { NVME_REGISTER_NEW = 0, NVME_REGISTER_REMOVE = 1, NVME_REGISTER_REPLACE = 2 };
enum nvme_acquire_action { NVME_ACQUIRE_NEW = 0, NVME_ACQUIRE_PREEMPT = 1, NVME_ACQUIRE_PREEMPT_ABORT = 2 };
enum nvme_release_action { NVME_RELEASE_HELD = 0, NVME_RELEASE_CLEAR = 1 };
enum nvme_persistence_change { NVME_PERSIST_KEEP = 0, NVME_PERSIST_OFF = 2, NVME_PERSIST_ON = 3 };

enum nvme_reservation_notice { /* Base figure 254 */
                               NVME_NOTICE_NONE = 0,
                               NVME_REGISTRATION_PREEMPTED = 1,
                               NVME_RESERVATION_RELEASED = 2,
                               NVME_RESERVATION_PREEMPTED = 3,
};

/* Base 5.27.1.25: controllers with the same identifier are the same host; one whose identifier is 0 is a host of its
 * own. */
struct nvme_host {
    uint8_t identifier[16]; /* 64-bit ones: the rest is zeros */
    uint16_t controller;    /* of a host without an identifier, else NVME_NO_CONTROLLER */
};

struct nvme_registrant {
    struct nvme_host host;
    uint64_t key;
    bool holder; /* with the types for all registrants nobody is marked: everybody holds it */
};

struct nvme_reservation {
    uint32_t generation;
    uint8_t type; /* enum nvme_reservation_type */
    bool persistent;
    unsigned count;
    struct nvme_registrant registrants[NVME_REGISTRANTS_MAX];
};

/* What a command leads to, beside its status. */
struct nvme_reservation_outcome {
    bool changed; /* access or what is stored */
    unsigned count;
    struct {
        struct nvme_host host;
        uint8_t notice; /* enum nvme_reservation_notice */
    } notices[2 * NVME_REGISTRANTS_MAX];
};

bool nvme_host_equal(const struct nvme_host *a, const struct nvme_host *b);

/* Each returns a status as in struct nvme_completion (hls/include/nvme.h), without a change unless it is 0. */
uint16_t nvme_reservation_register(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                   bool ignore_key, unsigned persistence, uint64_t current, uint64_t key,
                                   struct nvme_reservation_outcome *outcome);
uint16_t nvme_reservation_acquire(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                  unsigned type, uint64_t current, uint64_t preempted,
                                  struct nvme_reservation_outcome *outcome);
uint16_t nvme_reservation_release(struct nvme_reservation *reservation, const struct nvme_host *host, unsigned action,
                                  unsigned type, uint64_t current, struct nvme_reservation_outcome *outcome);

/* All of it, by whoever owns the namespace: every registrant is told. */
void nvme_reservation_clear_all(struct nvme_reservation *reservation, struct nvme_reservation_outcome *outcome);

/* enum volume_access (runtime/block/volume.h) of a host: Base figure 403. */
unsigned nvme_reservation_access(const struct nvme_reservation *reservation, const struct nvme_host *host);
/* NULL when it is not registered. */
const struct nvme_registrant *nvme_reservation_find(const struct nvme_reservation *reservation,
                                                    const struct nvme_host *host);
bool nvme_reservation_holds(const struct nvme_reservation *reservation, const struct nvme_registrant *registrant);

/* A record of it, for what persists through a loss of power. */
#define NVME_RESERVATION_RECORD_BYTES 2080u
void nvme_reservation_pack(const struct nvme_reservation *reservation, uint8_t bytes[NVME_RESERVATION_RECORD_BYTES]);
/* False for what is no record, or a damaged one: *reservation is then empty. The generation starts again at 0, and
 * nothing is left of one that was not persistent. */
bool nvme_reservation_unpack(struct nvme_reservation *reservation, const uint8_t *bytes, size_t length);

#endif
