/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/relay.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/host.h"
#include "hls/include/beat.h"
#include "hls/include/virtio.h"

#define FRAME_BYTES (sizeof(struct virtio_net_header) + PACKET_BYTES_MAX)
#define SLOT_BYTES  12288u
#define BUFFERS     16384u /* where they begin */
#define AVAIL       4096u
#define USED        8192u
#define QUEUE_BYTES (BUFFERS + RELAY_ENTRIES * SLOT_BYTES)
#define RUN_BUDGET  64u /* frames a run: others want the thread too */
#define CHAINS_MAX  64u /* that one received frame may take */

static_assert(FRAME_BYTES <= SLOT_BYTES, "a frame fits a slot");
static_assert(RELAY_ENTRIES * sizeof(struct virtq_descriptor) <= AVAIL, "descriptors");
static_assert(2 * QUEUE_BYTES <= RELAY_BYTES, "both queues");

/* A queue's bounce memory, which only the card and this file touch. */
struct bounce {
    struct virtq_descriptor *descriptors;
    uint16_t *avail; /* flags, index, ring */
    uint8_t *used;
    uint8_t *buffers;
};

struct relay_queue {
    bool running, mergeable;
    struct split_ring ring; /* the guest's */
    struct bounce bounce;
    uint16_t avail_index, used_seen; /* of the card's ring */
    uint16_t heads[RELAY_ENTRIES];   /* transmit: the guest's chain in each slot */
    uint16_t free_slots[RELAY_ENTRIES];
    unsigned free_count;
};

struct relay {
    struct cipu_card *card;
    uint64_t bus_address;
    int fd;
    uint8_t *memory;
    struct relay_queue queues[2];
    struct split_chain first, current;
};

static void place(struct relay *relay, unsigned index)
{
    uint8_t *start = relay->memory + index * QUEUE_BYTES;
    relay->queues[index].bounce =
        (struct bounce){(struct virtq_descriptor *)start, (uint16_t *)(start + AVAIL), start + USED, start + BUFFERS};
}

int relay_create(struct cipu_card *card, unsigned function, struct relay **relay)
{
    struct relay *created = calloc(1, sizeof *created);
    if (!created)
        return -ENOMEM;
    created->card = card;
    created->bus_address = ((uint64_t)function << CIPU_WINDOW_SHIFT) + RELAY_ADDRESS;
    created->memory = MAP_FAILED;
    created->fd = memfd_create("cipu-relay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int result = 0;
    if (created->fd < 0 || ftruncate(created->fd, 2 * QUEUE_BYTES) < 0)
        result = -errno;
    if (!result) {
        created->memory = mmap(NULL, 2 * QUEUE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, created->fd, 0);
        if (created->memory == MAP_FAILED)
            result = -errno;
    }
    if (!result)
        result = cipu_card_dma_map(card, created->fd, 0, created->bus_address, 2 * QUEUE_BYTES,
                                   CIPU_DMA_READ | CIPU_DMA_WRITE, NULL);
    if (result) {
        created->bus_address = 0;
        relay_destroy(created);
        return result;
    }
    place(created, 0);
    place(created, 1);
    *relay = created;
    return 0;
}

void relay_destroy(struct relay *relay)
{
    if (!relay)
        return;
    if (relay->bus_address)
        cipu_card_dma_unmap(relay->card, relay->bus_address, 2 * QUEUE_BYTES);
    if (relay->memory != MAP_FAILED)
        munmap(relay->memory, 2 * QUEUE_BYTES);
    if (relay->fd >= 0)
        close(relay->fd);
    free(relay);
}

/* The card sees a slot once its index is out: publish_slots. */
static void post_slot(struct relay_queue *queue, unsigned slot)
{
    queue->bounce.avail[2 + queue->avail_index % RELAY_ENTRIES] = (uint16_t)slot;
    queue->avail_index++;
}

static void publish_slots(struct relay_queue *queue)
{
    atomic_store_explicit((_Atomic uint16_t *)&queue->bounce.avail[1], queue->avail_index, memory_order_release);
}

void relay_start(struct relay *relay, unsigned index, const struct split_ring *ring, bool mergeable,
                 struct queue_setting *setting)
{
    struct relay_queue *queue = &relay->queues[index];
    uint64_t start = RELAY_ADDRESS + (uint64_t)index * QUEUE_BYTES;
    bool receive = index == 0;

    memset(relay->memory + index * QUEUE_BYTES, 0, BUFFERS);
    queue->ring = *ring;
    queue->mergeable = mergeable;
    queue->avail_index = queue->used_seen = 0;
    queue->free_count = 0;
    for (unsigned slot = 0; slot < RELAY_ENTRIES; slot++) {
        queue->bounce.descriptors[slot] = (struct virtq_descriptor){
            .address = start + BUFFERS + slot * SLOT_BYTES, .length = FRAME_BYTES, .flags = receive ? VIRTQ_WRITE : 0};
        if (receive)
            post_slot(queue, slot);
        else
            queue->free_slots[queue->free_count++] = (uint16_t)(RELAY_ENTRIES - 1 - slot);
    }
    publish_slots(queue);
    queue->running = true;
    setting->descriptors = start;
    setting->avail = start + AVAIL;
    setting->used = start + USED;
    setting->entries = RELAY_ENTRIES;
    setting->position = 0;
}

uint16_t relay_stop(struct relay *relay, unsigned index)
{
    relay->queues[index].running = false;
    return relay->queues[index].ring.published;
}

bool relay_running(const struct relay *relay, unsigned index)
{
    return relay && relay->queues[index].running;
}

/* The next element that the card used, without taking it. */
static bool peek_used(struct relay_queue *queue, struct virtq_used_element *element)
{
    uint16_t index =
        atomic_load_explicit((_Atomic uint16_t *)(queue->bounce.used + VIRTQ_USED_INDEX), memory_order_acquire);
    if (index == queue->used_seen)
        return false;
    memcpy(element, queue->bounce.used + VIRTQ_USED_RING + sizeof *element * (queue->used_seen % RELAY_ENTRIES),
           sizeof *element);
    element->id %= RELAY_ENTRIES;
    if (element->length > FRAME_BYTES)
        element->length = FRAME_BYTES;
    return true;
}

static int return_sent(struct relay_queue *queue)
{
    struct virtq_used_element element;
    while (peek_used(queue, &element)) {
        int result = split_ring_use(&queue->ring, queue->heads[element.id], 0);
        if (result)
            return result;
        queue->used_seen++;
        if (queue->free_count < RELAY_ENTRIES)
            queue->free_slots[queue->free_count++] = (uint16_t)element.id;
    }
    return 0;
}

static int fetch_frame(struct relay *relay, struct relay_queue *queue)
{
    struct split_chain *chain = &relay->current;
    int result = split_ring_take(&queue->ring, chain);
    if (result <= 0)
        return result;
    if (chain->writable || chain->readable_bytes < sizeof(struct virtio_net_header) ||
        chain->readable_bytes > FRAME_BYTES)
        return -EPROTO;
    unsigned slot = queue->free_slots[queue->free_count - 1];
    result = split_chain_read(&queue->ring, chain, 0, queue->bounce.buffers + slot * SLOT_BYTES, chain->readable_bytes);
    if (result) {
        split_ring_untake(&queue->ring);
        return result;
    }
    queue->free_count--;
    queue->heads[slot] = chain->head;
    queue->bounce.descriptors[slot].length = (uint32_t)chain->readable_bytes;
    post_slot(queue, slot);
    return 1;
}

static int run_transmit(struct relay *relay, struct relay_queue *queue, unsigned *todo)
{
    int result = return_sent(queue);
    unsigned frames = 0;
    while (!result && frames < RUN_BUDGET && queue->free_count) {
        int taken = fetch_frame(relay, queue);
        if (taken > 0) {
            frames++;
            continue;
        }
        result = taken < 0 ? taken : split_ring_arm(&queue->ring);
        if (result <= 0)
            break;
        result = 0;
    }
    if (frames) {
        publish_slots(queue);
        *todo |= RELAY_DOORBELL;
    }
    if (frames == RUN_BUDGET)
        *todo |= RELAY_MORE;
    return result;
}

struct delivery {
    unsigned chains;
    struct {
        uint16_t head;
        uint32_t bytes;
    } used[CHAINS_MAX];
};

/* Writes a frame into as many chains as it needs. 1, 0 when the guest has not given enough, -EMSGSIZE when it never
 * will fit. */
static int scatter(struct relay *relay, struct relay_queue *queue, const uint8_t *frame, size_t bytes,
                   struct delivery *delivery)
{
    size_t done = 0;
    while (done < bytes) {
        struct split_chain *chain = delivery->chains ? &relay->current : &relay->first;
        if (delivery->chains == CHAINS_MAX || (delivery->chains && !queue->mergeable))
            return -EMSGSIZE;
        int result = split_ring_take(&queue->ring, chain);
        if (result <= 0)
            return result;
        if (chain->readable || chain->writable_bytes == 0 ||
            (delivery->chains == 0 && chain->writable_bytes < sizeof(struct virtio_net_header)))
            return -EPROTO;
        size_t step = chain->writable_bytes < bytes - done ? chain->writable_bytes : bytes - done;
        result = split_chain_write(&queue->ring, chain, 0, frame + done, step);
        if (result)
            return result;
        delivery->used[delivery->chains].head = chain->head;
        delivery->used[delivery->chains++].bytes = (uint32_t)step;
        done += step;
    }
    /* 5.1.6.4: how many buffers it took is the last to be written. */
    const uint16_t buffers = (uint16_t)delivery->chains;
    int result = split_chain_write(&queue->ring, &relay->first, offsetof(struct virtio_net_header, buffers), &buffers,
                                   sizeof buffers);
    return result ? result : 1;
}

/* All or nothing: what fails half way is tried again from the start, for the driver has not seen it yet. */
static int deliver(struct relay *relay, struct relay_queue *queue, const uint8_t *frame, size_t bytes)
{
    struct delivery delivery = {.chains = 0};
    uint16_t next_avail = queue->ring.next_avail, next_used = queue->ring.next_used;
    int result = scatter(relay, queue, frame, bytes, &delivery);
    for (unsigned i = 0; result > 0 && i < delivery.chains; i++) {
        int used = split_ring_use(&queue->ring, delivery.used[i].head, delivery.used[i].bytes);
        result = used ? used : result;
    }
    if (result <= 0) {
        queue->ring.next_avail = next_avail;
        queue->ring.next_used = next_used;
    }
    return result;
}

/* 1 delivered, 0: the guest has to give more, and will say when it does. */
static int deliver_or_arm(struct relay *relay, struct relay_queue *queue, const uint8_t *frame, size_t bytes)
{
    for (;;) {
        int result = deliver(relay, queue, frame, bytes);
        if (result)
            return result;
        uint16_t seen = queue->ring.avail_index;
        result = split_ring_arm(&queue->ring);
        if (result < 0 || queue->ring.avail_index == seen)
            return result < 0 ? result : 0;
    }
}

static int run_receive(struct relay *relay, struct relay_queue *queue, unsigned *todo)
{
    struct virtq_used_element element;
    unsigned frames = 0;
    int result = 0;
    while (frames < RUN_BUDGET && peek_used(queue, &element)) {
        result = element.length < sizeof(struct virtio_net_header)
                     ? 1
                     : deliver_or_arm(relay, queue, queue->bounce.buffers + element.id * SLOT_BYTES, element.length);
        if (result <= 0 && result != -EMSGSIZE)
            break;
        queue->used_seen++;
        post_slot(queue, element.id);
        frames++;
    }
    if (frames) {
        publish_slots(queue);
        *todo |= RELAY_DOORBELL;
    }
    if (frames == RUN_BUDGET)
        *todo |= RELAY_MORE;
    return result < 0 && result != -EMSGSIZE ? result : 0;
}

int relay_run(struct relay *relay, unsigned index, unsigned *todo)
{
    struct relay_queue *queue = &relay->queues[index];
    *todo = 0;
    int result = index == 0 ? run_receive(relay, queue, todo) : run_transmit(relay, queue, todo);
    int published = split_ring_publish(&queue->ring);
    if (published > 0)
        *todo |= RELAY_INTERRUPT;
    return result ? result : published < 0 ? published : 0;
}
