/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the packets of ports into a file until told to stop, or its time or size is used up. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/daemon/daemon.h"
#include "runtime/daemon/log.h"

#define LOOK_MS 100 /* how often size and time are looked at */

struct capture {
    struct daemon *daemon;
    struct event *look;
    const void *owner; /* NULL: detached */
    int fd;
    struct timespec end;
    uint64_t bytes_max;
};

static uint64_t file_bytes(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static uint64_t finish(struct capture *capture, const char *why)
{
    cipu_card_capture(capture->daemon->card, -1, -1, NULL);
    uint64_t bytes = file_bytes(capture->fd);
    log_info("capture stopped", "why=%s\tbytes=%llu", why, (unsigned long long)bytes);
    capture->daemon->capture = NULL;
    if (capture->look)
        event_free(capture->look);
    close(capture->fd);
    free(capture);
    return bytes;
}

static void look(evutil_socket_t fd, short what, void *context)
{
    struct capture *capture = context;
    struct timespec now;
    (void)fd;
    (void)what;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > capture->end.tv_sec || (now.tv_sec == capture->end.tv_sec && now.tv_nsec >= capture->end.tv_nsec))
        finish(capture, "its time is over");
    else if (file_bytes(capture->fd) >= capture->bytes_max)
        finish(capture, "its file is full");
}

/* A regular file, which is made or emptied, or a FIFO that somebody reads. */
static int open_file(const char *path, struct cipu_error *error)
{
    struct stat status;
    if (path[0] != '/')
        return cipu_fail(error, -EINVAL, "found path %.64s, expected an absolute one", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return cipu_fail(error, -errno, "cannot open %.128s: %s", path, strerror(errno));
    if (fstat(fd, &status) < 0 || !(S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode)) ||
        (S_ISREG(status.st_mode) && ftruncate(fd, 0) < 0)) {
        close(fd);
        return cipu_fail(error, -EINVAL, "found that %.128s is neither a file nor a FIFO, expected one", path);
    }
    return fd;
}

int daemon_capture_start(struct daemon *daemon, const struct capture_settings *settings, void *owner,
                         struct cipu_error *error)
{
    if (daemon->capture)
        return cipu_fail(error, -EBUSY, "a capture runs already");
    int fd = open_file(settings->path, error);
    if (fd < 0)
        return fd;
    struct capture *capture = calloc(1, sizeof(*capture));
    if (!capture) {
        close(fd);
        return cipu_fail(error, -ENOMEM, "no memory for a capture");
    }
    int result = cipu_card_capture(daemon->card, settings->has_port ? (int)settings->port : -1, fd, error);
    if (result < 0) {
        free(capture);
        close(fd);
        return result;
    }
    *capture = (struct capture){
        .daemon = daemon,
        .look = event_new(daemon->base, -1, EV_PERSIST, look, capture),
        .owner = settings->attached ? owner : NULL,
        .fd = fd,
        .bytes_max = (uint64_t)settings->megabytes << 20,
    };
    clock_gettime(CLOCK_MONOTONIC, &capture->end);
    capture->end.tv_sec += settings->seconds;
    daemon->capture = capture;
    if (!capture->look || event_add(capture->look, &(struct timeval){.tv_usec = LOOK_MS * 1000}) < 0) {
        finish(capture, "no memory for its timer");
        return cipu_fail(error, -ENOMEM, "no memory for a capture");
    }
    log_info("capture started", "path=%s\tport=%d", settings->path, settings->has_port ? (int)settings->port : -1);
    return 0;
}

int daemon_capture_stop(struct daemon *daemon, uint64_t *bytes, struct cipu_error *error)
{
    if (!daemon->capture)
        return cipu_fail(error, -ENOENT, "no capture runs");
    *bytes = finish(daemon->capture, "asked to");
    return 0;
}

void daemon_capture_release(struct daemon *daemon, const void *owner)
{
    if (daemon->capture && daemon->capture->owner && daemon->capture->owner == owner)
        finish(daemon->capture, "its client went away");
}
