/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/daemon/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2048

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

static atomic_uint current = LOG_LEVEL_INFO;

struct line {
    char text[LINE_BYTES];
    size_t length;
};

void log_set_level(enum log_level level)
{
    atomic_store(&current, level);
}

enum log_level log_level(void)
{
    return atomic_load(&current);
}

static void append(struct line *line, char c)
{
    if (line->length < LINE_BYTES - 1)
        line->text[line->length++] = c;
}

static void append_text(struct line *line, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        append(line, text[i]);
}

static void append_value(struct line *line, const char *value, size_t length)
{
    bool plain = length > 0;
    for (size_t i = 0; i < length; i++)
        plain &= isgraph((unsigned char)value[i]) && value[i] != '"' && value[i] != '=' && value[i] != '\\';
    if (plain) {
        append_text(line, value, length);
        return;
    }
    append(line, '"');
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '"' || value[i] == '\\')
            append(line, '\\');
        append(line, iscntrl((unsigned char)value[i]) ? ' ' : value[i]);
    }
    append(line, '"');
}

static void append_fields(struct line *line, const char *fields)
{
    for (const char *end; *fields; fields = *end ? end + 1 : end) {
        size_t length = strcspn(fields, "\t");
        end = fields + length;
        const char *equals = memchr(fields, '=', length);
        append(line, ' ');
        if (equals) {
            append_text(line, fields, (size_t)(equals - fields) + 1);
            append_value(line, equals + 1, (size_t)(end - equals) - 1);
        } else {
            append_value(line, fields, length);
        }
    }
}

void log_write(enum log_level level, const char *message, const char *fields, ...)
{
    if (level > atomic_load(&current))
        return;
    struct line line = {.length = 0};
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    line.length = strftime(line.text, sizeof(line.text), "time=%Y-%m-%dT%H:%M:%S", &utc);
    line.length += (size_t)snprintf(line.text + line.length, 64, ".%03ldZ level=%s msg=", now.tv_nsec / 1000000,
                                    log_level_names[level]);
    append_value(&line, message, strlen(message));
    if (fields) {
        char text[LINE_BYTES / 2];
        va_list arguments;
        va_start(arguments, fields);
        vsnprintf(text, sizeof(text), fields, arguments);
        va_end(arguments);
        append_fields(&line, text);
    }
    line.text[line.length++] = '\n';
    if (write(STDERR_FILENO, line.text, line.length) < 0)
        return; /* nowhere to complain */
}
