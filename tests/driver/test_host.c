/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the rings on a native card whose graph has the host rings alone: targets echo commands, injected
 * packets come back as punted ones. Every test runs on the graph in place and on the copying one.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "driver/host.h"
#include "driver/native.h"
#include "hls/include/beat.h"

extern const struct native_graph native_graph_host, native_graph_host_copying;

struct fixture {
    const struct native_graph *graph;
    struct cipu_card *card;
    struct cipu_host *host;
    uint32_t packets, bytes, bad; /* received */
    uint32_t next_event, events;
};

static void open_host(struct fixture *fixture)
{
    struct cipu_error error = {{0}};
    int result = cipu_host_open(fixture->card, &fixture->host, &error);
    if (result != 0)
        fail_msg("cipu_host_open: %d: %s", result, error.text);
}

static struct fixture *open_fixture(const struct native_graph *graph)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct cipu_error error = {{0}};
    fixture->graph = graph;
    if (native_card_open(graph, "", &fixture->card, &error) != 0)
        fail_msg("native_card_open: %s", error.text);
    open_host(fixture);
    return fixture;
}

static int setup_in_place(void **context)
{
    *context = open_fixture(&native_graph_host);
    return 0;
}

static int setup_copying(void **context)
{
    *context = open_fixture(&native_graph_host_copying);
    return 0;
}

static int teardown(void **context)
{
    struct fixture *fixture = *context;
    cipu_host_close(fixture->host);
    cipu_card_close(fixture->card);
    free(fixture);
    return 0;
}

/* ---- commands ---- */

static struct command_entry some_command(uint32_t number)
{
    struct command_entry command = {.opcode = COMMAND_QUEUE_SET,
                                    .target = (uint8_t)(number % TARGET_COUNT),
                                    .tag = ~number,
                                    .index = number & 0x3ff,
                                    .argument = number};
    memset(command.data, (int)number, sizeof command.data);
    return command;
}

static void assert_answered(const struct command_entry *command, uint32_t number)
{
    struct command_entry expected = some_command(number);
    if (expected.target == TARGET_NET || expected.target == TARGET_BLOCK)
        memcpy(expected.data, &expected.argument, sizeof expected.argument);
    assert_memory_equal(command, &expected, sizeof expected);
}

static void test_commands(void **context)
{
    struct fixture *fixture = *context;
    static struct command_entry commands[6000];
    for (uint32_t i = 0; i < 100; i++) {
        commands[0] = some_command(i);
        assert_int_equal(cipu_host_command(fixture->host, commands, 1), 0);
        assert_answered(&commands[0], i);
    }
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < 6000; i++)
            commands[i] = some_command(i + round);
        assert_int_equal(cipu_host_command(fixture->host, commands, 6000), 0);
        for (uint32_t i = 0; i < 6000; i++)
            assert_answered(&commands[i], i + round);
    }
    assert_int_equal(cipu_host_command(fixture->host, commands, 0), 0);
    assert_int_equal(cipu_host_dropped(fixture->host, RING_COMPLETION), 0);
}

static void test_refused_commands(void **context)
{
    struct fixture *fixture = *context;
    struct command_entry commands[4];
    for (uint32_t i = 0; i < 4; i++)
        commands[i] = some_command(TARGET_COUNT * i);
    commands[1].index = 0xbad;
    commands[2].target = 99;
    assert_int_equal(cipu_host_command(fixture->host, commands, 4), -EIO);
    assert_int_equal(commands[0].status, STATUS_OK);
    assert_int_equal(commands[1].status, STATUS_BAD_INDEX);
    assert_int_equal(commands[2].status, STATUS_BAD_OPCODE);
    assert_int_equal(commands[3].status, STATUS_OK);
}

static void *command_thread(void *context)
{
    struct fixture *fixture = context;
    for (uint32_t round = 0; round < 50; round++) {
        struct command_entry commands[64];
        for (uint32_t i = 0; i < 64; i++)
            commands[i] = some_command(i * 7 + round);
        if (cipu_host_command(fixture->host, commands, 64) != 0)
            return "failed";
        for (uint32_t i = 0; i < 64; i++)
            if (commands[i].argument != i * 7 + round || commands[i].tag != ~(i * 7 + round))
                return "mixed up";
    }
    return NULL;
}

static void test_commands_from_threads(void **context)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, command_thread, *context), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

/* ---- packets ---- */

static void fill_packet(uint8_t *data, uint32_t length, uint32_t number)
{
    for (uint32_t i = 0; i < length; i++)
        data[i] = (uint8_t)(number * 7 + i);
    memcpy(data, &number, sizeof number);
}

static int inject_packet(struct fixture *fixture, uint32_t length, uint32_t number)
{
    uint8_t data[PACKET_BYTES_MAX];
    struct packet_entry entry = {.length = (uint16_t)length,
                                 .source = ENDPOINT_FUNCTION,
                                 .source_id = (uint16_t)(number % CARD_FUNCTIONS),
                                 .action = INJECT_LOOKUP};
    fill_packet(data, length, number);
    return cipu_host_inject(fixture->host, &entry, data);
}

static void take_packet(void *context, const struct packet_entry *entry, const uint8_t *data)
{
    struct fixture *fixture = context;
    uint8_t expected[PACKET_BYTES_MAX];
    uint32_t number;
    memcpy(&number, data, sizeof number);
    fill_packet(expected, entry->length, number);
    fixture->bad += memcmp(data, expected, entry->length) != 0 || entry->source != ENDPOINT_FUNCTION ||
                    entry->source_id != number % CARD_FUNCTIONS;
    fixture->packets++;
    fixture->bytes += entry->length;
}

static void take_event(void *context, const struct event_entry *event)
{
    struct fixture *fixture = context;
    fixture->bad += event->kind != EVENT_QUEUE_STOPPED || event->address < fixture->next_event;
    fixture->next_event = (uint32_t)event->address + 1;
    fixture->events++;
}

/* Waits on the descriptor as an event loop does; false after two quiet seconds. */
static bool wait_readable(struct fixture *fixture)
{
    struct pollfd descriptor = {.fd = cipu_host_fd(fixture->host), .events = POLLIN};
    return poll(&descriptor, 1, 2000) == 1;
}

static void receive_until(struct fixture *fixture, uint32_t packets, unsigned budget)
{
    while (fixture->packets < packets && wait_readable(fixture))
        cipu_host_receive(fixture->host, budget, take_packet, take_event, fixture);
    assert_int_equal(fixture->packets, packets);
    assert_int_equal(fixture->bad, 0);
}

static void test_every_length(void **context)
{
    struct fixture *fixture = *context;
    uint32_t sent = 0, bytes = 0;
    for (uint32_t length = PACKET_BYTES_MIN; length <= PACKET_BYTES_MAX; length += length < 260 ? 1 : 97) {
        assert_int_equal(inject_packet(fixture, length, sent), 0);
        bytes += length;
        receive_until(fixture, ++sent, 64);
    }
    assert_int_equal(inject_packet(fixture, PACKET_BYTES_MAX, sent), 0);
    receive_until(fixture, sent + 1, 64);
    assert_int_equal(fixture->bytes, bytes + PACKET_BYTES_MAX);
    struct packet_entry entry = {.length = PACKET_BYTES_MIN - 1};
    uint8_t data[PACKET_BYTES_MAX + 1] = {0};
    assert_int_equal(cipu_host_inject(fixture->host, &entry, data), -EINVAL);
    entry.length = PACKET_BYTES_MAX + 1;
    assert_int_equal(cipu_host_inject(fixture->host, &entry, data), -EINVAL);
}

/* Many in flight and a small budget: the descriptor stays readable until all is taken. */
static void test_budget(void **context)
{
    struct fixture *fixture = *context;
    uint32_t sent = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 20; i++, sent++)
            while (inject_packet(fixture, 60 + sent % 1440, sent) == -EAGAIN)
                ;
        receive_until(fixture, sent, 3);
    }
    assert_int_equal(cipu_host_dropped(fixture->host, RING_PUNT), 0);
}

static void quiet(struct fixture *fixture)
{
    struct command_entry nothing = {.opcode = COMMAND_NOP};
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = 5000000};
        assert_int_equal(cipu_host_command(fixture->host, &nothing, 1), 0);
        nanosleep(&pause, NULL);
    }
}

/* A host that does not read loses whole packets, counted; the card does not wait for it. */
static void test_full_punt_ring(void **context)
{
    struct fixture *fixture = *context;
    uint32_t sent = 0;
    while (sent < 2000)
        sent += inject_packet(fixture, 1500, sent) == 0;
    quiet(fixture);
    uint32_t dropped = cipu_host_dropped(fixture->host, RING_PUNT);
    assert_true(dropped > 0 && dropped < sent);
    receive_until(fixture, sent - dropped, 1000);
    quiet(fixture); /* the card gives entries back one by one: a packet that comes at once may find its share taken */
    assert_int_equal(inject_packet(fixture, 1500, sent), 0);
    receive_until(fixture, sent - dropped + 1, 1000);
}

static void test_events(void **context)
{
    struct fixture *fixture = *context;
    struct command_entry commands[300];
    for (uint32_t i = 0; i < 300; i++) {
        commands[i] = some_command(i);
        commands[i].target = TARGET_TX;
    }
    assert_int_equal(cipu_host_command(fixture->host, commands, 300), 0);
    while (fixture->events < 300 && wait_readable(fixture))
        cipu_host_receive(fixture->host, 0, take_packet, take_event, fixture);
    assert_int_equal(fixture->events, 300);
    assert_int_equal(fixture->bad, 0);
    /* More than the shares of eight functions, half of the ring: the rest is counted. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(cipu_host_command(fixture->host, commands, 300), 0);
    quiet(fixture);
    fixture->next_event = 0;
    cipu_host_receive(fixture->host, 0, NULL, NULL, NULL);
    assert_int_equal(cipu_host_dropped(fixture->host, RING_EVENT), 900 - 512);
}

/* ---- life and death ---- */

static void test_two_cards(void **context)
{
    struct fixture *fixture = *context;
    struct fixture *second = open_fixture(fixture->graph);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(inject_packet(fixture, 100, i), 0);
        assert_int_equal(inject_packet(second, 200, i), 0);
    }
    receive_until(fixture, 50, 64);
    receive_until(second, 50, 64);
    assert_int_equal(fixture->bytes, 5000);
    assert_int_equal(second->bytes, 10000);
    teardown((void **)&second);
}

static void test_close_under_load(void **context)
{
    struct fixture *fixture = *context;
    for (int round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < 100; i++)
            inject_packet(fixture, 1400, i);
        cipu_host_close(fixture->host);
        open_host(fixture);
        /* Packets that the card still held may come now; they are whole. */
        quiet(fixture);
        cipu_host_receive(fixture->host, 10000, take_packet, take_event, fixture);
        assert_int_equal(fixture->bad, 0);
    }
}

static void test_reset(void **context)
{
    struct fixture *fixture = *context;
    struct command_entry command = some_command(1);
    for (uint32_t i = 0; i < 100; i++)
        inject_packet(fixture, 1400, i);
    assert_int_equal(cipu_card_reset(fixture->card), 0);
    assert_int_equal(cipu_host_command(fixture->host, &command, 1), -ETIMEDOUT);
    cipu_host_close(fixture->host);
    open_host(fixture);
    fixture->packets = 0;
    assert_int_equal(inject_packet(fixture, 77, 1), 0);
    receive_until(fixture, 1, 64);
}

static void *reset_thread(void *context)
{
    struct fixture *fixture = context;
    for (int i = 0; i < 20; i++) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        cipu_card_reset(fixture->card);
    }
    return NULL;
}

static void test_reset_under_load(void **context)
{
    struct fixture *fixture = *context;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, reset_thread, fixture), 0);
    for (uint32_t i = 0; i < 20000; i++) {
        inject_packet(fixture, 64 + i % 1000, i);
        cipu_host_receive(fixture->host, 64, take_packet, take_event, fixture);
    }
    pthread_join(thread, NULL);
    assert_int_equal(fixture->bad, 0);
    cipu_host_close(fixture->host);
    open_host(fixture);
}

#define ON_BOTH(test)                                          \
    {#test " in place", test, setup_in_place, teardown, NULL}, \
    {                                                          \
        #test " copying", test, setup_copying, teardown, NULL  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_commands),     ON_BOTH(test_refused_commands), ON_BOTH(test_commands_from_threads),
        ON_BOTH(test_every_length), ON_BOTH(test_budget),           ON_BOTH(test_full_punt_ring),
        ON_BOTH(test_events),       ON_BOTH(test_two_cards),        ON_BOTH(test_close_under_load),
        ON_BOTH(test_reset),        ON_BOTH(test_reset_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
