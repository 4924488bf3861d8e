/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon is killed (SIGKILL) at random instants while an NVMe driver makes, attaches, detaches and deletes
 * namespaces, again and again. After each start there is what was acknowledged, and of the one command that was under
 * way all or nothing: the namespaces, whom they are attached to, their bytes (a new one has zeros), and the capacity
 * that is left.
 *
 * usage: namespace_cut CIPUD CONFIG SOCKET ROUNDS CAPACITY
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/device/nvme_spec.h"
#include "tests/e2e/killed_daemon.h"

#define NAMESPACES   16u
#define EXTENT       (UINT64_C(4) << 20)
#define PAGE         4096u
#define MEMORY_BYTES (4u << 20)
#define KILL_US_MOST 20000u
#define CHANGES_MOST 6u

enum work { MAKE, ATTACH, DETACH, DELETE, WORKS };

struct namespace
{
    bool there, attached;
    uint64_t bytes;
    uint64_t stamp; /* in its first block; 0 = zeros */
};

struct cut {
    struct killed_daemon daemon;
    uint64_t capacity;
    struct namespace namespaces[NAMESPACES + 1]; /* by id */
    uint8_t *page;                               /* the guest's */
    uint64_t address;
    uint64_t stamps, done, refused, cut_short;
    enum work work; /* under way when the daemon was killed */
    uint32_t nsid;
    bool under_way;
};

static int start(struct cut *cut)
{
    int result = killed_daemon_start(&cut->daemon, MEMORY_BYTES, 16);
    if (result == 0) {
        cut->page = nvme_initiator_alloc(&cut->daemon.initiator, 1, &cut->address);
        result = cut->page ? 0 : -ENOMEM;
    }
    return result;
}

static int wrong(const char *what, uint32_t nsid, uint64_t found, uint64_t expected)
{
    fprintf(stderr, "namespace_cut: %s, namespace %u: found %llu, expected %llu\n", what, nsid,
            (unsigned long long)found, (unsigned long long)expected);
    return -EIO;
}

/* ---- what there is ---- */

static int identify(struct cut *cut, uint32_t cns, uint32_t nsid, void *to)
{
    struct nvme_command command = {.opcode = NVME_ADMIN_IDENTIFY, .namespace_id = nsid, .dword10 = cns};
    struct nvme_completion completion;
    int result = nvme_initiator_admin(&cut->daemon.initiator, &command, to, PAGE, false, &completion);
    return result == 0 && completion.status >> 1 ? -EIO : result;
}

static int list(struct cut *cut, uint32_t cns, bool there[NAMESPACES + 1])
{
    uint32_t ids[PAGE / 4];
    int result = identify(cut, cns, 0, ids);
    memset(there, 0, (NAMESPACES + 1) * sizeof *there);
    for (unsigned i = 0; i < PAGE / 4 && ids[i] && result == 0; i++) {
        if (ids[i] > NAMESPACES)
            return -ERANGE;
        there[ids[i]] = true;
    }
    return result;
}

static int first_block(struct cut *cut, uint32_t nsid, uint8_t opcode)
{
    struct nvme_command command = {
        .opcode = opcode, .namespace_id = nsid, .prp1 = cut->address, .dword12 = opcode == NVME_WRITE ? NVME_FUA : 0};
    struct nvme_completion completion;
    int result = nvme_initiator_execute(&cut->daemon.initiator, &cut->daemon.initiator.pairs[1], &command, &completion);
    return result == 0 && completion.status >> 1 ? -EIO : result;
}

static int check_bytes(struct cut *cut, uint32_t nsid)
{
    uint64_t found;
    int result = first_block(cut, nsid, NVME_READ);
    if (result < 0)
        return result;
    memcpy(&found, cut->page, sizeof found);
    return found == cut->namespaces[nsid].stamp ? 0 : wrong("stamp", nsid, found, cut->namespaces[nsid].stamp);
}

/* The command that was under way may have been carried out. */
static bool may_differ(const struct cut *cut, uint32_t nsid, bool there)
{
    if (!cut->under_way)
        return false;
    return cut->work == MAKE ? there && !cut->namespaces[nsid].there : nsid == cut->nsid;
}

static int adopt(struct cut *cut, uint32_t nsid, bool there, bool attached)
{
    struct namespace *namespace = &cut->namespaces[nsid];
    struct nvme_identify_namespace page;
    cut->under_way = false;
    if (there && !namespace->there) {
        int result = identify(cut, NVME_CNS_ALLOCATED_NAMESPACE, nsid, &page);
        if (result < 0)
            return result;
        memcpy(&namespace->bytes, page.nvm_capacity, sizeof namespace->bytes);
    }
    if (!there)
        *namespace = (struct namespace){0};
    namespace->there = there;
    namespace->attached = attached;
    return 0;
}

static int check_capacity(struct cut *cut)
{
    struct nvme_identify_controller page;
    uint64_t unallocated, left = cut->capacity;
    int result = identify(cut, NVME_CNS_CONTROLLER, 0, &page);
    memcpy(&unallocated, page.unallocated_capacity, sizeof unallocated);
    for (uint32_t nsid = 1; nsid <= NAMESPACES; nsid++)
        left -= (cut->namespaces[nsid].bytes + EXTENT - 1) / EXTENT * EXTENT;
    return result < 0 ? result : unallocated == left ? 0 : wrong("capacity", 0, unallocated, left);
}

static int check(struct cut *cut)
{
    bool there[NAMESPACES + 1] = {0}, attached[NAMESPACES + 1] = {0};
    int result = list(cut, NVME_CNS_ALLOCATED_NAMESPACES, there);
    if (result == 0)
        result = list(cut, NVME_CNS_ACTIVE_NAMESPACES, attached);
    for (uint32_t nsid = 1; nsid <= NAMESPACES && result == 0; nsid++) {
        const struct namespace *namespace = &cut->namespaces[nsid];
        if (there[nsid] == namespace->there && attached[nsid] == namespace->attached)
            continue;
        result = may_differ(cut, nsid, there[nsid]) ? adopt(cut, nsid, there[nsid], attached[nsid])
                                                    : wrong("there or attached", nsid, there[nsid] + attached[nsid],
                                                            namespace->there + namespace->attached);
    }
    cut->under_way = false;
    for (uint32_t nsid = 1; nsid <= NAMESPACES && result == 0; nsid++)
        if (attached[nsid])
            result = check_bytes(cut, nsid);
    return result == 0 ? check_capacity(cut) : result;
}

/* ---- changes ---- */

static struct nvme_command prepare(struct cut *cut, uint64_t *bytes)
{
    struct nvme_command command = {.opcode = cut->work == MAKE || cut->work == DELETE ? NVME_ADMIN_NAMESPACE_MANAGEMENT
                                                                                      : NVME_ADMIN_NAMESPACE_ATTACHMENT,
                                   .namespace_id = cut->work == MAKE ? 0 : cut->nsid,
                                   .prp1 = cut->address,
                                   .dword10 = cut->work == DETACH || cut->work == DELETE};
    assert(cut->page);
    memset(cut->page, 0, PAGE);
    if (cut->work == MAKE) {
        struct nvme_identify_namespace *wanted = (struct nvme_identify_namespace *)cut->page;
        *bytes = 512 * (uint64_t)(1 + killed_daemon_random(&cut->daemon, 3 * EXTENT / 512));
        wanted->size = wanted->capacity = *bytes / 512;
    } else if (cut->work != DELETE) {
        const uint16_t controllers[2] = {1, 0};
        memcpy(cut->page, controllers, sizeof controllers);
    }
    return command;
}

static int stamp(struct cut *cut, uint32_t nsid)
{
    struct namespace *namespace = &cut->namespaces[nsid];
    int result = check_bytes(cut, nsid);
    if (result < 0 || namespace->stamp)
        return result;
    namespace->stamp = ++cut->stamps;
    memset(cut->page, 0, PAGE);
    memcpy(cut->page, &namespace->stamp, sizeof namespace->stamp);
    return first_block(cut, nsid, NVME_WRITE);
}

static int succeeded(struct cut *cut, uint32_t result, uint64_t bytes)
{
    struct namespace *namespace = &cut->namespaces[cut->work == MAKE ? result : cut->nsid];
    cut->done++;
    switch (cut->work) {
    case MAKE:
        *namespace = (struct namespace){.there = true, .bytes = bytes};
        return 0;
    case ATTACH:
        namespace
        ->attached = true;
        return stamp(cut, cut->nsid);
    case DETACH:
        namespace
        ->attached = false;
        return 0;
    default:
        *namespace = (struct namespace){0};
        return 0;
    }
}

/* The completion, or NULL when the daemon is to be killed before it comes. */
static const struct nvme_completion *await(struct nvme_pair *pair, uint64_t end)
{
    const struct nvme_completion *completion;
    while (!(completion = nvme_initiator_next(pair)) && killed_daemon_now_us() < end)
        usleep(50);
    return completion;
}

static int change(struct cut *cut, uint64_t end)
{
    struct nvme_pair *pair = &cut->daemon.initiator.pairs[0];
    uint64_t bytes = 0;
    uint32_t tail = pair->tail, head = pair->head;
    struct nvme_command command = prepare(cut, &bytes);
    cut->under_way = true;
    nvme_initiator_put(pair, &command);
    nvme_initiator_submitted(&cut->daemon.initiator, pair, tail);
    const struct nvme_completion *completion = await(pair, end);
    if (!completion) {
        cut->cut_short++;
        return 0;
    }
    uint16_t status = completion->status >> 1 & 0x7ff;
    uint32_t result = (uint32_t)completion->result;
    nvme_initiator_skip(pair);
    nvme_initiator_taken(&cut->daemon.initiator, pair, head);
    cut->under_way = false;
    if (status == NVME_INSUFFICIENT_CAPACITY || status == NVME_NAMESPACE_IDENTIFIER_UNAVAILABLE) {
        cut->refused++;
        return 0;
    }
    return status ? wrong("status", cut->nsid, status, 0) : succeeded(cut, result, bytes);
}

/* What makes sense for a namespace as it is. */
static void choose(struct cut *cut)
{
    cut->nsid = 1 + killed_daemon_random(&cut->daemon, NAMESPACES);
    const struct namespace *namespace = &cut->namespaces[cut->nsid];
    if (!namespace->there || killed_daemon_random(&cut->daemon, 8) == 0)
        cut->work = MAKE;
    else if (killed_daemon_random(&cut->daemon, 3) == 0)
        cut->work = DELETE;
    else
        cut->work = namespace->attached ? DETACH : ATTACH;
}

/* A few changes, and then one that is cut short, or not. */
static int change_until_killed(struct cut *cut)
{
    unsigned whole = killed_daemon_random(&cut->daemon, CHANGES_MOST);
    int result = 0;
    for (unsigned i = 0; i <= whole && !cut->under_way && result == 0; i++) {
        uint64_t patience = i < whole ? 10000000 : killed_daemon_random(&cut->daemon, KILL_US_MOST);
        choose(cut);
        result = change(cut, killed_daemon_now_us() + patience);
    }
    return result;
}

int main(int argc, char **argv)
{
    static struct cut cut = {.daemon.random = 88172645463325252u};
    if (argc != 6)
        return fputs("usage: namespace_cut CIPUD CONFIG SOCKET ROUNDS CAPACITY\n", stderr), 2;
    cut.daemon.path = argv[1], cut.daemon.config = argv[2], cut.daemon.socket = argv[3];
    cut.capacity = strtoull(argv[5], NULL, 10);
    unsigned long rounds = strtoul(argv[4], NULL, 10), round = 0;
    int result = 0;
    for (; round < rounds && result == 0; round++) {
        result = start(&cut);
        if (result == 0)
            result = check(&cut);
        if (result == 0)
            result = change_until_killed(&cut);
        if (cut.daemon.client)
            killed_daemon_kill(&cut.daemon);
    }
    if (result < 0)
        fprintf(stderr, "namespace_cut: round %lu: %s\n", round, strerror(-result));
    fprintf(stderr, "namespace_cut: %lu kills, %llu changes acknowledged, %llu refused, %llu cut short\n", round,
            (unsigned long long)cut.done, (unsigned long long)cut.refused, (unsigned long long)cut.cut_short);
    return result < 0 || cut.done == 0;
}
