/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio transport over PCI (VIRTIO 1.2, section 4.1), modern only: configuration space, BARs, feature negotiation,
 * status, queues' registers and MSI-X. What kind of device it is, and where its queues are served, is behind a table of
 * operations.
 *
 * Threads: region accesses, irq_set, reset and disconnect on the frontend's thread; the rest on any. The transport's
 * lock is held while an operation of the table runs, except `notify` of queues and `quiesce`.
 */
#ifndef CIPU_VIRTIO_PCI_H
#define CIPU_VIRTIO_PCI_H

#include <pthread.h>
#include <stdbool.h>

#include "runtime/device/device.h"
#include "runtime/device/msix.h"
#include "runtime/device/pci_config.h"

/* BAR 0: one page a queue for notifications, then the structures; BAR 4: MSI-X. */
#define VIRTIO_PCI_QUEUES        8u
#define VIRTIO_PCI_NOTIFY        0x0000u
#define VIRTIO_PCI_NOTIFY_STRIDE 4096u
#define VIRTIO_PCI_COMMON        0x8000u
#define VIRTIO_PCI_ISR           0x9000u
#define VIRTIO_PCI_DEVICE        0xa000u
#define VIRTIO_PCI_BAR_BYTES     0x10000u
#define VIRTIO_PCI_MSIX_BAR      4u
#define VIRTIO_PCI_NO_VECTOR     0xffffu

enum virtio_status {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

#define VIRTIO_F_INDIRECT        (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_INDEX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1       (UINT64_C(1) << 32)
#define VIRTIO_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VIRTIO_F_RING_RESET      (UINT64_C(1) << 40)

enum virtio_pci_offsets { /* of struct virtio_pci_common_cfg, 4.1.4.3 */
                          VIRTIO_PCI_DEVICE_FEATURE_SELECT = 0,
                          VIRTIO_PCI_DEVICE_FEATURE = 4,
                          VIRTIO_PCI_DRIVER_FEATURE_SELECT = 8,
                          VIRTIO_PCI_DRIVER_FEATURE = 12,
                          VIRTIO_PCI_CONFIG_VECTOR = 16,
                          VIRTIO_PCI_NUM_QUEUES = 18,
                          VIRTIO_PCI_STATUS = 20,
                          VIRTIO_PCI_GENERATION = 21,
                          VIRTIO_PCI_QUEUE_SELECT = 22,
                          VIRTIO_PCI_QUEUE_SIZE = 24,
                          VIRTIO_PCI_QUEUE_VECTOR = 26,
                          VIRTIO_PCI_QUEUE_ENABLE = 28,
                          VIRTIO_PCI_QUEUE_NOTIFY_OFF = 30,
                          VIRTIO_PCI_QUEUE_DESCRIPTORS = 32,
                          VIRTIO_PCI_QUEUE_AVAIL = 40,
                          VIRTIO_PCI_QUEUE_USED = 48,
                          VIRTIO_PCI_QUEUE_NOTIFY_DATA = 56,
                          VIRTIO_PCI_QUEUE_RESET = 58,
                          VIRTIO_PCI_COMMON_BYTES = 60,
};

struct virtio_pci_queue {
    uint64_t descriptors, avail, used; /* guest addresses */
    uint32_t entries;
    uint16_t vector;
    bool enabled;
};

struct guest_memory; /* runtime/device/guest_memory.h */

struct virtio_pci_ops {
    bool (*features_ok)(void *device, uint64_t features);
    void (*config)(void *device, uint8_t *bytes, size_t size); /* the device-specific configuration, as it reads now */
    /* The driver writes to it; NULL = there is nothing that it may write. Within the structure. */
    void (*config_write)(void *device, size_t offset, const void *data, size_t bytes);
    /* Whether queues run follows from status, bus mastering and enabled: called after any of them changed. */
    void (*update)(void *device);
    void (*queue_stop)(void *device, unsigned queue); /* and forget its position; the guest takes its memory back */
    void (*vector_changed)(void *device, unsigned vector);
    void (*reset)(void *device); /* all queues stop, state is as new */
    void (*notify)(void *device, unsigned queue);
};

/* The first member of every device with this transport. */
struct virtio_pci {
    const struct virtio_pci_ops *ops;
    void *device;
    struct guest_memory *memory; /* the device's */
    bool relays;                 /* memory without a file descriptor is of use too */
    pthread_mutex_t lock;
    struct pci_config config;
    uint8_t window_capability; /* offset of the configuration access capability, 4.1.4.9 */
    uint64_t offered, accepted;
    uint32_t device_feature_select, driver_feature_select;
    uint8_t status, generation, isr;
    uint16_t config_vector;
    uint16_t queue_select;
    unsigned queue_count;
    uint32_t queue_entries_max;
    size_t device_config_bytes;
    struct virtio_pci_queue queues[VIRTIO_PCI_QUEUES];

    struct msix msix;

    /* Notification pages that the client may map: fd = -1 for none. */
    int doorbell_fd;
    off_t doorbell_offset;
    uint64_t doorbell_bytes;
};

struct virtio_pci_settings {
    struct guest_memory *memory;
    bool relays;
    uint16_t type; /* virtio device type: 1 = network */
    uint32_t class_code;
    uint64_t features;
    unsigned queues, vectors;
    uint32_t queue_entries_max;
    size_t config_bytes;
};

/* 0 or a negative errno; freed also after a failure. */
int virtio_pci_init(struct virtio_pci *pci, const struct virtio_pci_settings *settings,
                    const struct virtio_pci_ops *ops, void *device);
void virtio_pci_free(struct virtio_pci *pci);

/* virtio_pci_device.c: what the device's frontend is given. */
extern const struct device_ops virtio_pci_device_ops;

void virtio_pci_region_info(struct virtio_pci *pci, unsigned region, struct device_region *info);
unsigned virtio_pci_irq_count(const struct virtio_pci *pci, unsigned irq);
int virtio_pci_region_read(struct virtio_pci *pci, unsigned region, uint64_t offset, void *data, size_t bytes);
int virtio_pci_region_write(struct virtio_pci *pci, unsigned region, uint64_t offset, const void *data, size_t bytes);
int virtio_pci_irq_set(struct virtio_pci *pci, unsigned irq, unsigned vector, int fd);
void virtio_pci_reset(struct virtio_pci *pci); /* of the function, with its configuration space */
void virtio_pci_disconnected(struct virtio_pci *pci);

/* With the lock held. */
void virtio_pci_config_changed(struct virtio_pci *pci); /* new generation, interrupt */
void virtio_pci_needs_reset(struct virtio_pci *pci);
bool virtio_pci_queue_should_run(const struct virtio_pci *pci, unsigned queue);

/* Without or with it. */
void virtio_pci_interrupt(struct virtio_pci *pci, uint16_t vector);
/* The eventfd of a vector (the transport's, valid until irq_set), or -1. */
int virtio_pci_vector_fd(struct virtio_pci *pci, uint16_t vector);

/* virtio_pci_common.c: the common configuration structure. */
int virtio_pci_common_read(struct virtio_pci *pci, uint64_t offset, void *data, size_t bytes);
int virtio_pci_common_write(struct virtio_pci *pci, uint64_t offset, uint64_t value, size_t bytes);
void virtio_pci_common_reset(struct virtio_pci *pci);

#endif
