/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/block/backend.h"

const char *backend_uri_next(const char *uri)
{
    bool in_front = strncmp(uri, "fault:", 6) == 0 || strncmp(uri, "crypt:", 6) == 0;
    const char *comma = in_front ? strchr(uri, ',') : NULL;
    return comma ? comma + 1 : NULL;
}

const char *backend_uri_innermost(const char *uri)
{
    for (const char *next = backend_uri_next(uri); next; next = backend_uri_next(uri))
        uri = next;
    return uri;
}
