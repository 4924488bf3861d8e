/* SPDX-License-Identifier: Apache-2.0 */
/* For the parts of the checker: how they report. */
#ifndef CIPU_CONFIG_CHECK_H
#define CIPU_CONFIG_CHECK_H

#include <stdio.h>

#include "runtime/config/config.h"

struct checker {
    const struct config *config;
    const char *file;
    struct config_errors *errors;
};

static inline unsigned field_line(const struct config_lines *lines, const struct schema *schema, const char *name)
{
    const struct field *field = schema_find(schema, name);
    unsigned line = field ? lines->fields[field - schema->fields] : 0;
    return line ? line : lines->item;
}

#define REPORT(SECTION, INDEX, LINES, SCHEMA, NAME, ...)                                                             \
    do {                                                                                                             \
        char report_key[96];                                                                                         \
        snprintf(report_key, sizeof(report_key), SECTION "[%zu]." NAME, (INDEX));                                    \
        config_error(checker->errors, checker->file, field_line((LINES), &(SCHEMA), NAME), report_key, __VA_ARGS__); \
    } while (0)

#endif
