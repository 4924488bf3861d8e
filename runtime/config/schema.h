/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ports, VPCs, functions, routes, disks, volumes, subsystems and controllers are described by: one table of fields
 * each, used to read them from the configuration file, to read them from the parameters of a remote procedure call, and
 * to write them as JSON.
 *
 * Threads: all functions are pure. Errors: negative errno; `error` receives "found ..., expected ...".
 */
#ifndef CIPU_SCHEMA_H
#define CIPU_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/card.h"
#include "runtime/block/disk.h"
#include "runtime/block/volume.h"
#include "runtime/net/net.h"

#define SOCKET_PATH_BYTES 108 /* sun_path of unix(7), with its zero */
#define FIELD_TEXT_BYTES  512

enum field_type {
    FIELD_UNSIGNED,  /* unsigned */
    FIELD_COUNT,     /* uint64_t */
    FIELD_SIZE,      /* uint64_t; bytes, in text with KiB, MiB, GiB, TiB */
    FIELD_BOOLEAN,   /* bool; true, false */
    FIELD_CHOICE,    /* bool; the first or the second word of `choices` */
    FIELD_LEVEL,     /* unsigned; index of the word in `choices` */
    FIELD_NAME,      /* char[NET_NAME_BYTES]; letters, digits and ._- */
    FIELD_SOCKET,    /* char[SOCKET_PATH_BYTES]; an absolute path */
    FIELD_TEXT,      /* char[FIELD_TEXT_BYTES]; printable */
    FIELD_MAC,       /* uint8_t[6]; of one station */
    FIELD_ADDRESS,   /* struct net_address; without a prefix */
    FIELD_INTERFACE, /* struct net_address; an address with the prefix of its subnet */
    FIELD_PREFIX,    /* struct net_address; a subnet: no bits beyond the prefix; or one address */
};

struct field {
    const char *name; /* as in the file; JSON has `_` for `-` */
    enum field_type type;
    bool required;
    bool power_of_two;
    uint8_t family; /* of addresses: 4, 6, or 0 for either */
    size_t offset;
    size_t list;           /* how many values a list may have; 0: one value, no list */
    size_t count_offset;   /* unsigned: how many values the list has */
    size_t present_offset; /* bool: whether the field was given; 0 = not kept */
    uint64_t minimum, maximum;
    const char *const *choices; /* ends with NULL */
};

#define FIELDS_MAX 16

struct schema {
    const char *name; /* "function" */
    const struct field *fields;
    size_t count;
};

struct function_settings {
    struct net_function net;
    bool access;                    /* reached through an access port: no device, no socket */
    char socket[SOCKET_PATH_BYTES]; /* of the vfio-user server */
    unsigned mtu;                   /* 0 = what the VPC carries */
    unsigned queue_size;            /* 0 = the device's default */
};

enum controller_type { CONTROLLER_NVME, CONTROLLER_VIRTIO_BLK };

#define CONTROLLER_VOLUMES    16  /* BLOCK_NAMESPACES */
#define CONTROLLER_QUEUES_MAX 31  /* BLOCK_CONTROLLER_QUEUES without the admin queue */
#define SERIAL_BYTES          20  /* NVM Express Base 2.0c figure 275; VIRTIO 1.2, 5.2.6 */
#define NQN_BYTES             223 /* NVM Express Base 2.0c, 4.5 */

/* A function of the card that is a disk controller: its id is of the same numbers as those of `functions`. */
struct controller_settings {
    unsigned id;
    char name[NET_NAME_BYTES];
    unsigned type;   /* enum controller_type */
    bool vhost_user; /* the transport; else vfio-user */
    char socket[SOCKET_PATH_BYTES];
    char volumes[CONTROLLER_VOLUMES][NET_NAME_BYTES]; /* namespace 1, 2, ... */
    unsigned volume_count;
    char subsystem[FIELD_TEXT_BYTES]; /* NVMe Qualified Name; "" = one of its own */
    unsigned queues;                  /* 0 = the device's default */
    char serial[FIELD_TEXT_BYTES];    /* "" = made of the name */
};

#define SUBSYSTEM_NAME_BYTES 58 /* a volume is "NAME-ns64" */
#define SUBSYSTEM_NAMESPACES 64 /* NVME_NAMESPACES_MAX */

/* Where the guests of an NVMe subsystem may make namespaces. */
struct subsystem_settings {
    char name[NET_NAME_BYTES];
    char nqn[FIELD_TEXT_BYTES];
    char place[FIELD_TEXT_BYTES]; /* "disk:NAME" */
    uint64_t capacity;            /* bytes, of all that they make */
    unsigned namespaces;          /* 0 = the default */
    struct volume_limits limits;  /* of each */
};

extern const struct schema port_schema;       /* struct net_port */
extern const struct schema vpc_schema;        /* struct net_vpc */
extern const struct schema function_schema;   /* struct function_settings */
extern const struct schema route_schema;      /* struct net_route */
extern const struct schema disk_schema;       /* struct disk_settings */
extern const struct schema volume_schema;     /* struct volume_settings */
extern const struct schema controller_schema; /* struct controller_settings */
extern const struct schema subsystem_schema;  /* struct subsystem_settings */

/* "4GiB", or the number alone. */
void size_format(uint64_t bytes, char text[32]);

/* NULL if there is none. `-` and `_` in names are the same. */
const struct field *schema_find(const struct schema *schema, const char *name);

/* The name as in JSON. */
void field_json_name(const struct field *field, char text[32]);

/* "id, name, vpc"; with `_` for `-` if json. */
void schema_names(const struct schema *schema, bool json, char *text, size_t bytes);

/* Reads one value; `item` is the whole structure. A list's next value is appended. */
int field_read(const struct field *field, const char *text, void *item, struct cipu_error *error);

/* "an integer from 1 to 16777215": what the field takes. */
void field_expected(const struct field *field, char *text, size_t bytes);

/* How much room the field's value takes in a structure. */
size_t field_bytes(const struct field *field);

/* A new object with the fields that are set; NULL without memory. */
json_t *schema_encode(const struct schema *schema, const void *item);

/* Reads a whole object into `item` (zeroed by the caller): strict types, no unknown, no missing name. On errors
 * `parameter` is the offending name, which lives as long as `object` and the schema. */
int schema_decode(const struct schema *schema, const json_t *object, void *item, const char **parameter,
                  struct cipu_error *error);

bool schema_equal(const struct schema *schema, const void *a, const void *b);

/* Quotes foreign text for a message: at most 48 bytes, control characters as `?`. */
const char *quote_text(const char *text, size_t length, char quoted[64]);

#endif
