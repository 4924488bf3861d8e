/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends UDP frames of many flows through an interface: the generator of the port-to-port benchmarks. The frames never
 * pass through user space: the kernel makes them from one template for an XDP program (BPF_PROG_TEST_RUN with live
 * frames, Documentation/bpf/bpf_prog_run.rst in the kernel's source), which picks the flow and redirects to the
 * interface. The interface needs ndo_xdp_xmit; a veth has it while its peer runs NAPI (ethtool -K PEER gro on). Needs
 * root.
 *
 * usage: flood INTERFACE SOURCE-MAC DESTINATION-MAC SOURCE-IPV4 DESTINATION-IPV4 BYTES FLOWS SECONDS CPU PAUSE
 * Prints how many frames went to the interface; it drops those that it has no room for. BYTES counts from the Ethernet
 * header, without FCS. PAUSE is how often the program goes round an empty loop before each frame: 0 offers as many
 * frames as it can.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/hls.h"

#define FLOWS_MAX       256
#define FRAME_BYTES_MAX 1514
#define HEADER_BYTES    42 /* Ethernet, IPv4, UDP */
#define FLOW_OFFSET     35 /* the low byte of the UDP source port */
#define PORT_BASE       1024
#define BATCH           64
#define FRAMES_PER_RUN  262144 /* between two looks at the clock; beginning and ending a run costs some 20 ms */
#define PAUSE_MAX       10000

struct arguments {
    int interface;
    uint8_t source_mac[6], destination_mac[6];
    struct in_addr source, destination;
    unsigned bytes, flows, seconds, cpu, pause;
};

static int parse_mac(const char *text, uint8_t mac[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6
               ? 0
               : -1;
}

static int parse_number(const char *text, unsigned min, unsigned max, unsigned *number)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return -1;
    *number = (unsigned)value;
    return 0;
}

static int parse(char **argv, struct arguments *arguments)
{
    if (parse_mac(argv[2], arguments->source_mac) || parse_mac(argv[3], arguments->destination_mac) ||
        inet_pton(AF_INET, argv[4], &arguments->source) != 1 ||
        inet_pton(AF_INET, argv[5], &arguments->destination) != 1)
        return -1;
    if (parse_number(argv[6], HEADER_BYTES, FRAME_BYTES_MAX, &arguments->bytes) ||
        parse_number(argv[7], 1, FLOWS_MAX, &arguments->flows) || parse_number(argv[8], 1, 3600, &arguments->seconds) ||
        parse_number(argv[9], 0, CPU_SETSIZE - 1, &arguments->cpu) ||
        parse_number(argv[10], 0, PAUSE_MAX, &arguments->pause))
        return -1;
    return arguments->flows & (arguments->flows - 1) ? -1 : 0;
}

static void build_frame(uint8_t *frame, const struct arguments *arguments)
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
    hls_put_be16(udp, PORT_BASE);
    hls_put_be16(udp + 2, 9);
    hls_put_be16(udp + 4, arguments->bytes - 34);
}

static long bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

/* Returns a file descriptor, or -1 after a message. */
static int load_program(const struct arguments *arguments)
{
    const struct bpf_insn program[] = {
        /* r6 = data, r2 = data_end; a frame shorter than the headers is dropped */
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 6, .src_reg = 1, .off = offsetof(struct xdp_md, data)},
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct xdp_md, data_end)},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_DROP},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 3, .src_reg = 6},
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 3, .imm = HEADER_BYTES},
        {.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 3, .src_reg = 2, .off = 9},
        /* for (r1 = pause + 1; r1; r1--) */
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = (int)arguments->pause + 1},
        {.code = BPF_ALU64 | BPF_SUB | BPF_K, .dst_reg = 1, .imm = 1},
        {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 1, .imm = 0, .off = -2},
        /* data[FLOW_OFFSET] = get_prandom_u32() & (flows - 1) */
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32},
        {.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 0, .imm = (int)arguments->flows - 1},
        {.code = BPF_STX | BPF_MEM | BPF_B, .dst_reg = 6, .src_reg = 0, .off = FLOW_OFFSET},
        /* return redirect(interface, 0) */
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = arguments->interface},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 0},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_XDP,
                                 .insns = (uintptr_t)program,
                                 .insn_cnt = sizeof program / sizeof program[0],
                                 .license = (uintptr_t)"Apache-2.0"};
    long fd = bpf(BPF_PROG_LOAD, &attributes);
    if (fd < 0)
        fprintf(stderr, "flood: the kernel does not load the XDP program: %s\n", strerror(errno));
    return (int)fd;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Returns the number of frames, or -1 after a message. */
static int64_t flood(int program, const uint8_t *frame, const struct arguments *arguments)
{
    int64_t sent = 0;
    for (double end = now() + arguments->seconds; now() < end; sent += FRAMES_PER_RUN) {
        union bpf_attr attributes = {.test = {.prog_fd = (uint32_t)program,
                                              .data_in = (uintptr_t)frame,
                                              .data_size_in = arguments->bytes,
                                              .repeat = FRAMES_PER_RUN,
                                              .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                                              .batch_size = BATCH}};
        if (bpf(BPF_PROG_TEST_RUN, &attributes) < 0) {
            fprintf(stderr, "flood: the kernel does not run the XDP program on live frames: %s\n", strerror(errno));
            return -1;
        }
    }
    return sent;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (argc != 11 || parse(argv, &arguments)) {
        fprintf(stderr,
                "usage: flood INTERFACE SOURCE-MAC DESTINATION-MAC SOURCE-IPV4 DESTINATION-IPV4 BYTES(%d..%d) "
                "FLOWS(power of two, 1..%d) SECONDS CPU PAUSE(0..%d)\n",
                HEADER_BYTES, FRAME_BYTES_MAX, FLOWS_MAX, PAUSE_MAX);
        return 2;
    }
    arguments.interface = (int)if_nametoindex(argv[1]);
    if (!arguments.interface) {
        fprintf(stderr, "flood: interface %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(arguments.cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus))
        fprintf(stderr, "flood: not pinned to cpu %u: %s\n", arguments.cpu, strerror(errno));
    uint8_t frame[FRAME_BYTES_MAX] = {0};
    build_frame(frame, &arguments);
    int program = load_program(&arguments);
    if (program < 0)
        return 1;
    int64_t sent = flood(program, frame, &arguments);
    close(program);
    if (sent < 0)
        return 1;
    printf("%lld\n", (long long)sent);
    return 0;
}
