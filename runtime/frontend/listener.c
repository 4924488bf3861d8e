/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frontend/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes a socket file that nobody listens on any more. */
static int replace_stale(const struct sockaddr_un *address, struct cipu_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : cipu_fail(error, -errno, "%s: %s", address->sun_path, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return cipu_fail(error, -EADDRINUSE, "%s: exists and is no socket", address->sun_path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return cipu_fail(error, -errno, "%s: %s", address->sun_path, strerror(errno));
    int refused = connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    close(probe);
    if (!refused)
        return cipu_fail(error, -EADDRINUSE, "%s: another server listens there", address->sun_path);
    if (unlink(address->sun_path) < 0)
        return cipu_fail(error, -errno, "%s: a stale socket cannot be removed: %s", address->sun_path, strerror(errno));
    return 0;
}

int listener_open(struct listener *listener, const char *path, struct cipu_error *error)
{
    struct stat status;
    *listener = (struct listener){.fd = -1, .address.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof listener->address.sun_path)
        return cipu_fail(error, -ENAMETOOLONG, "%s: longer than the %zu bytes of a socket's path", path,
                         sizeof listener->address.sun_path - 1);
    memcpy(listener->address.sun_path, path, strlen(path) + 1);
    int result = replace_stale(&listener->address, error);
    if (result)
        return result;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return cipu_fail(error, -errno, "%s: %s", path, strerror(errno));
    if (bind(listener->fd, (const struct sockaddr *)&listener->address, sizeof listener->address) < 0)
        return cipu_fail(error, -errno, "%s: bind: %s", path, strerror(errno));
    if (stat(path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    if (listen(listener->fd, 4) < 0)
        return cipu_fail(error, -errno, "%s: listen: %s", path, strerror(errno));
    return 0;
}

void listener_close(struct listener *listener)
{
    struct stat status;
    if (listener->inode && stat(listener->address.sun_path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        unlink(listener->address.sun_path);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}
