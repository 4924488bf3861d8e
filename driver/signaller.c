/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/signaller.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALLER_BATCH 64u
#define SIGNALLER_TRIES 100u

/* What the kernel maps at the address that is a context's name: the head of the ring of completions. */
struct completion_ring {
    uint32_t id, entries;
    _Atomic uint32_t head, tail;
};

struct signaller {
    aio_context_t context;
    int file; /* empty: reading nothing from it is done at once */
    unsigned count;
    struct iocb operations[SIGNALLER_BATCH];
    struct iocb *list[SIGNALLER_BATCH];
};

int signaller_open(struct signaller **signaller)
{
    struct signaller *opened = calloc(1, sizeof *opened);
    if (!opened)
        return -ENOMEM;
    opened->file = memfd_create("cipu-signaller", MFD_CLOEXEC);
    int result = opened->file < 0 ? -errno : 0;
    if (!result && syscall(SYS_io_setup, SIGNALLER_BATCH, &opened->context) < 0)
        result = -errno;
    if (result) {
        signaller_close(opened);
        return result;
    }
    for (unsigned i = 0; i < SIGNALLER_BATCH; i++) {
        opened->operations[i] = (struct iocb){
            .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)opened->file, .aio_flags = IOCB_FLAG_RESFD};
        opened->list[i] = &opened->operations[i];
    }
    *signaller = opened;
    return 0;
}

void signaller_close(struct signaller *signaller)
{
    if (!signaller)
        return;
    if (signaller->context)
        syscall(SYS_io_destroy, signaller->context);
    if (signaller->file >= 0)
        close(signaller->file);
    free(signaller);
}

void signaller_add(struct signaller *signaller, int fd)
{
    signaller->operations[signaller->count++].aio_resfd = (uint32_t)fd;
    if (signaller->count == SIGNALLER_BATCH)
        signaller_flush(signaller);
}

/* Nobody asks for the completions. */
static void forget_completions(struct signaller *signaller)
{
    struct completion_ring *ring = (struct completion_ring *)(uintptr_t)signaller->context;
    atomic_store_explicit(&ring->head, atomic_load_explicit(&ring->tail, memory_order_acquire), memory_order_release);
}

void signaller_flush(struct signaller *signaller)
{
    unsigned done = 0, tries = 0;
    while (done < signaller->count) {
        long submitted =
            syscall(SYS_io_submit, signaller->context, (long)(signaller->count - done), signaller->list + done);
        if (submitted > 0)
            done += (unsigned)submitted;
        else if (errno != EAGAIN || ++tries == SIGNALLER_TRIES)
            done++; /* no eventfd; or, as unlikely as it is, no memory in the kernel again and again */
        forget_completions(signaller);
    }
    signaller->count = 0;
}
