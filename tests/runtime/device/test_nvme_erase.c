/* SPDX-License-Identifier: Apache-2.0 */
/* What erases: Format and Sanitize, by blocks and by keys, and what is closed meanwhile. */
#include <errno.h>

#include "tests/runtime/device/nvme_admin_bench.h"

static void test_secure_format(void **state)
{
    struct bench *bench = *state;
    const struct nvme_command secure = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 1u << 9};
    memset(bench->volumes[0].bytes, 0xaa, BENCH_VOLUME_BYTES);
    bench_enable(bench->controllers[0]);
    assert_int_equal(bench_status(bench->controllers[0], 0, &secure, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].operations[BACKEND_ERASE], 1);
    assert_int_equal(bench->volumes[0].last_length, BENCH_VOLUME_BYTES);
    assert_int_equal(bench->volumes[0].bytes[12345], 0);
    assert_int_equal(bench->volumes[1].operations[BACKEND_ERASE], 0);
}

static const struct nvme_sanitize_log *sanitize_log(struct nvme_controller *controller)
{
    assert_int_equal(get_log(controller, NVME_LOG_SANITIZE, 512, 0, false), NVME_SUCCESS);
    return (const void *)page;
}

static void test_sanitize(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct nvme_command sanitize = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 2};
    const struct nvme_command format = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1};
    const struct nvme_command write = {.opcode = NVME_WRITE, .namespace_id = 1};
    struct bench_answer answer;
    memset(bench->volumes[1].bytes, 0xaa, BENCH_VOLUME_BYTES);
    bench_enable(controller);
    bench_enable(bench->controllers[1]);
    bench_create_pair(controller, 1);
    assert_int_equal(sanitize_log(controller)->status, 0);
    unsigned event = request_event(controller), other = request_event(bench->controllers[1]);
    bench_stall(&bench->volumes[0], true);
    assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_SUCCESS);
    /* Meanwhile nobody reads or writes, by the card or here. */
    assert_int_equal(sanitize_log(controller)->status, 2);
    assert_true(sanitize_log(controller)->progress < 0xffff);
    assert_int_equal(bench_status(controller, 1, &write, page, 512), NVME_SANITIZE_IN_PROGRESS);
    assert_int_equal(bench->volumes[1].access[4], 0);
    assert_int_equal(bench->volumes[1].refusal[4] & ~NVME_DO_NOT_RETRY, NVME_SANITIZE_IN_PROGRESS);
    assert_int_equal(bench_status(controller, 0, &format, NULL, 0), NVME_SANITIZE_IN_PROGRESS);
    assert_int_equal(bench_status(bench->controllers[1], 0, &sanitize, NULL, 0), NVME_SANITIZE_IN_PROGRESS);
    bench_disable(bench->controllers[1]); /* a reset does not end it */
    bench_enable(bench->controllers[1]);
    assert_true(bench_wait(other, 5000, &answer) && answer.silent);
    bench_stall(&bench->volumes[0], false);
    assert_true(bench_wait(event, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_SANITIZE << 16 | NVME_IO_SANITIZE << 8 | NVME_EVENT_IO_SPECIFIC);
    assert_int_equal(sanitize_log(controller)->status, 1);
    assert_int_equal(bench->volumes[1].bytes[777], 0);
    assert_int_equal(bench->volumes[1].access[4], VOLUME_READ | VOLUME_WRITE);
    assert_int_equal(bench_status(controller, 1, &write, page, 512), NVME_SUCCESS);
    /* What is another's is not for this controller to erase. */
    assert_int_equal(nvme_namespace_detach(controller, 2), 0);
    assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_OPERATION_DENIED);
    assert_int_equal(bench->volumes[0].operations[BACKEND_ERASE], 1);
}

/* Volumes with keys: before the namespaces are made of them. */
static int encrypted_setup(void **state)
{
    int result = bench_setup(state);
    struct bench *bench = *state;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 2; k++)
            nvme_namespace_detach(bench->controllers[k], i + 1);
        assert_int_equal(nvme_namespace_remove(bench->subsystem, i + 1), 0);
        bench->volumes[i].info.backend.encrypted = true;
        assert_int_equal(nvme_namespace_add(bench->subsystem, i + 1, &bench->volumes[i], 1, NULL), 0);
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(nvme_namespace_attach(bench->controllers[k], i + 1, NULL), 0);
    }
    return result;
}

static const struct nvme_identify_controller *identify_controller(struct nvme_controller *controller)
{
    const struct nvme_command identify = {.opcode = NVME_ADMIN_IDENTIFY, .dword10 = NVME_CNS_CONTROLLER};
    assert_int_equal(bench_status(controller, 0, &identify, page, 4096), NVME_SUCCESS);
    return (const void *)page;
}

static void test_crypto_erase(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command format = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 2u << 9};
    const struct nvme_command sanitize = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 4};
    struct bench_answer answer;
    bench_enable(controller);
    assert_int_equal(identify_controller(controller)->sanitize & 7, 3);
    assert_int_equal(identify_controller(controller)->format_attributes, 4);
    assert_int_equal(bench_status(controller, 0, &format, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench->volumes[0].keys, 1);
    assert_int_equal(bench->volumes[1].keys, 0);
    unsigned event = request_event(controller);
    assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_SUCCESS);
    assert_true(bench_wait(event, 5000, &answer));
    assert_int_equal(sanitize_log(controller)->status, 1);
    assert_int_equal(sanitize_log(controller)->dword10, 4);
    assert_int_equal(bench->volumes[0].keys, 2);
    assert_int_equal(bench->volumes[1].keys, 1);
    assert_int_equal(bench->volumes[0].operations[BACKEND_ERASE], 0);
    assert_int_equal(bench->volumes[1].access[4], VOLUME_READ | VOLUME_WRITE);
    /* One whose key could not be destroyed. */
    bench->volumes[1].fail = -EBUSY;
    event = request_event(controller);
    assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_SUCCESS);
    assert_true(bench_wait(event, 5000, &answer));
    assert_int_equal(sanitize_log(controller)->status, 3);
    bench->volumes[0].fail = -EBUSY;
    assert_int_equal(bench_status(controller, 0, &format, NULL, 0), NVME_SANITIZE_FAILED);
}

/* It is offered only where all namespaces have keys. */
static void test_no_crypto_erase(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_command format = {.opcode = NVME_ADMIN_FORMAT, .namespace_id = 2, .dword10 = 2u << 9};
    const struct nvme_command sanitize = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 4};
    bench_enable(controller);
    bench->volumes[1].info.backend.encrypted = false;
    assert_int_equal(nvme_namespace_remove(bench->subsystem, 2), 0);
    assert_int_equal(nvme_namespace_add(bench->subsystem, 2, &bench->volumes[1], 1, NULL), 0);
    assert_int_equal(nvme_namespace_attach(controller, 2, NULL), 0);
    assert_int_equal(identify_controller(controller)->sanitize & 7, 2);
    assert_int_equal(identify_controller(controller)->format_attributes, 0);
    assert_int_equal(bench_status(controller, 0, &format, NULL, 0), NVME_INVALID_FIELD);
    assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_INVALID_FIELD);
    assert_int_equal(bench->volumes[0].keys, 0);
}

/* What could not be erased stays closed, until it could, or its owner said before that he takes it so. */
static void test_failed_sanitize(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct nvme_command sanitize = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 2};
    const struct nvme_command leave = {.opcode = NVME_ADMIN_SANITIZE, .dword10 = 1};
    const struct nvme_command read = {.opcode = NVME_READ, .namespace_id = 1};
    struct bench_answer answer;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench->volumes[1].fail = -EIO;
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        unsigned event = request_event(controller);
        sanitize.dword10 = 2 | allowed << 3;
        assert_int_equal(bench_status(controller, 0, &sanitize, NULL, 0), NVME_SUCCESS);
        assert_true(bench_wait(event, 5000, &answer));
        assert_int_equal(sanitize_log(controller)->status, 3);
        assert_int_equal(bench_status(controller, 1, &read, page, 512), NVME_SANITIZE_FAILED);
        assert_int_equal(bench_status(controller, 0, &leave, NULL, 0), allowed ? NVME_SUCCESS : NVME_SANITIZE_FAILED);
        assert_int_equal(bench_status(controller, 1, &read, page, 512), allowed ? NVME_SUCCESS : NVME_SANITIZE_FAILED);
    }
    assert_int_equal(bench->volumes[0].access[4], VOLUME_READ | VOLUME_WRITE);
}

#define BENCHED(name)   cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
#define ENCRYPTED(name) cmocka_unit_test_setup_teardown(name, encrypted_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCHED(test_secure_format),     BENCHED(test_sanitize),        ENCRYPTED(test_crypto_erase),
        ENCRYPTED(test_no_crypto_erase), BENCHED(test_failed_sanitize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
