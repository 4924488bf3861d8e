/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon is killed (SIGKILL) while writes of a virtio-blk disk wait in the card for their volume's rate, and other
 * requests, which cost nothing, come behind them. The next daemon carries out what the driver still waits for: each
 * request ends, and none ends twice.
 *
 * usage: overtake CIPUD CONFIG SOCKET ROUNDS
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/peers/block_ring.h"
#include "tests/peers/vhost_user_client.h"

#define ENTRIES    64u
#define GUEST      UINT64_C(0x100000000)
#define USER       UINT64_C(0x7f1200000000)
#define T_OUT      1u
#define T_GET_ID   8u
#define ID_BYTES   20u
#define WORK_MS    60u
#define DRAIN_MS   30000u
#define CONNECT_MS 10000u

extern char **environ;

struct room {
    const char *daemon, *config, *socket;
    pid_t process;
    struct vhost_user_client client;
    struct vhost_user_machine machine;
    struct block_ring ring;
    int memory_fd;
    uint8_t *memory;
    uint64_t submitted, ended;
};

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static int make_machine(struct room *room)
{
    room->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    if (room->memory_fd < 0 || ftruncate(room->memory_fd, BLOCK_RING_BYTES) < 0)
        return -errno;
    room->memory = mmap(NULL, BLOCK_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, room->memory_fd, 0);
    if (room->memory == MAP_FAILED)
        return -errno;
    room->machine = (struct vhost_user_machine){
        .version = QEMU_11_1,
        .queues = 1,
        .started = 1,
        .entries = ENTRIES,
        .features = UINT64_MAX,
        .protocol = UINT64_MAX,
        .piece_count = 1,
        .pieces = {{GUEST, BLOCK_RING_BYTES, USER, 0}},
        .piece_fds = {room->memory_fd},
        .rings = {{.descriptors = USER, .avail = USER + BLOCK_RING_AVAIL, .used = USER + BLOCK_RING_USED}},
        .inflight = -1};
    block_ring_init(&room->ring, room->memory, GUEST, ENTRIES);
    room->ring.event_index = true;
    return 0;
}

/* As QEMU does when the server has gone without telling the bases. */
static int start(struct room *room)
{
    char *const arguments[] = {(char *)(uintptr_t)room->daemon, "--config", (char *)(uintptr_t)room->config, NULL};
    int result = -ENOENT;
    if (posix_spawn(&room->process, room->daemon, NULL, NULL, arguments, environ) != 0)
        return -ENOENT;
    for (uint64_t end = now_ms() + CONNECT_MS; result < 0 && now_ms() < end; usleep(5000))
        result = vhost_user_client_connect(&room->client, room->socket);
    room->machine.bases[0] = __atomic_load_n((uint16_t *)(room->memory + BLOCK_RING_USED + 2), __ATOMIC_ACQUIRE);
    if (result == 0)
        result = vhost_user_client_realize(&room->client, &room->machine);
    if (result == 0)
        result = vhost_user_client_start(&room->client, &room->machine);
    if (result == 0)
        eventfd_write(room->client.kicks[0], 1);
    return result;
}

static void stop(struct room *room)
{
    int status;
    kill(room->process, SIGKILL);
    waitpid(room->process, &status, 0);
    vhost_user_client_close(&room->client);
}

static int take(struct room *room)
{
    int head;
    while ((head = block_ring_take(&room->ring)) >= 0) {
        room->ended++;
        if (block_ring_status(&room->ring, (unsigned)head) != 0)
            return -EIO;
    }
    return head == -1 ? 0 : -EPROTO; /* it is not in flight: it had ended before */
}

/* One write in eight; all others could go around the ring while that waits. */
static void submit(struct room *room)
{
    for (int head = block_ring_claim(&room->ring); head >= 0; head = block_ring_claim(&room->ring)) {
        bool write = room->submitted++ % 8 == 0;
        block_ring_submit(&room->ring, (unsigned)head, write ? T_OUT : T_GET_ID, write ? (unsigned)head * 8u : 0,
                          write ? 4096 : ID_BYTES, !write);
    }
    eventfd_write(room->client.kicks[0], 1);
}

static int work(struct room *room, unsigned milliseconds)
{
    int result = 0;
    for (uint64_t end = now_ms() + milliseconds; now_ms() < end && result == 0; usleep(500)) {
        submit(room);
        result = take(room);
    }
    return result;
}

static int drain(struct room *room)
{
    int result = 0;
    for (uint64_t end = now_ms() + DRAIN_MS; room->ended < room->submitted && result == 0; usleep(1000)) {
        result = take(room);
        if (result == 0 && now_ms() > end)
            result = -ETIMEDOUT;
    }
    return result;
}

int main(int argc, char **argv)
{
    static struct room room;
    if (argc != 5)
        return fputs("usage: overtake CIPUD CONFIG SOCKET ROUNDS\n", stderr), 2;
    room.daemon = argv[1], room.config = argv[2], room.socket = argv[3];
    unsigned long rounds = strtoul(argv[4], NULL, 10), round = 0;
    int result = make_machine(&room);
    for (; round < rounds && result == 0; round++) {
        result = start(&room);
        if (result == 0)
            result = work(&room, WORK_MS);
        if (result == 0 && round + 1 == rounds)
            result = drain(&room);
        stop(&room);
    }
    if (result < 0)
        fprintf(stderr, "overtake: round %lu: %s\n", round, strerror(-result));
    fprintf(stderr, "overtake: %lu kills, %llu requests, %llu ends\n", round, (unsigned long long)room.submitted,
            (unsigned long long)room.ended);
    return result < 0 || room.ended == 0;
}
