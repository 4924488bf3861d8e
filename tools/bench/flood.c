/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends UDP frames of many flows through an interface as fast as AF_PACKET can: the generator of the port-to-port
 * benchmarks.
 *
 * usage: flood INTERFACE SOURCE-MAC DESTINATION-MAC SOURCE-IPV4 DESTINATION-IPV4 BYTES FLOWS SECONDS CPU
 * Prints how many frames the kernel took. BYTES counts from the Ethernet header, without FCS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/hls.h"

#define FLOWS_MAX       4096
#define FRAME_BYTES_MAX 1514
#define BATCH           64
#define HEADER_BYTES    42 /* Ethernet, IPv4, UDP */

static uint8_t frames[FLOWS_MAX][FRAME_BYTES_MAX];

struct arguments {
    const char *interface;
    uint8_t source_mac[6], destination_mac[6];
    struct in_addr source, destination;
    unsigned bytes, flows, seconds, cpu;
};

static int parse_mac(const char *text, uint8_t mac[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6
               ? 0
               : -1;
}

static int parse(char **argv, struct arguments *arguments)
{
    arguments->interface = argv[1];
    arguments->bytes = (unsigned)atoi(argv[6]);
    arguments->flows = (unsigned)atoi(argv[7]);
    arguments->seconds = (unsigned)atoi(argv[8]);
    arguments->cpu = (unsigned)atoi(argv[9]);
    if (parse_mac(argv[2], arguments->source_mac) || parse_mac(argv[3], arguments->destination_mac) ||
        inet_pton(AF_INET, argv[4], &arguments->source) != 1 ||
        inet_pton(AF_INET, argv[5], &arguments->destination) != 1)
        return -1;
    if (arguments->bytes < HEADER_BYTES || arguments->bytes > FRAME_BYTES_MAX || arguments->flows < 1 ||
        arguments->flows > FLOWS_MAX)
        return -1;
    return 0;
}

/* Flows differ in the UDP source port. */
static void build_frame(uint8_t *frame, const struct arguments *arguments, unsigned flow)
{
    memcpy(frame, arguments->destination_mac, 6);
    memcpy(frame + 6, arguments->source_mac, 6);
    hls_put_be16(frame + 12, ETHERTYPE_IP);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    hls_put_be16(ip + 2, arguments->bytes - 14);
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, &arguments->source, 4);
    memcpy(ip + 16, &arguments->destination, 4);
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += hls_be16(ip + i);
    sum = (sum & 0xffff) + (sum >> 16);
    hls_put_be16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
    uint8_t *udp = ip + 20;
    hls_put_be16(udp, 1024 + flow);
    hls_put_be16(udp + 2, 9);
    hls_put_be16(udp + 4, arguments->bytes - 34);
}

static int open_socket(const char *interface)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
    int enabled = 1;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &enabled, sizeof enabled) ||
        bind(fd, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "flood: cannot send on %s: %s\n", interface, strerror(errno));
        return -1;
    }
    return fd;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t flood(int fd, const struct arguments *arguments)
{
    struct mmsghdr messages[BATCH] = {0};
    struct iovec vectors[BATCH];
    uint64_t sent = 0;
    unsigned flow = 0;
    for (double end = now() + arguments->seconds; now() < end;) {
        for (unsigned i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){frames[flow], arguments->bytes};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            flow = flow + 1 == arguments->flows ? 0 : flow + 1;
        }
        int taken = sendmmsg(fd, messages, BATCH, 0);
        if (taken > 0)
            sent += (unsigned)taken;
    }
    return sent;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (argc != 10 || parse(argv, &arguments)) {
        fprintf(
            stderr,
            "usage: flood INTERFACE SOURCE-MAC DESTINATION-MAC SOURCE-IPV4 DESTINATION-IPV4 BYTES(%u..%u) FLOWS(1..%u) "
            "SECONDS CPU\n",
            HEADER_BYTES, FRAME_BYTES_MAX, FLOWS_MAX);
        return 2;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(arguments.cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus))
        fprintf(stderr, "flood: not pinned to cpu %u: %s\n", arguments.cpu, strerror(errno));
    for (unsigned flow = 0; flow < arguments.flows; flow++)
        build_frame(frames[flow], &arguments, flow);
    int fd = open_socket(arguments.interface);
    if (fd < 0)
        return 1;
    printf("%llu\n", (unsigned long long)flood(fd, &arguments));
    close(fd);
    return 0;
}
