/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vfio-user session on any stream of bytes, in front of a virtio-net function's registers. The input is the
 * client's stream; a first byte with its low bit set has a good negotiation put before the rest, so that the commands
 * behind it are reached, and the next bit makes the framing right: the rest is then cut into messages of {u8 command,
 * u8 length, payload}.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/device/virtio_pci.h"
#include "runtime/frontend/vfio_user_session.h"

static struct virtio_pci pci;
static struct vfio_user_session session;
static struct vfio_user_counters counters;

static bool features_ok(void *device, uint64_t features)
{
    (void)device;
    return !(features & 1);
}

static void config(void *device, uint8_t *bytes, size_t size)
{
    (void)device;
    memset(bytes, 0x5a, size);
}

static void nothing(void *device)
{
    (void)device;
}

static void nothing_of(void *device, unsigned number)
{
    (void)device;
    (void)number;
}

static const struct virtio_pci_ops TRANSPORT = {.features_ok = features_ok,
                                                .config = config,
                                                .update = nothing,
                                                .queue_stop = nothing_of,
                                                .vector_changed = nothing_of,
                                                .reset = nothing,
                                                .notify = nothing_of};

static void region_info(void *device, unsigned region, struct device_region *info)
{
    virtio_pci_region_info(device, region, info);
}

static unsigned irq_count(void *device, unsigned irq)
{
    return virtio_pci_irq_count(device, irq);
}

static int region_read(void *device, unsigned region, uint64_t offset, void *data, size_t bytes)
{
    return virtio_pci_region_read(device, region, offset, data, bytes);
}

static int region_write(void *device, unsigned region, uint64_t offset, const void *data, size_t bytes)
{
    return virtio_pci_region_write(device, region, offset, data, bytes);
}

static int irq_set(void *device, unsigned irq, unsigned vector, int fd)
{
    return virtio_pci_irq_set(device, irq, vector, fd);
}

static int dma_map(void *device, uint64_t address, uint64_t length, int fd, off_t offset, int protection)
{
    (void)device;
    (void)fd;
    return length == 0 || address + length - 1 < address || offset < 0 || protection == 0 ? abort(), 0 : 0;
}

static int dma_unmap(void *device, uint64_t address, uint64_t length)
{
    (void)device;
    (void)address;
    return length == 0 ? abort(), 0 : 0;
}

static void memory_messages(void *device, const struct device_memory_messages *messages)
{
    (void)device;
    (void)messages;
}

static void reset(void *device)
{
    virtio_pci_reset(device);
}

static void disconnected(void *device)
{
    virtio_pci_disconnected(device);
}

static const struct device_ops OPS = {.region_info = region_info,
                                      .irq_count = irq_count,
                                      .region_read = region_read,
                                      .region_write = region_write,
                                      .irq_set = irq_set,
                                      .dma_map = dma_map,
                                      .dma_unmap = dma_unmap,
                                      .memory_messages = memory_messages,
                                      .reset = reset,
                                      .disconnected = disconnected};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const struct virtio_pci_settings SETTINGS = {.type = 1,
                                                        .class_code = 0x020000,
                                                        .features = VIRTIO_F_VERSION_1 | VIRTIO_F_RING_RESET | 3,
                                                        .queues = 3,
                                                        .vectors = 4,
                                                        .queue_entries_max = 256,
                                                        .config_bytes = 12};
    int result = virtio_pci_init(&pci, &SETTINGS, &TRANSPORT, &pci);
    return result ? result : vfio_user_session_init(&session, &OPS, &pci, &counters);
}

static void send_all(int socket, const void *data, size_t bytes)
{
    (void)!write(socket, data, bytes);
}

static void send_messages(int socket, const uint8_t *data, size_t bytes)
{
    while (bytes >= 2) {
        size_t payload = data[1] < bytes - 2 ? data[1] : bytes - 2;
        const struct vfio_user_header header = {.command = data[0] & 0x1f,
                                                .size = (uint32_t)(sizeof header + payload),
                                                .flags = data[0] & 0x80 ? VFIO_USER_NO_REPLY : 0};
        send_all(socket, &header, sizeof header);
        send_all(socket, data + 2, payload);
        data += 2 + payload;
        bytes -= 2 + payload;
    }
}

static void *drain(void *argument)
{
    uint8_t bytes[65536];
    while (read(*(int *)argument, bytes, sizeof bytes) > 0)
        ;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct {
        struct vfio_user_header header;
        struct vfio_user_version version;
    } VERSION = {{.command = VFIO_USER_VERSION, .size = 20}, {0, 0}};
    int sockets[2];
    pthread_t drainer;
    if (bytes < 1 || bytes > 16384 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
        return 0;
    const int room = 1 << 20; /* the whole stream is written before anybody reads */
    setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (data[0] & 1)
        send_all(sockets[0], &VERSION, 20);
    if (data[0] & 2)
        send_messages(sockets[0], data + 1, bytes - 1);
    else
        send_all(sockets[0], data + 1, bytes - 1);
    shutdown(sockets[0], SHUT_WR);
    pthread_create(&drainer, NULL, drain, &sockets[0]);
    vfio_user_session_run(&session, sockets[1]);
    close(sockets[1]);
    pthread_join(drainer, NULL);
    close(sockets[0]);
    return 0;
}
