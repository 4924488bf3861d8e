/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cipud holds: a card, its overlay network, the functions with their devices and sockets. Objects come from the
 * configuration file or from remote calls.
 *
 * Threads: all functions are called by the daemon's main thread; card events arrive on the slow path's thread and only
 * touch the table of functions under its lock; guests that make namespaces add volumes and remove them on threads of
 * their own. Errors: negative errno, `error` says what was found and expected.
 */
#ifndef CIPU_DAEMON_H
#define CIPU_DAEMON_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "hls/include/beat.h"
#include "runtime/config/config.h"
#include "runtime/device/virtio_net.h"
#include "runtime/frontend/vfio_user_server.h"

struct capture;
struct block_engine;  /* runtime/block/engine.h */
struct volume_record; /* runtime/daemon/volumes.h, as is the next */
struct disk_record;
struct controller;     /* runtime/daemon/controllers.h */
struct subsystem;      /* runtime/daemon/subsystems.h */
struct namespace_pool; /* runtime/daemon/namespace_pool.h */

/* Whose an object is: a reload changes or removes only the configuration file's. */
enum origin { ORIGIN_FILE, ORIGIN_CALL, ORIGIN_GUEST };
const char *origin_name(enum origin origin);

struct function {
    struct function_settings settings;
    enum origin origin;
    bool joined;               /* known to the overlay network; false only within a reload */
    unsigned mtu;              /* of the device */
    struct virtio_net *device; /* NULL for functions of type access */
    struct vfio_user_server *server;
    atomic_uint_fast64_t queue_stops, packet_drops; /* events of the card */
    atomic_uint_fast32_t events_dropped;            /* of those that found no room */
    time_t stop_logged;                             /* under functions_lock, as is the next */
    unsigned stops_unlogged;
};

struct vpc_record {
    struct net_vpc vpc;
    enum origin origin;
};

struct route_record {
    struct net_route route;
    enum origin origin;
};

struct daemon {
    const char *config_path;
    struct config *config; /* what the file said when it was last applied */
    struct event_base *base;
    struct cipu_card *card;
    struct cipu_host *host;
    struct net *net;
    bool map_doorbells;
    char state[SOCKET_PATH_BYTES]; /* folder for what has to outlive the daemon; "" = none */
    struct timespec started;

    pthread_mutex_t functions_lock; /* changes of the table against events of the card */
    struct function *functions[CARD_FUNCTIONS];
    struct controller *controllers[CARD_FUNCTIONS]; /* by function, as the others */
    atomic_uint_fast64_t events;

    struct vpc_record *vpcs;
    size_t vpc_count;
    struct route_record *routes;
    size_t route_count;

    struct block_engine *block;   /* NULL: nothing needed it yet */
    pthread_mutex_t volumes_lock; /* recursive; of volumes: daemon_volumes_lock */
    struct volume_record *volumes;
    struct disk_record *disks;
    size_t volume_count, disk_count;
    struct subsystem *subsystems;
    struct namespace_pool *pools;

    struct capture *capture; /* NULL: none runs */
};

/* Opens all that config asks for and takes it. After an error everything is closed again. */
int daemon_open(struct daemon *daemon, struct config *config, struct event_base *base, struct cipu_error *error);
void daemon_close(struct daemon *daemon);

/* Reads the configuration file again and applies the difference; logs what it did and refused. -EINVAL: nothing was
 * changed, because the file has errors or changes what needs a restart. */
int daemon_reload(struct daemon *daemon);

/* What a capture is to do and what it did. */
struct capture_settings {
    char path[FIELD_TEXT_BYTES]; /* absolute; a file, made or emptied, or a FIFO that is read */
    unsigned port;
    bool has_port; /* else all ports */
    unsigned seconds;
    unsigned megabytes;
    bool attached; /* ends with `owner` */
};

/* capture.c: one capture at a time; it ends by itself after its time or size. */
int daemon_capture_start(struct daemon *daemon, const struct capture_settings *settings, void *owner,
                         struct cipu_error *error);
int daemon_capture_stop(struct daemon *daemon, uint64_t *bytes, struct cipu_error *error); /* -ENOENT: none runs */
void daemon_capture_release(struct daemon *daemon, const void *owner);                     /* the owner goes away */

/* functions.c */
int daemon_function_add(struct daemon *daemon, const struct function_settings *settings, enum origin origin,
                        struct cipu_error *error);
int daemon_function_remove(struct daemon *daemon, unsigned id, struct cipu_error *error);
void daemon_function_drop(struct daemon *daemon, unsigned id); /* without the overlay network, which has forgotten it */
struct function *daemon_function_by_name(struct daemon *daemon, const char *name);
int daemon_function_mtu(struct daemon *daemon, const struct function_settings *settings, struct cipu_error *error);
int daemon_function_join(struct daemon *daemon, const struct function_settings *settings, struct cipu_error *error);
void daemon_card_event(void *context, const struct event_entry *event);

/* overlay.c */
int daemon_vpc_add(struct daemon *daemon, const struct net_vpc *vpc, enum origin origin, struct cipu_error *error);
int daemon_vpc_remove(struct daemon *daemon, const char *name, struct cipu_error *error);
const struct net_vpc *daemon_vpc_by_name(const struct daemon *daemon, const char *name);
const struct net_vpc *daemon_vpc_by_vni(const struct daemon *daemon, uint32_t vni);
int daemon_route_add(struct daemon *daemon, const struct net_route *route, enum origin origin,
                     struct cipu_error *error);
int daemon_route_remove(struct daemon *daemon, const char *vpc, const struct net_address *prefix,
                        struct cipu_error *error);

#endif
