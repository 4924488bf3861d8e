/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile NVMe driver needs: a controller of a running cipud over vfio-user, one I/O queue pair that works,
 * memory of several kinds, and honest work to see whether the controller still serves who behaves.
 */
#ifndef CIPU_NVME_ATTACKER_H
#define CIPU_NVME_ATTACKER_H

#include "runtime/device/nvme_spec.h"
#include "tests/peers/nvme_initiator.h"

#define ATTACKER_ADDRESS   0x100000u
#define ATTACKER_BYTES     (UINT64_C(16) << 20)
#define ATTACKER_READ_ONLY UINT64_C(0x40000000) /* a page that the device may only read */
#define ATTACKER_NOWHERE   UINT64_C(0x700000000000)
#define ATTACKER_ENTRIES   64u
#define ATTACKER_BLOCKS    131072u /* of 512 bytes: namespace 1 */

struct attacker {
    const char *socket;
    struct vfio_user_client *client;
    struct nvme_initiator initiator;
    uint8_t *memory;
    uint64_t fresh; /* of the initiator's memory: what an earlier life used is given out again */
    uint8_t *data;  /* 1 MiB of it */
    uint64_t data_address;
    int read_only_fd;
    uint64_t random;
};

int attacker_connect(struct attacker *attacker, const char *socket, uint64_t seed);
void attacker_disconnect(struct attacker *attacker);
/* The controller enabled anew, with I/O queue pair 1. */
int attacker_begin(struct attacker *attacker);
uint64_t attacker_random(struct attacker *attacker);

/* The status of one command, without do-not-retry, or a negative errno; queue 0 = admin. */
int attacker_status(struct attacker *attacker, unsigned queue, struct nvme_command *command);
/* Random data written somewhere and read back: 0, -EIO when a command failed, -EBADMSG when the data is not the same.
 */
int attacker_honest(struct attacker *attacker);

static inline struct nvme_pair *attacker_pair(struct attacker *attacker, unsigned queue)
{
    return &attacker->initiator.pairs[queue];
}

/* A read or write of `blocks` of namespace 1 by PRPs. */
static inline struct nvme_command attacker_transfer(uint8_t opcode, uint64_t lba, uint32_t blocks, uint64_t prp1,
                                                    uint64_t prp2)
{
    return (struct nvme_command){.opcode = opcode,
                                 .namespace_id = 1,
                                 .prp1 = prp1,
                                 .prp2 = prp2,
                                 .dword10 = (uint32_t)lba,
                                 .dword11 = (uint32_t)(lba >> 32),
                                 .dword12 = blocks - 1};
}

/* Every admin and I/O command with each field wrong: how many are not answered with the status of the specification.
 * nvme_matrix.c */
unsigned nvme_matrix(struct attacker *attacker);
/* Attacks one after the other; after each an honest driver must be served, and the neighbour have gone on. The number
 * of those that did harm. nvme_attacks.c */
unsigned nvme_attacks(struct attacker *attacker, bool (*neighbour_goes_on)(void));

#endif
