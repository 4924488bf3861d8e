/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, volumes and controllers in the configuration: exact messages, and structures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/config/config.h"

#define CARD "card: 'native:'\n"
#define VOLS "volumes:\n- {name: a, backend: 'memory:', size: 1GiB}\n- {name: b, backend: 'null:', size: 4096}\n"

struct broken {
    const char *name, *text, *errors;
};

static const struct broken broken_files[] = {
    {"a size without meaning", CARD "volumes:\n- {name: a, backend: 'memory:', size: 1GB}\n",
     "f:3: volumes[0].size: found \"1GB\", expected bytes, at least 512, such as 512MiB (KiB, MiB, GiB, TiB)\n"},
    {"a size beyond 64 bits", CARD "volumes:\n- {name: a, backend: 'memory:', size: 99999999999TiB}\n",
     "f:3: volumes[0].size: found \"99999999999TiB\", expected bytes, at least 512, such as 512MiB (KiB, MiB, GiB, "
     "TiB)\n"},
    {"a suffix where none belongs", CARD "volumes:\n- {name: a, backend: 'memory:', size: 1MiB, iops: 1KiB}\n",
     "f:3: volumes[0].iops: found \"1KiB\", expected an integer from 1 to 4294967295\n"},
    {"no size", CARD "volumes:\n- {name: a, backend: 'memory:'}\n",
     "f:3: volumes[0].size: found nothing, expected a size: memory: has none of its own\n"},
    {"no size behind faults", CARD "volumes:\n- {name: a, backend: 'fault:read-error,null:'}\n",
     "f:3: volumes[0].size: found nothing, expected a size: null: has none of its own\n"},
    {"unknown backend", CARD "volumes:\n- {name: a, backend: '/dev/sda'}\n",
     "f:3: volumes[0].backend: found /dev/sda, expected null:, memory:, file:PATH, disk:NAME/VOLUME, "
     "crypt:KEYFILE,BACKEND or fault:RULES,BACKEND\n"},
    {"a key file anywhere", CARD "volumes:\n- {name: a, backend: 'fault:,crypt:key,memory:', size: 1MiB}\n",
     "f:3: volumes[0].backend: found crypt:key,memory:, expected an absolute path of a key file\n"},
    {"encryption of nothing", CARD "volumes:\n- {name: a, backend: 'crypt:/key', size: 1MiB}\n",
     "f:3: volumes[0].backend: found crypt:/key, expected null:, memory:, file:PATH, disk:NAME/VOLUME, "
     "crypt:KEYFILE,BACKEND or fault:RULES,BACKEND\n"},
    {"the same bytes, once encrypted",
     CARD "volumes:\n- {name: a, backend: 'file:/x'}\n- {name: b, backend: 'crypt:/k,file:/x'}\n",
     "f:4: volumes[1].backend: found crypt:/k,file:/x a second time, expected it once (the first is in line 3)\n"},
    {"block size", CARD "volumes:\n- {name: a, backend: 'memory:', size: 1MiB, block-size: 1024}\n",
     "f:3: volumes[0].block-size: found 1024, expected 512 or 4096\n"},
    {"unknown disk", CARD "volumes:\n- {name: a, backend: 'disk:d/a', size: 1MiB}\n",
     "f:3: volumes[0].backend: found disk:d/a, expected the name of a disk of this file\n"},
    {"no volume of a disk",
     CARD "disks:\n- {name: d, path: /d}\nvolumes:\n- {name: a, backend: 'disk:d', size: 1MiB}\n",
     "f:5: volumes[0].backend: found disk:d, expected disk:NAME/VOLUME\n"},
    {"the same bytes twice", CARD "volumes:\n- {name: a, backend: 'file:/x'}\n- {name: b, backend: 'file:/x'}\n",
     "f:4: volumes[1].backend: found file:/x a second time, expected it once (the first is in line 3)\n"},
    {"duplicate volume", CARD "volumes:\n- {name: a, backend: 'file:/x'}\n- {name: a, backend: 'file:/y'}\n",
     "f:4: volumes[1].name: found \"a\" a second time, expected it once (the first is in line 3)\n"},
    {"duplicate disks", CARD "disks:\n- {name: d, path: /d}\n- {name: d, path: /d}\n- {name: e, path: e}\n",
     "f:4: disks[1].name: found \"d\" a second time, expected it once (the first is in line 3)\n"
     "f:4: disks[1].path: found /d a second time, expected it once (the first is in line 3)\n"
     "f:5: disks[2].path: found e, expected an absolute path\n"},
    {"a subsystem without what it needs", CARD "subsystems:\n- {name: s, capacity: 100}\n",
     "f:3: subsystems[0].capacity: found \"100\", expected bytes, at least 512, such as 512MiB (KiB, MiB, GiB, TiB)\n"
     "f:3: subsystems[0].nqn: found nothing, expected printable text of at most 511 bytes\n"
     "f:3: subsystems[0].place: found nothing, expected printable text of at most 511 bytes\n"},
    {"a subsystem's values",
     CARD "subsystems:\n- {name: s, nqn: x, place: 'file:/x', capacity: 1GiB, namespaces: 65}\n"
          "- {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, nqn: x, place: 'disk:d', capacity: "
          "1GiB}\n",
     "f:3: subsystems[0].namespaces: found \"65\", expected an integer from 1 to 64\n"
     "f:4: subsystems[1].name: found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", expected at most "
     "57 "
     "characters: volumes are named after it\n"
     "f:4: subsystems[1].nqn: found x, expected an NVMe Qualified Name of at most 223 bytes, such as "
     "nqn.2026-01.org.example:disks\n"
     "f:4: subsystems[1].place: found disk:d, expected the name of a disk of this file\n"
     "f:4: subsystems[1].place: found disk:d, but no state: what guests make has to be kept in such a folder\n"},
    {"a subsystem's place", CARD "state: /s\nsubsystems:\n- {name: s, nqn: nqn.x, place: 'disk:d/v', capacity: 1GiB}\n",
     "f:4: subsystems[0].place: found disk:d/v, expected disk:NAME\n"},
    {"a subsystem twice",
     CARD "state: /s\ndisks:\n- {name: d, path: /d}\nsubsystems:\n"
          "- {name: s, nqn: nqn.x, place: 'disk:d', capacity: 1GiB}\n"
          "- {name: s, nqn: nqn.x, place: 'disk:d', capacity: 1GiB}\n",
     "f:7: subsystems[1].name: found \"s\" a second time, expected it once (the first is in line 6)\n"
     "f:7: subsystems[1].nqn: found nqn.x a second time, expected it once (the first is in line 6)\n"},
    {"an unknown key", CARD "controllers:\n- {id: 1, name: c, typ: nvme, type: nvme, socket: /c}\n",
     "f:3: controllers[0].typ: found an unknown key, expected one of: id, name, type, transport, socket, volumes, "
     "subsystem, queues, serial\n"},
    {"what a controller needs", CARD "controllers:\n- {id: 127}\n",
     "f:3: controllers[0].id: found \"127\", expected an integer from 0 to 126\n"
     "f:3: controllers[0].name: found nothing, expected a name of at most 63 letters, digits, '.', '_' and '-'\n"
     "f:3: controllers[0].type: found nothing, expected nvme or virtio-blk\n"
     "f:3: controllers[0].socket: found nothing, expected an absolute path of at most 107 bytes\n"},
    {"a controller's volumes",
     CARD VOLS "controllers:\n- {id: 1, name: c, type: nvme, socket: /c, volumes: [a, x, a]}\n"
               "- {id: 2, name: d, type: virtio-blk, socket: /d, volumes: [a, b]}\n",
     "f:6: controllers[0].volumes: found \"x\", expected the name of a volume of this file\n"
     "f:6: controllers[0].volumes: found \"a\" twice, expected it once\n"
     "f:7: controllers[1].volumes: found 2 volumes, expected one: a virtio-blk device is one disk\n"},
    {"what does not belong together",
     CARD VOLS "controllers:\n"
               "- {id: 1, name: c, type: nvme, socket: /run/cipu/cipud.sock, transport: vhost-user, subsystem: x,\n"
               "   serial: '123456789012345678901'}\n"
               "- {id: 2, name: d, type: virtio-blk, socket: /d, volumes: [a], subsystem: nqn.x}\n",
     "f:6: controllers[0].transport: found vhost-user, expected vfio-user: vhost-user carries virtio devices only\n"
     "f:6: controllers[0].subsystem: found x, expected an NVMe Qualified Name of at most 223 bytes, such as "
     "nqn.2026-01.org.example:disks\n"
     "f:7: controllers[0].serial: found 123456789012345678901, expected at most 20 characters\n"
     "f:6: controllers[0].socket: found /run/cipu/cipud.sock, expected a path that neither rpc nor metrics uses\n"
     "f:8: controllers[1].subsystem: found nqn.x, expected none but for type nvme\n"},
    {"one space of functions",
     CARD "vpcs:\n- {name: blue, vni: 1, mac: '02:00:00:00:01:01'}\n"
          "functions:\n- {id: 1, name: a, vpc: blue, mac: '02:00:00:00:02:01', socket: /a}\n" VOLS
          "controllers:\n- {id: 1, name: a, type: nvme, socket: /a}\n- {id: 2, name: b, type: nvme, socket: /a}\n",
     "f:10: controllers[0].id: found 1 a second time, expected it once (the first is in line 5)\n"
     "f:10: controllers[0].name: found \"a\" a second time, expected it once (the first is in line 5)\n"
     "f:10: controllers[0].socket: found /a a second time, expected one socket for each function (the first is in "
     "line 5)\n"
     "f:11: controllers[1].socket: found /a a second time, expected one socket for each function (the first is in "
     "line 5)\n"
     "f:11: controllers[1].socket: found /a a second time, expected one socket for each function (the first is in "
     "line 10)\n"},
};

static void test_broken_files(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(broken_files) / sizeof(broken_files[0]); i++) {
        const struct broken *broken = &broken_files[i];
        struct config *config;
        struct config_errors errors;
        config_parse("f", broken->text, strlen(broken->text), &config, &errors);
        const char *text = errors.text ? errors.text : "";
        if (strcmp(text, broken->errors) != 0) {
            print_error("%s: found\n%sexpected\n%s", broken->name, text, broken->errors);
            failed++;
        }
        config_errors_free(&errors);
        config_free(config);
    }
    assert_int_equal(failed, 0);
}

static void test_everything(void **state)
{
    static const char text[] = CARD
        "disks:\n- {name: fast, path: /dev/nvme0n1}\n- {name: slow, path: /var/disk, size: 100GiB, create: true}\n"
        "volumes:\n"
        "- {name: root, backend: 'disk:fast/root', size: 20GiB, block-size: 4096, create: true, iops: 5000,\n"
        "   bandwidth: 100MiB, iops-burst: 700, bandwidth-burst: 8MiB, weight: 7}\n"
        "- {name: image, backend: 'file:/x', read-only: true}\n"
        "- {name: copy, backend: 'file:/x', read-only: true}\n"
        "controllers:\n"
        "- {id: 5, name: vm, type: nvme, socket: /run/vm, volumes: [root, image], subsystem: nqn.2026-01.org.x:a,\n"
        "   queues: 8, serial: A1}\n"
        "- {id: 6, name: old, type: virtio-blk, transport: vhost-user, socket: /run/old, volumes: [copy]}\n";
    struct config *config;
    struct config_errors errors;
    (void)state;
    if (config_parse("f", text, strlen(text), &config, &errors) < 0)
        fail_msg("%s", errors.text);
    assert_int_equal(config->disk_count, 2);
    assert_string_equal(config->disks[1].disk.path, "/var/disk");
    assert_int_equal(config->disks[1].disk.bytes, UINT64_C(100) << 30);
    assert_true(config->disks[1].disk.create);
    assert_int_equal(config->volume_count, 3);
    const struct volume_settings *root = &config->volumes[0].volume;
    assert_string_equal(root->backend, "disk:fast/root");
    assert_int_equal(root->bytes, UINT64_C(20) << 30);
    assert_int_equal(root->block_bytes, 4096);
    assert_int_equal(root->limits.operations, 5000);
    assert_int_equal(root->limits.bytes, 100 << 20);
    assert_int_equal(root->limits.operations_burst, 700);
    assert_int_equal(root->limits.bytes_burst, 8 << 20);
    assert_int_equal(root->limits.weight, 7);
    const struct controller_settings *controller = &config->controllers[0].controller;
    assert_int_equal(config->controller_count, 2);
    assert_int_equal(controller->type, CONTROLLER_NVME);
    assert_int_equal(controller->volume_count, 2);
    assert_string_equal(controller->volumes[1], "image");
    assert_int_equal(controller->queues, 8);
    assert_false(controller->vhost_user);
    assert_int_equal(config->controllers[1].controller.type, CONTROLLER_VIRTIO_BLK);
    assert_true(config->controllers[1].controller.vhost_user);
    config_free(config);
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {512, "512"}, {1024, "1KiB"}, {1536, "1536"}, {UINT64_C(3) << 40, "3TiB"}, {UINT64_C(1) << 50, "1024TiB"}};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct volume_settings settings = {0};
        char text[32];
        size_format(sizes[i].bytes, text);
        assert_string_equal(text, sizes[i].text);
        assert_int_equal(field_read(schema_find(&volume_schema, "size"), text, &settings, NULL), 0);
        assert_int_equal(settings.bytes, sizes[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
