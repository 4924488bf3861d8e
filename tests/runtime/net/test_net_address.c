/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text, and the prefix map against a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "runtime/net/prefix_map.h"

static void parses(const char *text, const char *expected)
{
    struct net_address address;
    struct cipu_error error = {""};
    char formatted[64];
    assert_int_equal(net_address_parse(text, &address, &error), 0);
    net_address_format(&address, true, formatted, sizeof formatted);
    assert_string_equal(formatted, expected);
}

static void test_addresses(void **state)
{
    (void)state;
    parses("10.0.0.1", "10.0.0.1/32");
    parses("10.0.0.0/8", "10.0.0.0/8");
    parses("0.0.0.0/0", "0.0.0.0/0");
    parses("fd00::1/64", "fd00::1/64");
    parses("FE80:0::1", "fe80::1/128");
    parses("::/0", "::/0");
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "10.0.0",
                                      "10.0.0.256",
                                      "10.0.0.1/33",
                                      "10.0.0.1/",
                                      "10.0.0.1/-1",
                                      "10.0.0.1/8x",
                                      "10.0.0.1/08",
                                      "fd00::/129",
                                      "fd00:::1",
                                      "hello",
                                      "10.0.0.1 ",
                                      "1234567890123456789012345678901234567890123456789012345678901234567890/8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct net_address address;
        struct cipu_error error = {""};
        assert_int_equal(net_address_parse(bad[i], &address, &error), -EINVAL);
        assert_non_null(strstr(error.text, "expected"));
        assert_int_equal(net_address_parse(bad[i], &address, NULL), -EINVAL);
    }
}

static void test_macs(void **state)
{
    (void)state;
    uint8_t mac[6];
    char text[18];
    assert_int_equal(net_mac_parse("02:00:00:Aa:bB:ff", mac, NULL), 0);
    net_mac_format(mac, text);
    assert_string_equal(text, "02:00:00:aa:bb:ff");
    static const char *const bad[] = {
        "", "02:00:00:aa:bb", "02:00:00:aa:bb:f", "02-00-00-aa-bb-ff", "02:00:00:aa:bb:gg", "02:00:00:aa:bb:ff:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(net_mac_parse(bad[i], mac, NULL), -EINVAL);
}

#define ROUTES  3000
#define LOOKUPS 20000

struct listed {
    struct net_address prefix;
    unsigned scope;
    bool present;
};

/* Few distinct bits, so that prefixes nest and look-ups hit. */
static struct net_address random_address(uint8_t family)
{
    struct net_address address = {.family = family, .prefix = (uint8_t)net_address_bits(family)};
    for (unsigned i = 0; i < net_address_bytes(family); i++)
        address.bytes[i] = i % 4 < 2 ? (uint8_t)(rand() % 3) : (uint8_t)rand();
    return address;
}

static const struct listed *search(const struct listed *list, unsigned scope, const struct net_address *address,
                                   long *index)
{
    const struct listed *best = NULL;
    for (long i = 0; i < ROUTES; i++) {
        if (!list[i].present || list[i].scope != scope || !net_address_contains(&list[i].prefix, address) ||
            (best && best->prefix.prefix >= list[i].prefix.prefix))
            continue;
        best = &list[i];
        *index = i;
    }
    return best;
}

static void compare(const struct prefix_map *map, const struct listed *list)
{
    unsigned hits = 0;
    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct net_address address = random_address(rand() % 2 ? 4 : 6);
        unsigned scope = (unsigned)rand() % 3;
        long expected = -1;
        search(list, scope, &address, &expected);
        const struct prefix_slot *slot = prefix_map_longest(map, scope, &address);
        assert_int_equal(slot ? (long)slot->value : -1, expected);
        hits += slot != NULL;
    }
    assert_true(hits > LOOKUPS / 10);
}

static void test_longest_prefix(void **state)
{
    (void)state;
    static struct listed list[ROUTES];
    struct prefix_map map;
    srand(7);
    assert_int_equal(prefix_map_create(&map, 12345), 0);
    for (uint32_t i = 0; i < ROUTES; i++) {
        struct net_address address = random_address(rand() % 2 ? 4 : 6);
        struct net_address prefix =
            net_address_masked(&address, (unsigned)rand() % (net_address_bits(address.family) + 1));
        unsigned scope = (unsigned)rand() % 3;
        bool exists = prefix_map_exact(&map, scope, &prefix) != NULL;
        assert_int_equal(prefix_map_add(&map, scope, &prefix, i), exists ? -EEXIST : 0);
        list[i] = (struct listed){.prefix = prefix, .scope = scope, .present = !exists};
    }
    compare(&map, list);
    for (unsigned i = 0; i < ROUTES; i++) {
        if (!list[i].present || rand() % 2)
            continue;
        assert_int_equal(prefix_map_remove(&map, list[i].scope, &list[i].prefix), 0);
        assert_int_equal(prefix_map_remove(&map, list[i].scope, &list[i].prefix), -ENOENT);
        list[i].present = false;
    }
    compare(&map, list);
    prefix_map_destroy(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_longest_prefix),
    };
    return cmocka_run_group_tests_name("net address", tests, NULL, NULL);
}
