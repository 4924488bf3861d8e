/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest of an NVMe controller: any registers, any commands with any data, in any order, while another one
 * shares its namespaces. Each command ends exactly once (nvme_bench.c sees to it), nothing leaves a volume, a reset
 * ends everything, and the other controller goes on. The guest makes namespaces and deletes them; those of the operator
 * it can neither delete nor take away from the other controller.
 */
#include <errno.h>

#include "runtime/device/nvme_internal.h"
#include "tests/runtime/device/nvme_bench.h"

#define STEPS_MAX  64u
#define DATA_BYTES 8192u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

/* Zeros when there is no more. */
static void take(struct input *input, void *to, size_t bytes)
{
    size_t step = bytes < input->size ? bytes : input->size;
    memset(to, 0, bytes);
    memcpy(to, input->data, step);
    input->data += step;
    input->size -= step;
}

static uint32_t number(struct input *input, size_t bytes)
{
    uint32_t value = 0;
    take(input, &value, bytes);
    return value;
}

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* Fields are small most of the time: else nearly all commands would be refused for the first of them. */
static void take_command(struct input *input, struct nvme_command *command)
{
    memset(command, 0, sizeof *command);
    command->opcode = (uint8_t)number(input, 1);
    uint8_t present = (uint8_t)number(input, 1);
    command->namespace_id = present & 1 ? number(input, 4) : number(input, 1) % 4;
    if (present & 2)
        command->flags = (uint8_t)number(input, 1);
    command->dword10 = present & 4 ? number(input, 4) : number(input, 2);
    command->dword11 = present & 8 ? number(input, 4) : number(input, 1);
    if (present & 16)
        command->dword12 = number(input, 4);
    if (present & 32)
        command->dword13 = number(input, 4);
    if (present & 64)
        command->dword14 = number(input, 4);
    command->prp1 = (uint64_t)number(input, 1) << 12;
    command->prp2 = present & 128 ? number(input, 4) : (uint64_t)number(input, 1) << 12;
}

struct flight {
    unsigned count;
    unsigned sent[STEPS_MAX];
    uint8_t *buffers[STEPS_MAX];
};

static void send_command(struct nvme_controller *controller, struct input *input, unsigned queue, struct flight *flight)
{
    struct nvme_command command;
    struct bench_answer answer;
    take_command(input, &command);
    uint8_t *buffer = calloc(1, DATA_BYTES);
    take(input, buffer, number(input, 1));
    unsigned sent = bench_send(controller, queue, &command, buffer, DATA_BYTES);
    if (bench_wait(sent, 1, &answer)) {
        free(buffer);
        return;
    }
    flight->sent[flight->count] = sent;
    flight->buffers[flight->count++] = buffer;
}

static void write_region(struct nvme_controller *controller, struct input *input)
{
    uint64_t value = number(input, 4);
    unsigned region = number(input, 1) % 8;
    size_t bytes = (size_t)1 << number(input, 1) % 4;
    uint64_t offset = number(input, 2);
    struct device_region info;
    nvme_ops.region_info(controller, region, &info);
    if (info.size < bytes)
        return;
    offset %= info.size - bytes + 1;
    nvme_ops.region_write(controller, region, offset, &value, bytes);
    nvme_ops.region_read(controller, region, offset, &value, bytes);
}

static void step(struct nvme_controller *controller, struct input *input, struct flight *flight)
{
    struct event_entry event;
    switch (number(input, 1) % 8) {
    case 0:
    case 1:
    case 2:
        send_command(controller, input, 0, flight);
        return;
    case 3:
    case 4:
        send_command(controller, input, 1 + number(input, 1) % BENCH_QUEUES, flight);
        return;
    case 5:
    case 6:
        write_region(controller, input);
        return;
    default:
        take(input, &event, 16);
        event.queue = (uint16_t)(bench_base(controller) + event.queue % 8);
        nvme_queue_fault(controller, &event);
    }
}

static void read_by_other(struct nvme_controller *other)
{
    static uint8_t data[4096];
    const struct nvme_command identify = {.opcode = NVME_ADMIN_IDENTIFY, .dword10 = NVME_CNS_CONTROLLER};
    check(bench_status(other, 0, &identify, data, sizeof data) == NVME_SUCCESS, "the other controller does not answer");
}

/* ---- what the guest makes ---- */

#define MADE_MOST 4u

static struct made {
    struct block_volume volume;
    uint32_t nsid; /* 0 = none */
    bool retired;
} made[MADE_MOST];

static struct made *find_made(uint32_t nsid)
{
    for (unsigned i = 0; i < MADE_MOST; i++)
        if (made[i].nsid == nsid)
            return &made[i];
    return NULL;
}

static int make(void *context, const struct nvme_namespace_wish *wish, struct block_volume **volume)
{
    struct made *one = find_made(0);
    (void)context;
    check(wish->nsid > 2 && wish->nsid <= NVME_NAMESPACES_MAX && !find_made(wish->nsid), "an id that is taken");
    check(wish->bytes && wish->bytes % wish->block_bytes == 0, "a size that is none");
    if (!one)
        return -EMFILE;
    if (wish->bytes > BENCH_VOLUME_BYTES)
        return -ENOSPC;
    bench_volume(&one->volume, 3 + (unsigned)(one - made));
    one->volume.info.settings.bytes = wish->bytes;
    one->volume.info.settings.block_bytes = wish->block_bytes;
    one->nsid = wish->nsid;
    one->retired = false;
    *volume = &one->volume;
    return 0;
}

static int attach(void *context, uint32_t nsid, uint16_t cntlid, bool attached)
{
    (void)context;
    (void)attached;
    check(nsid && find_made(nsid) && cntlid < 2, "an attachment that is not the guest's");
    return 0;
}

static int retire(void *context, uint32_t nsid)
{
    (void)context;
    check(nsid && find_made(nsid), "a deletion of what is not the guest's");
    find_made(nsid)->retired = true;
    return 0;
}

static void remove_made(void *context, uint32_t nsid)
{
    struct made *one = find_made(nsid);
    (void)context;
    check(one && one->retired && !one->volume.listeners && !one->volume.attached[0], "a volume goes that is in use");
    free(one->volume.bytes);
    one->nsid = 0;
}

static void capacity(void *context, uint64_t *total, uint64_t *unallocated)
{
    (void)context;
    *total = *unallocated = BENCH_VOLUME_BYTES;
}

static const struct nvme_subsystem_ops maker = {.volume_make = make,
                                                .volume_attach = attach,
                                                .volume_retire = retire,
                                                .volume_remove = remove_made,
                                                .capacity = capacity};

static struct bench *bench;

static void set_up(void)
{
    void *state;
    bench_setup(&state);
    bench = state;
    bench->subsystem->settings.ops = &maker;
    bench_enable(bench->controllers[1]);
    bench_create_pair(bench->controllers[1], 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct flight flight = {0};
    struct bench_answer answer;
    if (!bench)
        set_up();
    struct nvme_controller *controller = bench->controllers[0];
    bench_enable(controller);
    bench_create_pair(controller, 1);
    for (unsigned i = 0; i < STEPS_MAX && input.size; i++)
        step(controller, &input, &flight);
    nvme_ops.reset(controller);
    for (unsigned i = 0; i < flight.count; i++) {
        check(bench_wait(flight.sent[i], 20000, &answer), "a command never ends");
        free(flight.buffers[i]);
    }
    check(!bench_sq[bench_base(controller)].set, "the admin queue outlives a reset");
    check(bench_out_of_range == 0, "an operation beyond a volume");
    for (uint32_t nsid = 1; nsid <= 2; nsid++) {
        uint64_t controllers;
        check(nvme_namespace_volume(bench->subsystem, nsid, &controllers) == &bench->volumes[nsid - 1] &&
                  controllers == 3,
              "an operator's namespace is not where it was");
    }
    read_by_other(bench->controllers[1]);
    return 0;
}
