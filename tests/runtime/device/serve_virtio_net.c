/* SPDX-License-Identifier: Apache-2.0 */
/* serve-virtio-net SOCKET [CARD-URI [map]]: a virtio-net function of a card of its own, served until standard input
 * ends; `map`: its doorbells can be mapped. For tests with QEMU. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/device/virtio_net.h"
#include "runtime/frontend/vfio_user_server.h"

static void print_state(struct virtio_net *device, struct vfio_user_server *server)
{
    struct virtio_net_state state;
    struct vfio_user_server_statistics statistics;
    virtio_net_state(device, &state);
    vfio_user_server_statistics(server, &statistics);
    printf("status %#x features %#llx queues %d %d %d promiscuous %d macs %u vlans %u connections %llu messages %llu "
           "errors %llu\n",
           state.status, (unsigned long long)state.driver_features, state.queues[0].enabled, state.queues[1].enabled,
           state.queues[2].enabled, state.promiscuous, state.mac_filters, state.vlans,
           (unsigned long long)statistics.connections, (unsigned long long)statistics.messages,
           (unsigned long long)statistics.errors);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct cipu_error error = {{0}};
    struct cipu_card *card;
    struct cipu_host *host;
    struct virtio_net *device;
    struct vfio_user_server *server;
    const struct virtio_net_settings settings = {
        .function = 3, .mac = {2, 0, 0, 0, 0, 3}, .mtu = 1450, .map_doorbells = argc > 3 && !strcmp(argv[3], "map")};
    if (argc < 2) {
        fprintf(stderr, "usage: %s SOCKET [CARD-URI [map]]\n", argv[0]);
        return 2;
    }
    if (cipu_card_open(argc > 2 ? argv[2] : "native:", &card, &error) || cipu_host_open(card, &host, &error) ||
        virtio_net_create(card, host, &settings, &device, &error) ||
        vfio_user_server_create(argv[1], &virtio_pci_device_ops, device, &server, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    /* A line asks for the state. */
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1)
        if (byte == '\n')
            print_state(device, server);
    vfio_user_server_destroy(server);
    virtio_net_destroy(device);
    cipu_host_close(host);
    cipu_card_close(card);
    return 0;
}
