/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap:IFNAME: the card's end of a TAP interface (Documentation/networking/tuntap.rst in the kernel's source). The
 * kernel offers one frame a system call. An interface that is not there is created, and goes with the card.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/port_link.h"

#define QUIET_ROUNDS 8u /* without a look after there was nothing: a system call costs more than an idle round */
#define FRAME_BYTES  65536u

struct tap {
    struct port_link link;
    int fd; /* -1 = the interface has gone */
    unsigned quiet;
    uint8_t received[FRAME_BYTES];
    uint8_t sent[PACKET_BYTES_MAX];
};

static int attach(struct port *port, struct cipu_error *error)
{
    struct tap *tap = port->state;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return cipu_fail(error, -errno, "port tap:%s: cannot open /dev/net/tun: %s", tap->link.name, strerror(errno));
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    memcpy(request.ifr_name, tap->link.name, sizeof request.ifr_name);
    int result = 0;
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        result = cipu_fail(error, -errno, "port tap:%s: cannot attach: %s", tap->link.name, strerror(errno));
    if (result == 0)
        result = port_watch(port, fd);
    if (result < 0) {
        close(fd);
        return result;
    }
    tap->fd = fd;
    atomic_store(&port->link, 1);
    return 0;
}

static void set_up(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    if (fd < 0)
        return;
    memcpy(request.ifr_name, name, strlen(name) + 1);
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
    close(fd);
}

static int tap_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return -ENOMEM;
    port->state = tap;
    tap->fd = -1;
    int result = port_link_open(&tap->link, port, argument, error);
    if (result < 0)
        return result;
    bool created = !tap->link.index;
    result = attach(port, error);
    if (result == 0 && created)
        set_up(tap->link.name);
    return result;
}

static void detach(struct port *port)
{
    struct tap *tap = port->state;
    if (tap->fd >= 0)
        close(tap->fd);
    tap->fd = -1;
    atomic_store(&port->link, 0);
}

static void tap_close(struct port *port)
{
    struct tap *tap = port->state;
    if (!tap)
        return;
    detach(port);
    port_link_close(&tap->link);
    free(tap);
}

static bool tap_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct tap *tap = port->state;
    if (tap->quiet) {
        tap->quiet--;
        return false;
    }
    if (tap->fd < 0)
        return false;
    ssize_t bytes = read(tap->fd, tap->received, sizeof tap->received);
    if (bytes > 0) {
        *frame = tap->received;
        *length = (uint32_t)bytes;
        return true;
    }
    tap->quiet = QUIET_ROUNDS;
    if (bytes < 0 && errno == EBADFD)
        detach(port);
    return false;
}

static void tap_release(struct port *port)
{
    (void)port;
}

static uint8_t *tap_reserve(struct port *port)
{
    struct tap *tap = port->state;
    return tap->fd >= 0 ? tap->sent : NULL;
}

static void tap_commit(struct port *port, uint32_t length)
{
    struct tap *tap = port->state;
    if (write(tap->fd, tap->sent, length) < 0)
        port_count(&port->send_dropped, 1);
}

static void tap_flush(struct port *port)
{
    (void)port;
}

/* An interface that was deleted is attached again when it is back; one that only this card created does not come back.
 */
static bool tap_wake(struct port *port)
{
    struct tap *tap = port->state;
    tap->quiet = 0;
    if (!port_link_changed(&tap->link))
        return false;
    if (tap->fd >= 0 && !tap->link.index)
        detach(port);
    if (tap->fd < 0 && tap->link.index)
        attach(port, NULL);
    return false; /* the buffers are the port's own */
}

const struct port_ops port_tap = {
    .scheme = "tap",
    .open = tap_open,
    .close = tap_close,
    .receive = tap_receive,
    .release = tap_release,
    .reserve = tap_reserve,
    .commit = tap_commit,
    .flush = tap_flush,
    .wake = tap_wake,
};
