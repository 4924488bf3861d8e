/* SPDX-License-Identifier: Apache-2.0 */
/*
 * used_events and virtio_used, joined as in the card, against drivers that consume the used rings, change their wish
 * for interrupts at any moment and sleep until one comes. What the drivers read at which moment decides: every
 * interrupt is compared with the rule of VIRTIO 1.2, 2.7.10.1, and a driver that sleeps beside a full ring is a lost
 * interrupt.
 */
#include "tests/hls/virtio_dma.h"

#include "hls/include/virtio.h"
#include "hls/used_events/used_events.c"
#include "hls/virtio_used/virtio_used.c"

#define QUEUES      (2u * VIRTIO_FUNCTIONS)
#define QUEUE_BYTES (VIRTIO_MEMORY_BYTES / 2u)
#define USED_OFFSET (VIRTIO_MEMORY_BYTES / 8u)
#define SENT_MAX    (1u << 17)
#define WAKE_VECTOR 100u /* + queue */

enum driver_phase { DRIVER_RUNS, DRIVER_ASKS, DRIVER_LOOKS, DRIVER_SLEEPS };

struct driver {
    enum driver_phase phase;
    uint32_t entries;
    uint16_t flags, vector;
    uint16_t position; /* used index at QUEUE_SET */
    uint16_t last_used, last_decided;
    uint32_t sent, consumed;
    struct queue_used *buffers; /* all that were sent since QUEUE_SET */
    bool active, stopped;       /* stopped: nothing may touch its memory */
    bool broken;                /* its ring is outside the memory */
    uint32_t interrupts;
};

struct bench {
    uint64_t random;
    struct used_events_state events_state;
    struct virtio_used_state used_state;
    struct stream used, command, read_request, read_data, again, event, interrupt, completion, alert;
    struct virtio_write dma;
    struct virtio_memory memory;
    struct driver driver[QUEUES];
    uint32_t alerts[QUEUES];
    uint16_t wanted[4096]; /* vectors that the reads so far ask for, in order */
    uint32_t wanted_made, wanted_seen;
    struct command_entry answer; /* the last completion */
    uint32_t answers;
};

static uint8_t *ring_at(struct bench *bench, uint32_t queue)
{
    return &bench->memory.function[queue / 2][(queue & 1) * QUEUE_BYTES];
}

static uint64_t avail_of(uint32_t queue)
{
    return (queue & 1) * QUEUE_BYTES;
}

static uint64_t used_of(const struct bench *bench, uint32_t queue)
{
    return bench->driver[queue].broken ? VIRTIO_MEMORY_BYTES - 8 : avail_of(queue) + USED_OFFSET;
}

static uint16_t load16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static int setup(void **context)
{
    struct bench *bench = aligned_alloc(_Alignof(struct bench), sizeof *bench);
    memset(bench, 0, sizeof *bench);
    stream_open(&bench->used, 16, sizeof(struct queue_used));
    stream_open(&bench->command, 4, sizeof(struct command_entry));
    stream_open(&bench->read_request, 4, sizeof(struct dma_request));
    stream_open(&bench->read_data, CARD_QUEUES, sizeof(struct beat));
    stream_open(&bench->again, CARD_QUEUES, sizeof(struct queue_token));
    stream_open(&bench->event, 2, sizeof(struct queue_event));
    stream_open(&bench->interrupt, 2, sizeof(struct interrupt_request));
    stream_open(&bench->completion, 2, sizeof(struct command_entry));
    stream_open(&bench->alert, 2, sizeof(struct event_entry));
    virtio_write_open(&bench->dma, &bench->memory, 4, 2);
    for (uint32_t i = 0; i < QUEUES; i++)
        bench->driver[i].buffers = calloc(SENT_MAX, sizeof(struct queue_used));
    *context = bench;
    return 0;
}

static int teardown(void **context)
{
    struct bench *bench = *context;
    struct stream *all[] = {&bench->used,  &bench->command,   &bench->read_request, &bench->read_data, &bench->again,
                            &bench->event, &bench->interrupt, &bench->completion,   &bench->alert};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stream_close(all[i]);
    virtio_write_close(&bench->dma);
    for (uint32_t i = 0; i < QUEUES; i++)
        free(bench->driver[i].buffers);
    free(bench);
    return 0;
}

static int run_events(struct bench *bench)
{
    struct stream *used = &bench->used, *command = &bench->command, *data = &bench->read_data, *done = &bench->dma.done,
                  *again = &bench->again, *event = &bench->event;
    STREAM_TEST_IN(used);
    STREAM_TEST_IN(command);
    STREAM_TEST_IN(data);
    STREAM_TEST_IN(done);
    STREAM_TEST_IN(again);
    STREAM_TEST_OUT(event);
    int ran =
        used_events(&bench->events_state, &used_port, &command_port, &data_port, &done_port, &again_port, &event_port);
    STREAM_TEST_IN_END(used);
    STREAM_TEST_IN_END(command);
    STREAM_TEST_IN_END(data);
    STREAM_TEST_IN_END(done);
    STREAM_TEST_IN_END(again);
    STREAM_TEST_OUT_END(event);
    return ran;
}

static int run_used(struct bench *bench)
{
    struct stream *event = &bench->event, *read = &bench->read_request, *write = &bench->dma.request,
                  *data = &bench->dma.data, *again = &bench->again, *interrupt = &bench->interrupt,
                  *completion = &bench->completion, *alert = &bench->alert;
    STREAM_TEST_IN(event);
    STREAM_TEST_OUT(read);
    STREAM_TEST_OUT(write);
    STREAM_TEST_OUT(data);
    STREAM_TEST_OUT(again);
    STREAM_TEST_OUT(interrupt);
    STREAM_TEST_OUT(completion);
    STREAM_TEST_OUT(alert);
    int ran = virtio_used(&bench->used_state, &event_port, &read_port, &write_port, &data_port, &again_port,
                          &interrupt_port, &completion_port, &alert_port);
    STREAM_TEST_IN_END(event);
    STREAM_TEST_OUT_END(read);
    STREAM_TEST_OUT_END(write);
    STREAM_TEST_OUT_END(data);
    STREAM_TEST_OUT_END(again);
    STREAM_TEST_OUT_END(interrupt);
    STREAM_TEST_OUT_END(completion);
    STREAM_TEST_OUT_END(alert);
    return ran;
}

/* VIRTIO 1.2, 2.7.10.1, in its own words: used_event is among the elements that are new. */
static bool needs_event(uint16_t event, uint16_t from, uint16_t to)
{
    for (uint16_t index = from; index != to; index++)
        if (index == event)
            return true;
    return false;
}

/* What the device reads of a driver's wish decides about an interrupt. */
static int run_read(struct bench *bench)
{
    struct dma_request request;
    if (!virtio_read_step(&bench->memory, &bench->read_request, &bench->read_data, &request))
        return 0;
    if (request.flags & DMA_WINDOW)
        return 1;
    struct driver *driver = &bench->driver[request.tag];
    bool event_index = driver->flags & QUEUE_EVENT_INDEX;
    assert_false(driver->stopped);
    assert_int_equal(request.function, request.tag / 2);
    assert_int_equal(request.address, avail_of(request.tag) + (event_index ? 4 + 2 * driver->entries : 0));
    assert_int_equal(request.length, 2);
    uint16_t wish = load16(&bench->memory.function[request.function][request.address]);
    uint16_t index = load16(ring_at(bench, request.tag) + USED_OFFSET + 2);
    if (event_index ? needs_event(wish, driver->last_decided, index) : !(wish & 1))
        bench->wanted[bench->wanted_made++ % 4096] = driver->vector;
    driver->last_decided = index;
    return 1;
}

static int run_write(struct bench *bench)
{
    bool begins = !bench->dma.active;
    int ran = virtio_write_step(&bench->dma);
    const struct dma_request *request = &bench->dma.current;
    uint32_t queue = request->tag & (CARD_QUEUES - 1);
    if (ran && begins && bench->dma.active) {
        assert_int_equal(request->function, queue / 2);
        assert_false(bench->driver[queue].stopped);
        assert_true(request->flags & DMA_LAST);
        assert_true(request->length == 2 ? (request->address & 1) == 0 || request->address + 1 == 0
                                         : request->length % 8 == 0 && request->length <= 64);
    }
    return ran;
}

static uint16_t generation_of(uint32_t queue)
{
    return (uint16_t)(queue * 257u + 1u);
}

static int take_outputs(struct bench *bench)
{
    struct interrupt_request interrupt;
    struct event_entry alert;
    int taken = 0;
    if (stream_get(&bench->interrupt, &interrupt)) {
        struct driver *driver = &bench->driver[interrupt.vector - WAKE_VECTOR];
        assert_true(bench->wanted_seen < bench->wanted_made);
        assert_int_equal(interrupt.vector, bench->wanted[bench->wanted_seen++ % 4096]);
        driver->interrupts++;
        if (driver->phase == DRIVER_SLEEPS)
            driver->phase = DRIVER_RUNS;
        taken = 1;
    }
    if (stream_get(&bench->completion, &bench->answer)) {
        bench->answers++;
        if (bench->answer.opcode == COMMAND_QUEUE_STOP && bench->answer.status == STATUS_OK)
            bench->driver[bench->answer.index].stopped = true;
        taken = 1;
    }
    if (stream_get(&bench->alert, &alert)) {
        assert_int_equal(alert.kind, EVENT_QUEUE_STOPPED);
        assert_int_equal(alert.detail, FAULT_ADDRESS);
        assert_int_equal(alert.function, alert.queue / 2);
        assert_int_equal(alert.generation, generation_of(alert.queue));
        bench->alerts[alert.queue]++;
        taken = 1;
    }
    return taken;
}

static void driver_consume(struct bench *bench, uint32_t queue)
{
    struct driver *driver = &bench->driver[queue];
    const uint8_t *used = ring_at(bench, queue) + USED_OFFSET;
    uint16_t index = load16(used + 2);
    while (driver->last_used != index) {
        struct virtq_used_element element;
        assert_true(driver->consumed < driver->sent);
        memcpy(&element, used + 4 + 8 * (driver->last_used & (driver->entries - 1)), sizeof element);
        assert_int_equal(element.id, driver->buffers[driver->consumed].head);
        assert_int_equal(element.length, driver->buffers[driver->consumed].length);
        driver->consumed++;
        driver->last_used++;
    }
}

static void driver_wish(struct bench *bench, uint32_t queue, bool on)
{
    struct driver *driver = &bench->driver[queue];
    uint8_t *avail = ring_at(bench, queue);
    uint16_t event = on ? driver->last_used : (uint16_t)(driver->last_used - 1);
    uint16_t word = driver->flags & QUEUE_EVENT_INDEX ? event : !on;
    uint8_t *to = driver->flags & QUEUE_EVENT_INDEX ? avail + 4 + 2 * driver->entries : avail;
    to[0] = (uint8_t)word;
    to[1] = (uint8_t)(word >> 8);
}

/* One step of a driver: consume without interrupts, ask for them, look again, sleep. Returns whether it is awake. */
static int run_driver(struct bench *bench, uint32_t queue)
{
    struct driver *driver = &bench->driver[queue];
    if (!driver->active || driver->broken || driver->phase == DRIVER_SLEEPS)
        return 0;
    if (driver->phase == DRIVER_RUNS) {
        driver_wish(bench, queue, false);
        driver_consume(bench, queue);
        driver->phase = random_below(&bench->random, 2) ? DRIVER_ASKS : DRIVER_RUNS;
    } else if (driver->phase == DRIVER_ASKS) {
        driver_wish(bench, queue, true);
        driver->phase = DRIVER_LOOKS;
    } else {
        bool empty = load16(ring_at(bench, queue) + USED_OFFSET + 2) == driver->last_used;
        driver->phase = empty ? DRIVER_SLEEPS : DRIVER_RUNS;
        if (driver->vector == 0xffff)
            driver->phase = DRIVER_RUNS;
    }
    return 1;
}

static void step(struct bench *bench)
{
    switch (random_below(&bench->random, 8)) {
    case 0:
    case 1:
        run_events(bench);
        break;
    case 2:
    case 3:
        run_used(bench);
        break;
    case 4:
        run_read(bench);
        break;
    case 5:
        run_write(bench);
        break;
    case 6:
        take_outputs(bench);
        break;
    default:
        run_driver(bench, random_below(&bench->random, QUEUES));
    }
}

/* Until nothing moves in the card and every driver that can sleep does. */
static void drain(struct bench *bench)
{
    int ran;
    do {
        ran = run_events(bench) + run_used(bench) + run_read(bench) + run_write(bench) + take_outputs(bench);
        for (uint32_t i = 0; i < QUEUES; i++)
            ran += run_driver(bench, i) && bench->driver[i].vector != 0xffff;
    } while (ran);
    assert_int_equal(bench->wanted_seen, bench->wanted_made);
}

static void command(struct bench *bench, uint16_t opcode, uint32_t index, const void *data, size_t bytes)
{
    struct command_entry entry = {.opcode = opcode, .index = index};
    entry.target = index & 1 ? TARGET_TX_USED : TARGET_RX_USED;
    entry.tag = (uint32_t)random_next(&bench->random);
    if (bytes)
        memcpy(entry.data, data, bytes);
    uint32_t before = bench->answers;
    while (!stream_put(&bench->command, &entry))
        step(bench);
    for (uint32_t i = 0; bench->answers == before; i++) {
        assert_true(i < 100000);
        step(bench);
    }
    assert_int_equal(bench->answer.opcode, opcode);
    assert_int_equal(bench->answer.tag, entry.tag);
    assert_int_equal(bench->answer.index, index);
    assert_int_equal(bench->answer.target, entry.target);
}

static struct queue_setting setting_of(struct bench *bench, uint32_t queue)
{
    const struct driver *driver = &bench->driver[queue];
    struct queue_setting setting = {.avail = avail_of(queue), .used = used_of(bench, queue)};
    setting.entries = driver->entries;
    setting.flags = driver->flags;
    setting.position = driver->position;
    setting.vector = driver->vector;
    setting.function = (uint16_t)(queue / 2);
    setting.generation = generation_of(queue);
    return setting;
}

static void start(struct bench *bench, uint32_t queue, uint32_t entries, uint16_t flags, uint16_t position)
{
    struct driver *driver = &bench->driver[queue];
    uint8_t *used = ring_at(bench, queue) + USED_OFFSET;
    driver->phase = DRIVER_RUNS;
    driver->entries = entries;
    driver->flags = flags;
    driver->vector = (uint16_t)(WAKE_VECTOR + queue);
    driver->position = driver->last_used = driver->last_decided = position;
    driver->sent = driver->consumed = 0;
    driver->stopped = false;
    used[2] = (uint8_t)position;
    used[3] = (uint8_t)(position >> 8);
    driver_wish(bench, queue, false);
    struct queue_setting setting = setting_of(bench, queue);
    command(bench, COMMAND_QUEUE_SET, queue, &setting, sizeof setting);
    assert_int_equal(bench->answer.status, STATUS_OK);
    driver->active = true;
}

static void stop(struct bench *bench, uint32_t queue)
{
    struct driver *driver = &bench->driver[queue];
    struct queue_position position;
    command(bench, COMMAND_QUEUE_STOP, queue, NULL, 0);
    assert_int_equal(bench->answer.status, STATUS_OK);
    memcpy(&position, bench->answer.data, sizeof position);
    if (!driver->broken) {
        assert_int_equal(position.position, (uint16_t)(driver->position + driver->sent));
        driver_consume(bench, queue);
        assert_int_equal(driver->consumed, driver->sent);
    }
    driver->active = false;
}

/* Reports a buffer, if the driver has one left. */
static void send_buffer(struct bench *bench, uint32_t queue)
{
    struct driver *driver = &bench->driver[queue];
    struct queue_used used = {(uint16_t)queue, (uint16_t)random_next(&bench->random),
                              (uint32_t)random_next(&bench->random)};
    if (driver->sent == SENT_MAX || (!driver->broken && driver->sent - driver->consumed >= driver->entries))
        return;
    if (stream_put(&bench->used, &used))
        driver->buffers[driver->sent++] = used;
}

static void work(struct bench *bench, uint32_t rounds, uint32_t queues)
{
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t burst = random_below(&bench->random, 100) == 0 ? 200 : 0;
        if (random_below(&bench->random, 4) == 0 || burst)
            send_buffer(bench, random_below(&bench->random, queues));
        for (uint32_t j = 0; j <= burst; j++)
            step(bench);
    }
}

static void assert_all_consumed(struct bench *bench)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct driver *driver = &bench->driver[i];
        if (driver->active && !driver->broken)
            assert_int_equal(driver->consumed, driver->sent);
    }
}

/* Drivers of all kinds, with pauses in which a lost interrupt would show. */
static void test_random(void **context)
{
    struct bench *bench = *context;
    bench->random = 1;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 2u << (i * 2), i & 2 ? QUEUE_EVENT_INDEX : 0, (uint16_t)(65500 + i));
    for (uint32_t i = 0; i < 1000; i++) {
        work(bench, 3000, 1 + random_below(&bench->random, QUEUES));
        drain(bench);
        assert_all_consumed(bench);
    }
    for (uint32_t i = 0; i < QUEUES; i++)
        assert_true(bench->driver[i].interrupts > 100 && bench->driver[i].sent > 1000 && bench->alerts[i] == 0);
}

/* Index and used_event pass 65535 more than once. */
static void test_wrap(void **context)
{
    struct bench *bench = *context;
    bench->random = 2;
    start(bench, 1, 256, QUEUE_EVENT_INDEX, 40000);
    while (bench->driver[1].sent < 100000) {
        for (uint32_t i = 0; i < 4; i++) {
            send_buffer(bench, 1);
            step(bench);
            run_driver(bench, 1);
        }
        for (uint32_t i = 0; i < 20; i++)
            step(bench);
    }
    drain(bench);
    assert_all_consumed(bench);
    assert_true(bench->driver[1].interrupts > 200);
}

/* Elements that come in a burst cost few writes of the index and few interrupts. */
static void test_batched(void **context)
{
    struct bench *bench = *context;
    bench->random = 3;
    start(bench, 2, 1024, QUEUE_EVENT_INDEX, 0);
    drain(bench);
    assert_int_equal(bench->driver[2].phase, DRIVER_SLEEPS);
    for (uint32_t i = 0; i < 16; i++)
        send_buffer(bench, 2);
    drain(bench);
    assert_all_consumed(bench);
    assert_in_range(bench->driver[2].interrupts, 1, 4);
}

static void test_stop_in_the_middle(void **context)
{
    struct bench *bench = *context;
    bench->random = 4;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 64, i & 1 ? QUEUE_EVENT_INDEX : 0, (uint16_t)(i * 9000));
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t queue = random_below(&bench->random, QUEUES);
        work(bench, random_below(&bench->random, 100), QUEUES);
        stop(bench, queue);
        /* To a stopped queue nothing is reported. */
        struct queue_used late = {(uint16_t)queue, 1, 2};
        if (random_below(&bench->random, 2))
            stream_put(&bench->used, &late);
        work(bench, random_below(&bench->random, 100), 0);
        drain(bench);
        start(bench, queue, 2u << random_below(&bench->random, 8),
              random_below(&bench->random, 2) ? QUEUE_EVENT_INDEX : 0, (uint16_t)random_next(&bench->random));
    }
    drain(bench);
    assert_all_consumed(bench);
}

/* Rings outside the memory: one event each, the neighbours go on, the stop completes behind the last access. */
static void test_faults(void **context)
{
    struct bench *bench = *context;
    bench->random = 5;
    uint32_t broken[QUEUES] = {0};
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 64, QUEUE_EVENT_INDEX, 7);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t queue = random_below(&bench->random, QUEUES);
        stop(bench, queue);
        drain(bench);
        bench->driver[queue].broken = random_below(&bench->random, 2);
        start(bench, queue, 64, random_below(&bench->random, 2) ? QUEUE_EVENT_INDEX : 0, 65530);
        uint32_t sent = bench->driver[queue].sent;
        work(bench, 50, QUEUES);
        if (random_below(&bench->random, 2))
            drain(bench);
        while (bench->driver[queue].broken && bench->driver[queue].sent == sent) {
            send_buffer(bench, queue);
            step(bench);
        }
        broken[queue] += bench->driver[queue].broken;
    }
    for (uint32_t i = 0; i < QUEUES; i++)
        stop(bench, i);
    drain(bench);
    for (uint32_t i = 0; i < QUEUES; i++) {
        assert_int_equal(bench->alerts[i], broken[i]);
        assert_true(broken[i] > 20);
    }
}

/* The kernels run until they are stuck; DMA does not. */
static void run_kernels(struct bench *bench)
{
    while (run_events(bench) + run_used(bench))
        ;
}

/* Every FIFO around the DMA writer is full, again and again: it still gets rid of its answers, and all moves on. */
static void test_all_full(void **context)
{
    struct bench *bench = *context;
    bench->random = 9;
    for (uint32_t i = 0; i < QUEUES; i++)
        start(bench, i, 1024, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        for (uint32_t j = 0; j < 32; j++)
            send_buffer(bench, random_below(&bench->random, QUEUES));
        run_kernels(bench);
        while (run_write(bench))
            ;
        while (run_used(bench))
            ;
        if (i % 16 == 0) {
            drain(bench);
            assert_all_consumed(bench);
        }
    }
    assert_true(bench->driver[0].sent > 100);
}

/* The DMA writer never waits for room in the event stream. */
static void test_answers_are_taken(void **context)
{
    struct bench *bench = *context;
    struct queue_event nothing = {.kind = 0};
    struct dma_done done = {.tag = 5 | USED_RING_TAG_INDEX};
    while (stream_put(&bench->event, &nothing))
        ;
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(stream_put(&bench->dma.done, &done));
        assert_true(run_events(bench));
        assert_int_equal(hls_fifo_used(&bench->dma.done.fifo), 0);
    }
    assert_false(run_events(bench));
    struct queue_event event;
    while (stream_get(&bench->event, &event))
        assert_int_equal(event.kind, 0);
    assert_true(run_events(bench));
    assert_true(stream_get(&bench->event, &event));
    assert_int_equal(event.kind, QUEUE_DONE);
    assert_int_equal(event.queue, 5);
    assert_int_equal(event.amount, 1);
    assert_false(run_events(bench));
}

/* A failed queue without a token has writes under way when it is stopped: the stop completes behind them. */
static void test_stop_behind_failed_writes(void **context)
{
    struct bench *bench = *context;
    bench->random = 10;
    bench->driver[2].broken = true;
    start(bench, 2, 64, 0, 8);
    uint32_t answers = bench->answers;
    send_buffer(bench, 2);
    run_kernels(bench);
    for (uint32_t i = 0; i < 16; i++) {
        send_buffer(bench, 2);
        run_kernels(bench);
    }
    assert_int_equal(hls_fifo_used(&bench->dma.request.fifo), 4);
    while (hls_fifo_used(&bench->dma.done.fifo) != 2)
        run_write(bench);
    run_kernels(bench);
    take_outputs(bench);
    assert_int_equal(bench->alerts[2], 1);

    struct command_entry entry = {.opcode = COMMAND_QUEUE_STOP, .target = TARGET_RX_USED, .index = 2};
    assert_true(stream_put(&bench->command, &entry));
    run_kernels(bench);
    take_outputs(bench);
    assert_int_equal(bench->answers, answers);
    drain(bench);
    assert_int_equal(bench->answers, answers + 1);
    assert_true(bench->driver[2].stopped);
    assert_int_equal(bench->alerts[2], 1);
}

/* The driver's wish cannot be read. */
static void test_avail_fault(void **context)
{
    struct bench *bench = *context;
    bench->random = 6;
    struct queue_setting setting = {.avail = VIRTIO_MEMORY_BYTES, .used = USED_OFFSET, .entries = 8, .vector = 100};
    setting.generation = generation_of(0);
    struct queue_used used = {0, 3, 4};
    struct dma_request request = {0};
    bench->driver[0].entries = 8;
    command(bench, COMMAND_QUEUE_SET, 0, &setting, sizeof setting);
    stream_put(&bench->used, &used);
    while (run_events(bench) + run_used(bench) + run_write(bench))
        ;
    assert_true(virtio_read_step(&bench->memory, &bench->read_request, &bench->read_data, &request));
    assert_int_equal(request.address, VIRTIO_MEMORY_BYTES);
    drain(bench);
    assert_int_equal(bench->alerts[0], 1);
    stream_put(&bench->used, &used);
    drain(bench);
    assert_int_equal(load16(&bench->memory.function[0][USED_OFFSET + 2]), 1);
    bench->driver[0].broken = true;
    stop(bench, 0);
    assert_int_equal(bench->alerts[0], 1);
}

/* Without a vector nobody is asked. */
static void test_no_vector(void **context)
{
    struct bench *bench = *context;
    bench->random = 7;
    struct driver *driver = &bench->driver[3];
    driver->entries = 16;
    driver->vector = 0xffff;
    struct queue_setting setting = setting_of(bench, 3);
    command(bench, COMMAND_QUEUE_SET, 3, &setting, sizeof setting);
    driver->active = true;
    for (uint32_t i = 0; i < 2000; i++) {
        send_buffer(bench, 3);
        for (uint32_t j = 0; j < 30; j++)
            step(bench);
        assert_int_equal(hls_fifo_used(&bench->read_request.fifo), 0);
    }
    drain(bench);
    stop(bench, 3);
    assert_int_equal(driver->interrupts, 0);
}

static void expect_status(struct bench *bench, uint32_t queue, const struct queue_setting *setting, uint8_t status)
{
    command(bench, COMMAND_QUEUE_SET, queue, setting, sizeof *setting);
    assert_int_equal(bench->answer.status, status);
}

static void test_commands(void **context)
{
    struct bench *bench = *context;
    bench->random = 8;
    bench->driver[5].entries = 128;
    const struct queue_setting good = setting_of(bench, 5);
    static const uint32_t sizes[] = {0, 1, 3, 127, 65536, 0x80000000};
    struct queue_setting bad;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bad = good;
        bad.entries = sizes[i];
        expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    }
    bad = good;
    bad.used += 2;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad = good;
    bad.avail += 1;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad = good;
    bad.function = 3;
    expect_status(bench, 5, &bad, STATUS_BAD_DATA);
    bad.function = FUNCTION_HOST;
    expect_status(bench, 2 * FUNCTION_HOST + 1, &bad, STATUS_BAD_DATA);
    expect_status(bench, CARD_QUEUES + 5, &good, STATUS_BAD_INDEX);
    expect_status(bench, 5, &good, STATUS_OK);
    expect_status(bench, 5, &good, STATUS_BUSY);
    command(bench, COMMAND_QUEUE_STOP, CARD_QUEUES + 5, NULL, 0);
    assert_int_equal(bench->answer.status, STATUS_BAD_INDEX);
    command(bench, COMMAND_QUEUE_READ, 5, NULL, 0);
    assert_int_equal(bench->answer.status, STATUS_BAD_OPCODE);
    stop(bench, 5);
    stop(bench, 5);

    struct window_setting window = {0x5000, 0x6000};
    command(bench, COMMAND_WINDOW_SET, 77, &window, sizeof window);
    assert_int_equal(bench->answer.status, STATUS_OK);
    drain(bench);
    assert_int_equal(bench->dma.windows, 1);
    assert_int_equal(bench->dma.window.function, 77);
    assert_int_equal(bench->dma.window.address, 0x5000);
    assert_int_equal(bench->dma.window.length, 0x6000);
    command(bench, COMMAND_WINDOW_SET, CARD_FUNCTIONS, &window, sizeof window);
    assert_int_equal(bench->answer.status, STATUS_BAD_INDEX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_behind_failed_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_avail_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_vector, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
