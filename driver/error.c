/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "driver/card.h"

static _Atomic(cipu_warning_handler) warning_handler;

void cipu_on_warning(cipu_warning_handler handler)
{
    atomic_store(&warning_handler, handler);
}

void cipu_warn(const char *format, ...)
{
    cipu_warning_handler handler = atomic_load(&warning_handler);
    if (!handler)
        return;
    struct cipu_error warning;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(warning.text, sizeof warning.text, format, arguments);
    va_end(arguments);
    handler(warning.text);
}

int cipu_fail(struct cipu_error *error, int code, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return code;
}
