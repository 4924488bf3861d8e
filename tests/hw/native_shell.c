/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hw/native_shell.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DEPTH 65536u

void native_shell_open(struct native_shell *shell)
{
    memset(shell, 0, sizeof *shell);
    shell->graph.shell = shell->streams;
    shell->graph.nodes = shell->names;
    shell->card.graph = &shell->graph;
    shell->card.fifo = shell->fifos;
    shell->card.tasks = shell->tasks;
    shell->card.blocks = shell->blocks;
    shell->card.resets = shell->resets;
    pthread_mutex_init(&shell->card.lock, NULL);
    assert_int_equal(native_map_init(&shell->card), 0);
}

void native_shell_close(struct native_shell *shell)
{
    native_map_free(&shell->card);
    for (size_t i = 0; i < shell->graph.shell_count; i++)
        free(shell->fifos[i].slots);
    for (size_t i = 0; i < shell->nodes; i++)
        free(shell->blocks[i]);
    pthread_mutex_destroy(&shell->card.lock);
}

size_t native_shell_add(struct native_shell *shell,
                        int (*create)(struct native_card *card, size_t node, struct cipu_error *error),
                        const char *const *ports, const uint32_t *bytes, size_t count)
{
    size_t node = shell->nodes++;
    shell->names[node].name = "shell_0";
    for (size_t i = 0; i < count; i++) {
        size_t stream = shell->graph.shell_count++;
        assert_true(stream < NATIVE_SHELL_STREAMS);
        uint32_t slot = (bytes[i] + 63) / 64 * 64;
        shell->streams[stream] = (struct native_shell_stream){ports[i], (uint16_t)node, (uint16_t)stream};
        shell->fifos[stream].slots = aligned_alloc(64, (size_t)slot * DEPTH);
        shell->record_bytes[stream] = bytes[i];
        shell->fifos[stream].mask = DEPTH - 1;
        shell->fifos[stream].slot_bytes = slot;
        assert_non_null(shell->fifos[stream].slots);
    }
    assert_int_equal(create(&shell->card, node, NULL), 0);
    return node;
}

void native_shell_push(struct native_shell *shell, size_t node, const char *port, const void *record)
{
    struct hls_fifo *fifo = native_shell_fifo(&shell->card, node, port);
    struct hls_port end = hls_write_begin(fifo);
    assert_false(hls_at_limit(&end));
    memcpy(hls_slot(&end, fifo->slot_bytes), record, shell->record_bytes[fifo - shell->fifos]);
    end.index++;
    hls_write_end(fifo, &end);
}

const void *native_shell_next(struct native_shell *shell, size_t node, const char *port)
{
    struct hls_fifo *fifo = native_shell_fifo(&shell->card, node, port);
    struct hls_port end = hls_read_begin(fifo);
    if (hls_at_limit(&end))
        return NULL;
    const void *record = hls_slot(&end, fifo->slot_bytes);
    end.index++;
    hls_read_end(fifo, &end);
    return record;
}

void native_shell_run(struct native_shell *shell, size_t node)
{
    struct native_task *task = &shell->tasks[node];
    while (task->run(task->context, &task->activity, NATIVE_BUDGET))
        continue;
}

uint8_t *native_shell_map(struct native_shell *shell, uint64_t iova, uint64_t bytes, int protection)
{
    struct native_card *card = &shell->card;
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(native_dma_map(&card->base, fd, 0, iova, bytes, protection, NULL), 0);
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    close(fd);
    card->table = atomic_load(&card->map);
    card->generation = card->table->generation;
    return memory;
}

static bool read_line(void *context, uint64_t address, uint8_t *line)
{
    struct native_map_cache cache = {0};
    uint32_t length = BUS_LINE_BYTES;
    const uint8_t *from = native_translate(context, &cache, address, &length, CIPU_DMA_READ);
    if (from)
        memcpy(line, from, BUS_LINE_BYTES);
    return from != NULL;
}

static bool write_line(void *context, uint64_t address, const uint8_t *line, uint64_t enable)
{
    struct native_map_cache cache = {0};
    uint32_t length = BUS_LINE_BYTES;
    uint8_t *to = native_translate(context, &cache, address, &length, CIPU_DMA_WRITE);
    for (unsigned i = 0; to && i < BUS_LINE_BYTES; i++)
        if (enable >> i & 1)
            to[i] = line[i];
    return to != NULL;
}

struct bus_memory native_shell_memory(struct native_shell *shell)
{
    return (struct bus_memory){read_line, write_line, &shell->card};
}
