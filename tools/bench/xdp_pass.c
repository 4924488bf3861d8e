/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An XDP program that passes every frame, on an interface until this process ends. A veth with it receives by NAPI,
 * which its peer needs for ndo_xdp_xmit, without the cost of GRO. Needs root.
 *
 * usage: xdp-pass INTERFACE
 * Prints a line when the program is there.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: xdp-pass INTERFACE\n", stderr);
        return 2;
    }
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP,
                           .insns = (uintptr_t)program,
                           .insn_cnt = sizeof program / sizeof program[0],
                           .license = (uintptr_t)"Apache-2.0"};
    int fd = bpf(BPF_PROG_LOAD, &load);
    union bpf_attr link = {.link_create = {.prog_fd = (uint32_t)fd,
                                           .target_ifindex = if_nametoindex(argv[1]),
                                           .attach_type = BPF_XDP,
                                           .flags = XDP_FLAGS_DRV_MODE}};
    if (fd < 0 || bpf(BPF_LINK_CREATE, &link) < 0) {
        fprintf(stderr, "xdp-pass: interface %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
