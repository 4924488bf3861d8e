/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a frontend (vfio-user server) sees of a device: a PCI function with regions, interrupts and guest memory.
 *
 * Threads: all operations of one device are called by its frontend's one thread, except those of the device's own API.
 * A frontend answers its client first where a reply needs no result, and works afterwards.
 */
#ifndef CIPU_DEVICE_H
#define CIPU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "driver/card.h"

#define DEVICE_REGIONS       9 /* VFIO_PCI_*_REGION_INDEX: BAR0..5, ROM, config, VGA */
#define DEVICE_IRQS          5 /* INTx, MSI, MSI-X, ERR, REQ */
#define DEVICE_REGION_CONFIG 7
#define DEVICE_IRQ_MSIX      2

struct device_region {
    uint64_t size; /* 0 = absent */
    bool readable, writable;
    /* mappable part: fd = -1 for none */
    int mmap_fd;
    off_t mmap_fd_offset;
    uint64_t mmap_offset, mmap_length; /* within the region */
};

/* Guest memory without a file descriptor is reached through the frontend by messages. Calls block the calling thread at
 * most 2 s; they may come from any thread but the frontend's own. */
struct device_memory_messages {
    int (*read)(void *context, uint64_t address, void *data, size_t bytes);
    int (*write)(void *context, uint64_t address, const void *data, size_t bytes);
    /* While cancelled, calls that wait and new ones return -ECANCELED at once: a device stops its own threads on the
     * frontend's thread, which takes in no answers meanwhile. */
    void (*cancel)(void *context, bool cancelled);
    void *context;
};

struct device_ops {
    void (*region_info)(void *device, unsigned region, struct device_region *info);
    unsigned (*irq_count)(void *device, unsigned irq);
    /* Returns 0 or a negative errno; the caller has checked that offset + bytes lies within the region. */
    int (*region_read)(void *device, unsigned region, uint64_t offset, void *data, size_t bytes);
    int (*region_write)(void *device, unsigned region, uint64_t offset, const void *data, size_t bytes);
    /* fd is duplicated by the device if it keeps it; -1 disconnects. */
    int (*irq_set)(void *device, unsigned irq, unsigned vector, int fd);
    /* A piece of guest memory appeared; fd = -1: only by messages. Must not fail for lack of a use. */
    int (*dma_map)(void *device, uint64_t address, uint64_t length, int fd, off_t offset, int protection);
    /* When it returns, neither device nor card holds a pointer into the piece. */
    int (*dma_unmap)(void *device, uint64_t address, uint64_t length);
    void (*memory_messages)(void *device,
                            const struct device_memory_messages *messages); /* NULL: the client went away */
    void (*reset)(void *device);
    void (*disconnected)(void *device); /* after which all mappings and interrupts are gone */
};

#endif
