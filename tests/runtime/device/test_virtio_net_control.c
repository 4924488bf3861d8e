/* SPDX-License-Identifier: Apache-2.0 */
/* The control queue: what commands do to the card's filter, which are refused, and rings that break the rules. */
#include <errno.h>

#include "hls/include/virtio.h"
#include "tests/runtime/device/reflecting_card.h"

#define OK    0
#define ERROR 1

#define FRAME_BYTES 64

static int control(struct reflecting_card *reflecting, uint8_t class, uint8_t command, const void *data, size_t bytes)
{
    return virtio_net_driver_control(&reflecting->driver, class, command, data, bytes);
}

/* Waits for the frame with this mark; others are late ones of before. */
static bool comes_back(struct reflecting_card *reflecting, uint8_t mark, unsigned milliseconds)
{
    uint8_t back[2048];
    while (virtio_net_driver_receive(&reflecting->driver, back, sizeof back, milliseconds) == FRAME_BYTES)
        if (back[FRAME_BYTES - 1] == mark)
            return true;
    return false;
}

/* Sends a frame to `mac` (and into a VLAN, if not 0), and tells by which mark it is known. */
static uint8_t send_frame(struct reflecting_card *reflecting, const char *mac, uint16_t vlan)
{
    static uint8_t mark;
    uint8_t frame[FRAME_BYTES] = {0};
    size_t at = 12;
    memcpy(frame, mac, 6);
    memcpy(frame + 6, "\2\0\0\0\0\6", 6);
    if (vlan) {
        const uint8_t tag[4] = {0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan};
        memcpy(frame + at, tag, 4);
        at += 4;
    }
    frame[at] = 0x88;
    frame[at + 1] = 0xb5;
    frame[FRAME_BYTES - 1] = ++mark;
    unsigned before = reflecting->frames;
    assert_int_equal(virtio_net_driver_send(&reflecting->driver, frame, sizeof frame), 0);
    while (reflecting->frames == before)
        usleep(1000);
    return mark;
}

/* It comes back through the filter. Twice: the first may come before the card has fetched receive buffers. */
static bool passes(struct reflecting_card *reflecting, const char *mac, uint16_t vlan)
{
    for (unsigned i = 0; i < 2; i++) {
        uint8_t mark = send_frame(reflecting, mac, vlan);
        if (comes_back(reflecting, mark, 300))
            return true;
    }
    return false;
}

/* It does not. Only after one has passed: then there are receive buffers. */
static bool stopped(struct reflecting_card *reflecting, const char *mac, uint16_t vlan)
{
    uint8_t mark = send_frame(reflecting, mac, vlan);
    return !comes_back(reflecting, mark, 100);
}

#define OWN       "\2\0\0\0\0\5"
#define OTHER     "\2\0\0\0\0\x99"
#define GROUP     "\1\0\x5e\1\2\3"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"

static void test_rx_modes(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX & ~(UINT64_C(1) << 19));
    assert_true(passes(reflecting, OTHER, 0)); /* promiscuous until told otherwise */
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
    assert_false(reflecting_card_state(reflecting).promiscuous);
    assert_true(stopped(reflecting, OTHER, 0));
    assert_true(passes(reflecting, OWN, 0));
    assert_true(passes(reflecting, BROADCAST, 0));
    assert_true(stopped(reflecting, GROUP, 0));
    assert_int_equal(control(reflecting, 0, 1, "\1", 1), OK);
    assert_true(passes(reflecting, GROUP, 0));
    assert_int_equal(control(reflecting, 0, 2, "\1", 1), OK);
    assert_true(passes(reflecting, OTHER, 0));
    assert_int_equal(control(reflecting, 0, 2, "\0", 1), OK);
    assert_int_equal(control(reflecting, 0, 5, "\1", 1), OK);
    assert_true(stopped(reflecting, BROADCAST, 0));
    assert_int_equal(control(reflecting, 0, 3, "\1", 1), OK);
    assert_int_equal(control(reflecting, 0, 4, "\1", 1), OK);
    assert_true(stopped(reflecting, GROUP, 0));
    assert_int_equal(control(reflecting, 0, 6, "\1", 1), ERROR);
    assert_int_equal(control(reflecting, 0, 0, "\1\1", 2), ERROR);
    assert_int_equal(control(reflecting, 0, 0, "", 0), ERROR);
    assert_int_equal(control(reflecting, 9, 0, "\1", 1), ERROR);
    assert_int_equal(control(reflecting, 4, 0, "\1\0", 2), ERROR); /* queue pairs: not offered */
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    assert_true(reflecting_card_state(reflecting).promiscuous); /* a reset forgets */
}

static size_t mac_tables(uint8_t *data, uint32_t unicasts, uint32_t multicasts)
{
    size_t at = 0;
    const uint32_t counts[2] = {unicasts, multicasts};
    for (unsigned table = 0; table < 2; table++) {
        memcpy(data + at, &counts[table], 4);
        at += 4;
        for (uint32_t i = 0; i < counts[table]; i++, at += 6)
            memcpy(data + at, (uint8_t[]){table ? 1 : 2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)(0x80 + i)}, 6);
    }
    return at;
}

static void test_mac_tables(void **state)
{
    struct reflecting_card *reflecting = *state;
    uint8_t data[2048];
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX & ~(UINT64_C(1) << 19));
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
    size_t bytes = mac_tables(data, 3, 2);
    assert_int_equal(control(reflecting, 1, 0, data, bytes), OK);
    assert_int_equal(reflecting_card_state(reflecting).mac_filters, 5);
    assert_true(passes(reflecting, "\2\0\0\0\0\x82", 0));
    assert_true(passes(reflecting, "\1\0\0\0\0\x81", 0));
    assert_true(stopped(reflecting, "\2\0\0\0\0\x83", 0));
    assert_true(stopped(reflecting, "\1\0\0\0\0\x82", 0));
    /* More than the card has room for: the whole class passes. */
    assert_int_equal(control(reflecting, 1, 0, data, mac_tables(data, 2, 100)), OK);
    assert_true(passes(reflecting, GROUP, 0));
    assert_true(stopped(reflecting, OTHER, 0));
    assert_int_equal(control(reflecting, 1, 0, data, mac_tables(data, 7, 6)), OK);
    assert_true(passes(reflecting, OTHER, 0));
    assert_true(stopped(reflecting, GROUP, 0));
    assert_int_equal(control(reflecting, 1, 0, data, mac_tables(data, 0, 0)), OK);
    assert_int_equal(reflecting_card_state(reflecting).mac_filters, 0);
    /* Counts that lie. */
    bytes = mac_tables(data, 2, 2);
    assert_int_equal(control(reflecting, 1, 0, data, bytes - 1), ERROR);
    assert_int_equal(control(reflecting, 1, 0, data, bytes + 1), ERROR);
    assert_int_equal(control(reflecting, 1, 0, data, 3), ERROR);
    memcpy(data, "\xff\xff\xff\xff", 4);
    assert_int_equal(control(reflecting, 1, 0, data, bytes), ERROR);
    memcpy(data, "\xab\xaa\xaa\x2a", 4); /* times six is a little more than 2^32 */
    assert_int_equal(control(reflecting, 1, 0, data, bytes), ERROR);
    assert_int_equal(control(reflecting, 1, 2, data, bytes), ERROR);
    assert_int_equal(reflecting_card_state(reflecting).mac_filters, 0);
}

static void test_mac_address(void **state)
{
    struct reflecting_card *reflecting = *state;
    const struct virtio_structure *device = &reflecting->driver.pci.device;
    uint8_t mac[6];
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX & ~(UINT64_C(1) << 19));
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
    assert_int_equal(control(reflecting, 1, 1, OTHER, 6), OK);
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset, mac, 6), 0);
    assert_memory_equal(mac, OTHER, 6);
    assert_true(passes(reflecting, OTHER, 0));
    assert_true(stopped(reflecting, OWN, 0));
    assert_int_equal(control(reflecting, 1, 1, GROUP, 6), ERROR);
    assert_int_equal(control(reflecting, 1, 1, "\0\0\0\0\0\0", 6), ERROR);
    assert_int_equal(control(reflecting, 1, 1, OWN, 5), ERROR);
    assert_int_equal(vfio_user_client_reset(reflecting->client), 0);
    assert_int_equal(vfio_user_client_read(reflecting->client, device->bar, device->offset, mac, 6), 0);
    assert_memory_equal(mac, OWN, 6);
}

static void test_vlans(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
    assert_true(passes(reflecting, OWN, 0));
    assert_true(stopped(reflecting, OWN, 7));
    const uint16_t seven = 7, last = 4095, beyond = 4096;
    assert_int_equal(control(reflecting, 2, 0, &seven, 2), OK);
    assert_int_equal(control(reflecting, 2, 0, &seven, 2), OK);
    assert_int_equal(control(reflecting, 2, 0, &last, 2), OK);
    assert_int_equal(reflecting_card_state(reflecting).vlans, 2);
    assert_true(passes(reflecting, OWN, 7));
    assert_true(stopped(reflecting, OWN, 8));
    assert_int_equal(control(reflecting, 2, 1, &seven, 2), OK);
    assert_true(stopped(reflecting, OWN, 7));
    assert_int_equal(control(reflecting, 2, 0, &beyond, 2), ERROR);
    assert_int_equal(control(reflecting, 2, 2, &seven, 2), ERROR);
    assert_int_equal(control(reflecting, 2, 0, &seven, 1), ERROR);
    assert_int_equal(reflecting_card_state(reflecting).vlans, 1);
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_MAX);
    assert_int_equal(reflecting_card_state(reflecting).vlans, 0);
}

static void test_needs_features(void **state)
{
    struct reflecting_card *reflecting = *state;
    const uint16_t vlan = 7;
    reflecting_card_start(reflecting, CLIENT_MEMORY_SHARED, UINT64_C(1) << 17); /* CTRL_VQ alone */
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), ERROR);
    assert_int_equal(control(reflecting, 0, 2, "\1", 1), ERROR);
    assert_int_equal(control(reflecting, 1, 0, "\0\0\0\0\0\0\0\0", 8), ERROR);
    assert_int_equal(control(reflecting, 1, 1, OTHER, 6), ERROR);
    assert_int_equal(control(reflecting, 2, 0, &vlan, 2), ERROR);
}

static void test_private_memory(void **state)
{
    struct reflecting_card *reflecting = *state;
    reflecting_card_start(reflecting, CLIENT_MEMORY_PRIVATE, UINT64_MAX);
    assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
    assert_int_equal(control(reflecting, 0, 0, "\0", 0), ERROR);
    assert_false(reflecting_card_state(reflecting).promiscuous);
}

struct hostile {
    struct virtq_descriptor descriptors[3];
    uint16_t head, ahead;
};

/* Each breaks the queue, and a reset mends it. */
static void test_hostile_rings(void **state)
{
    struct reflecting_card *reflecting = *state;
    const uint64_t at = GUEST_ADDRESS + DRIVER_MEMORY_BYTES - 4096;
    const struct hostile cases[] = {
        {{{at, 2, VIRTQ_NEXT, 0}}, 0, 1},                                            /* a loop of one */
        {{{at, 2, VIRTQ_NEXT, 1}, {at, 2, VIRTQ_NEXT, 0}}, 0, 1},                    /* of two */
        {{{at, 2, VIRTQ_NEXT, 64}}, 0, 1},                                           /* next beyond the table */
        {{{at, 2, VIRTQ_NEXT, 0xffff}}, 0, 1},                                       /* */
        {{{at, 2, 0, 0}}, 64, 1},                                                    /* head beyond the table */
        {{{at, 2, 0, 0}}, 0, 65},                                                    /* more than the queue holds */
        {{{at, 2, 0, 0}}, 0, 0xffff},                                                /* */
        {{{at, 2, 0, 0}}, 0, 1},                                                     /* nowhere to answer */
        {{{at, 0, VIRTQ_NEXT, 1}, {at, 1, VIRTQ_WRITE, 0}}, 0, 1},                   /* empty */
        {{{at, 1, VIRTQ_WRITE | VIRTQ_NEXT, 1}, {at, 2, 0, 0}}, 0, 1},               /* the wrong way round */
        {{{0, 2, VIRTQ_NEXT, 1}, {at, 1, VIRTQ_WRITE, 0}}, 0, 1},                    /* not guest memory */
        {{{at, 2, VIRTQ_NEXT, 1}, {0, 1, VIRTQ_WRITE, 0}}, 0, 1},                    /* */
        {{{UINT64_MAX, 2, VIRTQ_NEXT, 1}, {at, 1, VIRTQ_WRITE, 0}}, 0, 1},           /* beyond 2^64 */
        {{{at, 16, VIRTQ_INDIRECT, 0}}, 0, 1},                                       /* an indirect table of zeros */
        {{{at, 0, VIRTQ_INDIRECT, 0}}, 0, 1},                                        /* an empty one */
        {{{at, 17, VIRTQ_INDIRECT, 0}}, 0, 1},                                       /* a part of a descriptor */
        {{{at, 16 * 65, VIRTQ_INDIRECT, 0}}, 0, 1},                                  /* longer than the queue */
        {{{at, 16, VIRTQ_INDIRECT | VIRTQ_NEXT, 1}, {at, 1, VIRTQ_WRITE, 0}}, 0, 1}, /* that goes on */
        {{{GUEST_ADDRESS + 2 * DRIVER_RING_BYTES, 48, VIRTQ_INDIRECT, 0}},
         0,
         1}, /* that is the ring: indirect in indirect */
        {{{UINT64_MAX - 7, 16, VIRTQ_INDIRECT, 0}}, 0, 1},
    };
    for (unsigned kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            reflecting_card_start(reflecting, kind ? CLIENT_MEMORY_PRIVATE : CLIENT_MEMORY_SHARED, UINT64_MAX);
            memset(reflecting->memory + DRIVER_MEMORY_BYTES - 4096, 0, 4096);
            struct driver_queue *queue = &reflecting->driver.queues[DRIVER_CONTROL];
            uint16_t *avail = (uint16_t *)(queue->ring + DRIVER_ENTRIES * 16);
            memcpy(queue->ring, cases[i].descriptors, sizeof cases[i].descriptors);
            avail[2] = cases[i].head;
            avail[1] = cases[i].ahead;
            assert_int_equal(virtio_driver_kick(&reflecting->driver.pci, DRIVER_CONTROL), 0);
            if (!reflecting_card_broken(reflecting))
                fail_msg("kind %u case %zu: not noticed", kind, i);
        }
        reflecting_card_start(reflecting, kind ? CLIENT_MEMORY_PRIVATE : CLIENT_MEMORY_SHARED, UINT64_MAX);
        assert_int_equal(control(reflecting, 0, 0, "\0", 1), OK);
        assert_int_equal(vfio_user_client_dma_unmap(reflecting->client, 0, UINT64_C(1) << 40), 0);
        reflecting->memory = NULL;
    }
}

int main(void)
{
#define REFLECTED(test) cmocka_unit_test_setup_teardown(test, reflecting_card_setup, reflecting_card_teardown)
    const struct CMUnitTest tests[] = {
        REFLECTED(test_rx_modes),      REFLECTED(test_mac_tables),     REFLECTED(test_mac_address),
        REFLECTED(test_vlans),         REFLECTED(test_needs_features), REFLECTED(test_private_memory),
        REFLECTED(test_hostile_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
