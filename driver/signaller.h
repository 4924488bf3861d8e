/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals eventfds that other processes have too, and never blocks.
 *
 * write(2) blocks while an eventfd's counter is full and O_NONBLOCK is clear, and both are in the hands of everybody
 * who has the descriptor, at any instant. The kernel's own signal does not block: it is what asynchronous I/O does with
 * the eventfd that is given with an operation (io_submit(2), IOCB_FLAG_RESFD). So the operation here is one that does
 * nothing and is done at once, and one system call signals many eventfds.
 *
 * One thread at a time uses a signaller.
 */
#ifndef CIPU_SIGNALLER_H
#define CIPU_SIGNALLER_H

struct signaller;

/* 0 or a negative errno: -EAGAIN when the system has no asynchronous I/O left (fs.aio-max-nr). */
int signaller_open(struct signaller **signaller);
void signaller_close(struct signaller *signaller);

/* Adds 1 to an eventfd's counter, at the latest at the next flush; until then the descriptor stays open. A full counter
 * stays as it is. Anything but an eventfd is ignored. */
void signaller_add(struct signaller *signaller, int fd);
void signaller_flush(struct signaller *signaller);

#endif
