/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations against rules written down a second time, as tables: who may do what (Base figure 403), and what each
 * command does in each state that a few hosts can bring about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/block/volume.h"
#include "runtime/device/nvme_reservation.h"
#include "runtime/device/nvme_spec.h"

#define HOSTS 3u

static struct nvme_host host_of(unsigned number)
{
    struct nvme_host host = {.controller = NVME_NO_CONTROLLER};
    host.identifier[0] = (uint8_t)(number + 1);
    return host;
}

/* A second implementation, over hosts 0 .. HOSTS - 1, in the words of the specification. */
struct model {
    bool registered[HOSTS];
    uint64_t key[HOSTS];
    unsigned type;
    int holder; /* -1: none, or everybody */
    uint32_t generation;
    bool persistent;
    uint8_t notices[HOSTS]; /* bit = notice */
};

static bool model_all(unsigned type)
{
    return type == 5 || type == 6;
}

static bool model_group(unsigned type)
{
    return type == 3 || type == 4 || model_all(type);
}

static unsigned model_count(const struct model *model)
{
    unsigned count = 0;
    for (unsigned i = 0; i < HOSTS; i++)
        count += model->registered[i];
    return count;
}

static bool model_holds(const struct model *model, unsigned host)
{
    return model->registered[host] && model->type && (model_all(model->type) || model->holder == (int)host);
}

static void model_notify(struct model *model, unsigned but, unsigned notice)
{
    for (unsigned i = 0; i < HOSTS; i++)
        if (i != but && model->registered[i])
            model->notices[i] |= (uint8_t)(1u << notice);
}

static void model_end(struct model *model)
{
    model->type = 0;
    model->holder = -1;
}

static uint16_t model_register(struct model *model, unsigned host, unsigned action, bool ignore, unsigned persistence,
                               uint64_t current, uint64_t key)
{
    if (action > 2 || persistence == 1)
        return NVME_INVALID_FIELD;
    if (action == 0) {
        if (model->registered[host] && model->key[host] != key)
            return NVME_RESERVATION_CONFLICT;
        model->registered[host] = true;
        model->key[host] = key;
    } else {
        if (!model->registered[host] || (!ignore && model->key[host] != current))
            return NVME_RESERVATION_CONFLICT;
        if (action == 2) {
            model->key[host] = key;
        } else {
            bool ends = model->holder == (int)host || (model_all(model->type) && model_count(model) == 1);
            unsigned type = model->type;
            model->registered[host] = false;
            if (ends) {
                model_end(model);
                if (model_group(type))
                    model_notify(model, host, NVME_RESERVATION_RELEASED);
            }
        }
    }
    if (persistence)
        model->persistent = persistence == 3;
    model->generation++;
    return NVME_SUCCESS;
}

static uint16_t model_preempt(struct model *model, unsigned host, unsigned type, uint64_t key)
{
    unsigned before = model->type;
    bool everybody = key == 0 && model_all(before), known = false, takes = everybody;
    if (key == 0 && !everybody)
        return NVME_INVALID_FIELD;
    for (unsigned i = 0; i < HOSTS; i++)
        if (model->registered[i] && model->key[i] == key) {
            known = true;
            takes = takes || model->holder == (int)i;
        }
    if (!everybody && !known)
        return NVME_RESERVATION_CONFLICT;
    for (unsigned i = 0; i < HOSTS; i++)
        if (i != host && model->registered[i] && (everybody || model->key[i] == key)) {
            model->notices[i] |= 1u << NVME_REGISTRATION_PREEMPTED;
            if (takes && (everybody || model->holder == (int)i))
                model->notices[i] |= 1u << NVME_RESERVATION_PREEMPTED;
            model->registered[i] = false;
        }
    if (takes) {
        model->type = type;
        model->holder = model_all(type) ? -1 : (int)host;
        if (before != type && model_group(before))
            model_notify(model, host, NVME_RESERVATION_RELEASED);
    }
    model->generation++;
    return NVME_SUCCESS;
}

static uint16_t model_acquire(struct model *model, unsigned host, unsigned action, unsigned type, uint64_t current,
                              uint64_t key)
{
    if (action > 2 || type < 1 || type > 6)
        return NVME_INVALID_FIELD;
    if (!model->registered[host] || model->key[host] != current)
        return NVME_RESERVATION_CONFLICT;
    if (action)
        return model_preempt(model, host, type, key);
    if (model->type)
        return model_holds(model, host) && model->type == type ? NVME_SUCCESS : NVME_RESERVATION_CONFLICT;
    model->type = type;
    model->holder = model_all(type) ? -1 : (int)host;
    return NVME_SUCCESS;
}

static uint16_t model_release(struct model *model, unsigned host, unsigned action, unsigned type, uint64_t current)
{
    if (action > 1)
        return NVME_INVALID_FIELD;
    if (!model->registered[host] || model->key[host] != current)
        return NVME_RESERVATION_CONFLICT;
    if (action == 1) {
        model_notify(model, host, NVME_RESERVATION_PREEMPTED);
        memset(model->registered, 0, sizeof model->registered);
        model_end(model);
        model->generation++;
        return NVME_SUCCESS;
    }
    if (!model_holds(model, host))
        return NVME_SUCCESS;
    if (type != model->type)
        return NVME_INVALID_FIELD;
    if (model_group(type))
        model_notify(model, host, NVME_RESERVATION_RELEASED);
    model_end(model);
    return NVME_SUCCESS;
}

/* Base figure 403, as it is printed: type; holder, registrant, others; reads, writes. */
static const struct {
    bool holder_reads, holder_writes, registrant_reads, registrant_writes, other_reads, other_writes;
} ACCESS[7] = {
    [0] = {true, true, true, true, true, true},     /* none */
    [1] = {true, true, true, false, true, false},   /* write exclusive */
    [2] = {true, true, false, false, false, false}, /* exclusive access */
    [3] = {true, true, true, true, true, false},    /* write exclusive, registrants only */
    [4] = {true, true, true, true, false, false},   /* exclusive access, registrants only */
    [5] = {true, true, true, true, true, false},    /* write exclusive, all registrants */
    [6] = {true, true, true, true, false, false},   /* exclusive access, all registrants */
};

static unsigned model_access(const struct model *model, unsigned host)
{
    unsigned type = model->type;
    bool reads, writes;
    if (model_holds(model, host)) {
        reads = ACCESS[type].holder_reads;
        writes = ACCESS[type].holder_writes;
    } else if (model->registered[host]) {
        reads = ACCESS[type].registrant_reads;
        writes = ACCESS[type].registrant_writes;
    } else {
        reads = ACCESS[type].other_reads;
        writes = ACCESS[type].other_writes;
    }
    return (reads ? VOLUME_READ : 0) | (writes ? VOLUME_WRITE : 0);
}

static void compare(const struct nvme_reservation *reservation, const struct model *model)
{
    unsigned holders = 0;
    assert_int_equal(reservation->type, model->type);
    assert_int_equal(reservation->count, model_count(model));
    assert_int_equal(reservation->generation, model->generation);
    assert_int_equal(reservation->persistent, model->persistent);
    for (unsigned i = 0; i < HOSTS; i++) {
        const struct nvme_host host = host_of(i);
        const struct nvme_registrant *registrant = nvme_reservation_find(reservation, &host);
        assert_int_equal(registrant != NULL, model->registered[i]);
        assert_int_equal(nvme_reservation_access(reservation, &host), model_access(model, i));
        if (!registrant)
            continue;
        assert_int_equal(registrant->key, model->key[i]);
        assert_int_equal(model->type && nvme_reservation_holds(reservation, registrant), model_holds(model, i));
        holders += registrant->holder;
    }
    assert_true(holders <= 1);
}

static void compare_notices(const struct nvme_reservation_outcome *outcome, const struct model *model)
{
    uint8_t seen[HOSTS] = {0};
    for (unsigned i = 0; i < outcome->count; i++) {
        unsigned host = outcome->notices[i].host.identifier[0] - 1u;
        assert_true(host < HOSTS);
        assert_false(seen[host] >> outcome->notices[i].notice & 1);
        seen[host] |= (uint8_t)(1u << outcome->notices[i].notice);
    }
    assert_memory_equal(seen, model->notices, sizeof seen);
}

struct step {
    unsigned command, host, action, type, persistence;
    bool ignore;
    uint64_t current, key;
};

/* Both began as copies, padding and all. */
static bool same_bytes(const void *a, const void *b, size_t bytes)
{
    return memcmp(a, b, bytes) == 0;
}

static void run_step(struct nvme_reservation *reservation, struct model *model, const struct step *step)
{
    const struct nvme_host host = host_of(step->host);
    struct nvme_reservation_outcome outcome = {0};
    struct nvme_reservation before = *reservation;
    uint16_t is, should;
    memset(model->notices, 0, sizeof model->notices);
    if (step->command == 0) {
        is = nvme_reservation_register(reservation, &host, step->action, step->ignore, step->persistence, step->current,
                                       step->key, &outcome);
        should =
            model_register(model, step->host, step->action, step->ignore, step->persistence, step->current, step->key);
    } else if (step->command == 1) {
        is = nvme_reservation_acquire(reservation, &host, step->action, step->type, step->current, step->key, &outcome);
        should = model_acquire(model, step->host, step->action, step->type, step->current, step->key);
    } else {
        is = nvme_reservation_release(reservation, &host, step->action, step->type, step->current, &outcome);
        should = model_release(model, step->host, step->action, step->type, step->current);
    }
    assert_int_equal(is, should);
    compare(reservation, model);
    compare_notices(&outcome, model);
    if (is) {
        assert_memory_equal(&before, reservation, sizeof before);
        assert_false(outcome.changed);
    } else if (!same_bytes(&before, reservation, sizeof before)) {
        assert_true(outcome.changed);
    }
}

/* Each command in each state: the states are those that all sequences of two registrations and one acquisition lead
 * to. */
static void test_every_command_in_every_state(void **state)
{
    (void)state;
    unsigned tried = 0;
    for (unsigned registered = 0; registered < 1u << HOSTS; registered++)
        for (unsigned same_keys = 0; same_keys < 2; same_keys++)
            for (unsigned type = 0; type <= 6; type++)
                for (unsigned holder = 0; holder < HOSTS; holder++) {
                    if (type && !(registered >> holder & 1))
                        continue;
                    struct nvme_reservation start = {0};
                    struct model model = {.holder = -1};
                    for (unsigned i = 0; i < HOSTS; i++)
                        if (registered >> i & 1)
                            run_step(&start, &model, &(struct step){.host = i, .key = same_keys ? 10 : 10 + i});
                    if (type)
                        run_step(
                            &start, &model,
                            &(struct step){
                                .command = 1, .host = holder, .type = type, .current = same_keys ? 10 : 10 + holder});
                    for (unsigned command = 0; command < 3; command++)
                        for (unsigned host = 0; host < HOSTS; host++)
                            for (unsigned action = 0; action < 4; action++)
                                for (unsigned wanted = 0; wanted <= 7; wanted++)
                                    for (uint64_t current = 9; current < 13; current++)
                                        for (uint64_t key = 0; key < 14; key += key ? 1 : 9)
                                            for (unsigned ignore = 0; ignore < 2; ignore++) {
                                                struct nvme_reservation copy = start;
                                                struct model model_copy = model;
                                                run_step(&copy, &model_copy,
                                                         &(struct step){.command = command,
                                                                        .host = host,
                                                                        .action = action,
                                                                        .type = wanted,
                                                                        .ignore = ignore,
                                                                        .persistence = command ? 0 : wanted & 3,
                                                                        .current = current,
                                                                        .key = key});
                                                tried++;
                                            }
                }
    assert_true(tried > 100000);
}

static void test_long_random_sequences(void **state)
{
    (void)state;
    srandom(7);
    for (unsigned run = 0; run < 300; run++) {
        struct nvme_reservation reservation = {0};
        struct model model = {.holder = -1};
        for (unsigned i = 0; i < 300; i++) {
            struct step step = {.command = (unsigned)random() % 3,
                                .host = (unsigned)random() % HOSTS,
                                .action = (unsigned)random() % 3,
                                .type = 1 + (unsigned)random() % 6,
                                .persistence = (unsigned)random() % 4,
                                .ignore = random() % 2,
                                .current = (uint64_t)(random() % 3),
                                .key = (uint64_t)(random() % 3)};
            run_step(&reservation, &model, &step);
        }
    }
}

static void test_many_registrants(void **state)
{
    (void)state;
    struct nvme_reservation reservation = {0};
    struct nvme_reservation_outcome outcome = {0};
    for (unsigned i = 0; i <= NVME_REGISTRANTS_MAX; i++) {
        const struct nvme_host host = host_of(i);
        assert_int_equal(nvme_reservation_register(&reservation, &host, NVME_REGISTER_NEW, false, 0, 0, 5, &outcome),
                         i < NVME_REGISTRANTS_MAX ? NVME_SUCCESS : NVME_INTERNAL_ERROR);
    }
    /* One takes it from all others: the notices have room. */
    const struct nvme_host first = host_of(0);
    assert_int_equal(nvme_reservation_acquire(&reservation, &first, 0, NVME_WRITE_EXCLUSIVE_ALL, 5, 0, &outcome), 0);
    outcome = (struct nvme_reservation_outcome){0};
    assert_int_equal(
        nvme_reservation_acquire(&reservation, &first, NVME_ACQUIRE_PREEMPT, NVME_EXCLUSIVE_ACCESS, 5, 0, &outcome), 0);
    assert_int_equal(outcome.count, 2 * (NVME_REGISTRANTS_MAX - 1));
    assert_int_equal(reservation.count, 1);
}

/* Controllers without a host identifier are hosts of their own; 128-bit identifiers count as a whole. */
static void test_hosts(void **state)
{
    (void)state;
    struct nvme_host a = {.controller = 1}, b = {.controller = 2}, c = host_of(0), d = host_of(0);
    assert_false(nvme_host_equal(&a, &b));
    assert_true(nvme_host_equal(&a, &a));
    assert_true(nvme_host_equal(&c, &d));
    d.identifier[15] = 1;
    assert_false(nvme_host_equal(&c, &d));
}

static void test_records(void **state)
{
    (void)state;
    struct nvme_reservation reservation = {0}, back;
    struct nvme_reservation_outcome outcome = {0};
    uint8_t record[NVME_RESERVATION_RECORD_BYTES];
    const struct nvme_host first = host_of(0), second = host_of(1);
    assert_int_equal(nvme_reservation_register(&reservation, &first, 0, false, NVME_PERSIST_ON, 0, 5, &outcome), 0);
    assert_int_equal(nvme_reservation_register(&reservation, &second, 0, false, 0, 0, 6, &outcome), 0);
    assert_int_equal(nvme_reservation_acquire(&reservation, &second, 0, 3, 6, 0, &outcome), 0);
    nvme_reservation_pack(&reservation, record);
    assert_true(nvme_reservation_unpack(&back, record, sizeof record));
    assert_int_equal(back.count, 2);
    assert_int_equal(back.generation, 0);
    assert_true(back.persistent);
    assert_int_equal(nvme_reservation_access(&back, &second), VOLUME_READ | VOLUME_WRITE);
    assert_true(nvme_reservation_find(&back, &second)->holder);
    assert_int_equal(nvme_reservation_find(&back, &first)->key, 5);
    /* Every bit counts. */
    for (unsigned i = 0; i < sizeof record; i++) {
        record[i] ^= (uint8_t)(1u << i % 8);
        assert_false(nvme_reservation_unpack(&back, record, sizeof record));
        assert_int_equal(back.count, 0);
        record[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_false(nvme_reservation_unpack(&back, record, sizeof record - 1));
    /* What does not persist leaves nothing. */
    reservation.persistent = false;
    nvme_reservation_pack(&reservation, record);
    assert_true(nvme_reservation_unpack(&back, record, sizeof record));
    assert_int_equal(back.count, 0);
    assert_int_equal(back.type, NVME_RESERVATION_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_in_every_state),
        cmocka_unit_test(test_long_random_sequences),
        cmocka_unit_test(test_many_registrants),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
