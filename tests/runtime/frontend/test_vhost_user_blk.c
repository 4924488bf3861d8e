/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk behind a vhost-user server, in a process of its own that is killed again and again under a client that
 * does what QEMU does: comes back, gives the same inflight buffer and the used indices. The driver in its memory must
 * not notice: every request ends, none ends twice, all data is right.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/device/virtio_blk.h"
#include "runtime/frontend/vhost_user_server.h"
#include "tests/peers/block_ring.h"
#include "tests/peers/vhost_user_client.h"
#include "tests/runtime/device/block_card.h"

#define QUEUES       2u
#define ENTRIES      128u
#define GUEST        UINT64_C(0x100000000)
#define USER         UINT64_C(0x7f1200000000)
#define SECTORS_EACH 8u /* of the volume that each head of each queue has for itself */
#define DATA_BYTES   (SECTORS_EACH * 512u)
#define VOLUME_BYTES (UINT64_C(4) << 20)
#define T_IN         0u
#define T_OUT        1u
#define T_FLUSH      4u

/* What the driver remembers of a head. */
struct slot {
    uint32_t type;
    uint8_t pattern; /* of its sectors, once the request is done */
    uint8_t before;
};

struct room {
    char folder[32], path[64], backend[160];
    unsigned lag;
    bool deaf_sometimes;
    pid_t server;
    int control; /* the server ends well when it is closed */
    struct vhost_user_client client;
    struct vhost_user_machine machine;
    int memory_fd;
    uint8_t *memory;
    struct block_ring rings[QUEUES];
    struct slot slots[QUEUES][ENTRIES];
    uint64_t random, done;
};

static uint64_t random_below(struct room *room, uint64_t below)
{
    room->random ^= room->random << 13;
    room->random ^= room->random >> 7;
    room->random ^= room->random << 17;
    return room->random % below;
}

/* ---- the server's process ---- */

static void on_event(void *context, const struct event_entry *event)
{
    virtio_blk_queue_fault(context, event);
}

#define EXPECT(condition)                                                           \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: server: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)

/* What a killed process had under way in the kernel keeps the file a little longer. */
static int open_volume(struct block_engine *engine, const struct volume_settings *settings,
                       struct block_volume **volume, struct cipu_error *error)
{
    int result = block_volume_open(engine, settings, volume, error);
    for (unsigned i = 0; i < 500 && result == -EBUSY; i++) {
        usleep(10000);
        result = block_volume_open(engine, settings, volume, error);
    }
    return result;
}

static void serve(const struct room *room, int control)
{
    struct cipu_card *card;
    struct cipu_host *host;
    struct block_engine *engine;
    struct block_volume *volume = NULL;
    struct virtio_blk *device = NULL;
    struct vhost_user_server *server = NULL;
    struct cipu_error error = {{0}};
    struct volume_settings volume_settings = {.name = "disk", .bytes = VOLUME_BYTES, .create = true};
    char byte;
    snprintf(volume_settings.backend, sizeof volume_settings.backend, "%s", room->backend);
    EXPECT(block_card_open(&card, &host) == 0);
    card->lag = room->lag;
    int result = block_engine_open(card, host, &engine, &error);
    if (!result)
        result = open_volume(engine, &volume_settings, &volume, &error);
    const struct virtio_blk_settings settings = {.function = 7, .volume = volume, .queues = QUEUES, .vhost = true};
    if (!result)
        result = virtio_blk_create(card, host, engine, &settings, &device, &error);
    if (!result)
        result = vhost_user_server_create(room->path, &virtio_blk_vhost_ops, device, &server, &error);
    if (result)
        fprintf(stderr, "server: %s\n", error.text);
    EXPECT(result == 0);
    card->event_context = device;
    card->event = on_event;
    struct pollfd wait = {.fd = control, .events = POLLIN};
    for (unsigned round = 0; poll(&wait, 1, room->deaf_sometimes ? 3 : -1) == 0; round++)
        card->deaf = round % 3 == 0;
    card->deaf = false;
    EXPECT(read(control, &byte, 1) == 0);
    vhost_user_server_destroy(server);
    EXPECT(block_card_is_clean(card, 7));
    virtio_blk_destroy(device);
    EXPECT(block_volume_close(volume) == 0);
    block_engine_close(engine);
    block_card_close(card, host);
}

static void launch(struct room *room)
{
    int control[2];
    assert_int_equal(pipe2(control, O_CLOEXEC), 0);
    fflush(NULL);
    room->server = fork();
    if (room->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(control[1]);
        serve(room, control[0]);
        exit(0);
    }
    close(control[0]);
    room->control = control[1];
}

static void kill_server(struct room *room)
{
    int status;
    kill(room->server, SIGKILL);
    assert_int_equal(waitpid(room->server, &status, 0), room->server);
    room->server = 0;
    close(room->control);
    vhost_user_client_close(&room->client);
}

static int end_server(struct room *room)
{
    int status;
    close(room->control);
    if (waitpid(room->server, &status, 0) != room->server)
        return -1;
    room->server = 0;
    vhost_user_client_close(&room->client);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- the client's ---- */

static uint16_t used_index(const struct room *room, unsigned queue)
{
    return __atomic_load_n((const uint16_t *)(room->rings[queue].memory + BLOCK_RING_USED + 2), __ATOMIC_ACQUIRE);
}

static void join(struct room *room)
{
    int result = -ENOENT;
    for (unsigned i = 0; i < 1000 && result; i++) {
        result = vhost_user_client_connect(&room->client, room->path);
        if (result)
            usleep(10000);
    }
    assert_int_equal(result, 0);
    assert_int_equal(vhost_user_client_realize(&room->client, &room->machine), 0);
    assert_int_equal(vhost_user_client_start(&room->client, &room->machine), 0);
}

/* As QEMU does when the server has gone without telling the bases. */
static void join_again(struct room *room)
{
    for (unsigned i = 0; i < QUEUES; i++)
        room->machine.bases[i] = used_index(room, i);
    join(room);
    for (unsigned i = 0; i < QUEUES; i++)
        eventfd_write(room->client.kicks[i], 1);
}

static void begin_rings(struct room *room)
{
    for (unsigned i = 0; i < QUEUES; i++) {
        block_ring_init(&room->rings[i], room->memory + (size_t)i * BLOCK_RING_BYTES,
                        GUEST + (uint64_t)i * BLOCK_RING_BYTES, ENTRIES);
        room->rings[i].event_index = true;
        room->machine.bases[i] = 0;
    }
}

static int open_room(void **state, enum vhost_user_qemu version, const char *rules)
{
    struct room *room = calloc(1, sizeof *room);
    const size_t bytes = QUEUES * (size_t)BLOCK_RING_BYTES;
    *state = room;
    room->random = 88172645463325252u;
    snprintf(room->folder, sizeof room->folder, "/tmp/cipu-test-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    snprintf(room->path, sizeof room->path, "%s/socket", room->folder);
    snprintf(room->backend, sizeof room->backend, "%sfile:%s/disk", rules, room->folder);
    room->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    if (ftruncate(room->memory_fd, (off_t)bytes))
        return -1;
    room->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, room->memory_fd, 0);
    struct vhost_user_machine *machine = &room->machine;
    *machine = (struct vhost_user_machine){.version = version,
                                           .queues = QUEUES,
                                           .started = QUEUES,
                                           .entries = ENTRIES,
                                           .features = UINT64_MAX,
                                           .protocol = UINT64_MAX,
                                           .piece_count = 2,
                                           .inflight = -1};
    /* One piece a queue, so that requests lie in both. */
    for (unsigned i = 0; i < QUEUES; i++) {
        machine->pieces[i] =
            (struct vhost_user_region){GUEST + (uint64_t)i * BLOCK_RING_BYTES, BLOCK_RING_BYTES,
                                       USER + (uint64_t)i * BLOCK_RING_BYTES, (uint64_t)i * BLOCK_RING_BYTES};
        machine->piece_fds[i] = room->memory_fd;
        uint64_t ring = USER + (uint64_t)i * BLOCK_RING_BYTES;
        machine->rings[i] = (struct vhost_user_address){
            .index = i, .descriptors = ring, .avail = ring + BLOCK_RING_AVAIL, .used = ring + BLOCK_RING_USED};
    }
    begin_rings(room);
    return 0;
}

static int setup_7_2(void **state)
{
    return open_room(state, QEMU_7_2, "");
}

static int setup_11_1(void **state)
{
    return open_room(state, QEMU_11_1, "");
}

/* The first two heads' sectors are slow: others go around the rings many times meanwhile. */
static int setup_slow(void **state)
{
    return open_room(state, QEMU_11_1, "fault:read-delay=0-8192@60000;write-delay=0-8192@60000;any-delay@200,");
}

static int teardown(void **state)
{
    struct room *room = *state;
    char disk[64];
    int result = room->server ? end_server(room) : 0;
    if (room->machine.inflight >= 0)
        close(room->machine.inflight);
    munmap(room->memory, QUEUES * (size_t)BLOCK_RING_BYTES);
    close(room->memory_fd);
    snprintf(disk, sizeof disk, "%s/disk", room->folder);
    unlink(disk);
    unlink(room->path);
    rmdir(room->folder);
    free(room);
    return result;
}

/* ---- the driver ---- */

static void submit(struct room *room, unsigned queue, uint32_t type)
{
    struct block_ring *ring = &room->rings[queue];
    int head = block_ring_claim(ring);
    if (head < 0)
        return;
    struct slot *slot = &room->slots[queue][head];
    uint8_t *data = block_ring_data(ring, (unsigned)head);
    uint64_t sector = (queue * ENTRIES + (unsigned)head) * (uint64_t)SECTORS_EACH;
    slot->type = type;
    slot->before = slot->pattern;
    if (type == T_OUT)
        slot->pattern = (uint8_t)(1 + random_below(room, 255));
    memset(data, type == T_OUT ? slot->pattern : 0xee, DATA_BYTES);
    block_ring_submit(ring, (unsigned)head, type, sector, type == T_FLUSH ? 0 : DATA_BYTES, type == T_IN);
}

static void check_done(struct room *room, unsigned queue, unsigned head)
{
    struct block_ring *ring = &room->rings[queue];
    const struct slot *slot = &room->slots[queue][head];
    const uint8_t *data = block_ring_data(ring, head);
    assert_int_equal(block_ring_status(ring, head), 0);
    assert_int_equal(ring->used_length[head], slot->type == T_IN ? DATA_BYTES + 1 : 1);
    for (unsigned i = 0; slot->type == T_IN && i < DATA_BYTES; i++)
        assert_int_equal(data[i], slot->pattern);
    room->done++;
}

static void take(struct room *room)
{
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        int head;
        while ((head = block_ring_take(&room->rings[queue])) >= 0)
            check_done(room, queue, (unsigned)head);
        assert_int_equal(head, -1);
    }
}

static unsigned in_flight(const struct room *room)
{
    unsigned count = 0;
    for (unsigned queue = 0; queue < QUEUES; queue++)
        count += ENTRIES - room->rings[queue].free_count;
    return count;
}

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void work(struct room *room, unsigned milliseconds, bool kicks)
{
    static const uint32_t types[] = {T_IN, T_IN, T_OUT, T_OUT, T_OUT, T_FLUSH};
    for (uint64_t end = now_ms() + milliseconds; now_ms() < end;) {
        for (unsigned queue = 0; queue < QUEUES; queue++) {
            for (uint64_t i = random_below(room, 24); i > 0; i--)
                submit(room, queue, types[random_below(room, 6)]);
            if (kicks)
                eventfd_write(room->client.kicks[queue], 1);
        }
        take(room);
    }
}

static void drain(struct room *room)
{
    for (uint64_t end = now_ms() + 20000; in_flight(room) && now_ms() < end; usleep(200))
        take(room);
    assert_int_equal(in_flight(room), 0);
}

static void read_all(struct room *room)
{
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        for (unsigned i = 0; i < ENTRIES; i++)
            submit(room, queue, T_IN);
        eventfd_write(room->client.kicks[queue], 1);
    }
    drain(room);
}

/* ---- tests ---- */

static void test_life(void **state)
{
    struct room *room = *state;
    uint64_t calls;
    launch(room);
    join(room);
    for (unsigned round = 0; round < 4; round++) {
        work(room, 60, true);
        drain(room);
        assert_int_equal(read(room->client.calls[0], &calls, 8), 8);
        /* The machine stops with requests in flight and goes on: they have ended, and well. */
        work(room, 20, true);
        assert_int_equal(vhost_user_client_stop(&room->client, &room->machine), 0);
        for (unsigned queue = 0; queue < QUEUES; queue++)
            assert_int_equal(room->machine.bases[queue], used_index(room, queue));
        take(room);
        work(room, 5, false);
        assert_int_equal(vhost_user_client_start(&room->client, &room->machine), 0);
        drain(room);
    }
    read_all(room);
    /* The driver begins anew: the client gets a new buffer. */
    assert_int_equal(vhost_user_client_stop(&room->client, &room->machine), 0);
    close(room->machine.inflight);
    room->machine.inflight = -1;
    begin_rings(room);
    assert_int_equal(vhost_user_client_start(&room->client, &room->machine), 0);
    read_all(room);
    assert_true(room->done > 1000);
}

static void kill_again_and_again(struct room *room, unsigned rounds)
{
    launch(room);
    join(room);
    for (unsigned round = 0; round < rounds; round++) {
        work(room, 20 + (unsigned)random_below(room, 80), true);
        kill_server(room);
        work(room, 2, false); /* the guest runs on */
        launch(room);
        join_again(room);
        if (round % 3 == 0)
            drain(room);
    }
    drain(room);
    read_all(room);
    assert_true(room->done > rounds * 20);
}

static void test_killed(void **state)
{
    kill_again_and_again(*state, 12);
}

/* Completions that were sent and not published; requests that had not come to the engine. */
static void test_killed_with_lag(void **state)
{
    struct room *room = *state;
    room->lag = 60;
    kill_again_and_again(room, 8);
    room->deaf_sometimes = true;
    kill_server(room);
    launch(room);
    join_again(room);
    for (unsigned round = 0; round < 6; round++) {
        work(room, 30, true);
        kill_server(room);
        launch(room);
        join_again(room);
    }
    drain(room);
    read_all(room);
}

/* Killed while it recovers. */
static void test_killed_at_once(void **state)
{
    struct room *room = *state;
    launch(room);
    join(room);
    work(room, 100, true);
    for (unsigned round = 0; round < 10; round++) {
        kill_server(room);
        launch(room);
        join_again(room);
        usleep((unsigned)random_below(room, 20000));
    }
    drain(room);
    read_all(room);
}

/* The volume hangs while what was left is carried out: a stop does not wait for it, and nothing is lost. */
static void test_stalled_recovery(void **state)
{
    struct room *room = *state;
    launch(room);
    join(room);
    work(room, 100, true);
    assert_true(room->rings[0].busy[0] || room->rings[0].busy[1]); /* the slow ones */
    kill_server(room);
    snprintf(room->backend, sizeof room->backend, "fault:any-stall=0-8192,file:%s/disk", room->folder);
    launch(room);
    join_again(room);
    uint64_t begin = now_ms();
    assert_int_equal(vhost_user_client_stop(&room->client, &room->machine), 0);
    assert_true(now_ms() - begin < 8000);
    for (unsigned queue = 0; queue < QUEUES; queue++)
        assert_int_equal(room->machine.bases[queue], used_index(room, queue));
    take(room);
    kill_server(room);
    snprintf(room->backend, sizeof room->backend, "file:%s/disk", room->folder);
    launch(room);
    join_again(room);
    drain(room);
    read_all(room);
}

/* The client goes and comes back to the same server, as when its socket broke. */
static void test_client_comes_back(void **state)
{
    struct room *room = *state;
    launch(room);
    join(room);
    for (unsigned round = 0; round < 4; round++) {
        work(room, 40, true);
        vhost_user_client_close(&room->client);
        for (unsigned i = 0; i < QUEUES; i++)
            room->machine.bases[i] = 0;
        /* The bases are read when the server has let the rings go: it answers again then. */
        uint64_t value;
        assert_int_equal(vhost_user_client_connect(&room->client, room->path), 0);
        assert_int_equal(vhost_user_client_get(&room->client, VHOST_USER_GET_FEATURES, &value), 0);
        vhost_user_client_close(&room->client);
        join_again(room);
        drain(room);
    }
    read_all(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup_7_2, teardown),
        cmocka_unit_test_setup_teardown(test_life, setup_11_1, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup_7_2, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(test_killed_with_lag, setup_11_1, teardown),
        cmocka_unit_test_setup_teardown(test_killed_with_lag, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_once, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_recovery, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(test_client_comes_back, setup_slow, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
