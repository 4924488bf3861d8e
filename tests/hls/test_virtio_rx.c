/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive kernels, joined as in the card, against a model that plays virtq, driver and memory. Buffers and packets
 * enter in an order that the model knows; behind that every kernel runs whenever it happens to.
 */
#include "tests/hls/virtio_dma.h"

#include "hls/include/virtio.h"
#include "hls/virtio_rx/virtio_rx.c"
#include "hls/virtio_rx_head/virtio_rx_head.c"
#include "hls/virtio_rx_merge/virtio_rx_merge.c"
#include "hls/virtio_rx_place/virtio_rx_place.c"
#include "hls/virtio_rx_used/virtio_rx_used.c"
#include "hls/virtio_rx_write/virtio_rx_write.c"

#define EXPECTED_MAX 4096u
#define HEADER       ((uint32_t)sizeof(struct virtio_net_header))

struct model_segment {
    uint64_t address;
    uint64_t length;
};

struct model_chain {
    struct model_segment segment[RECEIVE_CHAIN_MAX];
    uint32_t segments;
    uint16_t head;
};

/* A receive queue as virtq, the driver and the guest's memory see it. */
struct model_queue {
    struct model_chain chain[RECEIVE_SEGMENTS]; /* whole and unused, oldest first */
    uint32_t chains;
    uint32_t open; /* segments of a chain that was begun */
    uint32_t credit;
    uint32_t cached;
    uint32_t dropped;
    uint32_t next_address;
    uint16_t position;
    uint16_t flags;
    uint8_t generation;
    bool enabled, faulted;
    uint32_t delivered;
};

struct bench {
    uint64_t random;
    struct virtio_rx_head_state head_state;
    struct virtio_rx_merge_state merge_state;
    struct virtio_rx_state rx_state;
    struct virtio_rx_place_state place_state;
    struct virtio_rx_write_state write_state;
    struct virtio_rx_used_state used_state;
    struct stream in, packet, head, segment, item, plan, used, credit, out, completion, fault, again, place;
    struct virtio_memory memory, expected;
    struct virtio_write dma;
    struct model_queue queue[VIRTIO_FUNCTIONS];
    struct queue_used used_expected[EXPECTED_MAX];
    struct command_entry completion_expected[EXPECTED_MAX];
    uint32_t used_made, used_seen, completion_made, completion_seen;
    struct queue_token fault_expected[EXPECTED_MAX];
    uint32_t faults_made, faults_seen;
    uint32_t packets, merged, dropped, windows, returned;
};

static struct stream *const *streams(struct bench *bench, size_t *count)
{
    static struct stream *all[13];
    struct stream *const list[] = {&bench->in,    &bench->packet, &bench->head,   &bench->segment, &bench->item,
                                   &bench->plan,  &bench->used,   &bench->credit, &bench->out,     &bench->completion,
                                   &bench->fault, &bench->again,  &bench->place};
    memcpy(all, list, sizeof list);
    *count = sizeof list / sizeof *list;
    return all;
}

static int setup(void **context)
{
    static const size_t bytes[] = {
        sizeof(struct beat),          sizeof(struct beat),         sizeof(struct receive_head),
        sizeof(struct virtq_segment), sizeof(struct receive_item), sizeof(struct receive_plan),
        sizeof(struct receive_used),  sizeof(struct queue_token),  sizeof(struct queue_used),
        sizeof(struct command_entry), sizeof(struct queue_token),  sizeof(struct receive_item),
        sizeof(struct receive_place)};
    static const uint32_t depth[] = {256, 512, 4, 4, 4, 2, 128, 16, 4, 2, 4, 8, 2};
    struct bench *bench = aligned_alloc(_Alignof(struct bench), sizeof *bench);
    memset(bench, 0, sizeof *bench);
    size_t count;
    struct stream *const *all = streams(bench, &count);
    for (size_t i = 0; i < count; i++)
        stream_open(all[i], depth[i], bytes[i]);
    virtio_write_open(&bench->dma, &bench->memory, 128, 4);
    *context = bench;
    return 0;
}

static int teardown(void **context)
{
    struct bench *bench = *context;
    size_t count;
    struct stream *const *all = streams(bench, &count);
    for (size_t i = 0; i < count; i++)
        stream_close(all[i]);
    virtio_write_close(&bench->dma);
    free(bench);
    return 0;
}

static int run_head(struct bench *bench)
{
    struct stream *in = &bench->in, *packet = &bench->packet, *head = &bench->head;
    STREAM_TEST_IN(in);
    STREAM_TEST_OUT(packet);
    STREAM_TEST_OUT(head);
    int ran = virtio_rx_head(&bench->head_state, &in_port, &packet_port, &head_port);
    STREAM_TEST_IN_END(in);
    STREAM_TEST_OUT_END(packet);
    STREAM_TEST_OUT_END(head);
    return ran;
}

static int run_merge(struct bench *bench)
{
    struct stream *segment = &bench->segment, *head = &bench->head, *item = &bench->item, *again = &bench->again;
    STREAM_TEST_IN(segment);
    STREAM_TEST_IN(head);
    STREAM_TEST_IN(again);
    STREAM_TEST_OUT(item);
    int ran = virtio_rx_merge(&bench->merge_state, &segment_port, &head_port, &again_port, &item_port);
    STREAM_TEST_IN_END(segment);
    STREAM_TEST_IN_END(head);
    STREAM_TEST_IN_END(again);
    STREAM_TEST_OUT_END(item);
    return ran;
}

static int run_rx(struct bench *bench)
{
    struct stream *item = &bench->item, *place = &bench->place, *plan = &bench->plan, *again = &bench->again,
                  *credit = &bench->credit;
    STREAM_TEST_IN(item);
    STREAM_TEST_OUT(place);
    STREAM_TEST_OUT(plan);
    STREAM_TEST_OUT(credit);
    STREAM_TEST_OUT(again);
    uint32_t back = again_port.index;
    int ran = virtio_rx(&bench->rx_state, &item_port, &place_port, &plan_port, &credit_port, &again_port);
    bench->returned += again_port.index - back;
    STREAM_TEST_IN_END(item);
    STREAM_TEST_OUT_END(place);
    STREAM_TEST_OUT_END(plan);
    STREAM_TEST_OUT_END(credit);
    STREAM_TEST_OUT_END(again);
    return ran;
}

static int run_place(struct bench *bench)
{
    struct stream *place = &bench->place, *request = &bench->dma.request, *used = &bench->used;
    STREAM_TEST_IN(place);
    STREAM_TEST_OUT(request);
    STREAM_TEST_OUT(used);
    int ran = virtio_rx_place(&bench->place_state, &place_port, &request_port, &used_port);
    STREAM_TEST_IN_END(place);
    STREAM_TEST_OUT_END(request);
    STREAM_TEST_OUT_END(used);
    return ran;
}

static int run_write(struct bench *bench)
{
    struct stream *packet = &bench->packet, *plan = &bench->plan, *data = &bench->dma.data;
    STREAM_TEST_IN(packet);
    STREAM_TEST_IN(plan);
    STREAM_TEST_OUT(data);
    int ran = virtio_rx_write(&bench->write_state, &packet_port, &plan_port, &data_port);
    STREAM_TEST_IN_END(packet);
    STREAM_TEST_IN_END(plan);
    STREAM_TEST_OUT_END(data);
    return ran;
}

static int run_used(struct bench *bench)
{
    struct stream *done = &bench->dma.done, *used = &bench->used, *out = &bench->out, *completion = &bench->completion,
                  *fault = &bench->fault;
    STREAM_TEST_IN(done);
    STREAM_TEST_IN(used);
    STREAM_TEST_OUT(out);
    STREAM_TEST_OUT(completion);
    STREAM_TEST_OUT(fault);
    int ran = virtio_rx_used(&bench->used_state, &done_port, &used_port, &out_port, &completion_port, &fault_port);
    STREAM_TEST_IN_END(done);
    STREAM_TEST_IN_END(used);
    STREAM_TEST_OUT_END(out);
    STREAM_TEST_OUT_END(completion);
    STREAM_TEST_OUT_END(fault);
    return ran;
}

/* Takes what comes out and compares it with what the model expects next. */
static int take_outputs(struct bench *bench)
{
    struct queue_used used;
    struct command_entry completion;
    struct queue_token token;
    int taken = 0;
    if (stream_get(&bench->out, &used)) {
        assert_true(bench->used_seen < bench->used_made);
        assert_memory_equal(&used, &bench->used_expected[bench->used_seen++], sizeof used);
        taken = 1;
    }
    if (stream_get(&bench->completion, &completion)) {
        assert_true(bench->completion_seen < bench->completion_made);
        assert_memory_equal(&completion, &bench->completion_expected[bench->completion_seen++], sizeof completion);
        taken = 1;
    }
    if (stream_get(&bench->credit, &token)) {
        struct model_queue *queue = &bench->queue[token.queue / 2];
        if (token.generation == queue->generation && queue->enabled)
            queue->credit += token.amount;
        assert_true(token.amount >= VIRTIO_RX_CREDIT && queue->credit <= RECEIVE_SEGMENTS);
        taken = 1;
    }
    if (stream_get(&bench->fault, &token)) {
        assert_true(bench->faults_seen < bench->faults_made);
        assert_memory_equal(&token, &bench->fault_expected[bench->faults_seen++], sizeof token);
        taken = 1;
    }
    return taken;
}

/* What virtio_rx sent back goes round; the order of new items is not touched. */
static int run_again(struct bench *bench)
{
    return hls_fifo_used(&bench->again.fifo) != 0 && run_merge(bench);
}

/* Some activations of whatever comes up. */
static void run_some(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        switch (random_below(&bench->random, 8)) {
        case 0:
            run_rx(bench);
            break;
        case 6:
            run_again(bench);
            break;
        case 7:
            run_place(bench);
            break;
        case 1:
            run_write(bench);
            break;
        case 2:
        case 3:
            virtio_write_step(&bench->dma);
            break;
        case 4:
            run_used(bench);
            break;
        default:
            take_outputs(bench);
        }
    }
}

/* Everything put in so far gets its place in the order. */
static void order_inputs(struct bench *bench)
{
    while (hls_fifo_used(&bench->in.fifo) + hls_fifo_used(&bench->head.fifo) + hls_fifo_used(&bench->segment.fifo)) {
        run_head(bench);
        run_merge(bench);
        run_some(bench, 3);
    }
}

static void drain(struct bench *bench)
{
    order_inputs(bench);
    int ran;
    do {
        ran = run_rx(bench) + run_place(bench) + run_again(bench) + run_write(bench) + virtio_write_step(&bench->dma) +
              run_used(bench) + take_outputs(bench);
    } while (ran);
    assert_int_equal(bench->used_seen, bench->used_made);
    assert_int_equal(bench->completion_seen, bench->completion_made);
    assert_int_equal(bench->faults_seen, bench->faults_made);
    assert_memory_equal(&bench->memory, &bench->expected, sizeof bench->memory);
    assert_int_equal(hls_fifo_used(&bench->dma.request.fifo) + hls_fifo_used(&bench->dma.data.fifo) +
                         hls_fifo_used(&bench->packet.fifo) + hls_fifo_used(&bench->plan.fifo),
                     0);
    for (uint32_t i = 0; i < VIRTIO_FUNCTIONS; i++) {
        const struct model_queue *queue = &bench->queue[i];
        if (queue->enabled && queue->open == 0)
            assert_true(queue->credit + queue->cached + VIRTIO_RX_CREDIT > RECEIVE_SEGMENTS);
        bench->queue[i].next_address = 0;
    }
    bench->used_seen = bench->used_made = 0;
    bench->completion_seen = bench->completion_made = 0;
}

static void send_segment(struct bench *bench, const struct virtq_segment *segment)
{
    assert_true(stream_put(&bench->segment, segment));
    order_inputs(bench);
}

static void send_command(struct bench *bench, uint32_t function, uint16_t opcode, uint8_t kind, uint64_t address,
                         const struct queue_position *given, const struct queue_position *expected)
{
    struct model_queue *queue = &bench->queue[function];
    struct virtq_segment segment;
    struct command_entry entry = {.opcode = opcode, .target = TARGET_RX, .index = 2 * function};
    memset(&segment, 0, sizeof segment);
    entry.tag = (uint32_t)random_next(&bench->random);
    if (given)
        memcpy(entry.data, given, sizeof *given);
    segment.queue = (uint16_t)(2 * function);
    segment.function = (uint16_t)function;
    segment.kind = kind;
    segment.generation = queue->generation;
    segment.address = address;
    segment.length = kind == SEGMENT_WINDOW ? 0x1234000 : 0;
    memcpy(segment.entry, &entry, sizeof entry);
    if (expected)
        memcpy(entry.data, expected, sizeof *expected);
    assert_true(bench->completion_made < EXPECTED_MAX);
    bench->completion_expected[bench->completion_made++] = entry;
    send_segment(bench, &segment);
}

static void start(struct bench *bench, uint32_t function, uint16_t flags)
{
    struct model_queue *queue = &bench->queue[function];
    queue->enabled = true;
    queue->faulted = false;
    queue->generation++;
    queue->flags = flags;
    queue->credit = RECEIVE_SEGMENTS;
    queue->dropped = 0;
    queue->chains = queue->cached = queue->open = 0;
    queue->position = (uint16_t)random_next(&bench->random);
    send_command(bench, function, COMMAND_QUEUE_SET, SEGMENT_SETTING, flags, NULL, NULL);
}

/* COMMAND_QUEUE_STOP or COMMAND_QUEUE_READ */
static void ask_position(struct bench *bench, uint32_t function, uint16_t opcode)
{
    struct model_queue *queue = &bench->queue[function];
    struct queue_position given = {.position = queue->position};
    struct queue_position expected = {.position = (uint16_t)(queue->position - queue->chains),
                                      .dropped = queue->dropped};
    if (opcode == COMMAND_QUEUE_STOP) {
        queue->enabled = false;
        queue->faulted = false;
        queue->chains = queue->cached = queue->open = 0;
    }
    send_command(bench, function, opcode, SEGMENT_COMMAND, 0, &given, &expected);
}

static uint32_t random_length(struct bench *bench, uint32_t shape)
{
    uint32_t length = 0;
    if (shape == 0)
        length = 1 + random_below(&bench->random, 40);
    else if (shape == 1)
        length = 1 + random_below(&bench->random, 3000);
    else
        length = 1536;
    return length;
}

/* Offers one chain, or withdraws it before its end. */
static void offer_chain(struct bench *bench, uint32_t function, bool abort, uint32_t bad)
{
    struct model_queue *queue = &bench->queue[function];
    uint32_t shape = random_below(&bench->random, 4);
    struct model_chain chain = {.head = (uint16_t)random_next(&bench->random)};
    uint32_t most = queue->credit < RECEIVE_CHAIN_MAX ? queue->credit : RECEIVE_CHAIN_MAX;
    if (!queue->enabled || most == 0)
        return;
    chain.segments = shape == 3 ? 1 : 1 + random_below(&bench->random, most);
    for (uint32_t i = 0; i < chain.segments; i++) {
        struct virtq_segment segment;
        struct model_segment *place = &chain.segment[i];
        memset(&segment, 0, sizeof segment);
        place->length = random_below(&bench->random, 200) == 0 ? UINT64_C(0xffffffff) - i : random_length(bench, shape);
        uint32_t room = place->length > PACKET_BYTES_MAX + HEADER ? PACKET_BYTES_MAX + HEADER : (uint32_t)place->length;
        if (queue->next_address + room > VIRTIO_MEMORY_BYTES)
            drain(bench);
        place->address = random_below(&bench->random, 1000) < bad ? VIRTIO_MEMORY_BYTES : queue->next_address;
        queue->next_address += room;
        segment.address = place->address;
        segment.length = place->length;
        segment.queue = (uint16_t)(2 * function);
        segment.function = (uint16_t)function;
        segment.head = chain.head;
        segment.kind = SEGMENT_BUFFER;
        segment.flags = (uint8_t)((i == 0 ? SEGMENT_FIRST : 0) | (i + 1 == chain.segments ? SEGMENT_LAST : 0));
        segment.generation = queue->generation;
        if (abort && i + 1 == chain.segments) {
            segment.kind = SEGMENT_ABORT;
            segment.flags = SEGMENT_LAST;
        }
        send_segment(bench, &segment);
    }
    if (abort)
        return;
    queue->chain[queue->chains++] = chain;
    queue->cached += chain.segments;
    queue->credit -= chain.segments;
    queue->position++;
}

/* The bytes of `wanted` that a packet may use. */
static uint64_t model_room(const struct model_queue *queue)
{
    uint64_t room = 0;
    uint32_t count = queue->flags & QUEUE_MERGEABLE ? queue->chains : queue->chains != 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < queue->chain[i].segments; j++)
            room += queue->chain[i].segment[j].length;
    return room;
}

/* Writes `frame` over the oldest chains; the header's count of buffers is known only afterwards. */
static void model_deliver(struct bench *bench, uint32_t function, uint8_t *frame, uint32_t length)
{
    struct model_queue *queue = &bench->queue[function];
    struct queue_used made[RECEIVE_SEGMENTS];
    uint32_t at = 0, buffers = 0;
    bool failed = false;
    for (; at < length; buffers++)
        for (uint32_t j = 0; j < queue->chain[buffers].segments; j++)
            at += queue->chain[buffers].segment[j].length < length - at
                      ? (uint32_t)queue->chain[buffers].segment[j].length
                      : length - at;
    ((struct virtio_net_header *)(void *)frame)->buffers = (uint16_t)buffers;
    at = 0;
    for (uint32_t i = 0; i < buffers; i++) {
        const struct model_chain *chain = &queue->chain[i];
        uint32_t before = at;
        for (uint32_t j = 0; j < chain->segments && at < length; j++) {
            uint64_t take = chain->segment[j].length < length - at ? chain->segment[j].length : length - at;
            if (chain->segment[j].address + take <= VIRTIO_MEMORY_BYTES)
                memcpy(&bench->expected.function[function][chain->segment[j].address], frame + at, take);
            else
                failed = true;
            at += (uint32_t)take;
        }
        made[i] = (struct queue_used){(uint16_t)(2 * function), chain->head, at - before, i + 1 != buffers, {0}};
        queue->cached -= chain->segments;
    }
    queue->chains -= buffers;
    memmove(queue->chain, queue->chain + buffers, queue->chains * sizeof *queue->chain);
    if (failed && !queue->faulted) {
        assert_true(bench->faults_made < EXPECTED_MAX);
        bench->fault_expected[bench->faults_made++] = (struct queue_token){
            .queue = (uint16_t)(2 * function), .generation = queue->generation, .detail = FAULT_ADDRESS};
    }
    queue->faulted = queue->faulted || failed;
    bench->merged += buffers > 1;
    for (uint32_t i = 0; i < buffers && !queue->faulted; i++) {
        assert_true(bench->used_made < EXPECTED_MAX);
        bench->used_expected[bench->used_made++] = made[i];
    }
    queue->delivered++;
}

static void send_packet(struct bench *bench, uint32_t function, uint32_t length)
{
    static uint8_t frame[HEADER + PACKET_BYTES_MAX];
    struct model_queue *queue = &bench->queue[function];
    bool valid = random_below(&bench->random, 2);
    memset(frame, 0, HEADER);
    random_fill(&bench->random, frame + HEADER, length);
    if (valid && (queue->flags & QUEUE_CHECKSUM))
        frame[0] = VIRTIO_NET_HEADER_DATA_VALID;
    for (uint32_t at = 0; at < length; at += BEAT_BYTES) {
        struct beat beat;
        memset(&beat, 0, sizeof beat);
        beat.meta.bytes = (uint8_t)(length - at < BEAT_BYTES ? length - at : BEAT_BYTES);
        beat.meta.last = length - at <= BEAT_BYTES;
        if (at == 0) {
            beat.meta.length = (uint16_t)length;
            beat.meta.destination = ENDPOINT_FUNCTION;
            beat.meta.destination_id = (uint16_t)function;
            beat.meta.flags = valid ? BEAT_CHECKSUM_VALID : 0;
        }
        memcpy(beat.data, frame + HEADER + at, beat.meta.bytes);
        assert_true(stream_put(&bench->in, &beat));
    }
    bench->packets++;
    if (queue->enabled && model_room(queue) >= length + HEADER) {
        model_deliver(bench, function, frame, length + HEADER);
    } else {
        queue->dropped += queue->enabled;
        bench->dropped++;
    }
    order_inputs(bench);
}

static uint32_t packet_length(struct bench *bench)
{
    static const uint32_t edge[] = {14, 51, 52, 53, 63, 64, 65, 116, 117, 1514, 9215, 9216};
    return random_below(&bench->random, 3) ? 14 + random_below(&bench->random, 600)
                                           : edge[random_below(&bench->random, sizeof edge / sizeof *edge)];
}

static void random_work(struct bench *bench, uint32_t rounds, uint32_t bad)
{
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t function = random_below(&bench->random, VIRTIO_FUNCTIONS);
        uint32_t what = random_below(&bench->random, 100);
        if (what < 50)
            offer_chain(bench, function, false, bad);
        else if (what < 94)
            send_packet(bench, function, packet_length(bench));
        else if (what < 97)
            ask_position(bench, function, COMMAND_QUEUE_READ);
        else if (what == 97)
            offer_chain(bench, function, true, bad);
        else if (!bench->queue[function].enabled || what == 98) {
            ask_position(bench, function, COMMAND_QUEUE_STOP);
            if (random_below(&bench->random, 3))
                start(bench, function, (uint16_t)(random_next(&bench->random) & (QUEUE_MERGEABLE | QUEUE_CHECKSUM)));
        }
        if (bench->used_made > EXPECTED_MAX / 2 || random_below(&bench->random, 50) == 0)
            drain(bench);
    }
    drain(bench);
}

static void test_random(void **context)
{
    struct bench *bench = *context;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        bench->random = seed;
        for (uint32_t i = 0; i < VIRTIO_FUNCTIONS; i++) {
            ask_position(bench, i, COMMAND_QUEUE_STOP);
            start(bench, i, i & 1 ? QUEUE_MERGEABLE | QUEUE_CHECKSUM : 0);
        }
        random_work(bench, 4000, 0);
    }
    assert_true(bench->merged > 300 && bench->dropped > 500 && bench->packets - bench->dropped > 1000);
    assert_in_range(bench->returned, 100, UINT32_MAX);
    assert_int_equal(bench->faults_seen, 0);
}

static void test_random_faults(void **context)
{
    struct bench *bench = *context;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        bench->random = seed;
        for (uint32_t i = 0; i < VIRTIO_FUNCTIONS; i++) {
            ask_position(bench, i, COMMAND_QUEUE_STOP);
            start(bench, i, i & 1 ? QUEUE_MERGEABLE : QUEUE_CHECKSUM);
        }
        random_work(bench, 3000, 5);
    }
    assert_true(bench->faults_seen > 20);
}

/* The largest packet into the smallest buffers that hold it: every chain of the cache is used. */
static void test_whole_cache(void **context)
{
    struct bench *bench = *context;
    bench->random = 9;
    start(bench, 1, QUEUE_MERGEABLE);
    for (uint32_t i = 0; i < RECEIVE_SEGMENTS; i++) {
        struct virtq_segment segment = {.address = i * 256,
                                        .length = i == 0 ? 9216 + 12 - 63 * 146 : 146,
                                        .queue = 2,
                                        .function = 1,
                                        .head = (uint16_t)(7 * i),
                                        .kind = SEGMENT_BUFFER,
                                        .flags = SEGMENT_FIRST | SEGMENT_LAST,
                                        .generation = bench->queue[1].generation};
        struct model_chain *chain = &bench->queue[1].chain[bench->queue[1].chains++];
        *chain = (struct model_chain){.segments = 1, .head = segment.head};
        chain->segment[0] = (struct model_segment){segment.address, segment.length};
        bench->queue[1].credit--;
        bench->queue[1].cached++;
        send_segment(bench, &segment);
    }
    send_packet(bench, 1, PACKET_BYTES_MAX);
    drain(bench);
    assert_int_equal(bench->queue[1].delivered, 1);
    assert_int_equal(bench->queue[1].credit, RECEIVE_SEGMENTS);
}

static void test_no_queue(void **context)
{
    struct bench *bench = *context;
    bench->random = 10;
    send_packet(bench, 0, 1514);
    send_packet(bench, 3, 60);
    ask_position(bench, 0, COMMAND_QUEUE_READ);
    drain(bench);
    assert_int_equal(bench->dropped, 2);
}

static void test_window(void **context)
{
    struct bench *bench = *context;
    bench->random = 11;
    send_command(bench, 2, COMMAND_WINDOW_SET, SEGMENT_WINDOW, 0xabc000, NULL, NULL);
    drain(bench);
    assert_int_equal(bench->dma.windows, 1);
    assert_int_equal(bench->dma.window.address, 0xabc000);
    assert_int_equal(bench->dma.window.length, 0x1234000);
    assert_int_equal(bench->dma.window.function, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
