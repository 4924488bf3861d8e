/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces that two controllers share: reservations and what they keep from whom, ANA. */
#include <errno.h>
#include <unistd.h>

#include "tests/runtime/device/nvme_shared_bench.h"

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

#define SHARED(name) cmocka_unit_test_setup_teardown(name, shared_setup, bench_teardown)

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
