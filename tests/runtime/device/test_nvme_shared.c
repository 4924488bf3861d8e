/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces that two controllers share: reservations and what they keep from whom, ANA, management by guests. */
#include <errno.h>
#include <unistd.h>

#include "runtime/device/nvme_reservation.h"
#include "tests/runtime/device/nvme_bench.h"

static uint8_t buffer[4096];

static struct nvme_controller *controller_of(void **state, unsigned number)
{
    return ((struct bench *)*state)->controllers[number];
}

static int shared_setup(void **state)
{
    int result = bench_setup(state);
    for (unsigned i = 0; i < 2; i++) {
        bench_enable(controller_of(state, i));
        bench_create_pair(controller_of(state, i), 1);
    }
    return result;
}

static uint16_t reserve(void **state, unsigned number, uint8_t opcode, uint32_t dword10, uint64_t current, uint64_t key)
{
    const struct nvme_command command = {.opcode = opcode, .namespace_id = 1, .dword10 = dword10};
    uint64_t keys[2] = {current, key};
    return bench_status(controller_of(state, number), 1, &command, keys, sizeof keys);
}

static uint16_t enroll(void **state, unsigned number, uint64_t key)
{
    return reserve(state, number, NVME_RESERVATION_REGISTER, NVME_REGISTER_NEW, 0, key);
}

static uint16_t access_by(void **state, unsigned number, uint8_t opcode)
{
    const struct nvme_command command = {.opcode = opcode, .namespace_id = 1};
    return bench_status(controller_of(state, number), 1, &command, buffer, 512);
}

static void expect(void **state, unsigned number, unsigned access, uint16_t why)
{
    const struct block_volume *volume = &((struct bench *)*state)->volumes[0];
    unsigned function = 3 + number;
    assert_int_equal(volume->access[function], access);
    if (access != (VOLUME_READ | VOLUME_WRITE))
        assert_int_equal(volume->refusal[function] & ~NVME_DO_NOT_RETRY, why);
    assert_int_equal(access_by(state, number, NVME_READ), access & VOLUME_READ ? NVME_SUCCESS : why);
    assert_int_equal(access_by(state, number, NVME_WRITE), access & VOLUME_WRITE ? NVME_SUCCESS : why);
}

static void test_fence(void **state)
{
    struct bench *bench = *state;
    const unsigned all = VOLUME_READ | VOLUME_WRITE;
    assert_int_equal(enroll(state, 0, 10), NVME_SUCCESS);
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    expect(state, 0, all, 0);
    expect(state, 1, all, 0);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 10, 0), NVME_SUCCESS);
    expect(state, 0, all, 0);
    expect(state, 1, VOLUME_READ, NVME_RESERVATION_CONFLICT);
    bench->volumes[0].exclusive = true;
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, 1 | NVME_EXCLUSIVE_ACCESS << 8, 11, 10), NVME_SUCCESS);
    assert_int_equal(enroll(state, 0, 10), NVME_SUCCESS);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, 1 | NVME_WRITE_EXCLUSIVE << 8, 10, 11), NVME_SUCCESS);
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, 1 | NVME_EXCLUSIVE_ACCESS << 8, 11, 10), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].overlaps, 0);
    bench->volumes[0].exclusive = false;
    expect(state, 0, 0, NVME_RESERVATION_CONFLICT);
    expect(state, 1, all, 0);
    /* The other namespace is nobody's concern, and the lost write was none. */
    assert_int_equal(bench->volumes[1].access[3], all);
    unsigned writes = bench->volumes[0].operations[BACKEND_WRITE];
    assert_int_equal(access_by(state, 0, NVME_WRITE), NVME_RESERVATION_CONFLICT);
    assert_int_equal(access_by(state, 0, NVME_FLUSH), NVME_RESERVATION_CONFLICT);
    assert_int_equal(access_by(state, 0, NVME_WRITE_ZEROES), NVME_RESERVATION_CONFLICT);
    assert_int_equal(access_by(state, 0, NVME_COMPARE), NVME_RESERVATION_CONFLICT);
    assert_int_equal(bench->volumes[0].operations[BACKEND_WRITE], writes);
    const struct nvme_command format = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1};
    assert_int_equal(bench_status(controller_of(state, 0), 0, &format, NULL, 0), NVME_RESERVATION_CONFLICT);
    const struct nvme_command sanitize = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 2};
    assert_int_equal(bench_status(controller_of(state, 0), 0, &sanitize, NULL, 0), NVME_RESERVATION_CONFLICT);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_RELEASE, NVME_EXCLUSIVE_ACCESS << 8, 11, 0), NVME_SUCCESS);
    expect(state, 0, all, 0);
    /* A reset changes nothing. */
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, NVME_EXCLUSIVE_ACCESS << 8, 11, 0), NVME_SUCCESS);
    bench_disable(controller_of(state, 1));
    bench_enable(controller_of(state, 1));
    bench_create_pair(controller_of(state, 1), 1);
    expect(state, 0, 0, NVME_RESERVATION_CONFLICT);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_RELEASE, NVME_RELEASE_CLEAR, 11, 0), NVME_SUCCESS);
    expect(state, 0, all, 0);
}

/* The command that fences completes only when what the other had begun is over. */
static void test_fence_waits_for_writes(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command write = {.opcode = NVME_WRITE, .namespace_id = 1};
    const struct nvme_command acquire = {
        .opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = NVME_WRITE_EXCLUSIVE << 8};
    uint64_t keys[2] = {11, 0};
    struct bench_answer answer;
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    bench_stall(&bench->volumes[0], true);
    unsigned written = bench_send(controller_of(state, 0), 1, &write, buffer, 512);
    usleep(20000);
    unsigned acquired = bench_send(controller_of(state, 1), 1, &acquire, keys, sizeof keys);
    assert_false(bench_wait(acquired, 100, &answer));
    bench_stall(&bench->volumes[0], false);
    assert_true(bench_wait(acquired, 5000, &answer) && answer.status == NVME_SUCCESS);
    assert_true(bench_wait(written, 5000, &answer) && answer.status == NVME_SUCCESS);
    assert_int_equal(access_by(state, 0, NVME_WRITE), NVME_RESERVATION_CONFLICT);
}

/* A command of many steps ends at the first one that the access does not allow any more. */
static void test_fence_between_steps(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command verify = {.opcode = NVME_VERIFY, .namespace_id = 1, .dword12 = 8191}; /* in four steps */
    const struct nvme_command acquire = {
        .opcode = NVME_RESERVATION_ACQUIRE, .namespace_id = 1, .dword10 = NVME_EXCLUSIVE_ACCESS << 8};
    uint64_t keys[2] = {11, 0};
    struct bench_answer answer;
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    bench_stall(&bench->volumes[0], true);
    unsigned verified = bench_send(controller_of(state, 0), 1, &verify, NULL, 0);
    usleep(20000);
    unsigned acquired = bench_send(controller_of(state, 1), 1, &acquire, keys, sizeof keys);
    assert_true(bench_wait(acquired, 5000, &answer) && answer.status == NVME_SUCCESS);
    bench_stall(&bench->volumes[0], false);
    assert_true(bench_wait(verified, 5000, &answer));
    assert_int_equal(answer.status & ~NVME_DO_NOT_RETRY, NVME_RESERVATION_CONFLICT);
    assert_int_equal(bench->volumes[0].operations[BACKEND_READ], 1);
}

/* When the engine cannot promise it, the host that asked does not hear that it is alone. */
static void test_fence_fails(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    bench->volumes[0].access_fails = -ETIMEDOUT;
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 11, 0),
                     NVME_INTERNAL_ERROR);
}

/* Two controllers with one host identifier are one host. */
static void test_one_host_two_controllers(void **state)
{
    const struct nvme_command identifier = {
        .opcode = NVME_ADMIN_SET_FEATURES, .dword10 = NVME_FEATURE_HOST_IDENTIFIER, .dword11 = 1};
    const struct nvme_command report = {
        .opcode = NVME_RESERVATION_REPORT, .namespace_id = 1, .dword10 = 1023, .dword11 = 1};
    memset(buffer, 0x42, 16);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(bench_status(controller_of(state, i), 0, &identifier, buffer, 16), NVME_SUCCESS);
    assert_int_equal(enroll(state, 0, 10), NVME_SUCCESS);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_EXCLUSIVE_ACCESS << 8, 10, 0), NVME_SUCCESS);
    expect(state, 1, VOLUME_READ | VOLUME_WRITE, 0);
    assert_int_equal(bench_status(controller_of(state, 1), 1, &report, buffer, 4096), NVME_SUCCESS);
    assert_int_equal(buffer[0], 1); /* generation */
    assert_int_equal(buffer[4], NVME_EXCLUSIVE_ACCESS);
    assert_int_equal(buffer[5], 2); /* controllers */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(buffer[64 + 64 * i], i);
        assert_int_equal(buffer[64 + 64 * i + 2], 1);
        assert_int_equal(buffer[64 + 64 * i + 8], 10);
        assert_int_equal(buffer[64 + 64 * i + 16 + 15], 0x42);
    }
    struct nvme_command wrong = report;
    wrong.dword11 = 0;
    assert_int_equal(bench_status(controller_of(state, 1), 1, &wrong, buffer, 4096), NVME_HOST_IDENTIFIER_FORMAT);
    /* After a reset the second one is a host of its own. */
    bench_disable(controller_of(state, 1));
    bench_enable(controller_of(state, 1));
    bench_create_pair(controller_of(state, 1), 1);
    expect(state, 1, 0, NVME_RESERVATION_CONFLICT);
}

static void test_report(void **state)
{
    const struct nvme_command report = {.opcode = NVME_RESERVATION_REPORT, .namespace_id = 1, .dword10 = 17};
    assert_int_equal(enroll(state, 0, 10), NVME_SUCCESS);
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 11, 0), NVME_SUCCESS);
    assert_int_equal(bench_status(controller_of(state, 0), 1, &report, buffer, 72), NVME_SUCCESS);
    assert_int_equal(buffer[0], 2);
    assert_int_equal(buffer[4], NVME_WRITE_EXCLUSIVE);
    assert_int_equal(buffer[5], 2);
    assert_int_equal(buffer[24], 0);
    assert_int_equal(buffer[24 + 2], 0);
    assert_int_equal(buffer[24 + 16], 10);
    assert_int_equal(buffer[48], 1);
    assert_int_equal(buffer[48 + 2], 1);
    assert_int_equal(buffer[48 + 16], 11);
    struct nvme_reservation_listing listing;
    assert_int_equal(nvme_reservation_list(((struct bench *)*state)->subsystem, 1, &listing), 0);
    assert_int_equal(listing.count, 2);
    assert_true(listing.registrants[1].holder && !listing.registrants[0].holder);
    assert_int_equal(nvme_reservation_list(((struct bench *)*state)->subsystem, 9, &listing), -ENOENT);
}

static uint16_t read_notice(void **state, unsigned number, struct nvme_reservation_log *log)
{
    const struct nvme_command command = {
        .opcode = NVME_ADMIN_GET_LOG_PAGE, .namespace_id = NVME_BROADCAST, .dword10 = NVME_LOG_RESERVATION | 15u << 16};
    return bench_status(controller_of(state, number), 0, &command, log, sizeof *log);
}

static void test_notices(void **state)
{
    const struct nvme_command request = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    struct nvme_reservation_log log;
    struct bench_answer answer;
    assert_int_equal(enroll(state, 0, 10), NVME_SUCCESS);
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 10, 0), NVME_SUCCESS);
    unsigned sent = bench_send(controller_of(state, 0), 0, &request, NULL, 0);
    assert_false(bench_wait(sent, 50, &answer));
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, 2 | NVME_WRITE_EXCLUSIVE << 8, 11, 10), NVME_SUCCESS);
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_RESERVATION << 16 | NVME_EVENT_IO_SPECIFIC);
    assert_int_equal(read_notice(state, 0, &log), NVME_SUCCESS);
    assert_int_equal(log.count, 1);
    assert_int_equal(log.type, NVME_REGISTRATION_PREEMPTED);
    assert_int_equal(log.available, 1);
    assert_int_equal(log.namespace_id, 1);
    /* There is another: the event comes again. */
    sent = bench_send(controller_of(state, 0), 0, &request, NULL, 0);
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(read_notice(state, 0, &log), NVME_SUCCESS);
    assert_int_equal(log.count, 2);
    assert_int_equal(log.type, NVME_RESERVATION_PREEMPTED);
    assert_int_equal(log.available, 0);
    assert_int_equal(read_notice(state, 0, &log), NVME_SUCCESS);
    assert_int_equal(log.count, 0);
    /* Masked ones are not told. */
    const struct nvme_command mask = {.opcode = NVME_ADMIN_SET_FEATURES,
                                      .namespace_id = 1,
                                      .dword10 = NVME_FEATURE_RESERVATION_MASK,
                                      .dword11 = 1u << NVME_RESERVATION_PREEMPTED};
    assert_int_equal(bench_status(controller_of(state, 0), 0, &mask, NULL, 0), NVME_SUCCESS);
    assert_int_equal(enroll(state, 0, 12), NVME_SUCCESS);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_RELEASE, NVME_RELEASE_CLEAR, 11, 0), NVME_SUCCESS);
    assert_int_equal(read_notice(state, 0, &log), NVME_SUCCESS);
    assert_int_equal(log.type, NVME_NOTICE_NONE);
}

static void test_ana(void **state)
{
    static const struct {
        unsigned state, access;
        uint16_t status;
    } cases[] = {
        {NVME_ANA_STATE_NON_OPTIMIZED, VOLUME_READ | VOLUME_WRITE, 0},
        {NVME_ANA_STATE_INACCESSIBLE, 0, NVME_ANA_INACCESSIBLE},
        {NVME_ANA_STATE_PERSISTENT_LOSS, 0, NVME_ANA_PERSISTENT_LOSS},
        {NVME_ANA_STATE_CHANGE, 0, NVME_ANA_TRANSITION},
        {NVME_ANA_STATE_OPTIMIZED, VOLUME_READ | VOLUME_WRITE, 0},
    };
    const struct nvme_command enable = {
        .opcode = NVME_ADMIN_SET_FEATURES, .dword10 = NVME_FEATURE_ASYNC_EVENTS, .dword11 = 0x900};
    const struct nvme_command request = {.opcode = NVME_ADMIN_ASYNC_EVENT};
    const struct nvme_command log = {
        .opcode = NVME_ADMIN_GET_LOG_PAGE, .namespace_id = NVME_BROADCAST, .dword10 = NVME_LOG_ANA | 31u << 16};
    struct bench_answer answer;
    assert_int_equal(bench_status(controller_of(state, 0), 0, &enable, NULL, 0), NVME_SUCCESS);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned sent = bench_send(controller_of(state, 0), 0, &request, NULL, 0);
        assert_int_equal(nvme_ana_set(controller_of(state, 0), 1, cases[i].state, NULL), 0);
        assert_true(bench_wait(sent, 5000, &answer));
        assert_int_equal(answer.result, NVME_LOG_ANA << 16 | NVME_NOTICE_ANA << 8 | NVME_EVENT_NOTICE);
        expect(state, 0, cases[i].access, cases[i].status);
        expect(state, 1, VOLUME_READ | VOLUME_WRITE, 0); /* the other path has a state of its own */
        assert_int_equal(bench_status(controller_of(state, 0), 0, &log, buffer, 128), NVME_SUCCESS);
        assert_int_equal(buffer[0], i + 1); /* changes */
        assert_int_equal(buffer[8], 2);     /* groups */
        assert_int_equal(buffer[16], 1);
        assert_int_equal(buffer[20], 1);
        assert_int_equal(buffer[32], cases[i].state);
        assert_int_equal(buffer[48], 1); /* the namespace */
        assert_int_equal(buffer[52], 2); /* group 2 */
        assert_int_equal(buffer[68], NVME_ANA_STATE_OPTIMIZED);
    }
    struct nvme_command groups = log;
    groups.dword10 |= 1u << 8;
    assert_int_equal(bench_status(controller_of(state, 0), 0, &groups, buffer, 128), NVME_SUCCESS);
    assert_int_equal(buffer[20], 0);
    assert_int_equal(buffer[48], 2);
    assert_int_equal(nvme_ana_set(controller_of(state, 0), 17, 1, NULL), -EINVAL);
    assert_int_equal(nvme_ana_set(controller_of(state, 0), 1, 5, NULL), -EINVAL);
}

/* An inaccessible path comes before a conflict, and comes back with it. */
static void test_ana_and_reservation(void **state)
{
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, NVME_EXCLUSIVE_ACCESS << 8, 11, 0), NVME_SUCCESS);
    assert_int_equal(nvme_ana_set(controller_of(state, 0), 1, NVME_ANA_STATE_INACCESSIBLE, NULL), 0);
    expect(state, 0, 0, NVME_ANA_INACCESSIBLE);
    assert_int_equal(enroll(state, 0, 5), NVME_ANA_INACCESSIBLE);
    assert_int_equal(nvme_ana_set(controller_of(state, 0), 1, NVME_ANA_STATE_OPTIMIZED, NULL), 0);
    expect(state, 0, 0, NVME_RESERVATION_CONFLICT);
}

/* A namespace that comes later has the access that its reservation gives. */
static void test_attach_under_reservation(void **state)
{
    assert_int_equal(nvme_namespace_detach(controller_of(state, 0), 1), 0);
    assert_int_equal(access_by(state, 0, NVME_READ), NVME_INVALID_FIELD);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES].blocks, 0);
    assert_int_equal(enroll(state, 1, 11), NVME_SUCCESS);
    assert_int_equal(reserve(state, 1, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 11, 0), NVME_SUCCESS);
    assert_int_equal(nvme_namespace_attach(controller_of(state, 0), 1, NULL), 0);
    expect(state, 0, VOLUME_READ, NVME_RESERVATION_CONFLICT);
    assert_int_equal(nvme_namespace_attach(controller_of(state, 0), 1, NULL), -EEXIST);
    assert_int_equal(nvme_namespace_attach(controller_of(state, 0), 9, NULL), -ENOENT);
}

/* ---- an owner that keeps records and makes volumes ---- */

struct owner {
    uint8_t record[4096];
    long bytes;
    unsigned stores;
    bool fails;
    struct block_volume made;
    bool has_made, retired, keeps_nothing;
    struct nvme_namespace_wish wish;
    uint64_t kept; /* bit = controller id that it is attached to */
};

static int owner_store(void *context, const uint8_t uuid[16], const void *record, size_t bytes)
{
    struct owner *owner = context;
    (void)uuid;
    if (owner->fails)
        return -EIO;
    memcpy(owner->record, record, bytes);
    owner->bytes = (long)bytes;
    owner->stores++;
    return 0;
}

static long owner_load(void *context, const uint8_t uuid[16], void *record, size_t bytes)
{
    const struct owner *owner = context;
    (void)uuid;
    if (!owner->bytes)
        return -ENOENT;
    assert_true(bytes >= (size_t)owner->bytes);
    memcpy(record, owner->record, (size_t)owner->bytes);
    return owner->bytes;
}

static int owner_make(void *context, const struct nvme_namespace_wish *wish, struct block_volume **volume)
{
    struct owner *owner = context;
    if (wish->nsid == 2) /* as if it had a volume of that name already */
        return -EEXIST;
    if (owner->has_made)
        return -EMFILE;
    if (wish->bytes > BENCH_VOLUME_BYTES)
        return -ENOSPC;
    bench_volume(&owner->made, 9);
    owner->made.info.settings.bytes = wish->bytes;
    owner->made.info.settings.block_bytes = wish->block_bytes;
    owner->has_made = true;
    owner->wish = *wish;
    *volume = &owner->made;
    return 0;
}

static int owner_attach(void *context, uint32_t nsid, uint16_t cntlid, bool attached)
{
    struct owner *owner = context;
    assert_int_equal(nsid, owner->wish.nsid);
    if (owner->keeps_nothing)
        return -EIO;
    owner->kept = (owner->kept & ~(UINT64_C(1) << cntlid)) | (uint64_t)attached << cntlid;
    return 0;
}

static int owner_retire(void *context, uint32_t nsid)
{
    struct owner *owner = context;
    assert_int_equal(nsid, owner->wish.nsid);
    owner->retired = !owner->keeps_nothing;
    return owner->keeps_nothing ? -EIO : 0;
}

static void owner_remove(void *context, uint32_t nsid)
{
    struct owner *owner = context;
    assert_int_equal(nsid, owner->wish.nsid);
    assert_true(owner->retired);
    free(owner->made.bytes);
    owner->has_made = owner->retired = false;
    owner->kept = 0;
}

static void owner_capacity(void *context, uint64_t *total, uint64_t *unallocated)
{
    const struct owner *owner = context;
    *total = BENCH_VOLUME_BYTES;
    *unallocated = owner->has_made ? 0 : BENCH_VOLUME_BYTES;
}

static const struct nvme_subsystem_ops OWNER = {.store = owner_store,
                                                .load = owner_load,
                                                .volume_make = owner_make,
                                                .volume_attach = owner_attach,
                                                .volume_retire = owner_retire,
                                                .volume_remove = owner_remove,
                                                .capacity = owner_capacity};

static void open_owned(struct bench *bench, struct owner *owner)
{
    bench_make_subsystem(bench, &OWNER, owner);
    assert_int_equal(nvme_namespace_add(bench->subsystem, 1, &bench->volumes[0], 1, NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        bench_add_controller(bench, i, 3 + i, false);
        assert_int_equal(nvme_namespace_attach(bench->controllers[i], 1, NULL), 0);
        bench_enable(bench->controllers[i]);
        bench_create_pair(bench->controllers[i], 1);
    }
}

static void close_owned(struct bench *bench)
{
    for (unsigned i = 0; i < 2; i++)
        nvme_destroy(bench->controllers[i]);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        nvme_namespace_remove(bench->subsystem, nsid);
    assert_int_equal(nvme_subsystem_destroy(bench->subsystem), 0);
}

static struct owner the_owner;

static int owned_setup(void **state)
{
    shared_setup(state);
    struct bench *bench = *state;
    close_owned(bench);
    memset(&the_owner, 0, sizeof the_owner);
    open_owned(bench, &the_owner);
    return 0;
}

static void test_persistence(void **state)
{
    struct bench *bench = *state;
    struct owner *owner = &the_owner;
    const uint32_t persist = (uint32_t)NVME_PERSIST_ON << 30;
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_REGISTER, persist, 0, 10), NVME_SUCCESS);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 10, 0), NVME_SUCCESS);
    assert_int_equal(owner->stores, 2);
    close_owned(bench);
    open_owned(bench, owner);
    expect(state, 1, VOLUME_READ, NVME_RESERVATION_CONFLICT);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_RELEASE, NVME_WRITE_EXCLUSIVE << 8, 10, 0), NVME_SUCCESS);
    expect(state, 1, VOLUME_READ | VOLUME_WRITE, 0);
    /* What cannot be kept is not said to be done. */
    owner->fails = true;
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 10, 0),
                     NVME_INTERNAL_ERROR);
    owner->fails = false;
    /* Feature 83h. */
    struct nvme_command feature = {
        .opcode = NVME_ADMIN_GET_FEATURES, .namespace_id = 1, .dword10 = NVME_FEATURE_RESERVATION_PERSISTENCE};
    assert_int_equal(bench_run(bench->controllers[0], 0, &feature, NULL, 0).result, 1);
    feature.opcode = NVME_ADMIN_SET_FEATURES;
    assert_int_equal(bench_status(bench->controllers[0], 0, &feature, NULL, 0), NVME_SUCCESS);
    close_owned(bench);
    open_owned(bench, owner);
    struct nvme_reservation_listing listing;
    assert_int_equal(nvme_reservation_list(bench->subsystem, 1, &listing), 0);
    assert_int_equal(listing.count, 0);
}

static void test_damaged_record(void **state)
{
    struct bench *bench = *state;
    struct owner *owner = &the_owner;
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_REGISTER, (uint32_t)NVME_PERSIST_ON << 30, 0, 10),
                     NVME_SUCCESS);
    close_owned(bench);
    owner->record[100] ^= 1;
    open_owned(bench, owner);
    struct nvme_reservation_listing listing;
    assert_int_equal(nvme_reservation_list(bench->subsystem, 1, &listing), 0);
    assert_int_equal(listing.count, 0);
}

/* Without a registrant's doing: who was fenced writes, all registrants are told, and what was kept is gone. */
static void test_operator_clears(void **state)
{
    struct bench *bench = *state;
    struct owner *owner = &the_owner;
    struct nvme_reservation_log log;
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_REGISTER, (uint32_t)NVME_PERSIST_ON << 30, 0, 10),
                     NVME_SUCCESS);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_ACQUIRE, NVME_WRITE_EXCLUSIVE << 8, 10, 0), NVME_SUCCESS);
    expect(state, 1, VOLUME_READ, NVME_RESERVATION_CONFLICT);
    unsigned stores = owner->stores;
    assert_int_equal(nvme_reservation_clear(bench->subsystem, 1), 0);
    assert_int_equal(owner->stores, stores + 1);
    expect(state, 0, VOLUME_READ | VOLUME_WRITE, 0);
    expect(state, 1, VOLUME_READ | VOLUME_WRITE, 0);
    const struct nvme_command get = {.opcode = NVME_ADMIN_GET_LOG_PAGE,
                                     .dword10 = NVME_LOG_RESERVATION | (sizeof log / 4 - 1) << 16};
    assert_int_equal(bench_run(bench->controllers[0], 0, &get, &log, sizeof log).status, NVME_SUCCESS);
    assert_int_equal(log.type, NVME_RESERVATION_PREEMPTED);
    assert_int_equal(log.namespace_id, 1);
    struct nvme_reservation_listing listing;
    assert_int_equal(nvme_reservation_list(bench->subsystem, 1, &listing), 0);
    assert_int_equal(listing.count, 0);
    assert_int_equal(listing.type, NVME_RESERVATION_NONE);
    assert_int_equal(listing.generation, 2);
    /* There is nothing to clear any more; nor a namespace 5. */
    assert_int_equal(nvme_reservation_clear(bench->subsystem, 1), 0);
    assert_int_equal(owner->stores, stores + 1);
    assert_int_equal(nvme_reservation_clear(bench->subsystem, 5), -ENOENT);
    close_owned(bench);
    open_owned(bench, owner);
    expect(state, 1, VOLUME_READ | VOLUME_WRITE, 0);
    assert_int_equal(reserve(state, 0, NVME_RESERVATION_REGISTER, 0, 0, 10), NVME_SUCCESS);
    owner->fails = true;
    assert_int_equal(nvme_reservation_clear(bench->subsystem, 1), -EIO);
    owner->fails = false;
}

static uint16_t attach_to(struct nvme_controller *controller, uint32_t nsid, uint32_t select, const uint16_t list[4])
{
    const struct nvme_command command = {
        .opcode = NVME_ADMIN_NAMESPACE_ATTACHMENT, .namespace_id = nsid, .dword10 = select};
    memset(buffer, 0, sizeof buffer);
    memcpy(buffer, list, 4 * sizeof list[0]);
    return bench_status(controller, 0, &command, buffer, sizeof buffer);
}

static uint16_t delete_namespace(struct nvme_controller *controller, uint32_t nsid)
{
    const struct nvme_command command = {.opcode = NVME_ADMIN_NAMESPACE_MANAGEMENT, .namespace_id = nsid, .dword10 = 1};
    return bench_status(controller, 0, &command, NULL, 0);
}

static struct bench_answer make_namespace(struct nvme_controller *controller, uint64_t blocks, uint8_t format,
                                          uint8_t sharing)
{
    struct nvme_identify_namespace *wanted = (void *)buffer;
    struct nvme_command command = {.opcode = NVME_ADMIN_NAMESPACE_MANAGEMENT};
    memset(buffer, 0, sizeof buffer);
    wanted->size = wanted->capacity = blocks;
    wanted->format = format;
    wanted->sharing = sharing;
    struct bench_answer answer = bench_run(controller, 0, &command, buffer, sizeof buffer);
    answer.status &= (uint16_t)~NVME_DO_NOT_RETRY;
    return answer;
}

static void test_management(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct nvme_identify_namespace *wanted = (void *)buffer;
    struct nvme_command command = {.opcode = NVME_ADMIN_NAMESPACE_MANAGEMENT};
    /* Id 2 is free, but its volume's name is not. */
    struct bench_answer answer = make_namespace(controller, 100, 1, 1);
    assert_int_equal(answer.status, NVME_SUCCESS);
    assert_int_equal(answer.result, 3);
    assert_int_equal(the_owner.made.info.settings.bytes, 409600);
    assert_int_equal(make_namespace(controller, 100, 1, 1).status, NVME_NAMESPACE_IDENTIFIER_UNAVAILABLE);
    wanted->capacity = 50;
    assert_int_equal(bench_status(controller, 0, &command, buffer, sizeof buffer), NVME_THIN_PROVISIONING);
    assert_int_equal(make_namespace(controller, 100, 2, 0).status, NVME_INVALID_FORMAT);
    wanted->format = 0;
    wanted->ana_group = 17;
    assert_int_equal(bench_status(controller, 0, &command, buffer, sizeof buffer), NVME_ANA_GROUP_IDENTIFIER);
    static const struct {
        uint16_t list[4];
        uint32_t nsid, select;
        uint16_t status;
    } cases[] = {
        {{0}, 3, 0, NVME_CONTROLLER_LIST_INVALID},
        {{1, 7}, 3, 0, NVME_CONTROLLER_LIST_INVALID},
        {{2, 1, 0}, 3, 0, NVME_CONTROLLER_LIST_INVALID},
        {{3000, 0}, 3, 0, NVME_CONTROLLER_LIST_INVALID},
        {{1, 0}, 65, 0, NVME_INVALID_NAMESPACE},
        {{1, 0}, 5, 0, NVME_INVALID_FIELD},
        {{1, 0}, 3, 2, NVME_INVALID_FIELD},
        {{1, 0}, 3, 1, NVME_NAMESPACE_NOT_ATTACHED},
        {{2, 0, 1}, 3, 0, NVME_SUCCESS},
        {{1, 0}, 3, 0, NVME_NAMESPACE_ALREADY_ATTACHED},
        {{1, 1}, 3, 1, NVME_SUCCESS},
        {{1, 1}, 1, 1, NVME_OPERATION_DENIED}, /* the operator's */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (attach_to(controller, cases[i].nsid, cases[i].select, cases[i].list) != cases[i].status)
            fail_msg("case %u", i);
    assert_int_equal(the_owner.kept, 1);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 2].blocks, 100);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 2].shift, 12);
    assert_int_equal(bench_namespaces[4 * BLOCK_NAMESPACES + 2].blocks, 0);
    /* Deletion: only of what guests made; attached ones are detached. */
    assert_int_equal(delete_namespace(controller, 1), NVME_OPERATION_DENIED);
    assert_int_equal(delete_namespace(controller, 4), NVME_INVALID_FIELD);
    assert_int_equal(delete_namespace(controller, 3), NVME_SUCCESS);
    assert_false(the_owner.has_made);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 2].blocks, 0);
}

static void test_private_namespace(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    assert_int_equal(make_namespace(controller, 100, 0, 0).result, 3);
    assert_int_equal(attach_to(controller, 3, 0, (uint16_t[4]){2, 0, 1}), NVME_NAMESPACE_IS_PRIVATE);
    assert_int_equal(attach_to(controller, 3, 0, (uint16_t[4]){1, 1}), NVME_SUCCESS);
    assert_int_equal(attach_to(controller, 3, 0, (uint16_t[4]){1, 0}), NVME_NAMESPACE_IS_PRIVATE);
    assert_int_equal(nvme_namespace_attach(controller, 3, NULL), -EBUSY);
    struct nvme_identify_namespace *page = (void *)buffer;
    const struct nvme_command identify = {
        .opcode = NVME_ADMIN_IDENTIFY, .namespace_id = 3, .dword10 = NVME_CNS_NAMESPACE};
    assert_int_equal(bench_status(bench->controllers[1], 0, &identify, page, sizeof *page), NVME_SUCCESS);
    assert_int_equal(page->sharing, 0);
    assert_int_equal(delete_namespace(controller, NVME_BROADCAST), NVME_SUCCESS);
    assert_false(the_owner.has_made);
    assert_non_null(nvme_namespace_volume(bench->subsystem, 1, &(uint64_t){0}));
}

static void test_capacity(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct nvme_identify_controller *page = (void *)buffer;
    struct nvme_error_entry entry;
    const struct nvme_command identify = {.opcode = NVME_ADMIN_IDENTIFY, .dword10 = NVME_CNS_CONTROLLER};
    const struct nvme_command errors = {.opcode = NVME_ADMIN_GET_LOG_PAGE,
                                        .dword10 = NVME_LOG_ERROR | (sizeof entry / 4 - 1) << 16};
    uint64_t total, unallocated;
    assert_int_equal(make_namespace(controller, BENCH_VOLUME_BYTES / 512 + 1, 0, 1).status, NVME_INSUFFICIENT_CAPACITY);
    /* Base 5.22: the error log says how much it would have taken. */
    assert_int_equal(bench_status(controller, 0, &errors, &entry, sizeof entry), NVME_SUCCESS);
    assert_int_equal(entry.command_specific, BENCH_VOLUME_BYTES + 512);
    for (unsigned made = 0; made < 2; made++) {
        assert_int_equal(bench_status(controller, 0, &identify, page, sizeof *page), NVME_SUCCESS);
        assert_int_equal(page->admin_commands & NVME_OACS_NAMESPACE, NVME_OACS_NAMESPACE);
        memcpy(&total, page->total_capacity, sizeof total);
        memcpy(&unallocated, page->unallocated_capacity, sizeof unallocated);
        assert_int_equal(total, BENCH_VOLUME_BYTES);
        assert_int_equal(unallocated, made ? 0 : BENCH_VOLUME_BYTES);
        if (!made)
            assert_int_equal(make_namespace(controller, BENCH_VOLUME_BYTES / 512, 0, 1).status, NVME_SUCCESS);
    }
    assert_int_equal(delete_namespace(controller, 3), NVME_SUCCESS);
}

/* What cannot be kept is not done. */
static void test_management_not_kept(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    uint64_t controllers;
    assert_int_equal(make_namespace(controller, 100, 0, 1).status, NVME_SUCCESS);
    the_owner.keeps_nothing = true;
    assert_int_equal(attach_to(controller, 3, 0, (uint16_t[4]){1, 0}), NVME_INTERNAL_ERROR);
    assert_int_equal(delete_namespace(controller, 3), NVME_INTERNAL_ERROR);
    assert_ptr_equal(nvme_namespace_volume(bench->subsystem, 3, &controllers), &the_owner.made);
    assert_int_equal(controllers, 0);
    the_owner.keeps_nothing = false;
    assert_int_equal(attach_to(controller, 3, 0, (uint16_t[4]){1, 0}), NVME_SUCCESS);
    /* The operator deletes only what nobody has. */
    assert_int_equal(nvme_namespace_delete(bench->subsystem, 1), -EPERM);
    assert_int_equal(nvme_namespace_delete(bench->subsystem, 3), -EBUSY);
    assert_int_equal(nvme_namespace_detach(controller, 3), 0);
    assert_int_equal(nvme_namespace_delete(bench->subsystem, 3), 0);
    assert_int_equal(nvme_namespace_delete(bench->subsystem, 3), -ENOENT);
    assert_false(the_owner.has_made);
}

#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, bench_teardown)
#define OWNED(name)  cmocka_unit_test_setup_teardown(name, owned_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARED(test_fence),
        SHARED(test_fence_waits_for_writes),
        SHARED(test_fence_between_steps),
        SHARED(test_fence_fails),
        SHARED(test_one_host_two_controllers),
        SHARED(test_report),
        SHARED(test_notices),
        SHARED(test_ana),
        SHARED(test_ana_and_reservation),
        SHARED(test_attach_under_reservation),
        OWNED(test_persistence),
        OWNED(test_damaged_record),
        OWNED(test_operator_clears),
        OWNED(test_management),
        OWNED(test_private_namespace),
        OWNED(test_capacity),
        OWNED(test_management_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
