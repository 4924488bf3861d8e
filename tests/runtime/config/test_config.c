/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration reader: broken files and the exact messages, good files and their structures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/config/config.h"

#define CARD   "card: 'native:'\n"
#define UPLINK "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01', ipv4: 192.0.2.1/24}\n"
#define VPC    "vpcs:\n- {name: blue, vni: 1, mac: '02:00:00:00:01:01'}\n"
#define FUNCTIONS \
    "functions:\n- {id: 0, name: a, vpc: blue, mac: '02:00:00:00:02:01', addresses: [10.0.0.1], socket: /run/a}\n"
#define NAME_EXPECTED "a name of at most 63 letters, digits, '.', '_' and '-'"
#define MAC_EXPECTED  "the MAC address of one station, such as 02:00:00:00:00:01"

struct broken {
    const char *name, *text, *errors;
};

static const struct broken broken_files[] = {
    {"empty", "", "f:1: found nothing, expected a mapping\n"},
    {"a list", "- a\n", "f:1: found a list, expected a mapping\n"},
    {"syntax", "card: x\nports: [\n",
     "f:3: found did not find expected node content while parsing a flow node, expected YAML\n"},
    {"not text", "card: \"\xff\xff\"\n", "f:1: found invalid leading UTF-8 octet, expected YAML\n"},
    {"no card", "rpc: /run/x\n", "f:1: card: found nothing, expected printable text of at most 511 bytes\n"},
    {"unknown key", CARD "crad: x\n",
     "f:2: crad: found an unknown key, expected one of: card, rpc, metrics, state, flow-idle, ports, vpcs, functions, "
     "routes, disks, volumes, subsystems, controllers\n"},
    {"a key that cannot be shown", CARD "\"a b\\nc\": x\n",
     "f:2: \"a b?c\": found an unknown key, expected one of: card, rpc, metrics, state, flow-idle, ports, vpcs, "
     "functions, "
     "routes, disks, volumes, subsystems, controllers\n"},
    {"duplicate key", CARD CARD, "f:2: card: found a second time, expected once (the first is in line 1)\n"},
    {"duplicate section", CARD VPC VPC, "f:4: vpcs: found a second time, expected once (the first is in line 2)\n"},
    {"wrong types", "card: [a]\nrpc: {}\nflow-idle: soon\nvpcs: 3\n",
     "f:1: card: found a list, expected printable text of at most 511 bytes\n"
     "f:2: rpc: found a mapping, expected an absolute path of at most 107 bytes\n"
     "f:3: flow-idle: found \"soon\", expected an integer from 1 to 86400\n"
     "f:4: vpcs: found \"3\", expected a list\n"},
    {"relative path", CARD "rpc: run/x\n",
     "f:2: rpc: found \"run/x\", expected an absolute path of at most 107 bytes\n"},
    {"metrics", CARD "metrics: here\n",
     "f:2: metrics: found \"here\", expected HOST:PORT, [IPV6]:PORT or an absolute path\n"},
    {"metrics port", CARD "metrics: a:70000\n",
     "f:2: metrics: found \"a:70000\", expected HOST:PORT, [IPV6]:PORT or an absolute path\n"},
    {"metrics on the rpc socket", CARD "rpc: /run/x\nmetrics: /run/x\n",
     "f:3: metrics: found /run/x, expected a path that rpc does not use\n"},
    {"a second document", CARD "---\n" CARD, "f:3: found a second document, expected one\n"},
    {"an item that is no mapping", CARD "vpcs: [a]\n", "f:2: vpcs[0]: found \"a\", expected a mapping\n"},
    {"an unknown key of an item", CARD "vpcs:\n- name: a\n  vnii: 1\n  vni: 2\n  mac: '02:00:00:00:00:01'\n",
     "f:4: vpcs[0].vnii: found an unknown key, expected one of: name, vni, mac, gateways, mtu\n"},
    {"underscore for dash",
     CARD VPC "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01', socket: /a,\n"
              "   queue_size: 4}\n",
     "f:6: functions[0].queue_size: found an unknown key, expected one of: id, name, type, vpc, mac, addresses, "
     "socket, mtu, queue-size\n"},
    {"missing keys", CARD "vpcs:\n- name: a\n",
     "f:3: vpcs[0].vni: found nothing, expected an integer from 1 to 16777215\n"
     "f:3: vpcs[0].mac: found nothing, expected " MAC_EXPECTED "\n"},
    {"bad MACs",
     CARD "vpcs:\n- {name: a, vni: 1, mac: '02:00:00:00:00'}\n- {name: b, vni: 2, mac: '01:00:00:00:00:01'}\n"
          "- {name: c, vni: 3, mac: }\n",
     "f:3: vpcs[0].mac: found \"02:00:00:00:00\", expected " MAC_EXPECTED "\n"
     "f:4: vpcs[1].mac: found \"01:00:00:00:00:01\", expected " MAC_EXPECTED "\n"
     "f:5: vpcs[2].mac: found nothing, expected " MAC_EXPECTED "\n"},
    {"bad VNIs",
     CARD "vpcs:\n- {name: a, vni: 0, mac: '02:00:00:00:00:01'}\n"
          "- {name: b, vni: 16777216, mac: '02:00:00:00:00:01'}\n"
          "- {name: c, vni: -1, mac: '02:00:00:00:00:01'}\n"
          "- {name: d, vni: 1e3, mac: '02:00:00:00:00:01'}\n",
     "f:3: vpcs[0].vni: found \"0\", expected an integer from 1 to 16777215\n"
     "f:4: vpcs[1].vni: found \"16777216\", expected an integer from 1 to 16777215\n"
     "f:5: vpcs[2].vni: found \"-1\", expected an integer from 1 to 16777215\n"
     "f:6: vpcs[3].vni: found \"1e3\", expected an integer from 1 to 16777215\n"},
    {"bad name", CARD "vpcs:\n- {name: 'a b', vni: 1, mac: '02:00:00:00:00:01'}\n",
     "f:3: vpcs[0].name: found \"a b\", expected " NAME_EXPECTED "\n"},
    {"a zero byte in a name", CARD "vpcs:\n- {name: \"a\\0b\", vni: 1, mac: '02:00:00:00:00:01'}\n",
     "f:3: vpcs[0].name: found \"a?b\", expected " NAME_EXPECTED "\n"},
    {"gateways",
     CARD "vpcs:\n- name: a\n  vni: 1\n  mac: '02:00:00:00:00:01'\n  gateways:\n  - 10.0.0.1\n  - 10.0.0.1/33\n"
          "  - x\n",
     "f:7: vpcs[0].gateways[0]: found \"10.0.0.1\", expected an IPv4 or IPv6 address with its subnet's prefix, such as "
     "192.0.2.1/24\n"
     "f:8: vpcs[0].gateways[1]: found \"10.0.0.1/33\", expected an IPv4 or IPv6 address with its subnet's prefix, such "
     "as 192.0.2.1/24\n"
     "f:9: vpcs[0].gateways[2]: found \"x\", expected an IPv4 or IPv6 address with its subnet's prefix, such as "
     "192.0.2.1/24\n"},
    {"too many gateways",
     CARD "vpcs:\n- {name: a, vni: 1, mac: '02:00:00:00:00:01',\n   gateways: [10.0.0.1/24, "
          "10.0.1.1/24, 10.0.2.1/24, 10.0.3.1/24, 10.0.4.1/24]}\n",
     "f:4: vpcs[0].gateways[4]: found more than 4 values, expected at most 4\n"},
    {"a list that is a scalar", CARD "vpcs:\n- {name: a, vni: 1, mac: '02:00:00:00:00:01', gateways: 10.0.0.1/24}\n",
     "f:3: vpcs[0].gateways: found \"10.0.0.1/24\", expected a list\n"},
    {"duplicate VPCs",
     CARD "vpcs:\n- {name: a, vni: 1, mac: '02:00:00:00:00:01'}\n- {name: a, vni: 1, mac: "
          "'02:00:00:00:00:01'}\n",
     "f:4: vpcs[1].name: found \"a\" a second time, expected it once (the first is in line 3)\n"
     "f:4: vpcs[1].vni: found 1 a second time, expected it once (the first is in line 3)\n"},
    {"unknown VPC", CARD "functions:\n- {id: 0, name: a, vpc: red, mac: '02:00:00:00:02:01', socket: /run/a}\n",
     "f:3: functions[0].vpc: found \"red\", expected the name of a VPC of this file\n"},
    {"function id", CARD VPC "functions:\n- {id: 127, name: a, vpc: blue, mac: '02:00:00:00:02:01', socket: /run/a}\n",
     "f:5: functions[0].id: found \"127\", expected an integer from 0 to 126\n"},
    {"queue size",
     CARD VPC "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01', socket: /run/a, "
              "queue-size: 100}\n",
     "f:5: functions[0].queue-size: found \"100\", expected a power of two from 2 to 32768\n"},
    {"type",
     CARD VPC "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01', socket: /run/a, type: nvme}\n",
     "f:5: functions[0].type: found \"nvme\", expected virtio-net or access\n"},
    {"no socket", CARD VPC "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01'}\n",
     "f:5: functions[0].socket: found nothing, expected an absolute path of at most 107 bytes\n"},
    {"socket of an access function",
     CARD VPC "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01', type: "
              "access, socket: /run/a}\n",
     "f:5: functions[0].socket: found /run/a, expected none: a function of type access is reached through its port\n"},
    {"socket of the RPC server", CARD "rpc: /run/a\n" VPC FUNCTIONS,
     "f:6: functions[0].socket: found /run/a, expected a path that neither rpc nor metrics uses\n"},
    {"twins",
     CARD VPC FUNCTIONS
     "- {id: 0, name: a, vpc: blue, mac: '02:00:00:00:02:01', addresses: [10.0.0.2, 10.0.0.1], socket: /run/a}\n",
     "f:6: functions[1].id: found 0 a second time, expected it once (the first is in line 5)\n"
     "f:6: functions[1].name: found \"a\" a second time, expected it once (the first is in line 5)\n"
     "f:6: functions[1].socket: found /run/a a second time, expected one socket for each function (the first is in "
     "line 5)\n"
     "f:6: functions[1].mac: found 02:00:00:00:02:01 a second time, expected it once in VPC blue (the first is in line "
     "5)\n"
     "f:6: functions[1].addresses: found 10.0.0.1 a second time, expected it once in VPC blue (the first is in line "
     "5)\n"},
    {"bits beyond the prefix", CARD UPLINK VPC "routes:\n- {vpc: blue, prefix: 10.0.0.1/24, via: 192.0.2.2}\n",
     "f:7: routes[0].prefix: found \"10.0.0.1/24\", expected an IPv4 or IPv6 subnet without bits beyond its prefix, "
     "such "
     "as 10.1.0.0/16, or one address\n"},
    {"via with a prefix", CARD UPLINK VPC "routes:\n- {vpc: blue, prefix: 10.0.0.0/24, via: 192.0.2.2/24}\n",
     "f:7: routes[0].via: found \"192.0.2.2/24\", expected an IPv4 or IPv6 address without a prefix, such as "
     "192.0.2.1\n"},
    {"via of a family without uplink",
     CARD UPLINK VPC "routes:\n- {vpc: blue, prefix: 10.0.0.0/24, via: '2001:db8::1'}\n",
     "f:7: routes[0].via: found 2001:db8::1, expected an uplink port with an ipv6 address\n"},
    {"duplicate routes",
     CARD UPLINK VPC "routes:\n- {vpc: blue, prefix: 10.0.0.0/24, via: 192.0.2.2}\n"
                     "- {vpc: blue, prefix: 10.0.0.0/16, via: 192.0.2.2}\n"
                     "- {vpc: blue, prefix: 10.0.0.0/24, via: 192.0.2.3}\n",
     "f:9: routes[2].prefix: found 10.0.0.0/24 a second time, expected it once in VPC blue (the first is in line 7)\n"},
    {"route of an unknown VPC", CARD UPLINK "routes:\n- {vpc: red, prefix: 10.0.0.0/24, via: 192.0.2.2}\n",
     "f:5: routes[0].vpc: found \"red\", expected the name of a VPC of this file\n"},
    {"port id", CARD "ports:\n- {id: 2, mode: uplink, mac: '02:00:00:00:00:01', ipv4: 192.0.2.1/24}\n",
     "f:3: ports[0].id: found \"2\", expected an integer from 0 to 1\n"},
    {"port mode", CARD "ports:\n- {id: 0, mode: up, mac: '02:00:00:00:00:01', ipv4: 192.0.2.1/24}\n",
     "f:3: ports[0].mode: found \"up\", expected access or uplink\n"},
    {"wrong family", CARD "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01', ipv4: '2001:db8::1/64'}\n",
     "f:3: ports[0].ipv4: found \"2001:db8::1/64\", expected an IPv4 address with its subnet's prefix, such as "
     "192.0.2.1/24\n"},
    {"two ports of one id", CARD UPLINK "- {id: 0, mode: uplink, mac: '02:00:00:00:00:02', ipv4: 192.0.2.2/24}\n",
     "f:4: ports[1].id: found 0 a second time, expected it once (the first is in line 3)\n"},
    {"no endpoint", CARD "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01'}\n",
     "f:3: ports[0].ipv4: found nothing, expected ipv4 or ipv6: the uplink's tunnel endpoint\n"},
    {"gateway beyond the subnet",
     CARD "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01', ipv4: 192.0.2.1/24, gateway4: 192.0.3.1,\n"
          "   gateway6: 'fe80::1'}\n",
     "f:3: ports[0].gateway4: found 192.0.3.1, expected an address in the subnet of 192.0.2.1/24\n"
     "f:4: ports[0].gateway6: found fe80::1, expected an address in the subnet of the port's ipv6, which is not set\n"},
    {"function of an uplink",
     CARD "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01', ipv4: 192.0.2.1/24, function: 1}\n",
     "f:3: ports[0].function: found 1, expected none: an uplink stands for no function\n"},
    {"access port without function", CARD "ports:\n- {id: 0, mode: access, mac: '02:00:00:00:00:01'}\n",
     "f:3: ports[0].function: found nothing, expected the id of the function that the access port stands for\n"},
    {"access port for a function with a device",
     CARD "ports:\n- {id: 0, mode: access, mac: '02:00:00:00:00:01', function: 0}\n" VPC FUNCTIONS,
     "f:3: ports[0].function: found 0, expected the id of a function of type access\n"},
    {"errors of all kinds at once",
     "crad: x\nvpcs:\n- {name: a, vni: x, mac: '02:00:00:00:00:01'}\nfunctions:\n- {id: 0, name: a, "
     "vpc: b, mac: '02:00:00:00:02:01', socket: /run/a}\n",
     "f:1: crad: found an unknown key, expected one of: card, rpc, metrics, state, flow-idle, ports, vpcs, functions, "
     "routes, "
     "disks, volumes, subsystems, controllers\n"
     "f:3: vpcs[0].vni: found \"x\", expected an integer from 1 to 16777215\n"
     "f:1: card: found nothing, expected printable text of at most 511 bytes\n"
     "f:5: functions[0].vpc: found \"b\", expected the name of a VPC of this file\n"},
};

static void test_broken_files(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(broken_files) / sizeof(broken_files[0]); i++) {
        const struct broken *file = &broken_files[i];
        struct config *config;
        struct config_errors errors;
        int result = config_parse("f", file->text, strlen(file->text), &config, &errors);
        if (result >= 0 || config || strcmp(errors.text, file->errors) != 0) {
            print_error("%s:\nfound    %sexpected %s", file->name, errors.text ? errors.text : "nothing\n",
                        file->errors);
            failed++;
        }
        config_errors_free(&errors);
        config_free(config);
    }
    assert_int_equal(failed, 0);
}

static struct config *parse(const char *text)
{
    struct config *config;
    struct config_errors errors;
    if (config_parse("f", text, strlen(text), &config, &errors) < 0)
        fail_msg("%s", errors.text);
    return config;
}

static void test_everything(void **state)
{
    struct config *config = parse(
        CARD
        "metrics: '[::1]:9100'\nflow-idle: 30\n"
        "ports:\n- {id: 0, mode: uplink, mac: '02:00:00:00:00:01', ipv6: '2001:db8::1/64', gateway6: "
        "'2001:db8::ff', mtu: 9000}\n"
        "- {id: 1, mode: access, function: 3, mac: '02:00:00:00:00:02'}\n"
        "vpcs:\n- {name: blue, vni: 16777215, mac: '02:00:00:00:01:01', gateways: [10.0.0.1/24, 'fd00::1/64'], mtu: "
        "1400}\n"
        "functions:\n"
        "- {id: 0, name: a, vpc: blue, mac: '02:00:00:00:02:01', addresses: [10.0.0.1, 'fd00::/80'], socket: /run/a,\n"
        "   mtu: 1300, queue-size: 512, type: virtio-net}\n"
        "- {id: 3, name: b, vpc: blue, mac: '02:00:00:00:02:02', type: access}\n"
        "routes:\n- {vpc: blue, prefix: 'fd01::/16', via: '2001:db8::2', mac: '02:00:00:00:03:01'}\n"
        "- {vpc: blue, prefix: 0.0.0.0/0, via: '2001:db8::3'}\n");
    (void)state;
    assert_string_equal(config->card, "native:");
    assert_string_equal(config->rpc, "/run/cipu/cipud.sock");
    assert_int_equal(config->flow_idle, 30);
    assert_int_equal(config->port_count, 2);
    assert_true(config->ports[0].port.uplink);
    assert_int_equal(config->ports[0].port.ipv6.prefix, 64);
    assert_int_equal(config->ports[0].port.mtu, 9000);
    assert_false(config->ports[1].port.uplink);
    assert_int_equal(config->ports[1].port.function, 3);
    assert_int_equal(config->vpcs[0].vpc.vni, 16777215);
    assert_int_equal(config->vpcs[0].vpc.gateway_count, 2);
    assert_int_equal(config->vpcs[0].vpc.gateways[1].family, 6);
    assert_int_equal(config->functions[0].function.net.address_count, 2);
    assert_int_equal(config->functions[0].function.net.addresses[0].prefix, 32);
    assert_int_equal(config->functions[0].function.net.addresses[1].prefix, 80);
    assert_int_equal(config->functions[0].function.queue_size, 512);
    assert_false(config->functions[0].function.access);
    assert_true(config->functions[1].function.access);
    assert_true(config->routes[0].route.has_mac);
    assert_false(config->routes[1].route.has_mac);
    assert_int_equal(config->routes[1].route.prefix.prefix, 0);
    config_free(config);
}

static void test_anchors_and_empty_sections(void **state)
{
    struct config *config = parse(CARD "vpcs:\n- &a {name: a, vni: 1, mac: &m '02:00:00:00:01:01'}\n"
                                       "- {name: b, vni: 2, mac: *m}\nfunctions:\nroutes: []\n");
    (void)state;
    assert_int_equal(config->vpc_count, 2);
    assert_memory_equal(config->vpcs[1].vpc.mac, config->vpcs[0].vpc.mac, 6);
    config_free(config);
}

static void test_errors_are_bounded(void **state)
{
    char *text = calloc(1, 400 * 64);
    struct config *config;
    struct config_errors errors;
    size_t length = (size_t)sprintf(text, CARD);
    (void)state;
    for (int i = 0; i < 400; i++)
        length += (size_t)sprintf(text + length, "unknown%d: 1\n", i);
    assert_int_equal(config_parse("f", text, length, &config, &errors), -22);
    unsigned lines = 0;
    for (const char *line = errors.text; (line = strchr(line, '\n')); line++)
        lines++;
    assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
    assert_non_null(strstr(errors.text, "f:102: more errors follow\n"));
    config_errors_free(&errors);
    free(text);
}

static void test_files(void **state)
{
    struct config *config;
    struct config_errors errors;
    (void)state;
    assert_int_equal(config_read("/nonexistent/x", &config, &errors), -22);
    assert_string_equal(errors.text, "/nonexistent/x: cannot open: No such file or directory\n");
    config_errors_free(&errors);
    assert_int_equal(config_read("/dev/null", &config, &errors), -22);
    assert_string_equal(errors.text, "/dev/null: found no regular file\n");
    config_errors_free(&errors);
}

static void test_endpoints(void **state)
{
    char host[256];
    uint16_t port;
    (void)state;
    assert_int_equal(config_endpoint_parse("127.0.0.1:80", host, &port), 0);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 80);
    assert_int_equal(config_endpoint_parse("[::1]:65535", host, &port), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(config_endpoint_parse(":9100", host, &port), 0);
    assert_string_equal(host, "");
    for (const char *const *bad = (const char *const[]){"", ":", "a", "a:", "a:0", "a:65536", "a:+1", "::1:80", NULL};
         *bad; bad++)
        assert_int_equal(config_endpoint_parse(*bad, host, &port), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_anchors_and_empty_sections),
        cmocka_unit_test(test_errors_are_bounded),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
