/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small vfio-user client for tests: what QEMU does, and what it would never do. It answers DMA_READ and DMA_WRITE out
 * of its memory on a thread of its own. One thread at a time makes requests. Functions return 0 or a negative errno:
 * the server's own (as its error reply says), -ETIMEDOUT after 10 s, -ECONNRESET when the server hung up.
 */
#ifndef CIPU_VFIO_USER_CLIENT_H
#define CIPU_VFIO_USER_CLIENT_H

#include "runtime/frontend/vfio_user_message.h"

struct vfio_user_client;

#define CLIENT_VERSION_JSON                                                                                         \
    "{\"capabilities\":{\"pgsizes\":4096,\"max_msg_fds\":16,\"max_dma_maps\":65535,\"max_data_xfer_size\":1048576," \
    "\"migration\":{\"max_bitmap_size\":268435456,\"pgsize\":4096},\"write_multiple\":true}}"

/* Connects a plain socket; retries for 5 s while nobody listens. Returns it or a negative errno. */
int vfio_user_client_socket(const char *path);

/* Connects and, unless json is NULL, negotiates. */
int vfio_user_client_connect(const char *path, const char *json, struct vfio_user_client **client);
void vfio_user_client_close(struct vfio_user_client *client);
bool vfio_user_client_hung_up(struct vfio_user_client *client);

/* Any command with any bytes. The reply's payload (at most `room` bytes of it) and its descriptor (-1: none) are given
 * back. */
struct vfio_user_exchange {
    const void *data;
    size_t bytes;
    const int *fds;
    unsigned fd_count;
    void *reply; /* may be NULL */
    size_t room;
    size_t reply_bytes; /* filled in */
    int reply_fd;       /* filled in; the caller's to close */
};
int vfio_user_client_exchange(struct vfio_user_client *client, uint16_t command, struct vfio_user_exchange *exchange);
/* Sends a command with the flag No_reply. */
int vfio_user_client_post(struct vfio_user_client *client, uint16_t command, const void *data, size_t bytes);
/* Sends a header and bytes exactly as they are, with descriptors; nothing is waited for. */
int vfio_user_client_send_raw(struct vfio_user_client *client, const void *bytes, size_t count, const int *fds,
                              unsigned fd_count);

int vfio_user_client_read(struct vfio_user_client *client, uint32_t region, uint64_t offset, void *data,
                          uint32_t bytes);
int vfio_user_client_write(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *data,
                           uint32_t bytes);
int vfio_user_client_write_posted(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *data,
                                  uint32_t bytes);
int vfio_user_client_irq(struct vfio_user_client *client, uint32_t index, uint32_t vector, int eventfd);
int vfio_user_client_reset(struct vfio_user_client *client);

int vfio_user_client_dma_map(struct vfio_user_client *client, uint64_t address, uint64_t length, int fd,
                             uint64_t offset, uint32_t flags);
int vfio_user_client_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t length);

/*
 * Guest memory: `length` bytes (a multiple of 4096) at `address`, mapped here at *bytes and told to the server as one
 * shared piece, as a private one, as shared pieces of 4 KiB that lie in the file in another order (an emulated
 * IOMMU), or as one shared piece of CLIENT_MIXED_SHARED bytes and a private rest. Lives until close.
 */
#define CLIENT_MIXED_SHARED 65536u
enum vfio_user_memory_kind { CLIENT_MEMORY_SHARED, CLIENT_MEMORY_PRIVATE, CLIENT_MEMORY_PAGES, CLIENT_MEMORY_MIXED };
int vfio_user_client_memory(struct vfio_user_client *client, enum vfio_user_memory_kind kind, uint64_t address,
                            uint64_t length, uint8_t **bytes);

/* How many DMA messages the client answered; whether it answers at all. */
uint64_t vfio_user_client_dma_messages(struct vfio_user_client *client);
void vfio_user_client_answer(struct vfio_user_client *client, bool answers);

#endif
