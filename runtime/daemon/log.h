/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on standard error: time=... level=... msg="..." key=value ... (logfmt). Any thread; a line is one write.
 */
#ifndef CIPU_LOG_H
#define CIPU_LOG_H

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

extern const char *const log_level_names[]; /* ends with NULL */

void log_set_level(enum log_level level);
enum log_level log_level(void);

/* `fields` formats key=value pairs, separated by tabs ("id=%u\terror=%s"), or is NULL; values are quoted where they
 * must be. */
void log_write(enum log_level level, const char *message, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
