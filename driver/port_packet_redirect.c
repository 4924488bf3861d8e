/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/port_packet_redirect.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
    return result < 0 ? -errno : (int)result;
}

static int fail(struct cipu_error *error, int result, const char *what)
{
    return cipu_fail(error, result, "%s: %s", what, strerror(-result));
}

static int load_program(int map)
{
    /* return bpf_redirect_map(map, context->rx_queue_index, XDP_PASS) */
    const struct bpf_insn program[] = {
        {.code = BPF_LDX | BPF_MEM | BPF_W,
         .dst_reg = BPF_REG_2,
         .src_reg = BPF_REG_1,
         .off = offsetof(struct xdp_md, rx_queue_index)},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
        {.code = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_XDP;
    attributes.insns = (uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof program[0];
    attributes.license = (uintptr_t)"Apache-2.0";
    /* The program is content with frames in several pieces: else the driver would limit the interface's MTU. */
    attributes.prog_flags = BPF_F_XDP_HAS_FRAGS;
    memcpy(attributes.prog_name, "cipu_port", sizeof "cipu_port");
    return bpf(BPF_PROG_LOAD, &attributes);
}

int xdp_redirect_open(struct xdp_redirect *redirect, uint32_t queues, struct cipu_error *error)
{
    *redirect = (struct xdp_redirect){-1, -1, -1};
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = BPF_MAP_TYPE_XSKMAP;
    attributes.key_size = attributes.value_size = sizeof(uint32_t);
    attributes.max_entries = queues;
    redirect->map = bpf(BPF_MAP_CREATE, &attributes);
    if (redirect->map < 0)
        return fail(error, redirect->map, "no map of AF_XDP sockets");
    redirect->program = load_program(redirect->map);
    return redirect->program < 0 ? fail(error, redirect->program, "no XDP program") : 0;
}

int xdp_redirect_add(const struct xdp_redirect *redirect, uint32_t queue, int socket, struct cipu_error *error)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_fd = (uint32_t)redirect->map;
    attributes.key = (uintptr_t)&queue;
    attributes.value = (uintptr_t)&socket;
    int result = bpf(BPF_MAP_UPDATE_ELEM, &attributes);
    return result < 0 ? fail(error, result, "an AF_XDP socket does not receive") : 0;
}

int xdp_redirect_attach(struct xdp_redirect *redirect, int interface, struct cipu_error *error)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.link_create.prog_fd = (uint32_t)redirect->program;
    attributes.link_create.target_ifindex = (uint32_t)interface;
    attributes.link_create.attach_type = BPF_XDP;
    attributes.link_create.flags = XDP_FLAGS_DRV_MODE;
    redirect->link = bpf(BPF_LINK_CREATE, &attributes);
    return redirect->link < 0 ? fail(error, redirect->link, "the XDP program is not attached in native mode") : 0;
}

void xdp_redirect_close(struct xdp_redirect *redirect)
{
    const int fds[] = {redirect->link, redirect->program, redirect->map};
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *redirect = (struct xdp_redirect){-1, -1, -1};
}
