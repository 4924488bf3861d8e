/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software access to a guest's memory file. The file is the client's: it may be enormous, and it may be cut while it is
 * accessed. So only windows of it are mapped, and bytes of a file that cannot be sealed against cutting are copied by
 * the kernel, which reports what is not there. Not thread-safe.
 */
#ifndef CIPU_MEMORY_FILE_H
#define CIPU_MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MEMORY_FILES   256u /* of one guest */
#define MEMORY_WINDOWS 32u  /* mapped at a time */

struct memory_file {
    struct memory_file *next;
    dev_t device;
    ino_t inode;
    int fd;
    bool sealed, writable;
    unsigned window_shift;
    unsigned pieces; /* references */
};

struct memory_window {
    struct memory_file *file;
    uint64_t number;
    uint8_t *bytes;
};

struct memory_files {
    struct memory_file *list;
    unsigned count;
    struct memory_window windows[MEMORY_WINDOWS];
};

/* Takes a reference to the file behind fd (the same file by any descriptor is one). It must hold offset + length bytes.
 * *file = NULL: another process provides the file's pages and could keep them back, so it is not for us to touch. */
int memory_file_get(struct memory_files *files, int fd, off_t offset, uint64_t length, struct memory_file **file);
void memory_file_put(struct memory_files *files, struct memory_file *file);

int memory_file_read(struct memory_files *files, struct memory_file *file, uint64_t offset, void *data, size_t bytes);
int memory_file_write(struct memory_files *files, struct memory_file *file, uint64_t offset, const void *data,
                      size_t bytes);

#endif
