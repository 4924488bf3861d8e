/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files of the daemon's state folder, each a record that is read and written as a whole: written beside, made
 * durable, and put in place at once. Any thread; the caller serialises those of one name. Errors: negative errno.
 */
#ifndef CIPU_DAEMON_STATE_FILE_H
#define CIPU_DAEMON_STATE_FILE_H

#include <stddef.h>

int state_file_write(const char *folder, const char *name, const void *record, size_t bytes);
long state_file_read(const char *folder, const char *name, void *record, size_t bytes); /* how many it has read */
int state_file_remove(const char *folder, const char *name); /* durable; 0 also when there was none */

#endif
