/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: YAML (docs/cipud.md describes each key) read into structures and checked as a whole.
 *
 * All errors of a file are reported, each as one line "FILE:LINE: KEY: found ..., expected ...".
 * Threads: a configuration belongs to one thread at a time. Errors: negative errno.
 */
#ifndef CIPU_CONFIG_H
#define CIPU_CONFIG_H

#include "runtime/config/schema.h"

#define CONFIG_BYTES_MAX (1u << 20)

struct config_lines {
    unsigned item;               /* where the item begins */
    bool bad;                    /* had errors of its own: not compared with others */
    unsigned fields[FIELDS_MAX]; /* by index in the schema; 0 = not given */
};

struct config_port {
    struct net_port port;
    struct config_lines lines;
};

struct config_vpc {
    struct net_vpc vpc;
    struct config_lines lines;
};

struct config_function {
    struct function_settings function;
    struct config_lines lines;
};

struct config_route {
    struct net_route route;
    struct config_lines lines;
};

struct config_disk {
    struct disk_settings disk;
    struct config_lines lines;
};

struct config_volume {
    struct volume_settings volume;
    struct config_lines lines;
};

struct config_subsystem {
    struct subsystem_settings subsystem;
    struct config_lines lines;
};

struct config_controller {
    struct controller_settings controller;
    struct config_lines lines;
};

struct config {
    char card[FIELD_TEXT_BYTES]; /* URI */
    char rpc[SOCKET_PATH_BYTES];
    char metrics[FIELD_TEXT_BYTES]; /* HOST:PORT, [IPV6]:PORT or an absolute path; "" = none */
    char state[FIELD_TEXT_BYTES];   /* folder for what has to outlive the daemon (docs/cipud.md); "" = none */
    unsigned flow_idle;             /* seconds; 0 = the default */
    struct config_port *ports;
    struct config_vpc *vpcs;
    struct config_function *functions;
    struct config_route *routes;
    struct config_disk *disks;
    struct config_volume *volumes;
    struct config_subsystem *subsystems;
    struct config_controller *controllers;
    size_t port_count, vpc_count, function_count, route_count, disk_count, volume_count, subsystem_count,
        controller_count;
    struct config_lines lines;
};

extern const struct schema config_schema; /* the scalars of struct config */

#define CONFIG_ERRORS_MAX 100 /* after which one line says that there are more */

struct config_errors {
    char *text; /* lines, each ends with a newline; NULL if none */
    size_t bytes;
    unsigned count;
};

/* 0 and *config (the caller's, config_free), or -EINVAL and errors (config_errors_free). */
int config_read(const char *path, struct config **config, struct config_errors *errors);
int config_parse(const char *name, const char *text, size_t bytes, struct config **config,
                 struct config_errors *errors);
void config_free(struct config *config);
void config_errors_free(struct config_errors *errors);

/* Splits "HOST:PORT" or "[HOST]:PORT"; host "" = all addresses. -EINVAL. */
int config_endpoint_parse(const char *text, char host[256], uint16_t *port);

/* For the parts of the reader. */
void config_error(struct config_errors *errors, const char *file, unsigned line, const char *key, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));
void config_check(const struct config *config, const char *file, struct config_errors *errors);
void config_check_block(const struct config *config, const char *file, struct config_errors *errors);

#endif
