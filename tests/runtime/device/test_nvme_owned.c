/* SPDX-License-Identifier: Apache-2.0 */
/* A subsystem whose owner keeps records of reservations, and makes volumes for the namespaces that guests manage. */
#include <errno.h>
#include <unistd.h>

#include "tests/runtime/device/nvme_shared_bench.h"

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

#define OWNED(name) cmocka_unit_test_setup_teardown(name, owned_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OWNED(test_persistence),         OWNED(test_damaged_record),    OWNED(test_operator_clears),
        OWNED(test_management),          OWNED(test_private_namespace), OWNED(test_capacity),
        OWNED(test_management_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
