/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/device/reflecting_card.h"

#include <poll.h>

#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/flow.h"

#define ACTION_INDEX 1u

static void reflect(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct reflecting_card *reflecting = context;
    const struct packet_entry back = {.length = entry->length, .source = ENDPOINT_HOST, .action = ACTION_INDEX};
    while (!reflecting->stop && cipu_host_inject(reflecting->host, &back, data) == -EAGAIN)
        usleep(100);
    reflecting->frames++;
}

static void on_event(void *context, const struct event_entry *event)
{
    struct reflecting_card *reflecting = context;
    if (event->kind == EVENT_QUEUE_STOPPED) {
        reflecting->last_fault = event->detail;
        if (reflecting->hold_events)
            reflecting->held = *event;
        else
            virtio_net_queue_fault(reflecting->device, event);
        reflecting->stopped_queues++;
    }
}

static void *run_reflector(void *argument)
{
    struct reflecting_card *reflecting = argument;
    struct pollfd wait = {.fd = cipu_host_fd(reflecting->host), .events = POLLIN};
    while (!reflecting->stop) {
        poll(&wait, 1, 20);
        cipu_host_receive(reflecting->host, 256, reflect, on_event, reflecting);
    }
    return NULL;
}

static int set_action(struct reflecting_card *reflecting)
{
    const struct action action = {
        .kind = ACTION_FORWARD, .destination = ENDPOINT_FUNCTION, .destination_id = REFLECTING_FUNCTION};
    struct command_entry command = {.opcode = COMMAND_ACTION_WRITE, .target = TARGET_NET, .index = ACTION_INDEX};
    memcpy(command.data, &action, sizeof action);
    return cipu_host_command(reflecting->host, &command, 1);
}

int reflecting_card_setup(void **state)
{
    struct reflecting_card *reflecting = calloc(1, sizeof *reflecting);
    struct cipu_error error = {{0}};
    const struct virtio_net_settings settings = {
        .function = REFLECTING_FUNCTION, .mac = {2, 0, 0, 0, 0, 5}, .mtu = 1500};
    *state = reflecting;
    snprintf(reflecting->folder, sizeof reflecting->folder, "/tmp/cipu-test-XXXXXX");
    if (!mkdtemp(reflecting->folder))
        return -1;
    snprintf(reflecting->path, sizeof reflecting->path, "%s/socket", reflecting->folder);
    int result = cipu_card_open("native:", &reflecting->card, &error);
    if (!result)
        result = cipu_host_open(reflecting->card, &reflecting->host, &error);
    if (!result)
        result = set_action(reflecting);
    if (!result)
        result = virtio_net_create(reflecting->card, reflecting->host, &settings, &reflecting->device, &error);
    if (!result)
        result = vfio_user_server_create(reflecting->path, &virtio_pci_device_ops, reflecting->device,
                                         &reflecting->server, &error);
    if (!result)
        result = vfio_user_client_connect(reflecting->path, CLIENT_VERSION_JSON, &reflecting->client);
    if (!result)
        result = virtio_net_driver_probe(&reflecting->driver, reflecting->client);
    if (!result)
        result = pthread_create(&reflecting->reflector, NULL, run_reflector, reflecting);
    if (result)
        print_error("setup: %d %s\n", result, error.text);
    return result;
}

int reflecting_card_teardown(void **state)
{
    struct reflecting_card *reflecting = *state;
    vfio_user_client_close(reflecting->client);
    vfio_user_server_destroy(reflecting->server);
    reflecting->stop = true;
    pthread_join(reflecting->reflector, NULL);
    virtio_net_destroy(reflecting->device);
    cipu_host_close(reflecting->host);
    cipu_card_close(reflecting->card);
    rmdir(reflecting->folder);
    free(reflecting);
    return 0;
}

void reflecting_card_start(struct reflecting_card *reflecting, enum vfio_user_memory_kind kind, uint64_t features)
{
    if (!reflecting->memory)
        assert_int_equal(vfio_user_client_memory(reflecting->client, kind, GUEST_ADDRESS,
                                                 (DRIVER_MEMORY_BYTES + 4095) & ~4095u, &reflecting->memory),
                         0);
    assert_int_equal(virtio_net_driver_start(&reflecting->driver, features, reflecting->memory, GUEST_ADDRESS), 0);
}

struct virtio_net_state reflecting_card_state(struct reflecting_card *reflecting)
{
    struct virtio_net_state result;
    virtio_net_state(reflecting->device, &result);
    return result;
}

bool reflecting_card_broken(struct reflecting_card *reflecting)
{
    for (unsigned i = 0; i < 500; i++) {
        uint8_t status;
        assert_int_equal(virtio_driver_status(&reflecting->driver.pci, &status), 0);
        if (status & VIRTIO_STATUS_NEEDS_RESET)
            return true;
        usleep(10000);
    }
    return false;
}
