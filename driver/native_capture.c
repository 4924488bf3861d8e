/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture: the card's thread copies frames into a ring, a thread of its own writes them to the descriptor as pcap
 * (nanosecond form, https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html). A reader that is too slow loses
 * frames, the card nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "driver/native.h"

#define RING_BYTES       (8u << 20) /* a power of two */
#define IDLE_NANOSECONDS 5000000

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2];
    uint32_t snap_length;
    uint32_t link_type;
};

struct frame_header {
    uint32_t seconds, nanoseconds;
    uint32_t captured, length;
};

static_assert(sizeof(struct file_header) == 24 && sizeof(struct frame_header) == 16, "pcap headers");

struct native_capture {
    int port; /* -1 = all */
    int fd;
    pthread_t thread;
    atomic_bool stop;
    bool thread_started;
    uint8_t *ring;
    _Alignas(64) _Atomic uint64_t head; /* bytes written out */
    _Alignas(64) _Atomic uint64_t tail; /* bytes put in */
};

static void put(struct native_capture *capture, uint64_t at, const void *data, uint32_t bytes)
{
    uint32_t place = (uint32_t)(at & (RING_BYTES - 1)), straight = RING_BYTES - place;
    uint32_t first = bytes < straight ? bytes : straight;
    memcpy(capture->ring + place, data, first);
    memcpy(capture->ring, (const uint8_t *)data + first, bytes - first);
}

void native_capture_frame(struct native_capture *capture, unsigned port, const uint8_t *frame, uint32_t length)
{
    if (capture->port >= 0 && (unsigned)capture->port != port)
        return;
    uint64_t tail = atomic_load_explicit(&capture->tail, memory_order_relaxed);
    uint64_t used = tail - atomic_load_explicit(&capture->head, memory_order_acquire);
    if (RING_BYTES - used < sizeof(struct frame_header) + length)
        return;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    struct frame_header header = {(uint32_t)time.tv_sec, (uint32_t)time.tv_nsec, length, length};
    put(capture, tail, &header, sizeof header);
    put(capture, tail + sizeof header, frame, length);
    atomic_store_explicit(&capture->tail, tail + sizeof header + length, memory_order_release);
}

/* false = the reader has gone, or the capture ends while the reader does not read. */
static bool write_all(struct native_capture *capture, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t written = write(capture->fd, data, bytes);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = capture->fd, .events = POLLOUT};
            if (poll(&wait, 1, 100) == 0 && atomic_load(&capture->stop))
                return false;
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        bytes -= (size_t)written;
    }
    return true;
}

static void *run(void *argument)
{
    struct native_capture *capture = argument;
    const struct file_header header = {0xa1b23c4d, 2, 4, {0}, PACKET_BYTES_MAX, 1};
    bool good = write_all(capture, (const uint8_t *)&header, sizeof header);
    for (;;) {
        bool stop = atomic_load(&capture->stop);
        uint64_t head = atomic_load_explicit(&capture->head, memory_order_relaxed);
        uint64_t ready = atomic_load_explicit(&capture->tail, memory_order_acquire) - head;
        uint32_t place = (uint32_t)(head & (RING_BYTES - 1)), straight = RING_BYTES - place;
        size_t bytes = ready < straight ? (size_t)ready : straight;
        if (bytes && good)
            good = write_all(capture, capture->ring + place, bytes);
        atomic_store_explicit(&capture->head, head + bytes, memory_order_release);
        if (bytes)
            continue;
        if (stop)
            return NULL;
        struct timespec pause = {0, IDLE_NANOSECONDS};
        nanosleep(&pause, NULL);
    }
}

static void destroy(struct native_capture *capture)
{
    if (capture->thread_started) {
        atomic_store(&capture->stop, true);
        pthread_join(capture->thread, NULL);
    }
    if (capture->fd >= 0)
        close(capture->fd);
    if (capture->ring)
        munmap(capture->ring, RING_BYTES);
    free(capture);
}

static int start_thread(struct native_capture *capture)
{
    /* A reader that has gone is an error of write, not a SIGPIPE. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(&capture->thread, NULL, run, capture);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    capture->thread_started = code == 0;
    return -code;
}

static int create(int port, int fd, struct native_capture **result)
{
    struct native_capture *capture = aligned_alloc(64, (sizeof *capture + 63) / 64 * 64);
    if (!capture)
        return -ENOMEM;
    memset(capture, 0, sizeof *capture);
    capture->port = port;
    capture->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int code = capture->fd < 0 ? -errno : 0;
    capture->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (capture->ring == MAP_FAILED) {
        capture->ring = NULL;
        code = code ? code : -errno;
    }
    if (code == 0)
        code = start_thread(capture);
    if (code < 0) {
        destroy(capture);
        return code;
    }
    *result = capture;
    return 0;
}

int native_capture(struct cipu_card *base, int port, int fd, struct cipu_error *error)
{
    struct native_card *card = (struct native_card *)base;
    struct native_capture *capture = NULL;
    if (port < -1 || port >= (int)CARD_PORTS)
        return cipu_fail(error, -EINVAL, "capture: port %d, expected 0 to %u or -1 for all", port, CARD_PORTS - 1);
    int result = 0;
    pthread_mutex_lock(&card->lock);
    if (fd >= 0 && atomic_load(&card->capture)) {
        result = cipu_fail(error, -EBUSY, "capture: one is running already");
    } else if (fd >= 0 && (result = create(port, fd, &capture)) < 0) {
        cipu_fail(error, result, "capture: %s", strerror(-result));
    } else {
        struct native_capture *old = atomic_exchange(&card->capture, capture);
        if (old) {
            native_synchronize(card);
            destroy(old);
        }
    }
    pthread_mutex_unlock(&card->lock);
    return result;
}
