/* SPDX-License-Identifier: Apache-2.0 */
/* What holds between disks, volumes, controllers and the rest. */
#include <string.h>

#include "runtime/config/config_check.h"

#define DISK(...)       REPORT("disks", __VA_ARGS__)
#define VOLUME(...)     REPORT("volumes", __VA_ARGS__)
#define CONTROLLER(...) REPORT("controllers", __VA_ARGS__)

static void check_disks(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->disk_count; i++) {
        const struct config_disk *item = &checker->config->disks[i];
        if (item->lines.bad)
            continue;
        if (item->disk.path[0] != '/')
            DISK(i, &item->lines, disk_schema, "path", "found %.64s, expected an absolute path", item->disk.path);
        for (size_t j = 0; j < i; j++) {
            const struct config_disk *other = &checker->config->disks[j];
            if (other->lines.bad)
                continue;
            if (strcmp(other->disk.name, item->disk.name) == 0)
                DISK(i, &item->lines, disk_schema, "name",
                     "found \"%s\" a second time, expected it once (the first is in line %u)", item->disk.name,
                     field_line(&other->lines, &disk_schema, "name"));
            if (strcmp(other->disk.path, item->disk.path) == 0)
                DISK(i, &item->lines, disk_schema, "path",
                     "found %.64s a second time, expected it once (the first is in line %u)", item->disk.path,
                     field_line(&other->lines, &disk_schema, "path"));
        }
    }
}

static bool has_scheme(const char *uri, const char *scheme)
{
    return strncmp(uri, scheme, strlen(scheme)) == 0;
}

static bool known_disk(const struct config *config, const char *name, size_t length)
{
    for (size_t i = 0; i < config->disk_count; i++) {
        const char *other = config->disks[i].disk.name;
        if (!other[0] || (strncmp(other, name, length) == 0 && !other[length]))
            return true; /* one whose name could not be read may be it */
    }
    return false;
}

/* What stands in front of a backend: faults and encryption. Returns the backend behind all of them. */
static const char *check_in_front(const struct checker *checker, size_t index)
{
    const struct config_volume *item = &checker->config->volumes[index];
    const char *backend = item->volume.backend;
    for (const char *next = backend_uri_next(backend); next; backend = next, next = backend_uri_next(backend))
        if (has_scheme(backend, "crypt:") && backend[strlen("crypt:")] != '/')
            VOLUME(index, &item->lines, volume_schema, "backend",
                   "found %.64s, expected an absolute path of a key file", backend);
    return backend;
}

static void check_backend(const struct checker *checker, size_t index)
{
    const struct config_volume *item = &checker->config->volumes[index];
    const char *backend = check_in_front(checker, index);
    if (has_scheme(backend, "null:") || has_scheme(backend, "memory:")) {
        if (!item->volume.bytes)
            VOLUME(index, &item->lines, volume_schema, "size",
                   "found nothing, expected a size: %.16s has none of its own", backend);
    } else if (has_scheme(backend, "disk:")) {
        const char *name = backend + strlen("disk:"), *slash = strchr(name, '/');
        if (!slash || slash == name || !slash[1])
            VOLUME(index, &item->lines, volume_schema, "backend", "found %.64s, expected disk:NAME/VOLUME", backend);
        else if (!known_disk(checker->config, name, (size_t)(slash - name)))
            VOLUME(index, &item->lines, volume_schema, "backend",
                   "found %.64s, expected the name of a disk of this file", backend);
    } else if (!has_scheme(backend, "file:")) {
        VOLUME(index, &item->lines, volume_schema, "backend",
               "found %.64s, expected null:, memory:, file:PATH, disk:NAME/VOLUME, crypt:KEYFILE,BACKEND or "
               "fault:RULES,BACKEND",
               item->volume.backend);
    }
}

static bool shares_bytes(const struct volume_settings *a, const struct volume_settings *b)
{
    const char *of_a = backend_uri_innermost(a->backend), *of_b = backend_uri_innermost(b->backend);
    return strcmp(of_a, of_b) == 0 && !has_scheme(of_a, "null:") && !has_scheme(of_a, "memory:") &&
           !(a->read_only && b->read_only);
}

static void check_volumes(const struct checker *checker)
{
    for (size_t i = 0; i < checker->config->volume_count; i++) {
        const struct config_volume *item = &checker->config->volumes[i];
        if (item->lines.bad)
            continue;
        unsigned block = item->volume.block_bytes;
        check_backend(checker, i);
        if (block && block != 512 && block != 4096)
            VOLUME(i, &item->lines, volume_schema, "block-size", "found %u, expected 512 or 4096", block);
        for (size_t j = 0; j < i; j++) {
            const struct config_volume *other = &checker->config->volumes[j];
            if (other->lines.bad)
                continue;
            if (strcmp(other->volume.name, item->volume.name) == 0)
                VOLUME(i, &item->lines, volume_schema, "name",
                       "found \"%s\" a second time, expected it once (the first is in line %u)", item->volume.name,
                       field_line(&other->lines, &volume_schema, "name"));
            if (shares_bytes(&other->volume, &item->volume))
                VOLUME(i, &item->lines, volume_schema, "backend",
                       "found %.64s a second time, expected it once (the first is in line %u)", item->volume.backend,
                       field_line(&other->lines, &volume_schema, "backend"));
        }
    }
}

/* ---- controllers ---- */

static const struct config_volume *volume_by_name(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->volume_count; i++)
        if (!config->volumes[i].volume.name[0] || strcmp(config->volumes[i].volume.name, name) == 0)
            return &config->volumes[i];
    return NULL;
}

static void check_controller_volumes(const struct checker *checker, size_t index)
{
    const struct config_controller *item = &checker->config->controllers[index];
    const struct controller_settings *controller = &item->controller;
    for (unsigned k = 0; k < controller->volume_count; k++) {
        if (!volume_by_name(checker->config, controller->volumes[k]))
            CONTROLLER(index, &item->lines, controller_schema, "volumes",
                       "found \"%s\", expected the name of a volume of this file", controller->volumes[k]);
        for (unsigned m = 0; m < k; m++)
            if (strcmp(controller->volumes[k], controller->volumes[m]) == 0)
                CONTROLLER(index, &item->lines, controller_schema, "volumes", "found \"%s\" twice, expected it once",
                           controller->volumes[k]);
    }
    if (controller->type == CONTROLLER_VIRTIO_BLK && controller->volume_count != 1)
        CONTROLLER(index, &item->lines, controller_schema, "volumes",
                   "found %u volumes, expected one: a virtio-blk device is one disk", controller->volume_count);
}

static void check_controller(const struct checker *checker, size_t index)
{
    const struct config_controller *item = &checker->config->controllers[index];
    const struct controller_settings *controller = &item->controller;
    check_controller_volumes(checker, index);
    if (controller->vhost_user && controller->type != CONTROLLER_VIRTIO_BLK)
        CONTROLLER(index, &item->lines, controller_schema, "transport",
                   "found vhost-user, expected vfio-user: vhost-user carries virtio devices only");
    if (controller->subsystem[0] && controller->type != CONTROLLER_NVME)
        CONTROLLER(index, &item->lines, controller_schema, "subsystem", "found %.64s, expected none but for type nvme",
                   controller->subsystem);
    if (controller->subsystem[0] &&
        (!has_scheme(controller->subsystem, "nqn.") || strlen(controller->subsystem) > NQN_BYTES))
        CONTROLLER(index, &item->lines, controller_schema, "subsystem",
                   "found %.64s, expected an NVMe Qualified Name of at most %d bytes, such as "
                   "nqn.2026-01.org.example:disks",
                   controller->subsystem, NQN_BYTES);
    if (strlen(controller->serial) > SERIAL_BYTES)
        CONTROLLER(index, &item->lines, controller_schema, "serial", "found %.64s, expected at most %d characters",
                   controller->serial, SERIAL_BYTES);
    if (strcmp(controller->socket, checker->config->rpc) == 0 ||
        strcmp(controller->socket, checker->config->metrics) == 0)
        CONTROLLER(index, &item->lines, controller_schema, "socket",
                   "found %s, expected a path that neither rpc nor metrics uses", controller->socket);
}

/* Functions and controllers are both functions of the card: one space of numbers, names and sockets. */
static void check_taken(const struct checker *checker, size_t index, unsigned id, const char *name, const char *socket,
                        const struct config_lines *lines, const struct schema *schema)
{
    const struct config_controller *item = &checker->config->controllers[index];
    const struct controller_settings *controller = &item->controller;
    if (controller->id == id)
        CONTROLLER(index, &item->lines, controller_schema, "id",
                   "found %u a second time, expected it once (the first is in line %u)", id,
                   field_line(lines, schema, "id"));
    if (strcmp(controller->name, name) == 0)
        CONTROLLER(index, &item->lines, controller_schema, "name",
                   "found \"%s\" a second time, expected it once (the first is in line %u)", name,
                   field_line(lines, schema, "name"));
    if (strcmp(controller->socket, socket) == 0)
        CONTROLLER(index, &item->lines, controller_schema, "socket",
                   "found %s a second time, expected one socket for each function (the first is in line %u)", socket,
                   field_line(lines, schema, "socket"));
}

static void check_controllers(const struct checker *checker)
{
    const struct config *config = checker->config;
    for (size_t i = 0; i < config->controller_count; i++) {
        if (config->controllers[i].lines.bad)
            continue;
        check_controller(checker, i);
        for (size_t j = 0; j < config->function_count; j++) {
            const struct config_function *other = &config->functions[j];
            if (!other->lines.bad)
                check_taken(checker, i, other->function.net.id, other->function.net.name, other->function.socket,
                            &other->lines, &function_schema);
        }
        for (size_t j = 0; j < i; j++) {
            const struct config_controller *other = &config->controllers[j];
            if (!other->lines.bad)
                check_taken(checker, i, other->controller.id, other->controller.name, other->controller.socket,
                            &other->lines, &controller_schema);
        }
    }
}

void config_check_block(const struct config *config, const char *file, struct config_errors *errors)
{
    struct checker checker = {config, file, errors};
    check_disks(&checker);
    check_volumes(&checker);
    check_controllers(&checker);
}
