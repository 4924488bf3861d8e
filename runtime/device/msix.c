/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/device/msix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "driver/signaller.h"

#define ENTRY_BYTES   16u
#define ENTRY_CONTROL 12u
#define ENTRY_MASKED  1u

void msix_reset_table(struct msix *msix)
{
    memset(msix->table, 0, sizeof msix->table);
    for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++)
        msix->table[ENTRY_BYTES * i + ENTRY_CONTROL] = ENTRY_MASKED;
}

int msix_init(struct msix *msix, unsigned vectors)
{
    msix->vectors = vectors;
    for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++)
        msix->fds[i] = -1;
    msix_reset_table(msix);
    pthread_mutex_init(&msix->lock, NULL);
    return signaller_open(&msix->signaller);
}

void msix_disconnect_all(struct msix *msix)
{
    pthread_mutex_lock(&msix->lock);
    for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++) {
        if (msix->fds[i] >= 0)
            close(msix->fds[i]);
        msix->fds[i] = -1;
        msix->pending[i] = false;
    }
    pthread_mutex_unlock(&msix->lock);
}

void msix_free(struct msix *msix)
{
    msix_disconnect_all(msix);
    signaller_close(msix->signaller);
    pthread_mutex_destroy(&msix->lock);
}

void msix_read(struct msix *msix, uint64_t offset, void *data, size_t bytes)
{
    uint8_t bar[MSIX_BAR_BYTES] = {0};
    memcpy(bar + MSIX_TABLE, msix->table, (size_t)ENTRY_BYTES * msix->vectors);
    pthread_mutex_lock(&msix->lock);
    for (unsigned i = 0; i < msix->vectors; i++)
        if (msix->pending[i])
            bar[MSIX_PENDING + i / 8] |= (uint8_t)(1u << i % 8);
    pthread_mutex_unlock(&msix->lock);
    memcpy(data, bar + offset, bytes);
}

void msix_write(struct msix *msix, uint64_t offset, const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes && offset + i < (uint64_t)ENTRY_BYTES * msix->vectors; i++)
        msix->table[offset + i] = data[i];
}

static void signal_vector(struct msix *msix, int fd)
{
    signaller_add(msix->signaller, fd);
    signaller_flush(msix->signaller);
}

int msix_connect(struct msix *msix, unsigned vector, int fd, int *old)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && copy < 0)
        return -errno;
    pthread_mutex_lock(&msix->lock);
    *old = msix->fds[vector];
    msix->fds[vector] = copy;
    if (copy >= 0 && msix->pending[vector]) {
        msix->pending[vector] = false;
        signal_vector(msix, copy);
    }
    pthread_mutex_unlock(&msix->lock);
    return 0;
}

void msix_raise(struct msix *msix, unsigned vector)
{
    if (vector >= msix->vectors)
        return;
    pthread_mutex_lock(&msix->lock);
    if (msix->fds[vector] >= 0)
        signal_vector(msix, msix->fds[vector]);
    else
        msix->pending[vector] = true;
    pthread_mutex_unlock(&msix->lock);
}

int msix_fd(struct msix *msix, unsigned vector)
{
    pthread_mutex_lock(&msix->lock);
    int fd = vector < msix->vectors ? msix->fds[vector] : -1;
    pthread_mutex_unlock(&msix->lock);
    return fd;
}
