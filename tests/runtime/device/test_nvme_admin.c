/* SPDX-License-Identifier: Apache-2.0 */
/* Identify, log pages, features, asynchronous events, and what admin commands are refused with. */
#include <errno.h>

#include "tests/runtime/device/nvme_admin_bench.h"

static uint16_t identify(struct nvme_controller *controller, uint32_t cns, uint32_t nsid)
{
    const struct nvme_command command = {.opcode = NVME_ADMIN_IDENTIFY, .namespace_id = nsid, .dword10 = cns};
    memset(page, 0xee, 4096);
    return bench_status(controller, 0, &command, page, 4096);
}

static struct bench_answer get_feature(struct nvme_controller *controller, uint32_t feature, uint32_t select,
                                       uint32_t dword11, uint32_t nsid)
{
    const struct nvme_command command = {
        .opcode = NVME_ADMIN_GET_FEATURES, .namespace_id = nsid, .dword10 = feature | select << 8, .dword11 = dword11};
    return bench_run(controller, 0, &command, page, 512);
}

static uint16_t set_feature(struct nvme_controller *controller, uint32_t feature, uint32_t dword11, uint32_t nsid)
{
    const struct nvme_command command = {
        .opcode = NVME_ADMIN_SET_FEATURES, .namespace_id = nsid, .dword10 = feature, .dword11 = dword11};
    return bench_status(controller, 0, &command, page, 512);
}

static void test_identify_controller(void **state)
{
    struct bench *bench = *state;
    const struct nvme_identify_controller *data = (const void *)page;
    for (unsigned i = 0; i < 2; i++) {
        bench_enable(bench->controllers[i]);
        assert_int_equal(identify(bench->controllers[i], NVME_CNS_CONTROLLER, 0), NVME_SUCCESS);
        assert_int_equal(data->controller_id, i);
        assert_memory_equal(data->serial, "S1                  ", 20);
        assert_memory_equal(data->model, "Model One                               ", 40);
        assert_string_equal(data->subsystem_name, "nqn.2026-11.test:one");
        assert_int_equal(data->vendor, 0x10ee);
        assert_int_equal(data->version, 0x20000);
        assert_int_equal(data->sq_entry_size, 0x66);
        assert_int_equal(data->cq_entry_size, 0x44);
        assert_int_equal(data->multipath, 0xb);
        assert_int_equal(4096u << data->transfer_max, BLOCK_DATA_MAX);
        assert_int_equal(data->namespaces, NVME_NAMESPACES_MAX);
        assert_int_equal(data->namespaces_allowed, data->namespaces);
        assert_int_equal(data->async_events, 0x900);
        assert_int_equal(data->write_cache, 7);
        assert_true(data->admin_commands & NVME_OACS_DOORBELL);
        assert_false(data->admin_commands & NVME_OACS_NAMESPACE);
        assert_int_equal(data->io_commands, 0x1ed | 0x10);
        assert_int_equal(data->ana_group_max, NVME_ANA_GROUPS);
        assert_int_equal(data->controller_type, 1);
    }
}

static void test_identify_namespaces(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_identify_namespace *data = (const void *)page;
    const uint32_t *list = (const void *)page;
    uint8_t first[24];
    bench_enable(controller);
    bench_enable(bench->controllers[1]);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 1), NVME_SUCCESS);
    assert_int_equal(data->size, BENCH_VOLUME_BYTES / 512);
    assert_int_equal(data->lba[data->format & 15].shift, 9);
    assert_int_equal(data->sharing, 1);
    assert_int_equal(data->reservations, 0xfe); /* nothing persists here */
    assert_int_equal(data->ana_group, 1);
    assert_memory_equal(data->nguid, bench->volumes[0].info.settings.uuid, 16);
    memcpy(first, page + 104, sizeof first); /* NGUID and EUI64 */
    /* The same on the other path, another one for the other namespace. */
    assert_int_equal(identify(bench->controllers[1], NVME_CNS_NAMESPACE, 1), NVME_SUCCESS);
    assert_memory_equal(page + 104, first, sizeof first);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 2), NVME_SUCCESS);
    assert_memory_not_equal(data->nguid, first, 16);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 3), NVME_SUCCESS); /* inactive: zeros */
    assert_int_equal(data->size, 0);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 0), NVME_INVALID_NAMESPACE);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 65), NVME_INVALID_NAMESPACE);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, NVME_BROADCAST), NVME_SUCCESS);
    assert_int_equal(data->formats, 1);
    assert_int_equal(data->lba[1].shift, 12);
    assert_int_equal(identify(controller, NVME_CNS_ACTIVE_NAMESPACES, 0), NVME_SUCCESS);
    assert_true(list[0] == 1 && list[1] == 2 && list[2] == 0);
    assert_int_equal(identify(controller, NVME_CNS_ACTIVE_NAMESPACES, 1), NVME_SUCCESS);
    assert_true(list[0] == 2 && list[1] == 0);
    assert_int_equal(identify(controller, NVME_CNS_ACTIVE_NAMESPACES, 0xfffffffe), NVME_INVALID_NAMESPACE);
    assert_int_equal(identify(controller, NVME_CNS_COMMAND_SET_ACTIVE, 1), NVME_SUCCESS);
    assert_int_equal(list[0], 2);
    assert_int_equal(identify(controller, NVME_CNS_INDEPENDENT_NAMESPACE, 2), NVME_SUCCESS);
    assert_int_equal(((const struct nvme_identify_independent *)(const void *)page)->status, 1);
    assert_int_equal(identify(controller, NVME_CNS_COMMAND_SET_NAMESPACE, 1), NVME_SUCCESS);
    assert_int_equal(identify(controller, NVME_CNS_COMMAND_SET_CONTROLLER, 0), NVME_SUCCESS);
    assert_int_equal(list[0], 0);
}

static void test_identify_lists(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const uint16_t *list = (const void *)page;
    bench_enable(controller);
    assert_int_equal(nvme_namespace_detach(bench->controllers[1], 2), 0);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE_CONTROLLERS, 1), NVME_SUCCESS);
    assert_true(list[0] == 2 && list[1] == 0 && list[2] == 1);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE_CONTROLLERS, 2), NVME_SUCCESS);
    assert_true(list[0] == 1 && list[1] == 0);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE_CONTROLLERS | 1u << 16, 1), NVME_SUCCESS);
    assert_true(list[0] == 1 && list[1] == 1);
    assert_int_equal(identify(controller, NVME_CNS_CONTROLLERS, 0), NVME_SUCCESS);
    assert_int_equal(list[0], 2);
    assert_int_equal(nvme_namespace_detach(controller, 2), 0);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 2), NVME_SUCCESS);
    assert_int_equal(list[0], 0);
    assert_int_equal(identify(controller, NVME_CNS_ALLOCATED_NAMESPACE, 2), NVME_SUCCESS);
    assert_int_not_equal(list[0], 0);
    assert_int_equal(identify(controller, NVME_CNS_ALLOCATED_NAMESPACES, 0), NVME_SUCCESS);
    assert_int_equal(((const uint32_t *)(const void *)page)[1], 2);
    assert_int_equal(identify(controller, NVME_CNS_COMMAND_SETS | 0xffffu << 16, 0), NVME_SUCCESS);
    assert_int_equal(list[0], 1);
    assert_int_equal(identify(controller, 0x7f, 0), NVME_INVALID_FIELD);
    const struct nvme_command zoned = {.opcode = NVME_ADMIN_IDENTIFY, .dword10 = 6, .dword11 = 2u << 24};
    assert_int_equal(bench_status(controller, 0, &zoned, page, 4096), NVME_INVALID_FIELD);
}

static void test_descriptors(void **state)
{
    struct bench *bench = *state;
    unsigned types = 0;
    bench_enable(bench->controllers[0]);
    assert_int_equal(identify(bench->controllers[0], NVME_CNS_DESCRIPTORS, 1), NVME_SUCCESS);
    const uint8_t *at = page;
    while (at[1]) {
        static const uint8_t lengths[] = {0, 8, 16, 16, 1};
        assert_true(at[0] >= 1 && at[0] <= 4);
        assert_int_equal(at[1], lengths[at[0]]);
        if (at[0] == NVME_DESCRIPTOR_UUID)
            assert_memory_equal(at + 4, bench->volumes[0].info.settings.uuid, 16);
        types |= 1u << at[0];
        at += 4 + at[1];
    }
    assert_int_equal(types, 0x1e);
    assert_int_equal(identify(bench->controllers[0], NVME_CNS_DESCRIPTORS, 9), NVME_INVALID_FIELD);
}

/* What is said to be supported answers, what is not is refused. */
static void test_supported_logs(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    uint32_t supported[256];
    bench_enable(controller);
    assert_int_equal(get_log(controller, NVME_LOG_SUPPORTED, 1024, 0, false), NVME_SUCCESS);
    memcpy(supported, page, sizeof supported);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(get_log(controller, i, 512, 0, true), supported[i] & 1 ? NVME_SUCCESS : NVME_INVALID_LOG_PAGE);
    static const uint8_t expected[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0xc, 0x12, 0x80, 0x81};
    for (unsigned i = 0; i < sizeof expected; i++)
        assert_true(supported[expected[i]] & 1);
}

static void test_log_offsets(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    uint8_t whole[4096];
    bench_enable(controller);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 4096, 0, false), NVME_SUCCESS);
    memcpy(whole, page, sizeof whole);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 64, 1024, false), NVME_SUCCESS);
    assert_memory_equal(page, whole + 1024, 64);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 128, 4092, false), NVME_SUCCESS);
    assert_memory_equal(page, whole + 4092, 4);
    for (unsigned i = 4; i < 128; i++)
        assert_int_equal(page[i], 0);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 64, 4100, false), NVME_INVALID_FIELD);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 64, UINT64_MAX - 3, false), NVME_INVALID_FIELD);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 64, 2, false), NVME_INVALID_FIELD);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 1 << 20, 0, false), NVME_SUCCESS);
    const struct nvme_command huge = {
        .opcode = NVME_ADMIN_GET_LOG_PAGE, .dword10 = NVME_LOG_EFFECTS | 0xffff0000, .dword11 = 0xffff};
    assert_int_equal(bench_status(controller, 0, &huge, page, 4096), NVME_INVALID_FIELD);
}

/* Commands that the effects log names are there, and no others. */
static void test_effects(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    struct nvme_effects_log effects;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    assert_int_equal(get_log(controller, NVME_LOG_EFFECTS, 4096, 0, false), NVME_SUCCESS);
    memcpy(&effects, page, sizeof effects);
    for (unsigned i = 0; i < 256; i++) {
        /* A field that is never right keeps the others from doing anything. */
        const struct nvme_command command = {.opcode = (uint8_t)i, .flags = NVME_FUSE_MASK};
        assert_int_equal(bench_status(controller, 0, &command, page, 4096),
                         effects.admin[i] & 1 ? NVME_INVALID_FIELD : NVME_INVALID_OPCODE);
        assert_int_equal(bench_status(controller, 1, &command, page, 4096),
                         effects.io[i] & 1 ? NVME_INVALID_FIELD : NVME_INVALID_OPCODE);
    }
    assert_false(effects.admin[NVME_ADMIN_KEEP_ALIVE] & 1);
    assert_false(effects.io[NVME_WRITE_UNCORRECTABLE] & 1);
}

static void test_error_log(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    const struct nvme_error_entry *entries = (const void *)page;
    const struct nvme_health_log *health = (const void *)page;
    const struct nvme_command bad = {.opcode = NVME_ADMIN_IDENTIFY, .namespace_id = 1000};
    bench_enable(controller);
    assert_int_equal(get_log(controller, NVME_LOG_ERROR, 4096, 0, false), NVME_SUCCESS);
    assert_int_equal(entries[0].count, 0);
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(bench_run(controller, 0, &bad, page, 4096).status, NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY);
    assert_int_equal(get_log(controller, NVME_LOG_ERROR, 4096, 0, false), NVME_SUCCESS);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(entries[i].count, 70 - i);
        assert_int_equal(entries[i].status, (NVME_INVALID_NAMESPACE | NVME_DO_NOT_RETRY) << 1);
        assert_int_equal(entries[i].namespace_id, 1000);
        assert_int_equal(entries[i].location, 4);
        assert_int_equal(entries[i].sq_id, 0);
    }
    assert_int_equal(get_log(controller, NVME_LOG_HEALTH, 512, 0, false), NVME_SUCCESS);
    assert_int_equal(health->error_entries[0], 70);
    assert_int_equal(health->media_errors[0], 0);
}

static void test_health(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_health_log *health = (const void *)page;
    bench_enable(controller);
    bench_create_pair(controller, 1);
    bench->volumes[0].operations[BACKEND_READ] = 1000;
    bench->volumes[1].operations[BACKEND_READ] = 500;
    const struct nvme_command read = {.opcode = NVME_READ, .namespace_id = 1};
    bench->volumes[0].fail = -EIO;
    assert_int_equal(bench_status(controller, 1, &read, page, 512), NVME_UNRECOVERED_READ);
    assert_int_equal(get_log(controller, NVME_LOG_HEALTH, 512, 0, false), NVME_SUCCESS);
    assert_int_equal(health->reads[0], 1501);
    assert_int_equal(health->units_read[0], 13); /* 1501 * 8 units of 512 bytes, in thousands, rounded up */
    assert_int_equal(health->writes[0], 0);
    assert_int_equal(health->media_errors[0], 1);
    assert_int_equal(health->power_cycles[0], 1);
    assert_int_equal(health->temperature[0] | health->temperature[1] << 8, 298);
    assert_int_equal(health->critical_warning, 0);
    const struct nvme_command one = {
        .opcode = NVME_ADMIN_GET_LOG_PAGE, .namespace_id = 1, .dword10 = NVME_LOG_HEALTH | 127u << 16};
    assert_int_equal(bench_status(controller, 0, &one, page, 512), NVME_INVALID_FIELD);
}

static void test_telemetry_and_self_test(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    bench_enable(controller);
    assert_int_equal(get_log(controller, NVME_LOG_TELEMETRY_HOST | 1u << 8, 1024, 0, false), NVME_SUCCESS);
    assert_int_equal(page[381], 1);
    assert_int_equal(page[8], 1);
    assert_non_null(strstr((const char *)page + 512, "commands="));
    assert_int_equal(get_log(controller, NVME_LOG_TELEMETRY_CONTROLLER, 512, 0, false), NVME_SUCCESS);
    assert_int_equal(page[382], 0);
    struct nvme_command test = {.opcode = NVME_ADMIN_SELF_TEST, .namespace_id = NVME_BROADCAST, .dword10 = 1};
    assert_int_equal(bench_status(controller, 0, &test, NULL, 0), NVME_SUCCESS);
    bench->volumes[1].fail = -EIO;
    test.dword10 = 2;
    assert_int_equal(bench_status(controller, 0, &test, NULL, 0), NVME_SUCCESS);
    assert_int_equal(get_log(controller, NVME_LOG_SELF_TEST, 564, 0, false), NVME_SUCCESS);
    assert_int_equal(page[4], 0x27);             /* the newest: extended, a segment failed */
    assert_int_equal(page[4 + 12], 2);           /* in namespace 2 */
    assert_int_equal(page[4 + 28], 0x10);        /* the one before: short, no error */
    assert_int_equal(page[4 + 2 * 28] & 15, 15); /* no more */
    test.dword10 = 5;
    assert_int_equal(bench_status(controller, 0, &test, NULL, 0), NVME_INVALID_FIELD);
}

static void test_features(void **state)
{
    static const struct {
        uint32_t feature, set, get_dword11;
        uint64_t result, standard;
        uint8_t capabilities;
    } cases[] = {
        {NVME_FEATURE_ARBITRATION, 0x01020307, 0, 0x01020307, 0, 4},
        {NVME_FEATURE_POWER, 0x20, 0, 0x20, 0, 4},
        {NVME_FEATURE_TEMPERATURE, 400, 0, 400, 343, 4},
        {NVME_FEATURE_TEMPERATURE, 1u << 20 | 200, 1u << 20, 200, 0, 4},
        {NVME_FEATURE_ERROR_RECOVERY, 77, 0, 77, 0, 4},
        {NVME_FEATURE_WRITE_CACHE, 1, 0, 1, 1, 0},
        {NVME_FEATURE_COALESCING, 0x1234, 0, 0x1234, 0, 4},
        {NVME_FEATURE_VECTOR, 1u << 16 | 2, 2, 1u << 16 | 2, 2, 4},
        {NVME_FEATURE_ATOMICITY, 1, 0, 1, 0, 4},
        {NVME_FEATURE_ASYNC_EVENTS, 0x900, 0, 0x900, 0, 4},
        {NVME_FEATURE_QUEUES, 0x00ff00ff, 0, 0x00030003, 0x00030003, 4},
    };
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_enable(controller);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t feature = cases[i].feature, dword11 = cases[i].get_dword11;
        assert_int_equal(set_feature(controller, feature, cases[i].set, 0), NVME_SUCCESS);
        assert_int_equal(get_feature(controller, feature, 0, dword11, 0).result, cases[i].result);
        assert_int_equal(get_feature(controller, feature, 1, dword11, 0).result, cases[i].standard);
        assert_int_equal(get_feature(controller, feature, 2, dword11, 0).result, cases[i].standard);
        assert_int_equal(get_feature(controller, feature, 3, dword11, 0).result, cases[i].capabilities);
    }
    /* A reset brings the defaults back. */
    bench_disable(controller);
    bench_enable(controller);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(get_feature(controller, cases[i].feature, 0, cases[i].get_dword11, 0).result,
                         cases[i].standard);
}

static void test_feature_errors(void **state)
{
    static const struct {
        uint32_t dword10, dword11, nsid;
        uint16_t status;
    } set[] = {
        {NVME_FEATURE_POWER, 1, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_TEMPERATURE, 3u << 16, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_TEMPERATURE, 2u << 20, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_ERROR_RECOVERY, 1u << 16, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_WRITE_CACHE, 0, 0, NVME_FEATURE_NOT_CHANGEABLE},
        {NVME_FEATURE_QUEUES, 0xffff, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_QUEUES, 0xffff0000, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_VECTOR, 5, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_ARBITRATION, 0, 1, NVME_FEATURE_NOT_NAMESPACE_SPECIFIC},
        {NVME_FEATURE_ARBITRATION, 0, 99, NVME_INVALID_NAMESPACE},
        {NVME_FEATURE_ARBITRATION | 1u << 31, 0, 0, NVME_FEATURE_NOT_SAVEABLE},
        {NVME_FEATURE_ARBITRATION | 1u << 8, 0, 0, NVME_INVALID_FIELD},
        {NVME_FEATURE_RESERVATION_MASK, 0, 0, NVME_INVALID_NAMESPACE},
        {NVME_FEATURE_RESERVATION_MASK, 0, 3, NVME_INVALID_NAMESPACE},
        {NVME_FEATURE_RESERVATION_PERSISTENCE, 1, 1, NVME_FEATURE_NOT_CHANGEABLE},
        {NVME_FEATURE_KEEP_ALIVE, 0, 0, NVME_INVALID_FIELD},
        {0x00, 0, 0, NVME_INVALID_FIELD},
        {0xc0, 0, 0, NVME_INVALID_FIELD},
    };
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_enable(controller);
    for (unsigned i = 0; i < sizeof set / sizeof set[0]; i++)
        if (set_feature(controller, set[i].dword10, set[i].dword11, set[i].nsid) != set[i].status)
            fail_msg("case %u", i);
    assert_int_equal(get_feature(controller, 0xc0, 0, 0, 0).status, NVME_INVALID_FIELD | NVME_DO_NOT_RETRY);
    assert_int_equal(get_feature(controller, 1, 4, 0, 0).status, NVME_INVALID_FIELD | NVME_DO_NOT_RETRY);
    bench_create_pair(controller, 1);
    assert_int_equal(set_feature(controller, NVME_FEATURE_QUEUES, 0x00030003, 0), NVME_SEQUENCE_ERROR);
}

static void test_features_with_data(void **state)
{
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    uint64_t value = 1234567890123;
    bench_enable(controller);
    assert_int_equal(get_feature(controller, NVME_FEATURE_TIMESTAMP, 0, 0, 0).status, NVME_SUCCESS);
    assert_int_equal(page[6], 0); /* counts since the controller is there */
    memcpy(page, &value, 8);
    assert_int_equal(set_feature(controller, NVME_FEATURE_TIMESTAMP, 0, 0), NVME_SUCCESS);
    assert_int_equal(get_feature(controller, NVME_FEATURE_TIMESTAMP, 0, 0, 0).status, NVME_SUCCESS);
    memcpy(&value, page, 8);
    assert_in_range(value & 0xffffffffffff, 1234567890123, 1234567890123 + 10000);
    assert_int_equal(page[6], 2);
    memset(page, 0, 512);
    page[0] = 1;
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_BEHAVIOUR, 0, 0), NVME_SUCCESS);
    page[0] = 0;
    assert_int_equal(get_feature(controller, NVME_FEATURE_HOST_BEHAVIOUR, 0, 0, 0).status, NVME_SUCCESS);
    assert_int_equal(page[0], 1);
    page[0] = 2;
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_BEHAVIOUR, 0, 0), NVME_INVALID_FIELD);
}

static void test_host_identifier(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0], *other = bench->controllers[1];
    bench_enable(controller);
    bench_enable(other);
    memset(page, 0, 16);
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 1, 0), NVME_SUCCESS); /* still none */
    memset(page, 7, 16);
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 1, 0), NVME_SUCCESS);
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 1, 0), NVME_SUCCESS);
    memset(page, 0, 16);
    assert_int_equal(get_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 0, 1, 0).status, NVME_SUCCESS);
    assert_int_equal(page[15], 7);
    assert_int_equal(get_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 0, 0, 0).status,
                     NVME_HOST_IDENTIFIER_FORMAT | NVME_DO_NOT_RETRY);
    page[0] = 8;
    assert_int_equal(set_feature(controller, NVME_FEATURE_HOST_IDENTIFIER, 1, 0), NVME_SEQUENCE_ERROR);
    assert_int_equal(set_feature(other, NVME_FEATURE_HOST_IDENTIFIER, 0, 0), NVME_HOST_IDENTIFIER_FORMAT);
    bench_disable(controller);
    bench_enable(controller);
    assert_int_equal(set_feature(other, NVME_FEATURE_HOST_IDENTIFIER, 0, 0), NVME_SUCCESS);
}

static void test_events(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct bench_answer answer;
    bench_enable(controller);
    assert_int_equal(set_feature(controller, NVME_FEATURE_ASYNC_EVENTS, 0x900, 0), NVME_SUCCESS);
    /* An event waits for a request. */
    assert_int_equal(nvme_namespace_detach(controller, 2), 0);
    unsigned first = request_event(controller);
    assert_true(bench_wait(first, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_CHANGED_NAMESPACES << 16 | NVME_EVENT_NOTICE);
    /* Masked until the log is read; reading it with the event retained does not count. */
    unsigned second = request_event(controller);
    assert_int_equal(nvme_namespace_attach(controller, 2, NULL), 0);
    assert_false(bench_wait(second, 50, &answer));
    assert_int_equal(get_log(controller, NVME_LOG_CHANGED_NAMESPACES, 4096, 0, true), NVME_SUCCESS);
    assert_int_equal(page[0], 2);
    assert_int_equal(nvme_namespace_detach(controller, 2), 0);
    assert_int_equal(nvme_namespace_attach(controller, 2, NULL), 0);
    assert_false(bench_wait(second, 50, &answer));
    assert_int_equal(get_log(controller, NVME_LOG_CHANGED_NAMESPACES, 4096, 0, false), NVME_SUCCESS);
    assert_int_equal(page[0], 2);
    assert_int_equal(page[4], 0);
    assert_false(bench_wait(second, 50, &answer)); /* what had happened, the log has told */
    assert_int_equal(get_log(controller, NVME_LOG_CHANGED_NAMESPACES, 4096, 0, false), NVME_SUCCESS);
    assert_int_equal(page[0], 0);
    /* Another type is not masked by this one. */
    assert_int_equal(nvme_namespace_detach(controller, 1), 0);
    assert_true(bench_wait(second, 5000, &answer));
    unsigned third = request_event(controller);
    nvme_queue_fault(controller, &(struct event_entry){.kind = EVENT_DOORBELL, .queue = bench_base(controller)});
    assert_true(bench_wait(third, 5000, &answer));
    assert_int_equal(answer.result & 7, NVME_EVENT_ERROR);
}

static void test_event_limit_and_masks(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct bench_answer answer;
    unsigned sent[5];
    bench_enable(controller);
    for (unsigned i = 0; i < 5; i++)
        sent[i] = request_event(controller);
    assert_true(bench_wait(sent[4], 5000, &answer));
    assert_int_equal(answer.status, NVME_ASYNC_EVENT_LIMIT | NVME_DO_NOT_RETRY);
    /* What is not enabled is not told. */
    assert_int_equal(nvme_namespace_detach(controller, 2), 0);
    assert_int_equal(nvme_ana_set(controller, 1, NVME_ANA_STATE_NON_OPTIMIZED, NULL), 0);
    assert_false(bench_wait(sent[0], 50, &answer));
    /* A threshold below the temperature. */
    assert_int_equal(set_feature(controller, NVME_FEATURE_ASYNC_EVENTS, 0x02, 0), NVME_SUCCESS);
    assert_int_equal(set_feature(controller, NVME_FEATURE_TEMPERATURE, 200, 0), NVME_SUCCESS);
    assert_true(bench_wait(sent[0], 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_HEALTH << 16 | 1u << 8 | NVME_EVENT_HEALTH);
    struct nvme_state listed;
    nvme_state(controller, &listed);
    assert_int_equal(listed.async_requests, 3);
    bench_disable(controller);
    for (unsigned i = 1; i < 4; i++)
        assert_true(bench_wait(sent[i], 5000, &answer) && answer.silent);
}

static void test_resize(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    struct block_volume *volume = &bench->volumes[1];
    struct bench_answer answer;
    bench_enable(controller);
    assert_int_equal(set_feature(controller, NVME_FEATURE_ASYNC_EVENTS, 0x100, 0), NVME_SUCCESS);
    unsigned sent = request_event(controller);
    volume->info.settings.bytes *= 2;
    for (struct volume_listener *listener = volume->listeners; listener; listener = listener->next)
        listener->resized(listener->context, volume);
    assert_true(bench_wait(sent, 5000, &answer));
    assert_int_equal(answer.result, NVME_LOG_CHANGED_NAMESPACES << 16 | NVME_EVENT_NOTICE);
    assert_int_equal(bench_namespaces[3 * BLOCK_NAMESPACES + 1].blocks, 2 * BENCH_VOLUME_BYTES / 512);
    assert_int_equal(bench_namespaces[4 * BLOCK_NAMESPACES + 1].blocks, 2 * BENCH_VOLUME_BYTES / 512);
    assert_int_equal(identify(controller, NVME_CNS_NAMESPACE, 2), NVME_SUCCESS);
    assert_int_equal(((const struct nvme_identify_namespace *)(const void *)page)->size, 2 * BENCH_VOLUME_BYTES / 512);
}

static void test_admin_errors(void **state)
{
    static const struct {
        struct nvme_command command;
        uint16_t status;
    } cases[] = {
        {{.opcode = NVME_ADMIN_KEEP_ALIVE}, NVME_INVALID_OPCODE},
        {{.opcode = 0x03}, NVME_INVALID_OPCODE},
        {{.opcode = 0xc0}, NVME_INVALID_OPCODE},
        {{.opcode = NVME_ADMIN_NAMESPACE_MANAGEMENT}, NVME_INVALID_OPCODE},
        {{.opcode = NVME_ADMIN_NAMESPACE_ATTACHMENT}, NVME_INVALID_OPCODE},
        {{.opcode = NVME_ADMIN_IDENTIFY, .flags = NVME_PSDT_SGL}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_IDENTIFY, .flags = 1}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_FIRMWARE_DOWNLOAD}, NVME_INVALID_FIRMWARE_IMAGE},
        {{.opcode = NVME_ADMIN_FIRMWARE_COMMIT, .dword10 = 1}, NVME_INVALID_FIRMWARE_SLOT},
        {{.opcode = NVME_ADMIN_FIRMWARE_COMMIT, .dword10 = 2u << 3 | 1}, NVME_SUCCESS},
        {{.opcode = NVME_ADMIN_FIRMWARE_COMMIT, .dword10 = 2u << 3 | 2}, NVME_INVALID_FIRMWARE_SLOT},
        {{.opcode = NVME_ADMIN_FIRMWARE_COMMIT, .dword10 = 7u << 3 | 1}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_DIRECTIVE_SEND, .dword11 = 1}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_DIRECTIVE_RECEIVE, .dword10 = 1023, .dword11 = 1}, NVME_SUCCESS},
        {{.opcode = NVME_ADMIN_DIRECTIVE_RECEIVE, .dword10 = 1023, .dword11 = 0x101}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 1}, NVME_INVALID_FORMAT},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 1u << 5}, NVME_INVALID_FORMAT},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 2u << 9}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = 3}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = NVME_BROADCAST}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_ADMIN_FORMAT, .namespace_id = 1, .dword10 = 1u << 9}, NVME_SUCCESS},
        {{.opcode = NVME_ADMIN_SANITIZE, .dword10 = 4}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_SANITIZE, .dword10 = 3}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_SANITIZE, .dword10 = 2 | 1u << 9}, NVME_INVALID_FIELD},
        {{.opcode = NVME_ADMIN_SANITIZE, .dword10 = 1}, NVME_SUCCESS},
        {{.opcode = NVME_ADMIN_SELF_TEST, .namespace_id = 99, .dword10 = 1}, NVME_INVALID_NAMESPACE},
        {{.opcode = NVME_ADMIN_GET_LOG_PAGE, .dword10 = 0xd | 1u << 16}, NVME_INVALID_LOG_PAGE},
        {{.opcode = NVME_ADMIN_GET_LOG_PAGE, .dword10 = 1u << 16, .dword14 = 1}, NVME_INVALID_FIELD},
    };
    struct nvme_controller *controller = ((struct bench *)*state)->controllers[0];
    bench_enable(controller);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (bench_status(controller, 0, &cases[i].command, page, 4096) != cases[i].status)
            fail_msg("case %u", i);
}

/* A client that goes away without a shutdown is a loss of power; a reset is none. */
static void test_power_cycles(void **state)
{
    struct bench *bench = *state;
    struct nvme_controller *controller = bench->controllers[0];
    const struct nvme_health_log *health = (const void *)page;
    for (unsigned i = 0; i < 3; i++) {
        bench_enable(controller);
        assert_int_equal(get_log(controller, NVME_LOG_HEALTH, 512, 0, false), NVME_SUCCESS);
        assert_int_equal(health->power_cycles[0], 1 + i);
        assert_int_equal(health->unsafe_shutdowns[0], i < 2 ? i : 1);
        bench_disable(controller);
        bench_enable(controller);
        if (i == 1) {
            bench_set_register(controller, NVME_REG_CC, 0x00464001, 4);
            assert_true(bench_wait_status(controller, 0xc, NVME_CSTS_SHST_DONE));
        }
        nvme_ops.disconnected(controller);
        assert_int_equal(nvme_ops.dma_map(controller, 0, BENCH_MEMORY_BYTES, bench->memory_fd, 0, 3), 0);
    }
}

#define BENCHED(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCHED(test_identify_controller),
        BENCHED(test_identify_namespaces),
        BENCHED(test_identify_lists),
        BENCHED(test_descriptors),
        BENCHED(test_supported_logs),
        BENCHED(test_log_offsets),
        BENCHED(test_effects),
        BENCHED(test_error_log),
        BENCHED(test_health),
        BENCHED(test_telemetry_and_self_test),
        BENCHED(test_features),
        BENCHED(test_feature_errors),
        BENCHED(test_features_with_data),
        BENCHED(test_host_identifier),
        BENCHED(test_events),
        BENCHED(test_event_limit_and_masks),
        BENCHED(test_resize),
        BENCHED(test_admin_errors),
        BENCHED(test_power_cycles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
