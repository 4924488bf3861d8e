/* SPDX-License-Identifier: Apache-2.0 */
/*
 * used_events and virtio_used, joined as in the card, against drivers that consume the used rings, change their wish
 * for interrupts at any moment and sleep until one comes. What the drivers read at which moment decides: every
 * interrupt is compared with the rule of VIRTIO 1.2, 2.7.10.1, and a driver that sleeps beside a full ring is a lost
 * interrupt.
 */
#ifndef CIPU_TEST_USED_BENCH_H
#define CIPU_TEST_USED_BENCH_H

#include "tests/hls/virtio_dma.h"

#include "hls/include/virtio.h"
#include "hls/used_events/used_events.c"
#include "hls/used_write/used_write.c"
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
    uint8_t more;               /* what the last buffer said: enum used_more */
    uint32_t interrupts;
    bool waits;         /* nothing more was under way when it was asked */
    uint32_t wishes;    /* read in a row, each for an interrupt */
    uint32_t trusted;   /* rounds since the last question */
    uint32_t unclaimed; /* unasked interrupts that have not been seen yet */
};

struct bench {
    uint64_t random;
    struct used_events_state events_state;
    struct virtio_used_state used_state;
    struct used_write_state write_state;
    struct stream used, command, read_request, read_data, again, event, write, interrupt, completion, alert;
    struct virtio_write dma;
    struct virtio_memory memory;
    struct driver driver[QUEUES];
    uint32_t alerts[QUEUES];
    uint16_t wanted[4096]; /* vectors that the reads so far ask for, in order */
    uint32_t wanted_made, wanted_seen;
    uint32_t questions;
    struct command_entry answer; /* the last completion */
    uint32_t answers;
};

static inline uint8_t *ring_at(struct bench *bench, uint32_t queue)
{
    return &bench->memory.function[queue / 2][(queue & 1) * QUEUE_BYTES];
}

static inline uint64_t avail_of(uint32_t queue)
{
    return (queue & 1) * QUEUE_BYTES;
}

static inline uint64_t used_of(const struct bench *bench, uint32_t queue)
{
    return bench->driver[queue].broken ? VIRTIO_MEMORY_BYTES - 8 : avail_of(queue) + USED_OFFSET;
}

static inline uint16_t load16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static inline int setup(void **context)
{
    struct bench *bench = aligned_alloc(_Alignof(struct bench), sizeof *bench);
    memset(bench, 0, sizeof *bench);
    stream_open(&bench->used, 16, sizeof(struct queue_used));
    stream_open(&bench->command, 4, sizeof(struct command_entry));
    stream_open(&bench->read_request, 4, sizeof(struct dma_request));
    stream_open(&bench->read_data, CARD_QUEUES, sizeof(struct beat));
    stream_open(&bench->again, CARD_QUEUES, sizeof(struct queue_token));
    stream_open(&bench->event, 2, sizeof(struct queue_event));
    stream_open(&bench->write, 2, sizeof(struct used_write));
    stream_open(&bench->interrupt, 2, sizeof(struct interrupt_request));
    stream_open(&bench->completion, 2, sizeof(struct command_entry));
    stream_open(&bench->alert, 2, sizeof(struct event_entry));
    virtio_write_open(&bench->dma, &bench->memory, 4, 2);
    for (uint32_t i = 0; i < QUEUES; i++)
        bench->driver[i].buffers = calloc(SENT_MAX, sizeof(struct queue_used));
    *context = bench;
    return 0;
}

static inline int teardown(void **context)
{
    struct bench *bench = *context;
    struct stream *all[] = {&bench->used,  &bench->command, &bench->read_request, &bench->read_data,  &bench->again,
                            &bench->event, &bench->write,   &bench->interrupt,    &bench->completion, &bench->alert};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        stream_close(all[i]);
    virtio_write_close(&bench->dma);
    for (uint32_t i = 0; i < QUEUES; i++)
        free(bench->driver[i].buffers);
    free(bench);
    return 0;
}

static inline int run_events(struct bench *bench)
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

/* An interrupt without a question: its driver wanted one for each of several rounds before, and for few elements. */
static inline void interrupt_unasked(struct bench *bench, uint32_t queue)
{
    struct driver *driver = &bench->driver[queue];
    uint16_t index = load16(ring_at(bench, queue) + USED_OFFSET + 2);
    uint16_t news = (uint16_t)(index - driver->last_decided);
    assert_true(driver->wishes >= VIRTIO_USED_TRUST && driver->trusted < VIRTIO_USED_UNASKED);
    assert_in_range(news, 1, VIRTIO_USED_FEW);
    driver->last_decided = index;
    driver->trusted++;
    driver->unclaimed++;
}

static inline int run_used_write(struct bench *bench)
{
    struct stream *write = &bench->write, *data = &bench->dma.data;
    STREAM_TEST_IN(write);
    STREAM_TEST_OUT(data);
    int ran = used_write(&bench->write_state, &write_port, &data_port);
    STREAM_TEST_IN_END(write);
    STREAM_TEST_OUT_END(data);
    return ran;
}

static inline int run_used(struct bench *bench)
{
    struct stream *event = &bench->event, *read = &bench->read_request, *write = &bench->dma.request,
                  *data = &bench->write, *again = &bench->again, *interrupt = &bench->interrupt,
                  *completion = &bench->completion, *alert = &bench->alert;
    STREAM_TEST_IN(event);
    STREAM_TEST_OUT(read);
    STREAM_TEST_OUT(write);
    STREAM_TEST_OUT(data);
    STREAM_TEST_OUT(again);
    STREAM_TEST_OUT(interrupt);
    STREAM_TEST_OUT(completion);
    STREAM_TEST_OUT(alert);
    const struct queue_event *next = hls_slot(&event_port, HLS_SLOT_BYTES(struct queue_event));
    uint32_t kind = next->kind, queue = next->queue, interrupts = interrupt_port.index;
    int ran = virtio_used(&bench->used_state, &event_port, &read_port, &write_port, &data_port, &again_port,
                          &interrupt_port, &completion_port, &alert_port);
    if (ran && kind == QUEUE_DONE) {
        bench->driver[queue].waits = bench->used_state.row[queue].waits;
        if (interrupt_port.index != interrupts)
            interrupt_unasked(bench, queue);
    }
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
static inline bool needs_event(uint16_t event, uint16_t from, uint16_t to)
{
    for (uint16_t index = from; index != to; index++)
        if (index == event)
            return true;
    return false;
}

/* What the device reads of a driver's wish decides about an interrupt. */
static inline int run_read(struct bench *bench)
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
    bool wanted = event_index ? needs_event(wish, driver->last_decided, index) : !(wish & 1);
    if (wanted)
        bench->wanted[bench->wanted_made++ % 4096] = driver->vector;
    if (driver->waits) {
        driver->wishes = wanted ? driver->wishes + 1 : 0;
        driver->trusted = 0;
    }
    driver->last_decided = index;
    bench->questions++;
    return 1;
}

static inline int run_write(struct bench *bench)
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
                                         : request->length % 8 == 0 && request->length <= USED_WRITE_BYTES);
    }
    return ran;
}

static inline uint16_t generation_of(uint32_t queue)
{
    return (uint16_t)(queue * 257u + 1u);
}

static inline int take_outputs(struct bench *bench)
{
    struct interrupt_request interrupt;
    struct event_entry alert;
    int taken = 0;
    if (stream_get(&bench->interrupt, &interrupt)) {
        struct driver *driver = &bench->driver[interrupt.vector - WAKE_VECTOR];
        if (bench->wanted_seen != bench->wanted_made && interrupt.vector == bench->wanted[bench->wanted_seen % 4096])
            bench->wanted_seen++;
        else
            assert_true(driver->unclaimed-- > 0);
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

static inline void driver_consume(struct bench *bench, uint32_t queue)
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

static inline void driver_wish(struct bench *bench, uint32_t queue, bool on)
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
static inline int run_driver(struct bench *bench, uint32_t queue)
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

static inline void step(struct bench *bench)
{
    switch (random_below(&bench->random, 9)) {
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
    case 7:
        run_used_write(bench);
        break;
    default:
        run_driver(bench, random_below(&bench->random, QUEUES));
    }
}

/* Until nothing moves in the card and every driver that can sleep does. */
static inline void drain(struct bench *bench)
{
    int ran;
    do {
        ran = run_events(bench) + run_used(bench) + run_used_write(bench) + run_read(bench) + run_write(bench) +
              take_outputs(bench);
        for (uint32_t i = 0; i < QUEUES; i++)
            ran += run_driver(bench, i) && bench->driver[i].vector != 0xffff;
    } while (ran);
    assert_int_equal(bench->wanted_seen, bench->wanted_made);
    for (uint32_t i = 0; i < QUEUES; i++)
        assert_int_equal(bench->driver[i].unclaimed, 0);
}

static inline void command(struct bench *bench, uint16_t opcode, uint32_t index, const void *data, size_t bytes)
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

static inline struct queue_setting setting_of(struct bench *bench, uint32_t queue)
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

static inline void start(struct bench *bench, uint32_t queue, uint32_t entries, uint16_t flags, uint16_t position)
{
    struct driver *driver = &bench->driver[queue];
    uint8_t *used = ring_at(bench, queue) + USED_OFFSET;
    driver->phase = DRIVER_RUNS;
    driver->entries = entries;
    driver->flags = flags;
    driver->vector = (uint16_t)(WAKE_VECTOR + queue);
    driver->position = driver->last_used = driver->last_decided = position;
    driver->sent = driver->consumed = driver->wishes = driver->trusted = 0;
    driver->stopped = false;
    driver->more = 0;
    used[2] = (uint8_t)position;
    used[3] = (uint8_t)(position >> 8);
    driver_wish(bench, queue, false);
    struct queue_setting setting = setting_of(bench, queue);
    command(bench, COMMAND_QUEUE_SET, queue, &setting, sizeof setting);
    assert_int_equal(bench->answer.status, STATUS_OK);
    driver->active = true;
}

static inline void stop(struct bench *bench, uint32_t queue)
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

/* Reports a buffer, if the driver has one left, or two when it is followed. */
static inline void send_buffer(struct bench *bench, uint32_t queue, uint8_t more)
{
    struct driver *driver = &bench->driver[queue];
    struct queue_used used = {
        (uint16_t)queue, (uint16_t)random_next(&bench->random), (uint32_t)random_next(&bench->random), more, {0}};
    uint32_t wanted = more & USED_FOLLOWED ? 2 : 1;
    if (driver->sent == SENT_MAX || (!driver->broken && driver->sent - driver->consumed + wanted > driver->entries))
        return;
    if (stream_put(&bench->used, &used)) {
        driver->buffers[driver->sent++] = used;
        driver->more = more;
    }
}

/* What was said to follow does. */
static inline void close_rows(struct bench *bench)
{
    for (uint32_t i = 0; i < QUEUES; i++)
        while (bench->driver[i].active && (bench->driver[i].more & USED_FOLLOWED)) {
            send_buffer(bench, i, 0);
            step(bench);
        }
}

static inline void work(struct bench *bench, uint32_t rounds, uint32_t queues)
{
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t burst = random_below(&bench->random, 100) == 0 ? 200 : 0;
        if (random_below(&bench->random, 4) == 0 || burst)
            send_buffer(bench, random_below(&bench->random, queues),
                        random_below(&bench->random, 4) ? 0 : (uint8_t)random_below(&bench->random, 4));
        for (uint32_t j = 0; j <= burst; j++)
            step(bench);
    }
}

static inline void assert_all_consumed(struct bench *bench)
{
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct driver *driver = &bench->driver[i];
        if (driver->active && !driver->broken)
            assert_int_equal(driver->consumed, driver->sent);
    }
}

#endif
