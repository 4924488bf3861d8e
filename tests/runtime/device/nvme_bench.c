/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/runtime/device/nvme_bench.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hls/include/dma.h"

struct bench_queue bench_sq[BLOCK_QUEUES], bench_cq[BLOCK_QUEUES], bench_room[BLOCK_QUEUES];
struct namespace_setting bench_namespaces[CARD_FUNCTIONS * BLOCK_NAMESPACES];
struct window_setting bench_windows[2][CARD_FUNCTIONS];
int bench_vectors[CARD_VECTORS];
uint32_t bench_doorbells[DOORBELL_PAGES][64];
_Atomic unsigned bench_doorbell_writes;
_Atomic bool bench_card_dead;
_Atomic unsigned bench_command_ms, bench_drain_ms, bench_mapped_pieces, bench_out_of_range;

struct sent {
    bool used;
    struct block_raw raw;
    struct bench_answer answer;
    void *data;
    size_t bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct sent sent_commands[BENCH_COMMANDS_MAX];
static struct {
    const struct block_device_ops *ops;
    void *device;
    unsigned function;
} owners[BLOCK_QUEUES];
static uint16_t next_identifier;

/* ---- the engine ---- */

int block_queues_alloc(struct block_engine *engine, unsigned function, unsigned count,
                       const struct block_device_ops *ops, void *device)
{
    (void)engine;
    for (unsigned first = 0; first + count <= BLOCK_QUEUES; first++) {
        unsigned free = 0;
        while (free < count && !owners[first + free].ops)
            free++;
        if (free < count)
            continue;
        for (unsigned i = 0; i < count; i++) {
            owners[first + i].ops = ops;
            owners[first + i].device = device;
            owners[first + i].function = function;
        }
        return (int)first;
    }
    return -ENOSPC;
}

void block_queues_free(struct block_engine *engine, unsigned first, unsigned count)
{
    (void)engine;
    for (unsigned i = 0; i < count; i++)
        owners[first + i].ops = NULL;
}

int block_queue_drain(struct block_engine *engine, unsigned queue, uint16_t status, bool silent)
{
    (void)engine;
    (void)queue;
    (void)status;
    (void)silent;
    usleep(1000 * bench_drain_ms);
    return 0;
}

int block_command_abort(struct block_engine *engine, unsigned queue, uint16_t identifier, uint16_t status)
{
    (void)engine;
    (void)queue;
    (void)identifier;
    (void)status;
    return -ENOENT;
}

static struct sent *find(uint16_t tag)
{
    for (unsigned i = 0; i < BENCH_COMMANDS_MAX; i++)
        if (sent_commands[i].used && !sent_commands[i].answer.done && sent_commands[i].raw.command.tag == tag)
            return &sent_commands[i];
    return NULL;
}

static int move(uint16_t tag, void *to, const void *from, uint32_t length, uint16_t *status)
{
    pthread_mutex_lock(&lock);
    struct sent *sent = find(tag);
    bool good = sent && sent->data && length <= sent->bytes && length >= 1 && length <= BLOCK_DATA_MAX;
    if (good && to)
        memcpy(to, sent->data, length);
    else if (good && from)
        memcpy(sent->data, from, length);
    pthread_mutex_unlock(&lock);
    *status = NVME_DATA_TRANSFER_ERROR;
    return good ? 0 : -EIO;
}

int block_raw_from_guest(struct block_engine *engine, uint16_t tag, void *to, uint32_t skip, uint32_t length,
                         uint16_t *status)
{
    (void)engine;
    assert_int_equal(skip, 0);
    return move(tag, to, NULL, length, status);
}

int block_raw_to_guest(struct block_engine *engine, uint16_t tag, const void *from, uint32_t skip, uint32_t length,
                       uint16_t *status)
{
    (void)engine;
    assert_int_equal(skip, 0);
    return move(tag, NULL, from, length, status);
}

/* A tag that is completed twice would be somebody else's in the card. */
void block_raw_complete(struct block_engine *engine, uint16_t tag, uint16_t status, uint64_t result, uint32_t written,
                        bool silent)
{
    (void)engine;
    (void)written;
    pthread_mutex_lock(&lock);
    struct sent *sent = find(tag);
    if (!sent) {
        fprintf(stderr, "tag %u is completed, but not in flight\n", tag);
        abort();
    }
    sent->answer = (struct bench_answer){.done = true, .silent = silent, .status = status, .result = result};
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* ---- volumes ---- */

static bool cancelled[CARD_FUNCTIONS];

void block_operations_cancel(struct block_engine *engine, unsigned function, bool cancel)
{
    (void)engine;
    pthread_mutex_lock(&lock);
    cancelled[function] = cancel;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int begin(struct block_volume *volume, unsigned function, unsigned needed)
{
    if (cancelled[function])
        return -ECANCELED;
    if (function != FUNCTION_HOST && !(volume->access[function] & needed))
        return -EACCES;
    volume->under_way[function] += needed == VOLUME_WRITE;
    while (volume->stalled && !cancelled[function])
        pthread_cond_wait(&changed, &lock);
    volume->under_way[function] -= needed == VOLUME_WRITE;
    pthread_cond_broadcast(&changed);
    return cancelled[function] ? -ECANCELED : 0;
}

int block_volume_operate(struct block_volume *volume, unsigned function, uint8_t operation, uint64_t offset,
                         uint64_t length, void *buffer, bool durable)
{
    (void)durable;
    pthread_mutex_lock(&lock);
    int begun = begin(volume, function, operation == BACKEND_READ ? VOLUME_READ : VOLUME_WRITE);
    if (begun) {
        pthread_mutex_unlock(&lock);
        return begun;
    }
    volume->operations[operation]++;
    volume->last_offset = offset;
    volume->last_length = length;
    int result = volume->fail;
    if (offset > volume->capacity || length > volume->capacity - offset) {
        bench_out_of_range++;
        result = -EINVAL;
    }
    if (!result && operation == BACKEND_READ)
        memcpy(buffer, volume->bytes + offset, length);
    else if (!result && operation == BACKEND_WRITE)
        memcpy(volume->bytes + offset, buffer, length);
    else if (!result && operation != BACKEND_FLUSH)
        memset(volume->bytes + offset, 0, length);
    pthread_mutex_unlock(&lock);
    return result;
}

int block_volume_destroy_key(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    assert_true(volume->info.backend.encrypted);
    pthread_mutex_lock(&lock);
    int result = function == FUNCTION_HOST || volume->access[function] & VOLUME_WRITE ? volume->fail : -EACCES;
    if (!result) {
        volume->keys++;
        memset(volume->bytes, 0x5a, volume->capacity);
    }
    pthread_mutex_unlock(&lock);
    return result ? cipu_fail(error, result, "the bench says so") : 0;
}

void block_volume_info(const struct block_volume *volume, struct volume_info *info)
{
    *info = volume->info;
}

int block_volume_attach(struct block_volume *volume, unsigned function, struct cipu_error *error)
{
    (void)error;
    assert_false(volume->attached[function / 32] >> function % 32 & 1);
    volume->attached[function / 32] |= 1u << function % 32;
    volume->access[function] = VOLUME_READ | VOLUME_WRITE;
    return 0;
}

void block_volume_detach(struct block_volume *volume, unsigned function)
{
    assert_true(volume->attached[function / 32] >> function % 32 & 1);
    volume->attached[function / 32] &= ~(1u << function % 32);
}

int block_volume_set_access(struct block_volume *volume, unsigned function, unsigned access, uint16_t status)
{
    pthread_mutex_lock(&lock);
    volume->access[function] = access;
    volume->refusal[function] = status;
    volume->overlaps += volume->exclusive && volume->access[3] & volume->access[4] & VOLUME_WRITE;
    while (!(access & VOLUME_WRITE) && volume->under_way[function])
        pthread_cond_wait(&changed, &lock);
    int result = volume->access_fails;
    pthread_mutex_unlock(&lock);
    return result;
}

void block_volume_listen(struct block_volume *volume, struct volume_listener *listener)
{
    listener->next = volume->listeners;
    volume->listeners = listener;
}

void block_volume_unlisten(struct block_volume *volume, struct volume_listener *listener)
{
    struct volume_listener **link = &volume->listeners;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
}

void block_volume_statistics(const struct block_volume *volume, struct volume_statistics *statistics)
{
    memset(statistics, 0, sizeof *statistics);
    for (unsigned i = 0; i < VOLUME_OPERATIONS; i++) {
        statistics->operations[i] = volume->operations[i];
        statistics->bytes[i] = volume->operations[i] * UINT64_C(4096);
    }
}

/* ---- the card ---- */

static uint8_t set_queue(struct bench_queue *queue, const struct nvme_queue_setting *setting)
{
    if (setting->flags & NVME_QUEUE_SHADOW) {
        if (!queue->set)
            return STATUS_BAD_DATA;
        queue->setting.shadow = setting->shadow;
        queue->setting.event = setting->event;
        return STATUS_OK;
    }
    if (queue->set)
        return STATUS_BUSY;
    *queue = (struct bench_queue){true, *setting};
    return STATUS_OK;
}

/* As in hls/nvme_queue: a submission queue's completion queue must be known, a stop waits for commands in flight. */
static uint8_t queue_command(const struct command_entry *command, const struct nvme_queue_setting *setting)
{
    bool sq = command->target == TARGET_NVME_SQ;
    if (command->index >= BLOCK_QUEUES)
        return STATUS_BAD_INDEX;
    if (command->opcode == COMMAND_QUEUE_SET) {
        if (!sq)
            return set_queue(&bench_cq[command->index], setting);
        if (setting->flags & NVME_QUEUE_COMPLETION)
            return set_queue(&bench_room[command->index], setting);
        return bench_room[setting->completion].set ? set_queue(&bench_sq[command->index], setting) : STATUS_BAD_DATA;
    }
    if (sq && command->argument == 0)
        for (unsigned i = 0; i < BENCH_COMMANDS_MAX; i++)
            if (sent_commands[i].used && !sent_commands[i].answer.done &&
                sent_commands[i].raw.command.queue == command->index)
                return STATUS_BUSY;
    struct bench_queue *queue = !sq                 ? &bench_cq[command->index]
                                : command->argument ? &bench_room[command->index]
                                                    : &bench_sq[command->index];
    queue->set = false;
    return STATUS_OK;
}

static uint8_t run_card(const struct command_entry *command)
{
    struct nvme_queue_setting setting;
    memcpy(&setting, command->data, sizeof setting);
    switch (command->opcode) {
    case COMMAND_WINDOW_SET:
        memcpy(&bench_windows[command->target == TARGET_NVME_CQ][command->index], command->data,
               sizeof(struct window_setting));
        return STATUS_OK;
    case COMMAND_NAMESPACE_SET:
        memcpy(&bench_namespaces[command->index], command->data, sizeof bench_namespaces[0]);
        return STATUS_OK;
    case COMMAND_QUEUE_SET:
    case COMMAND_QUEUE_STOP:
        return queue_command(command, &setting);
    default:
        return STATUS_BAD_OPCODE;
    }
}

int cipu_host_command(struct cipu_host *host, struct command_entry *commands, size_t count)
{
    int result = 0;
    (void)host;
    usleep(1000 * bench_command_ms);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && !bench_card_dead; i++) {
        commands[i].status = run_card(&commands[i]);
        if (commands[i].status)
            result = -EIO;
    }
    pthread_mutex_unlock(&lock);
    return bench_card_dead ? -ETIMEDOUT : result;
}

int cipu_card_interrupt(struct cipu_card *card, uint32_t vector, int fd)
{
    (void)card;
    bench_vectors[vector] = fd;
    return 0;
}

int cipu_card_doorbell_word(struct cipu_card *card, uint32_t page, uint32_t index, uint32_t value)
{
    (void)card;
    bench_doorbells[page][index] = value;
    bench_doorbell_writes++;
    return 0;
}

int cipu_card_doorbell_share(struct cipu_card *card, uint32_t page, int *fd, off_t *offset)
{
    (void)card;
    (void)page;
    *fd = STDERR_FILENO;
    *offset = 8192;
    return 0;
}

int cipu_card_dma_map(struct cipu_card *card, int fd, off_t offset, uint64_t iova, uint64_t length, int protection,
                      struct cipu_error *error)
{
    (void)card;
    (void)fd;
    (void)offset;
    (void)iova;
    (void)length;
    (void)protection;
    (void)error;
    bench_mapped_pieces++;
    return 0;
}

int cipu_card_dma_unmap(struct cipu_card *card, uint64_t iova, uint64_t length)
{
    (void)card;
    (void)iova;
    (void)length;
    bench_mapped_pieces--;
    return 0;
}

/* ---- the driver's side ---- */

uint64_t bench_register(struct nvme_controller *controller, uint32_t offset, size_t bytes)
{
    uint64_t value = 0;
    assert_int_equal(nvme_ops.region_read(controller, 0, offset, &value, bytes), 0);
    return value;
}

void bench_set_register(struct nvme_controller *controller, uint32_t offset, uint64_t value, size_t bytes)
{
    assert_int_equal(nvme_ops.region_write(controller, 0, offset, &value, bytes), 0);
}

bool bench_wait_status(struct nvme_controller *controller, uint32_t mask, uint32_t value)
{
    for (unsigned i = 0; i < 8000; i++) {
        if ((bench_register(controller, NVME_REG_CSTS, 4) & mask) == value)
            return true;
        usleep(1000);
    }
    return false;
}

void bench_enable(struct nvme_controller *controller)
{
    const uint16_t master = 6;
    assert_int_equal(nvme_ops.region_write(controller, DEVICE_REGION_CONFIG, 4, &master, 2), 0);
    bench_set_register(controller, NVME_REG_AQA, 0x001f001f, 4);
    bench_set_register(controller, NVME_REG_ASQ, 0x1000, 8);
    bench_set_register(controller, NVME_REG_ACQ, 0x2000, 8);
    bench_set_register(controller, NVME_REG_CC, 0x00460001, 4);
    assert_true(bench_wait_status(controller, ~0u, NVME_CSTS_READY));
}

void bench_disable(struct nvme_controller *controller)
{
    bench_set_register(controller, NVME_REG_CC, 0x00460000, 4);
    assert_true(bench_wait_status(controller, ~0u, 0));
}

uint16_t bench_base(const struct nvme_controller *controller)
{
    for (unsigned i = 0; i < BLOCK_QUEUES; i++)
        if (owners[i].ops && owners[i].device == controller)
            return (uint16_t)i;
    fail();
    return 0;
}

/* A slot of the queue that is not in flight. */
static uint16_t free_tag(unsigned queue)
{
    uint16_t tag = (uint16_t)(queue * BLOCK_SLOTS);
    while (find(tag))
        tag++;
    return tag;
}

unsigned bench_send(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command, void *data,
                    size_t bytes)
{
    unsigned block_queue = bench_base(controller) + queue, number = 0;
    pthread_mutex_lock(&lock);
    while (sent_commands[number].used)
        assert_true(++number < BENCH_COMMANDS_MAX);
    struct sent *sent = &sent_commands[number];
    *sent = (struct sent){.data = data, .bytes = bytes};
    sent->raw.command = (struct block_command){.kind = BACKEND_RAW,
                                               .tag = free_tag(block_queue),
                                               .function = (uint16_t)owners[block_queue].function,
                                               .queue = (uint16_t)block_queue,
                                               .flags = queue == 0 ? BLOCK_ADMIN : 0,
                                               .namespace_id = command->namespace_id};
    struct nvme_command copy = *command;
    copy.identifier = next_identifier++;
    sent->raw.command.identifier = copy.identifier;
    memcpy(sent->raw.bytes, &copy, sizeof copy);
    sent->used = true;
    pthread_mutex_unlock(&lock);
    owners[block_queue].ops->raw(owners[block_queue].device, &sent->raw);
    return number;
}

uint16_t bench_identifier(unsigned number)
{
    return sent_commands[number].raw.command.identifier;
}

void bench_stall(struct block_volume *volume, bool stalled)
{
    pthread_mutex_lock(&lock);
    volume->stalled = stalled;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

bool bench_wait(unsigned number, unsigned timeout, struct bench_answer *answer)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout / 1000;
    until.tv_nsec += (long)(timeout % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int result = 0;
    pthread_mutex_lock(&lock);
    while (!sent_commands[number].answer.done && result == 0)
        result = pthread_cond_timedwait(&changed, &lock, &until);
    bool done = sent_commands[number].answer.done;
    *answer = sent_commands[number].answer;
    if (done)
        sent_commands[number].used = false;
    pthread_mutex_unlock(&lock);
    return done;
}

struct bench_answer bench_run(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command,
                              void *data, size_t bytes)
{
    struct bench_answer answer;
    assert_true(bench_wait(bench_send(controller, queue, command, data, bytes), 10000, &answer));
    assert_false(answer.silent);
    return answer;
}

uint16_t bench_status(struct nvme_controller *controller, unsigned queue, const struct nvme_command *command,
                      void *data, size_t bytes)
{
    return bench_run(controller, queue, command, data, bytes).status & (uint16_t)~NVME_DO_NOT_RETRY;
}

void bench_create_pair(struct nvme_controller *controller, unsigned queue)
{
    const struct nvme_command cq = {.opcode = NVME_ADMIN_CREATE_CQ,
                                    .prp1 = 0x10000 + 0x2000 * queue,
                                    .dword10 = 63u << 16 | queue,
                                    .dword11 = queue << 16 | 3};
    const struct nvme_command sq = {.opcode = NVME_ADMIN_CREATE_SQ,
                                    .prp1 = 0x20000 + 0x2000 * queue,
                                    .dword10 = 63u << 16 | queue,
                                    .dword11 = queue << 16 | 1};
    assert_int_equal(bench_status(controller, 0, &cq, NULL, 0), NVME_SUCCESS);
    assert_int_equal(bench_status(controller, 0, &sq, NULL, 0), NVME_SUCCESS);
}

/* ---- the whole ---- */

void bench_volume(struct block_volume *volume, unsigned number)
{
    memset(volume, 0, sizeof *volume);
    volume->capacity = BENCH_VOLUME_BYTES;
    volume->bytes = calloc(1, BENCH_VOLUME_BYTES);
    snprintf(volume->info.settings.name, sizeof volume->info.settings.name, "volume-%u", number);
    volume->info.settings.block_bytes = 512;
    volume->info.settings.bytes = BENCH_VOLUME_BYTES;
    for (unsigned i = 0; i < 16; i++)
        volume->info.settings.uuid[i] = (uint8_t)(16 * (number + 1) + i);
    volume->info.backend = (struct backend_info){
        .bytes = BENCH_VOLUME_BYTES, .block_bytes = 512, .write_cache = true, .discards_zero = true};
    volume->info.number = 100 + number;
}

void bench_make_subsystem(struct bench *bench, const struct nvme_subsystem_ops *ops, void *context)
{
    const struct nvme_subsystem_settings settings = {
        .nqn = "nqn.2026-11.test:one", .serial = "S1", .model = "Model One", .ops = ops, .context = context};
    assert_int_equal(nvme_subsystem_create(NULL, &settings, &bench->subsystem, NULL), 0);
}

void bench_add_controller(struct bench *bench, unsigned number, unsigned function, bool map_doorbells)
{
    const struct nvme_settings settings = {.function = function,
                                           .subsystem = bench->subsystem,
                                           .queues = BENCH_QUEUES,
                                           .map_doorbells = map_doorbells,
                                           .cntlid = (uint16_t)number};
    assert_int_equal(nvme_create(NULL, NULL, NULL, &settings, &bench->controllers[number], NULL), 0);
    assert_int_equal(nvme_ops.dma_map(bench->controllers[number], 0, BENCH_MEMORY_BYTES, bench->memory_fd, 0,
                                      CIPU_DMA_READ | CIPU_DMA_WRITE),
                     0);
}

int bench_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    assert_int_equal(ftruncate(bench->memory_fd, BENCH_MEMORY_BYTES), 0);
    for (unsigned i = 0; i < CARD_VECTORS; i++)
        bench_vectors[i] = -1;
    bench_card_dead = false;
    bench_command_ms = bench_drain_ms = bench_out_of_range = 0;
    bench_doorbell_writes = 0;
    memset(bench_namespaces, 0, sizeof bench_namespaces);
    bench_make_subsystem(bench, NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        bench_volume(&bench->volumes[i], i);
        assert_int_equal(nvme_namespace_add(bench->subsystem, i + 1, &bench->volumes[i], i + 1, NULL), 0);
    }
    bench_volume(&bench->volumes[2], 2);
    for (unsigned i = 0; i < 2; i++) {
        bench_add_controller(bench, i, 3 + i, false);
        assert_int_equal(nvme_namespace_attach(bench->controllers[i], 1, NULL), 0);
        assert_int_equal(nvme_namespace_attach(bench->controllers[i], 2, NULL), 0);
    }
    *state = bench;
    return 0;
}

int bench_teardown(void **state)
{
    struct bench *bench = *state;
    for (unsigned i = 0; i < 3; i++)
        nvme_destroy(bench->controllers[i]);
    for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES_MAX; nsid++)
        nvme_namespace_remove(bench->subsystem, nsid);
    assert_int_equal(nvme_subsystem_destroy(bench->subsystem), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_null(bench->volumes[i].listeners);
        assert_int_equal(bench->volumes[i].attached[0], 0);
        free(bench->volumes[i].bytes);
    }
    for (unsigned i = 0; i < BENCH_COMMANDS_MAX; i++) {
        assert_true(!sent_commands[i].used || sent_commands[i].answer.done);
        sent_commands[i].used = false;
    }
    for (unsigned i = 0; i < BLOCK_QUEUES; i++)
        assert_true(!owners[i].ops && !bench_sq[i].set && !bench_cq[i].set && !bench_room[i].set);
    assert_int_equal(bench_mapped_pieces, 0);
    assert_int_equal(bench_out_of_range, 0);
    close(bench->memory_fd);
    free(bench);
    return 0;
}
