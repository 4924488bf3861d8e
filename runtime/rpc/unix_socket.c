/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return !refused;
}

static int remove_stale(const struct sockaddr_un *address, struct cipu_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return 0; /* bind says what is wrong, if anything */
    if (!S_ISSOCK(status.st_mode))
        return cipu_fail(error, -EEXIST, "found that %s is there and no socket, expected none or a socket",
                         address->sun_path);
    if (answers(address))
        return cipu_fail(error, -EADDRINUSE, "another process serves %s", address->sun_path);
    return unlink(address->sun_path) < 0
               ? cipu_fail(error, -errno, "cannot remove the stale socket %s: %s", address->sun_path, strerror(errno))
               : 0;
}

int unix_socket_listen(const char *path, struct cipu_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return cipu_fail(error, -ENAMETOOLONG, "found a socket path of %zu bytes, expected at most %zu", strlen(path),
                         sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int result = remove_stale(&address, error);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cipu_fail(error, -errno, "cannot make a socket: %s", strerror(errno));
    mode_t mask = umask(0177);
    bool bound = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    umask(mask);
    if (!bound || listen(fd, 64) < 0) {
        result = cipu_fail(error, -errno, "cannot listen on %s: %s", path, strerror(errno));
        if (bound)
            unlink(path);
        close(fd);
        return result;
    }
    return fd;
}

static void lock_name(char name[140], const char *path)
{
    snprintf(name, 140, "%.130s.lock", path);
}

int unix_socket_lock(const char *path, struct cipu_error *error)
{
    char name[140];
    lock_name(name, path);
    for (;;) {
        struct stat held, there;
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return cipu_fail(error, -errno, "cannot open %s: %s", name, strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            return cipu_fail(error, -EADDRINUSE, "another cipud serves %s (it holds %s)", path, name);
        }
        /* Its former holder may have removed the file between open and flock. */
        if (fstat(fd, &held) == 0 && stat(name, &there) == 0 && held.st_ino == there.st_ino)
            return fd;
        close(fd);
    }
}

void unix_socket_unlock(const char *path, int fd)
{
    char name[140];
    lock_name(name, path);
    unlink(name);
    close(fd);
}
