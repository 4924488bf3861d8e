/* SPDX-License-Identifier: Apache-2.0 */
/* The cable's control side: who listens and who connects, handing over memory and eventfds, and the end of a peer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "driver/port_unix.h"

#define CABLE_MAGIC           0x4c424143u /* "CABL" */
#define CABLE_VERSION         1u
#define GREETING_MILLISECONDS 100
#define CABLE_FDS             3 /* memory, listener's eventfd, connector's eventfd */
#define SEALS                 (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct hello {
    uint32_t magic;
    uint32_t version;
    uint32_t ring_bytes;
    uint32_t reserved;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void hang_up(struct cable *cable)
{
    if (cable->memory)
        munmap(cable->memory, CABLE_BYTES);
    cable->memory = cable->receive_data = cable->send_data = NULL;
    cable->receive = cable->send = NULL;
    cable->broken = false;
    close_fd(&cable->peer);
    close_fd(&cable->own_wake);
    close_fd(&cable->peer_wake);
}

/* Maps the cable's memory; the listener receives from ring 0. */
static int plug_in(struct port *port, int memory_fd, bool listener)
{
    struct cable *cable = port->state;
    struct stat status;
    int seals = fcntl(memory_fd, F_GET_SEALS);
    if (fstat(memory_fd, &status) < 0 || status.st_size != CABLE_BYTES || seals < 0 || (seals & SEALS) != SEALS)
        return -EPROTO;
    void *memory = mmap(NULL, CABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    cable->memory = memory;
    struct cable_ring *rings = memory;
    unsigned receive = listener ? 0 : 1;
    cable->receive = &rings[receive];
    cable->send = &rings[1 - receive];
    cable->receive_data = cable->memory + CABLE_DATA_OFFSET + receive * CABLE_RING_BYTES;
    cable->send_data = cable->memory + CABLE_DATA_OFFSET + (1 - receive) * CABLE_RING_BYTES;
    cable->head = cable->tail = cable->step = 0;
    int result = port_watch(port, cable->own_wake);
    if (result == 0)
        atomic_store(&port->link, 1);
    return result;
}

static int create_memory(void)
{
    int fd = memfd_create("cipu-cable", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, CABLE_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0))
        close_fd(&fd);
    return fd;
}

static int send_hello(int peer, const int fds[CABLE_FDS])
{
    struct hello hello = {CABLE_MAGIC, CABLE_VERSION, CABLE_RING_BYTES, 0};
    struct iovec part = {&hello, sizeof hello};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(CABLE_FDS * sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(CABLE_FDS * sizeof(int));
    memcpy(CMSG_DATA(header), fds, CABLE_FDS * sizeof(int));
    return sendmsg(peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The listener stops to watch its socket while it has a peer, else a second caller would keep it awake. */
static void accept_peer(struct port *port)
{
    struct cable *cable = port->state;
    cable->peer = accept4(cable->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (cable->peer < 0)
        return;
    int memory = create_memory();
    cable->own_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cable->peer_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int fds[CABLE_FDS] = {memory, cable->own_wake, cable->peer_wake};
    if (memory < 0 || cable->own_wake < 0 || cable->peer_wake < 0 || port_watch(port, cable->peer) < 0 ||
        plug_in(port, memory, true) < 0 || send_hello(cable->peer, fds) < 0) {
        hang_up(cable);
        atomic_store(&port->link, 0);
    } else {
        epoll_ctl(port->epoll, EPOLL_CTL_DEL, cable->listener, NULL);
    }
    close_fd(&memory);
}

/* Returns the number of descriptors, all owned by the caller; 0 = nothing yet, negative = not a cable or gone. */
static int receive_hello(int peer, int fds[CABLE_FDS])
{
    struct hello hello;
    struct iovec part = {&hello, sizeof hello};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(CABLE_FDS * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t bytes = recvmsg(peer, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    int count = 0;
    for (struct cmsghdr *header = bytes > 0 ? CMSG_FIRSTHDR(&message) : NULL; header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof(int));
    }
    if (bytes == sizeof hello && count == CABLE_FDS && hello.magic == CABLE_MAGIC && hello.version == CABLE_VERSION &&
        hello.ring_bytes == CABLE_RING_BYTES)
        return count;
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return -EPROTO;
}

/* The connector's way up. false = hang up. */
static bool greet(struct port *port)
{
    struct cable *cable = port->state;
    int fds[CABLE_FDS];
    int count = receive_hello(cable->peer, fds);
    if (count <= 0)
        return count == 0;
    cable->peer_wake = fds[1];
    cable->own_wake = fds[2];
    int result = plug_in(port, fds[0], false);
    close(fds[0]);
    return result == 0;
}

static int try_connect(struct port *port)
{
    struct cable *cable = port->state;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = connect(fd, (struct sockaddr *)&cable->address, sizeof cable->address) < 0 ? -errno : 0;
    if (result == 0)
        result = port_watch(port, fd);
    if (result < 0)
        close(fd);
    else
        cable->peer = fd;
    return result;
}

static int try_listen(struct port *port)
{
    struct cable *cable = port->state;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = bind(fd, (struct sockaddr *)&cable->address, sizeof cable->address) < 0 ? -errno : 0;
    if (result == 0 && (listen(fd, 1) < 0 || stat(cable->address.sun_path, &cable->socket) < 0))
        result = -errno;
    if (result == 0)
        result = port_watch(port, fd);
    if (result < 0)
        close(fd);
    else
        cable->listener = fd;
    return result;
}

/* Only a socket that nobody answers at is removed. */
static void remove_stale(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

/* Two cards may start at the same moment: bind decides who listens; who has bound but does not listen yet refuses for a
 * moment. */
static int connect_or_listen(struct port *port)
{
    struct cable *cable = port->state;
    int result = -EAGAIN;
    for (unsigned refused = 0; refused < 20; refused++) {
        if ((result = try_connect(port)) == 0)
            return 0;
        if (result == -ECONNREFUSED && refused >= 3)
            remove_stale(cable->address.sun_path);
        if (result == -ENOENT || (result == -ECONNREFUSED && refused >= 3))
            result = try_listen(port);
        if (result != -ECONNREFUSED && result != -EADDRINUSE)
            return result;
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    return result;
}

int cable_link_open(struct port *port, const char *path, struct cipu_error *error)
{
    struct cable *cable = port->state;
    if (!*path || strlen(path) >= sizeof cable->address.sun_path)
        return cipu_fail(error, -EINVAL, "port unix: path '%s', expected 1 to %zu characters", path,
                         sizeof cable->address.sun_path - 1);
    cable->address.sun_family = AF_UNIX;
    memcpy(cable->address.sun_path, path, strlen(path) + 1);
    int result = connect_or_listen(port);
    if (result < 0)
        return cipu_fail(error, result, "port unix:%s: cannot connect or listen: %s", path, strerror(-result));
    /* A listener answers at once: then a card that connects begins with its link up. */
    struct pollfd answer = {.fd = cable->peer, .events = POLLIN};
    if (cable->peer >= 0 && poll(&answer, 1, GREETING_MILLISECONDS) > 0)
        cable_link_check(port);
    return 0;
}

static void stop_listening(struct cable *cable)
{
    struct stat status;
    if (cable->listener < 0)
        return;
    if (stat(cable->address.sun_path, &status) == 0 && status.st_ino == cable->socket.st_ino &&
        status.st_dev == cable->socket.st_dev)
        unlink(cable->address.sun_path);
    close_fd(&cable->listener);
}

void cable_link_close(struct port *port)
{
    struct cable *cable = port->state;
    hang_up(cable);
    stop_listening(cable);
    atomic_store(&port->link, 0);
}

static bool peer_has_gone(const struct cable *cable)
{
    char byte;
    ssize_t bytes = recv(cable->peer, &byte, sizeof byte, MSG_DONTWAIT);
    return bytes >= 0 || (errno != EAGAIN && errno != EINTR);
}

bool cable_link_check(struct port *port)
{
    struct cable *cable = port->state;
    if (cable->peer < 0 && cable->listener < 0) {
        connect_or_listen(port);
    } else if (cable->peer < 0) {
        accept_peer(port);
        return false;
    }
    if (cable->peer < 0)
        return false;
    bool gone = cable->broken || (cable->memory ? peer_has_gone(cable) : !greet(port));
    if (!gone)
        return false;
    hang_up(cable);
    atomic_store(&port->link, 0);
    if (cable->listener >= 0)
        port_watch(port, cable->listener);
    else
        connect_or_listen(port);
    return true;
}
