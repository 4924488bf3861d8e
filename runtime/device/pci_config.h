/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI function's configuration space (PCI Local Bus 3.0, chapter 6; PCI Express Base, 7.5): 4096 bytes and a mask of
 * what software may write. Built once, then read and written by the frontend.
 */
#ifndef CIPU_PCI_CONFIG_H
#define CIPU_PCI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_CONFIG_BYTES 4096u

struct pci_config {
    uint8_t bytes[PCI_CONFIG_BYTES];
    uint8_t writable[PCI_CONFIG_BYTES]; /* bits */
    uint8_t last_link;                  /* offset of the byte that will point to the next capability */
    uint8_t free;                       /* first byte after the last capability */
    uint8_t express;                    /* offset of the PCI Express capability */
};

struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code; /* 24 bits */
};

void pci_config_init(struct pci_config *config, const struct pci_identity *identity);

/* A 64-bit, prefetchable or not, memory BAR at `index` and index + 1; size is a power of two, at least 4096. */
void pci_config_add_bar(struct pci_config *config, unsigned index, uint64_t size, bool prefetchable);

/* Appends a capability; `body` and `mask` (may be NULL: read-only) are what follows the id and the link. Returns its
 * offset. */
uint8_t pci_config_add_capability(struct pci_config *config, uint8_t id, const void *body, const void *mask,
                                  size_t bytes);
void pci_config_add_express(struct pci_config *config);
void pci_config_add_power_management(struct pci_config *config);
void pci_config_add_msix(struct pci_config *config, unsigned vectors, unsigned bar, uint32_t table, uint32_t pending);

/* offset + bytes <= PCI_CONFIG_BYTES. */
void pci_config_read(const struct pci_config *config, uint64_t offset, void *data, size_t bytes);
void pci_config_write(struct pci_config *config, uint64_t offset, const void *data, size_t bytes);

bool pci_config_bus_master(const struct pci_config *config);
/* True once after software has asked for a function level reset. */
bool pci_config_take_function_reset(struct pci_config *config);
/* What a reset of the function does to it: everything that software wrote becomes zero. */
void pci_config_reset(struct pci_config *config);

#endif
