/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/pci_config.h"

#include <string.h>

enum {
    VENDOR = 0x00,
    DEVICE = 0x02,
    COMMAND = 0x04,
    STATUS = 0x06,
    REVISION = 0x08,
    CLASS = 0x09,
    CACHE_LINE = 0x0c,
    BAR = 0x10,
    SUBSYSTEM_VENDOR = 0x2c,
    SUBSYSTEM = 0x2e,
    CAPABILITIES = 0x34,
    INTERRUPT_LINE = 0x3c,
    FIRST_CAPABILITY = 0x40,
};

#define COMMAND_MEMORY       0x0002u
#define COMMAND_MASTER       0x0004u
#define COMMAND_PARITY       0x0040u
#define COMMAND_SERR         0x0100u
#define COMMAND_INTX_DISABLE 0x0400u
#define STATUS_CAPABILITIES  0x0010u
#define BAR_MEMORY_64        0x4u
#define BAR_PREFETCHABLE     0x8u
#define CAPABILITY_POWER     0x01
#define CAPABILITY_EXPRESS   0x10
#define CAPABILITY_MSIX      0x11
#define EXPRESS_FLR          (1u << 28) /* device capabilities */
#define EXPRESS_CONTROL      8u         /* device control, from the capability's start */
#define EXPRESS_INITIATE_FLR 0x8000u
#define MSIX_ENABLE_FUNCTION 0xc000u

static void put_16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put_32(uint8_t *bytes, uint32_t value)
{
    put_16(bytes, value & 0xffff);
    put_16(bytes + 2, value >> 16);
}

void pci_config_init(struct pci_config *config, const struct pci_identity *identity)
{
    memset(config, 0, sizeof *config);
    put_16(config->bytes + VENDOR, identity->vendor);
    put_16(config->bytes + DEVICE, identity->device);
    put_16(config->writable + COMMAND,
           COMMAND_MEMORY | COMMAND_MASTER | COMMAND_PARITY | COMMAND_SERR | COMMAND_INTX_DISABLE);
    put_16(config->bytes + STATUS, STATUS_CAPABILITIES);
    config->bytes[REVISION] = identity->revision;
    put_16(config->bytes + CLASS, identity->class_code & 0xffff);
    config->bytes[CLASS + 2] = (uint8_t)(identity->class_code >> 16);
    config->writable[CACHE_LINE] = 0xff;
    put_16(config->bytes + SUBSYSTEM_VENDOR, identity->subsystem_vendor);
    put_16(config->bytes + SUBSYSTEM, identity->subsystem);
    config->writable[INTERRUPT_LINE] = 0xff;
    config->last_link = CAPABILITIES;
    config->free = FIRST_CAPABILITY;
}

void pci_config_add_bar(struct pci_config *config, unsigned index, uint64_t size, bool prefetchable)
{
    uint64_t mask = ~(size - 1);
    put_32(config->bytes + BAR + 4 * index, BAR_MEMORY_64 | (prefetchable ? BAR_PREFETCHABLE : 0));
    put_32(config->writable + BAR + 4 * index, (uint32_t)mask);
    put_32(config->writable + BAR + 4 * index + 4, (uint32_t)(mask >> 32));
}

uint8_t pci_config_add_capability(struct pci_config *config, uint8_t id, const void *body, const void *mask,
                                  size_t bytes)
{
    uint8_t offset = config->free;
    config->bytes[config->last_link] = offset;
    config->last_link = (uint8_t)(offset + 1);
    config->bytes[offset] = id;
    memcpy(config->bytes + offset + 2, body, bytes);
    if (mask)
        memcpy(config->writable + offset + 2, mask, bytes);
    config->free = (uint8_t)((offset + 2 + bytes + 3) & ~(size_t)3);
    return offset;
}

/* Version 2, an endpoint, of 60 bytes: what makes the configuration space 4096 bytes long. */
void pci_config_add_express(struct pci_config *config)
{
    uint8_t body[58] = {0}, mask[58] = {0};
    put_16(body, 2);                               /* version 2, endpoint */
    put_32(body + 2, 1u << 15 | EXPRESS_FLR | 1u); /* role-based errors, function level reset, payload 256 */
    put_16(mask + EXPRESS_CONTROL - 2, 0xffff);
    put_32(body + 0x0c - 2, 3u | 16u << 4); /* link: 8 GT/s, 16 lanes */
    put_16(body + 0x12 - 2, 3u | 16u << 4);
    put_32(body + 0x24 - 2, 1u << 4); /* completion timeout may be disabled */
    put_16(mask + 0x28 - 2, 0x001f);
    put_32(body + 0x2c - 2, 7u << 1); /* link speeds */
    config->express = pci_config_add_capability(config, CAPABILITY_EXPRESS, body, mask, sizeof body);
}

void pci_config_add_power_management(struct pci_config *config)
{
    uint8_t body[6] = {0}, mask[6] = {0};
    put_16(body, 3);     /* version 1.2 */
    put_16(body + 2, 8); /* no soft reset */
    put_16(mask + 2, 3); /* power state */
    pci_config_add_capability(config, CAPABILITY_POWER, body, mask, sizeof body);
}

void pci_config_add_msix(struct pci_config *config, unsigned vectors, unsigned bar, uint32_t table, uint32_t pending)
{
    uint8_t body[10] = {0}, mask[10] = {0};
    put_16(body, vectors - 1);
    put_16(mask, MSIX_ENABLE_FUNCTION);
    put_32(body + 2, table | bar);
    put_32(body + 6, pending | bar);
    pci_config_add_capability(config, CAPABILITY_MSIX, body, mask, sizeof body);
}

void pci_config_read(const struct pci_config *config, uint64_t offset, void *data, size_t bytes)
{
    memcpy(data, config->bytes + offset, bytes);
}

void pci_config_write(struct pci_config *config, uint64_t offset, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t mask = config->writable[offset + i];
        config->bytes[offset + i] = (uint8_t)((config->bytes[offset + i] & ~mask) | (from[i] & mask));
    }
}

bool pci_config_bus_master(const struct pci_config *config)
{
    return config->bytes[COMMAND] & COMMAND_MASTER;
}

bool pci_config_take_function_reset(struct pci_config *config)
{
    uint8_t *control = config->bytes + config->express + EXPRESS_CONTROL + 1;
    bool asked = *control & (EXPRESS_INITIATE_FLR >> 8);
    *control &= (uint8_t)~(EXPRESS_INITIATE_FLR >> 8);
    return asked;
}

void pci_config_reset(struct pci_config *config)
{
    for (size_t i = 0; i < PCI_CONFIG_BYTES; i++)
        config->bytes[i] &= (uint8_t)~config->writable[i];
}
