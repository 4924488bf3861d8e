/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes the host's side of a card: memory, interrupts, rings, and a first command as proof that they work.
 */
#include "driver/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "driver/host_internal.h"

static int connect_interrupts(struct cipu_host *host, struct cipu_error *error)
{
    host->completion_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    host->work_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (host->completion_fd < 0 || host->work_fd < 0)
        return cipu_fail(error, -errno, "host rings: eventfd: %s", strerror(errno));
    int result = cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_COMPLETION, host->completion_fd);
    if (result == 0)
        result = cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_PUNT, host->work_fd);
    if (result == 0)
        result = cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_EVENT, host->work_fd);
    if (result != 0)
        return cipu_fail(error, result, "host rings: cannot connect their interrupts: %s", strerror(-result));
    return 0;
}

static void disconnect_interrupts(struct cipu_host *host)
{
    cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_COMPLETION, -1);
    cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_PUNT, -1);
    cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_EVENT, -1);
    cipu_card_interrupt(host->card, VECTOR_CONTROL + RING_BACKEND, -1);
    if (host->block_fd >= 0)
        close(host->block_fd);
    if (host->completion_fd >= 0)
        close(host->completion_fd);
    if (host->work_fd >= 0)
        close(host->work_fd);
}

static int first_command(struct cipu_host *host, struct cipu_error *error)
{
    struct command_entry nothing = {.opcode = COMMAND_NOP};
    int result = cipu_host_command(host, &nothing, 1);
    if (result != 0)
        return cipu_fail(error, result, "host rings: the card does not answer commands: %s", strerror(-result));
    return 0;
}

static int start(struct cipu_host *host, struct cipu_error *error)
{
    int result = host_rings_find(host, error);
    if (result == 0)
        result = host_memory_open(host, error);
    if (result == 0)
        result = connect_interrupts(host, error);
    if (result != 0)
        return result;
    host_rings_start(host);
    return first_command(host, error);
}

int cipu_host_open(struct cipu_card *card, struct cipu_host **host, struct cipu_error *error)
{
    struct cipu_host *opened = calloc(1, sizeof *opened);
    if (!opened)
        return cipu_fail(error, -ENOMEM, "host rings: out of memory");
    opened->card = card;
    opened->memory_fd = -1;
    opened->completion_fd = -1;
    opened->work_fd = -1;
    opened->block_fd = -1;
    opened->next_tag = 1;
    pthread_mutex_init(&opened->command_lock, NULL);
    int result = start(opened, error);
    if (result != 0) {
        cipu_host_close(opened);
        return result;
    }
    *host = opened;
    return 0;
}

void cipu_host_close(struct cipu_host *host)
{
    if (!host)
        return;
    if (host->mapped)
        host_rings_stop(host);
    disconnect_interrupts(host);
    host_memory_close(host);
    pthread_mutex_destroy(&host->command_lock);
    free(host);
}
