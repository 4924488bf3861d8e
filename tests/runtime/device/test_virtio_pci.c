/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the virtio-net function, as a driver meets them: configuration space, negotiation, queues, status, the
 * access window. */
#include <errno.h>
#include <sys/eventfd.h>

#include "tests/runtime/device/reflecting_card.h"

static uint64_t common(struct reflecting_card *reflecting, uint32_t offset, uint32_t bytes)
{
    uint64_t value = 0;
    assert_int_equal(virtio_driver_read(&reflecting->driver.pci, offset, &value, bytes), 0);
    return value;
}

static void set_common(struct reflecting_card *reflecting, uint32_t offset, uint64_t value, uint32_t bytes)
{
    assert_int_equal(virtio_driver_write(&reflecting->driver.pci, offset, value, bytes), 0);
}

static uint64_t config(struct reflecting_card *reflecting, uint32_t offset, uint32_t bytes)
{
    uint64_t value = 0;
    assert_int_equal(vfio_user_client_read(reflecting->client, DEVICE_REGION_CONFIG, offset, &value, bytes), 0);
    return value;
}

static void set_config(struct reflecting_card *reflecting, uint32_t offset, uint64_t value, uint32_t bytes)
{
    assert_int_equal(vfio_user_client_write(reflecting->client, DEVICE_REGION_CONFIG, offset, &value, bytes), 0);
}

static uint32_t find_capability(struct reflecting_card *reflecting, uint8_t id)
{
    for (uint32_t at = (uint32_t)config(reflecting, 0x34, 1); at; at = (uint32_t)config(reflecting, at + 1, 1))
        if (config(reflecting, at, 1) == id)
            return at;
    return 0;
}

static void test_configuration_space(void **state)
{
    struct reflecting_card *reflecting = *state;
    assert_int_equal(config(reflecting, 0, 4), 0x10411af4);
    assert_int_equal(config(reflecting, 8, 4), 0x02000001);
    assert_int_equal(config(reflecting, 0x2c, 4), 0x10411af4);
    assert_int_equal(config(reflecting, 0x3d, 1), 0); /* no INTx */
    assert_int_equal(config(reflecting, 0x100, 4), 0);
    /* BARs: sizes as software finds them, type bits kept. */
    set_config(reflecting, 0x10, UINT32_MAX, 4);
    set_config(reflecting, 0x14, UINT32_MAX, 4);
    assert_int_equal(config(reflecting, 0x10, 4), 0xffff0004);
    assert_int_equal(config(reflecting, 0x14, 4), UINT32_MAX);
    set_config(reflecting, 0x18, UINT32_MAX, 4);
    assert_int_equal(config(reflecting, 0x18, 4), 0);
    set_config(reflecting, 0x20, UINT32_MAX, 4);
    assert_int_equal(config(reflecting, 0x20, 4), 0xfffff004);
    set_config(reflecting, 0, 0, 4); /* read-only */
    assert_int_equal(config(reflecting, 0, 4), 0x10411af4);
    set_config(reflecting, 4, 0xffff, 2);
    assert_int_equal(config(reflecting, 4, 2), 0x0546);
    uint32_t msix = find_capability(reflecting, 0x11);
    assert_int_equal(config(reflecting, msix + 2, 2), 3);
    set_config(reflecting, msix + 2, 0xffff, 2);
    assert_int_equal(config(reflecting, msix + 2, 2), 0xc003);
    assert_int_equal(config(reflecting, msix + 4, 4) & 7, 4);
    assert_true(find_capability(reflecting, 0x01) && find_capability(reflecting, 0x10));
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    assert_int_equal(config(reflecting, 4, 2), 0);
    assert_int_equal(config(reflecting, msix + 2, 2), 3);
}

static void test_function_level_reset(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    uint32_t express = find_capability(reflecting, 0x10);
    assert_true(config(reflecting, express + 4, 4) & 1u << 28);
    set_config(reflecting, express + 8, 0x8000, 2);
    assert_int_equal(config(reflecting, express + 8, 2), 0);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 0);
    assert_int_equal(config(reflecting, 4, 2), 0);
}

static void offer(struct reflecting_card *reflecting, uint64_t features)
{
    set_common(reflecting, VIRTIO_PCI_STATUS, 0, 1);
    set_common(reflecting, VIRTIO_PCI_STATUS, 3, 1);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, features & UINT32_MAX, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, features >> 32, 4);
    set_common(reflecting, VIRTIO_PCI_STATUS, 11, 1);
}

static void test_features(void **state)
{
    struct reflecting_card *reflecting = *state;
    const uint64_t version = VIRTIO_F_VERSION_1;
    uint64_t found = 0;
    for (uint32_t i = 0; i < 3; i++) {
        set_common(reflecting, VIRTIO_PCI_DEVICE_FEATURE_SELECT, i, 4);
        uint64_t half = common(reflecting, VIRTIO_PCI_DEVICE_FEATURE, 4);
        if (i < 2)
            found |= half << (32 * i);
        else
            assert_int_equal(half, 0);
    }
    static const unsigned BITS[] = {0, 1, 3, 5, 15, 16, 17, 18, 19, 20, 23, 28, 29, 32, 33, 40};
    uint64_t expected = 0;
    for (size_t i = 0; i < sizeof BITS / sizeof BITS[0]; i++)
        expected |= UINT64_C(1) << BITS[i];
    assert_true(found == expected);

    offer(reflecting, version);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 11);
    offer(reflecting, expected);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 11);
    const uint64_t refused[] = {0,
                                expected & ~version,          /* legacy */
                                version | UINT64_C(1) << 7,   /* not offered */
                                version | UINT64_C(1) << 22,  /* */
                                version | UINT64_C(1) << 63,  /* */
                                version | UINT64_C(1) << 18,  /* CTRL_RX without CTRL_VQ */
                                version | UINT64_C(1) << 19,  /* CTRL_VLAN */
                                version | UINT64_C(1) << 23}; /* CTRL_MAC_ADDR */
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        offer(reflecting, refused[i]);
        assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 3);
        set_common(reflecting, VIRTIO_PCI_STATUS, 7, 1); /* nor DRIVER_OK then */
        assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 3);
    }
    /* Bits beyond what there is. */
    offer(reflecting, 0);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 1, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, 1, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 2, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, 1, 4);
    set_common(reflecting, VIRTIO_PCI_STATUS, 11, 1);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 3);
    /* After FEATURES_OK they are fixed; status bits are not taken back, and NEEDS_RESET is not the driver's to set. */
    offer(reflecting, version);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE_SELECT, 0, 4);
    set_common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, UINT32_MAX, 4);
    assert_int_equal(common(reflecting, VIRTIO_PCI_DRIVER_FEATURE, 4), 0);
    set_common(reflecting, VIRTIO_PCI_STATUS, 1 | 64, 1);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 11);
}

static void test_queue_registers(void **state)
{
    struct reflecting_card *reflecting = *state;
    offer(reflecting, VIRTIO_F_VERSION_1);
    assert_int_equal(common(reflecting, VIRTIO_PCI_NUM_QUEUES, 2), 3);
    for (uint16_t queue = 0; queue < 3; queue++) {
        set_common(reflecting, VIRTIO_PCI_QUEUE_SELECT, queue, 2);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_SIZE, 2), 256);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_VECTOR, 2), 0xffff);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_NOTIFY_OFF, 2), queue);
        set_common(reflecting, VIRTIO_PCI_QUEUE_VECTOR, 3, 2);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_VECTOR, 2), 3);
        set_common(reflecting, VIRTIO_PCI_QUEUE_VECTOR, 4, 2);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_VECTOR, 2), 0xffff);
        static const uint16_t SIZES[][2] = {{128, 128}, {0, 128}, {100, 128}, {512, 128}, {1, 128}, {2, 2}, {256, 256}};
        for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
            set_common(reflecting, VIRTIO_PCI_QUEUE_SIZE, SIZES[i][0], 2);
            assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_SIZE, 2), SIZES[i][1]);
        }
        set_common(reflecting, VIRTIO_PCI_QUEUE_AVAIL, 0x1122334455667788, 8);
        set_common(reflecting, VIRTIO_PCI_QUEUE_AVAIL + 4, 0x99, 4);
        assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_AVAIL, 8), 0x0000009955667788);
    }
    /* No such queue: all zeros, and writes change nothing. */
    set_common(reflecting, VIRTIO_PCI_QUEUE_SELECT, 3, 2);
    set_common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
    set_common(reflecting, VIRTIO_PCI_QUEUE_DESCRIPTORS, 1, 8);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_SIZE, 2), 0);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 2), 0);
    assert_int_equal(common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 2), 0xffff);
    set_common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 9, 2);
    assert_int_equal(common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 2), 0xffff);
    /* Enabled, it does not change any more; misaligned, it is refused. */
    set_common(reflecting, VIRTIO_PCI_QUEUE_SELECT, 0, 2);
    set_common(reflecting, VIRTIO_PCI_QUEUE_AVAIL, 0x4000, 8);
    set_common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 0, 2);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 2), 0);
    set_common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 2), 1);
    set_common(reflecting, VIRTIO_PCI_QUEUE_SIZE, 64, 2);
    set_common(reflecting, VIRTIO_PCI_QUEUE_AVAIL, 0x8000, 8);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_SIZE, 2), 256);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_AVAIL, 8), 0x4000);
    set_common(reflecting, VIRTIO_PCI_QUEUE_RESET, 1, 2); /* not negotiated: nothing happens */
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 2), 1);
    set_common(reflecting, VIRTIO_PCI_QUEUE_SELECT, 1, 2);
    set_common(reflecting, VIRTIO_PCI_QUEUE_DESCRIPTORS, 8, 8);
    set_common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 1, 2);
    assert_true(common(reflecting, VIRTIO_PCI_STATUS, 1) & VIRTIO_STATUS_NEEDS_RESET);
    assert_int_equal(common(reflecting, VIRTIO_PCI_QUEUE_ENABLE, 2), 0);
}

/* Accesses that no field answers to are refused and counted, and leave the device as it is. */
static void test_odd_accesses(void **state)
{
    struct reflecting_card *reflecting = *state;
    uint8_t bytes[64] = {0};
    for (uint32_t offset = 0; offset < VIRTIO_PCI_COMMON_BYTES; offset++)
        for (uint32_t width = 1; width <= 16; width++)
            if (offset != VIRTIO_PCI_STATUS)
                (void)virtio_driver_write(&reflecting->driver.pci, offset, UINT64_MAX, width > 8 ? 8 : width);
    for (uint64_t offset = 0; offset < VIRTIO_PCI_BAR_BYTES; offset += 509) {
        uint32_t room = (uint32_t)(VIRTIO_PCI_BAR_BYTES - offset < 64 ? VIRTIO_PCI_BAR_BYTES - offset : 64);
        (void)vfio_user_client_write(reflecting->client, 0, offset, bytes, room);
        (void)vfio_user_client_read(reflecting->client, 0, offset, bytes, room);
    }
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 15);
}

static void test_device_configuration(void **state)
{
    struct reflecting_card *reflecting = *state;
    const struct virtio_structure *device = &reflecting->driver.pci.device;
    uint8_t bytes[12];
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset, bytes, sizeof bytes), 0);
    assert_memory_equal(bytes, "\2\0\0\0\0\5\1\0\1\0\xdc\5", 12);
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset + 10, bytes, 2), 0);
    assert_memory_equal(bytes, "\xdc\5", 2);
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset + 11, bytes, 2), -EINVAL);
    assert_int_equal(vfio_user_client_write(reflecting->client, device->bar, device->offset, "\6\6\6\6\6\6", 4), 0);
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset, bytes, 6), 0);
    assert_memory_equal(bytes, "\2\0\0\0\0\5", 6);
}

/* A changed link is a new generation and an interrupt, read from the ISR register once. */
static void test_link(void **state)
{
    struct reflecting_card *reflecting = *state;
    const struct virtio_net_driver *driver = &reflecting->driver;
    uint8_t isr;
    uint16_t status;
    int fd = eventfd(0, EFD_NONBLOCK);
    eventfd_t value;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    set_common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 0, 2);
    assert_int_equal(vfio_user_client_irq(reflecting->client, 2, 0, fd), 0);
    uint64_t generation = common(reflecting, VIRTIO_PCI_GENERATION, 1);
    virtio_net_set_link(reflecting->device, true); /* no change */
    assert_int_equal(common(reflecting, VIRTIO_PCI_GENERATION, 1), generation);
    virtio_net_set_link(reflecting->device, false);
    assert_int_equal(common(reflecting, VIRTIO_PCI_GENERATION, 1), (generation + 1) & 0xff);
    assert_int_equal(eventfd_read(fd, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(
        vfio_user_client_read(reflecting->client, driver->pci.device.bar, driver->pci.device.offset + 6, &status, 2),
        0);
    assert_int_equal(status, 0);
    assert_int_equal(vfio_user_client_read(reflecting->client, driver->pci.isr.bar, driver->pci.isr.offset, &isr, 1),
                     0);
    assert_int_equal(isr, 2);
    assert_int_equal(vfio_user_client_read(reflecting->client, driver->pci.isr.bar, driver->pci.isr.offset, &isr, 1),
                     0);
    assert_int_equal(isr, 0);
    close(fd);
}

/* 4.1.4.9: a BAR through the configuration space. */
static void test_window(void **state)
{
    struct reflecting_card *reflecting = *state;
    uint32_t window = reflecting->driver.pci.window.offset;
    uint32_t status = VIRTIO_PCI_COMMON + VIRTIO_PCI_STATUS;
    set_config(reflecting, window + 4, 0, 1);
    set_config(reflecting, window + 8, VIRTIO_PCI_COMMON + VIRTIO_PCI_NUM_QUEUES, 4);
    set_config(reflecting, window + 12, 2, 4);
    assert_int_equal(config(reflecting, window + 16, 2), 3);
    set_config(reflecting, window + 8, status, 4);
    set_config(reflecting, window + 12, 1, 4);
    set_config(reflecting, window + 16, 3, 1);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 3);
    /* Reading the whole space is no access through the window: the ISR keeps its bit. */
    uint8_t all[4096];
    virtio_net_set_link(reflecting->device, false);
    set_config(reflecting, window + 8, VIRTIO_PCI_ISR, 4);
    assert_int_equal(vfio_user_client_read(reflecting->client, DEVICE_REGION_CONFIG, 0, all, sizeof all), 0);
    assert_int_equal(config(reflecting, window + 16, 1), 2);
    assert_int_equal(config(reflecting, window + 16, 1), 0);
    /* Whatever it is pointed at. */
    static const uint32_t BARS[] = {0, 1, 4, 5, 7, 255}, OFFSETS[] = {0, 1, 0xffff, 0x10000, 0x8014, UINT32_MAX},
                          LENGTHS[] = {0, 1, 2, 3, 4, 8, UINT32_MAX};
    for (size_t bar = 0; bar < 6; bar++)
        for (size_t offset = 0; offset < 6; offset++)
            for (size_t length = 0; length < 7; length++) {
                set_config(reflecting, window + 4, BARS[bar], 1);
                set_config(reflecting, window + 8, OFFSETS[offset], 4);
                set_config(reflecting, window + 12, LENGTHS[length], 4);
                (void)config(reflecting, window + 16, 4);
                set_config(reflecting, window + 16, 0xffffffff, 4);
            }
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    assert_int_equal(common(reflecting, VIRTIO_PCI_STATUS, 1), 0);
}

static void test_msix_table(void **state)
{
    struct reflecting_card *reflecting = *state;
    uint32_t value;
    assert_int_equal(vfio_user_client_read(reflecting->client, 4, 12, &value, 4), 0);
    assert_int_equal(value, 1);
    assert_int_equal(vfio_user_client_write(reflecting->client, 4, 0, "\1\2\3\4", 4), 0);
    assert_int_equal(vfio_user_client_read(reflecting->client, 4, 0, &value, 4), 0);
    assert_int_equal(value, 0x04030201);
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    set_common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 0, 2);
    assert_int_equal(common(reflecting, VIRTIO_PCI_CONFIG_VECTOR, 2), 0);
    virtio_net_set_link(reflecting->device, false);
    assert_int_equal(vfio_user_client_read(reflecting->client, 4, MSIX_PENDING, &value, 4), 0);
    assert_int_equal(value, 1);
}

static void test_settings(void **state)
{
    struct reflecting_card *reflecting = *state;
    struct cipu_error error;
    struct virtio_net *other;
    const struct virtio_net_settings wrong[] = {{.function = 127, .mtu = 1500},
                                                {.function = 1, .mtu = 1500, .queue_entries = 100},
                                                {.function = 1, .mtu = 1500, .queue_entries = 65536},
                                                {.function = 1, .mtu = 1500, .mac = {1}},
                                                {.function = 1, .mtu = 10}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(virtio_net_create(reflecting->card, reflecting->host, &wrong[i], &other, &error), -EINVAL);
    const struct virtio_net_settings good = {
        .function = 126, .mtu = 9000, .queue_entries = 1024, .map_doorbells = true};
    assert_int_equal(virtio_net_create(reflecting->card, reflecting->host, &good, &other, &error), 0);
    struct device_region region;
    virtio_pci_device_ops.region_info(other, 0, &region);
    assert_true(region.mmap_fd >= 0);
    assert_int_equal(region.mmap_offset, 0);
    assert_int_equal(region.mmap_length, 8192);
    virtio_net_destroy(other);
}

int main(void)
{
#define REFLECTED(test) cmocka_unit_test_setup_teardown(test, reflecting_card_setup, reflecting_card_teardown)
    const struct CMUnitTest tests[] = {
        REFLECTED(test_configuration_space),
        REFLECTED(test_function_level_reset),
        REFLECTED(test_features),
        REFLECTED(test_queue_registers),
        REFLECTED(test_odd_accesses),
        REFLECTED(test_device_configuration),
        REFLECTED(test_link),
        REFLECTED(test_window),
        REFLECTED(test_msix_table),
        REFLECTED(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
