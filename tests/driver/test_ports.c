/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that need no root: pcap files, the unix: cable, and capture, on a card that joins its two ports; and the
 * checksums that a packet: port finishes. */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "driver/native.h"
#include "driver/port_packet_checksum.h"
#include "hls/include/registers.h"

extern const struct native_graph native_graph_wire;

/* The program is linked twice: with the rtl card, and without. */
extern int rtl_card_open(const struct native_graph *graph, const char *rest, struct cipu_card **card,
                         struct cipu_error *error) __attribute__((weak));

static int open_wire(const char *uri, struct cipu_card **card, struct cipu_error *error)
{
    return (rtl_card_open ? rtl_card_open : native_card_open)(&native_graph_wire, uri, card, error);
}

#define FRAMES 3000u

static char folder[64];

static uint32_t length_of(uint32_t number)
{
    static const uint32_t lengths[] = {14, 15, 60, 63, 64, 65, 127, 128, 129, 1514, 4096, 9215, 9216};
    return lengths[number * 7 % (sizeof lengths / sizeof lengths[0])];
}

static void build_frame(uint8_t *frame, uint32_t number)
{
    for (uint32_t i = 0; i < length_of(number); i++)
        frame[i] = (uint8_t)(number * 31 + i * 17 + i / 256);
    memcpy(frame, &number, sizeof number);
}

/* Frames first..first+count-1, then some that no card takes. */
static void write_file(const char *path, uint32_t first, uint32_t count)
{
    uint8_t frame[10000] = {0};
    pcap_t *format = pcap_open_dead(DLT_EN10MB, sizeof frame);
    pcap_dumper_t *file = pcap_dump_open(format, path);
    assert_non_null(file);
    for (uint32_t i = first; i < first + count; i++) {
        struct pcap_pkthdr header = {.caplen = length_of(i), .len = length_of(i)};
        build_frame(frame, i);
        pcap_dump((u_char *)file, &header, frame);
    }
    const struct pcap_pkthdr bad[] = {
        {.caplen = 13, .len = 13}, {.caplen = 9217, .len = 9217}, {.caplen = 60, .len = 100}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        pcap_dump((u_char *)file, &bad[i], frame);
    pcap_dump_close(file);
    pcap_close(format);
}

/* Returns how many frames the file has. They must be whole and in order; a full ring or a link that is down may leave
 * gaps. */
static uint32_t check_file(const char *path)
{
    char reason[PCAP_ERRBUF_SIZE];
    uint8_t expected[10000];
    struct pcap_pkthdr *header;
    const u_char *data;
    uint32_t count = 0, next = 0;
    pcap_t *file = pcap_open_offline(path, reason);
    assert_non_null(file);
    while (pcap_next_ex(file, &header, &data) == 1) {
        uint32_t number;
        memcpy(&number, data, sizeof number);
        assert_true(number >= next);
        build_frame(expected, number);
        assert_int_equal(header->len, length_of(number));
        assert_int_equal(header->caplen, header->len);
        assert_memory_equal(data, expected, header->len);
        next = number + 1;
        count++;
    }
    pcap_close(file);
    return count;
}

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static struct cipu_card *open_card(const char *port0, const char *port1)
{
    char uri[600];
    struct cipu_card *card;
    struct cipu_error error;
    snprintf(uri, sizeof uri, "?port0=%s&port1=%s", port0, port1);
    if (open_wire(uri, &card, &error) < 0)
        fail_msg("%s", error.text);
    return card;
}

static uint32_t counter(struct cipu_card *card, unsigned port, size_t field)
{
    return cipu_card_read(card, (uint32_t)(PORTS_BLOCK_OFFSET + offsetof(struct ports_block, port) +
                                           port * sizeof(struct port_registers) + field));
}

#define COUNTER(card, port, name) counter(card, port, offsetof(struct port_registers, name))

static void wait_for(struct cipu_card *card, unsigned port, size_t field, uint32_t value)
{
    for (unsigned i = 0; counter(card, port, field) != value; i++) {
        if (i == 5000)
            fail_msg("port %u, counter at %zu: %u, expected %u", port, field, counter(card, port, field), value);
        usleep(1000);
    }
}

#define WAIT_FOR(card, port, name, value) wait_for(card, port, offsetof(struct port_registers, name), value)

/* So many frames went into the cable at the reader's port 1, or found no room there, and those that did leave by the
 * other card's port 1: returns how many. */
static uint32_t wait_until_passed(struct cipu_card *reader, struct cipu_card *other, uint32_t frames)
{
    uint32_t sent = 0, dropped = 0, passed = 0;
    for (unsigned i = 0; i < 5000 && (!sent || sent + dropped != frames || passed != sent); i++) {
        usleep(1000);
        sent = COUNTER(reader, 1, sent_packets);
        dropped = COUNTER(reader, 1, send_dropped);
        passed = COUNTER(other, 1, sent_packets);
    }
    assert_true(sent > 0);
    assert_int_equal(sent + dropped, frames);
    assert_int_equal(passed, sent);
    return sent;
}

static void test_pcap(void **state)
{
    (void)state;
    char port0[300], port1[300];
    write_file(path_of("in"), 0, FRAMES);
    snprintf(port0, sizeof port0, "pcap:%s", path_of("in"));
    snprintf(port1, sizeof port1, "pcap:,%s", path_of("out"));
    struct cipu_card *card = open_card(port0, port1);
    WAIT_FOR(card, 1, sent_packets, FRAMES);
    WAIT_FOR(card, 0, received_dropped, 3);
    assert_int_equal(COUNTER(card, 0, received_packets), FRAMES);
    assert_int_equal(COUNTER(card, 0, link), 1);
    assert_int_equal(COUNTER(card, 1, send_dropped), 0);
    cipu_card_close(card);
    assert_int_equal(check_file(path_of("out")), FRAMES);
}

static void test_bad_ports(void **state)
{
    (void)state;
    struct cipu_card *card;
    struct cipu_error error;
    char uri[300];
    static const struct {
        const char *spec;
        int code;
        const char *text;
    } cases[] = {
        {"pcap:", -EINVAL, "expected pcap:READ"},
        {"pcap:/nowhere/in", -ENOENT, "/nowhere/in"},
        {"pcap:,/nowhere/out", -EACCES, "/nowhere/out"},
        {"unix:", -EINVAL, "path"},
        {"unix:/nowhere/cable", -ENOENT, "/nowhere/cable"},
        {"packet:", -EINVAL, "interface name"},
        {"packet:a-name-much-too-long", -EINVAL, "interface name"},
        {"packet:lo,receive=both", -EINVAL, "expected receive=xdp"},
        {"tapestry:x", -EINVAL, "expected tap:IFNAME"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(uri, sizeof uri, "?port1=%s", cases[i].spec);
        assert_int_equal(open_wire(uri, &card, &error), cases[i].code);
        assert_non_null(strstr(error.text, cases[i].text));
    }
}

/* A card in its own process: reads one file into its port 0, joined to the cable at port 1. */
static int run_peer(const char *cable, const char *file)
{
    char uri[700];
    struct cipu_card *card;
    snprintf(uri, sizeof uri, "?port0=pcap:%s,%s.back&port1=unix:%s", file, file, cable);
    if (open_wire(uri, &card, NULL) < 0)
        return 1;
    pause();
    return 0;
}

static pid_t start_peer(const char *cable, const char *file)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    execl("/proc/self/exe", "test_ports", cable, file, NULL);
    _exit(1);
}

static void stop_peer(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Two processes; the far one dies and comes back, first as who connects, then as who listens. */
static void test_cable(void **state)
{
    (void)state;
    char cable[200], port1[300];
    write_file(path_of("near"), 0, 0);
    snprintf(cable, sizeof cable, "unix:%s", path_of("cable"));
    snprintf(port1, sizeof port1, "pcap:,%s", path_of("arrived"));
    struct cipu_card *card = open_card(cable, port1);
    assert_int_equal(COUNTER(card, 0, link), 0);
    uint32_t arrived = 0, before = 0;
    for (unsigned round = 0; round < 4; round++) {
        write_file(path_of("far"), round * FRAMES, FRAMES);
        pid_t peer = start_peer(cable + 5, path_of("far"));
        WAIT_FOR(card, 0, link, 1);
        /* Until nothing has come for a while: what did not fit into the cable's ring is lost. */
        for (unsigned still = 0; still < 50; still++) {
            usleep(2000);
            uint32_t now = COUNTER(card, 1, sent_packets);
            still = now != arrived ? 0 : still;
            arrived = now;
        }
        assert_true(arrived > before);
        before = arrived;
        stop_peer(peer);
        WAIT_FOR(card, 0, link, 0);
    }
    cipu_card_close(card);
    assert_int_equal(check_file(path_of("arrived")), arrived);
    assert_int_equal(access(cable + 5, F_OK), -1);
}

/* Both ends in one process; whatever was sent arrives. */
static void test_cable_in_one_process(void **state)
{
    (void)state;
    char cable[200], far[300], near[600];
    write_file(path_of("in"), 0, FRAMES);
    snprintf(cable, sizeof cable, "unix:%s", path_of("cable"));
    snprintf(far, sizeof far, "pcap:,%s", path_of("out"));
    struct cipu_card *listener = open_card(cable, far);
    struct cipu_card *connector = open_card(cable, "none");
    WAIT_FOR(listener, 0, link, 1);
    WAIT_FOR(connector, 0, link, 1);
    /* A third one waits until the cable is free. */
    struct cipu_card *third = open_card(cable, "none");
    usleep(20000);
    assert_int_equal(COUNTER(third, 0, link), 0);
    cipu_card_close(connector);
    WAIT_FOR(third, 0, link, 1);
    cipu_card_close(third);
    WAIT_FOR(listener, 0, link, 0);
    snprintf(near, sizeof near, "pcap:%s", path_of("in"));
    struct cipu_card *reader = open_card(near, cable);
    WAIT_FOR(listener, 0, link, 1);
    uint32_t sent = wait_until_passed(reader, listener, FRAMES);
    cipu_card_close(reader);
    cipu_card_close(listener);
    assert_int_equal(check_file(path_of("out")), sent);
}

static void test_listener_dies(void **state)
{
    (void)state;
    char cable[200];
    snprintf(cable, sizeof cable, "unix:%s", path_of("cable2"));
    write_file(path_of("far"), 0, 5);
    pid_t listener = start_peer(cable + 5, path_of("far"));
    for (unsigned i = 0; access(cable + 5, F_OK) < 0 && i < 2000; i++)
        usleep(1000);
    usleep(20000);
    struct cipu_card *card = open_card(cable, "none");
    WAIT_FOR(card, 0, link, 1);
    stop_peer(listener);
    WAIT_FOR(card, 0, link, 0);
    /* The card listens now, and whoever comes back connects. */
    listener = start_peer(cable + 5, path_of("far"));
    WAIT_FOR(card, 0, link, 1);
    stop_peer(listener);
    cipu_card_close(card);
}

/* Somebody who is no card, and says so in several ways. */
static void test_cable_nonsense(void **state)
{
    (void)state;
    char cable[200];
    snprintf(cable, sizeof cable, "unix:%s", path_of("cable3"));
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (listener < 0) {
        fail();
        return;
    }
    memcpy(address.sun_path, cable + 5, strlen(cable + 5) + 1);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    struct cipu_card *card = open_card(cable, "none");
    static const char *const greetings[] = {"", "hello", "CABL0123456789ab"};
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) {
            fail();
            return;
        }
        send(peer, greetings[i], strlen(greetings[i]), MSG_NOSIGNAL);
        usleep(5000);
        assert_int_equal(COUNTER(card, 0, link), 0);
        close(peer);
    }
    close(listener);
    unlink(cable + 5);
    cipu_card_close(card);
}

static void test_capture(void **state)
{
    (void)state;
    char cable[200], near[300], far[300];
    struct cipu_error error;
    snprintf(cable, sizeof cable, "unix:%s", path_of("cable4"));
    snprintf(far, sizeof far, "pcap:,%s", path_of("out"));
    struct cipu_card *card = open_card(cable, far);
    FILE *file = fopen(path_of("captured"), "w");
    if (!file) {
        fail();
        return;
    }
    assert_int_equal(cipu_card_capture(card, 2, fileno(file), &error), -EINVAL);
    assert_int_equal(cipu_card_capture(card, 1, fileno(file), &error), 0);
    assert_int_equal(cipu_card_capture(card, 0, fileno(file), &error), -EBUSY);
    write_file(path_of("in"), 0, 500);
    snprintf(near, sizeof near, "pcap:%s", path_of("in"));
    struct cipu_card *reader = open_card(near, cable);
    WAIT_FOR(card, 0, link, 1);
    uint32_t passed = wait_until_passed(reader, card, 500);
    assert_int_equal(cipu_card_capture(card, -1, -1, &error), 0);
    assert_int_equal(cipu_card_capture(card, -1, -1, &error), 0);
    fclose(file);
    /* A reader that has gone, or does not read. */
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    close(pipes[0]);
    assert_int_equal(cipu_card_capture(card, -1, pipes[1], &error), 0);
    usleep(10000);
    assert_int_equal(cipu_card_capture(card, -1, -1, &error), 0);
    close(pipes[1]);
    cipu_card_close(reader);
    cipu_card_close(card);
    assert_int_equal(check_file(path_of("out")), passed);
    assert_int_equal(check_file(path_of("captured")), passed);
}

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* The one's complement sum of 16-bit words, byte by byte. */
static uint32_t sum16(uint32_t sum, const uint8_t *data, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

struct unfinished {
    bool ipv6, tcp;
    unsigned tags;
    uint32_t layer4, end;
    uint32_t pseudo;
};

/* A frame from `at` on, with its checksum left to the interface; returns its end. */
static uint32_t build_unfinished(uint8_t *frame, uint32_t at, struct unfinished *is, uint32_t payload)
{
    memset(frame + at, 2, 12);
    at += 12;
    for (unsigned i = 0; i < is->tags; i++, at += 4)
        memcpy(frame + at, i ? "\x81\x00\x00\x07" : "\x88\xa8\x00\x05", 4);
    put16(frame + at, is->ipv6 ? 0x86dd : 0x0800);
    uint8_t *ip = frame + at + 2;
    uint32_t header = is->ipv6 ? 40 : 24, length = (is->tcp ? 20 : 8) + payload, protocol = is->tcp ? 6 : 17;
    memset(ip, 0, header);
    ip[0] = is->ipv6 ? 0x60 : 0x46;
    put16(ip + (is->ipv6 ? 4 : 2), is->ipv6 ? length : header + length);
    ip[is->ipv6 ? 6 : 9] = (uint8_t)protocol;
    for (uint32_t i = is->ipv6 ? 8 : 12; i < (is->ipv6 ? 40u : 20u); i++)
        ip[i] = (uint8_t)(i * 37);
    is->layer4 = at + 2 + header;
    is->end = is->layer4 + length;
    is->pseudo = sum16(protocol + length, ip + (is->ipv6 ? 8 : 12), is->ipv6 ? 32 : 8);
    for (uint32_t i = 0; i < length; i++)
        frame[is->layer4 + i] = (uint8_t)(i * 13 + 1);
    put16(frame + is->layer4 + 2, 9);
    put16(frame + is->layer4 + (is->tcp ? 16 : 6), is->pseudo);
    return is->end;
}

static bool finished(const uint8_t *frame, const struct unfinished *is)
{
    return sum16(is->pseudo, frame + is->layer4, is->end - is->layer4) == 0xffff;
}

static void test_checksums(void **state)
{
    (void)state;
    uint8_t frame[2000], once[2000];
    for (unsigned i = 0; i < 48; i++) {
        struct unfinished is = {.ipv6 = i & 1, .tcp = i & 2, .tags = i / 4 % 3};
        uint32_t padding = i / 12 * 3, length = build_unfinished(frame, 0, &is, 100 + i) + padding;
        memset(frame + is.end, 0xee, padding);
        assert_false(finished(frame, &is));
        packet_checksum_detect(frame, length);
        assert_true(finished(frame, &is));
        /* What is finished, or broken, stays as it is. */
        memcpy(once, frame, length);
        packet_checksum_detect(frame, length);
        assert_memory_equal(frame, once, length);
        once[is.end - 1] ^= 1;
        memcpy(frame, once, length);
        packet_checksum_detect(frame, length);
        assert_memory_equal(frame, once, length);
    }
}

/* The outer packet is finished and the one in it is not. */
static void test_checksums_in_vxlan(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        uint8_t frame[2000];
        struct unfinished outer = {.ipv6 = i & 1}, inner = {.ipv6 = i & 2, .tcp = i & 4};
        uint32_t length =
            build_unfinished(frame, 0, &outer, 8 + 14 + (inner.ipv6 ? 40 : 24) + (inner.tcp ? 20 : 8) + 77);
        put16(frame + outer.layer4 + 2, 4789);
        put16(frame + outer.layer4 + 6, 0);
        assert_int_equal(build_unfinished(frame, outer.layer4 + 16, &inner, 77), length);
        packet_checksum_detect(frame, length);
        assert_true(finished(frame, &inner));
        assert_int_equal(frame[outer.layer4 + 6] << 8 | frame[outer.layer4 + 7], 0);
    }
}

/* Cut anywhere, and with lengths that lie: nothing outside the frame is touched (the sanitizers watch). */
static void test_checksums_of_nonsense(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t whole[600];
        struct unfinished outer = {.ipv6 = i & 1, .tags = i / 2 % 3}, inner = {.ipv6 = i & 8, .tcp = i & 16};
        build_unfinished(whole, 0, &outer, 200);
        put16(whole + outer.layer4 + 2, 4789);
        build_unfinished(whole, outer.layer4 + 16, &inner, 50);
        for (unsigned change = 0; change < i % 4; change++) {
            random = random * 1664525 + 1013904223;
            whole[(random >> 16) % 120] = (uint8_t)(random >> 8);
        }
        random = random * 1664525 + 1013904223;
        uint32_t length = (random >> 16) % outer.end;
        uint8_t *frame = malloc(length + 1); /* malloc(0) may be NULL */
        assert_non_null(frame);
        memcpy(frame, whole, length);
        frame[length] = 0xaa;
        packet_checksum_detect(frame, length);
        assert_int_equal(frame[length], 0xaa);
        free(frame);
    }
    uint8_t small[20] = {0};
    assert_false(packet_checksum_finish(small, 20, 20, 0));
    assert_false(packet_checksum_finish(small, 20, 10, 9));
    assert_false(packet_checksum_finish(small, 20, 65535, 65535));
    assert_true(packet_checksum_finish(small, 20, 10, 8));
    assert_int_equal(small[18] << 8 | small[19], 0xffff);
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/cipu-ports-XXXXXX", sizeof "/tmp/cipu-ports-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"in", "out", "near", "far", "far.back", "arrived", "captured", "cable2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run_peer(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcap),
        cmocka_unit_test(test_bad_ports),
        cmocka_unit_test(test_cable),
        cmocka_unit_test(test_cable_in_one_process),
        cmocka_unit_test(test_listener_dies),
        cmocka_unit_test(test_cable_nonsense),
        cmocka_unit_test(test_capture),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_checksums_in_vxlan),
        cmocka_unit_test(test_checksums_of_nonsense),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
