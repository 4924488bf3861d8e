/* SPDX-License-Identifier: Apache-2.0 */
/* [name][?port0=SPEC&port1=SPEC&poll=adaptive|always&cpu=N] */
#include "driver/native_uri.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int parse_cpu(const char *value, int *cpu, struct cipu_error *error)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < 0 || number >= CPU_SETSIZE)
        return cipu_fail(error, -EINVAL, "card URI: cpu=%s, expected a processor's number", value);
    *cpu = (int)number;
    return 0;
}

static int parse_option(struct native_card *card, const char *key, const char *value, struct native_uri *uri,
                        struct cipu_error *error)
{
    if (strncmp(key, "port", 4) == 0 && key[4] >= '0' && key[4] < (char)('0' + CARD_PORTS) && !key[5]) {
        char *spec = uri->port[key[4] - '0'];
        if (strlen(value) >= sizeof uri->port[0])
            return cipu_fail(error, -EINVAL, "card URI: %s is longer than %zu characters", key,
                             sizeof uri->port[0] - 1);
        memcpy(spec, value, strlen(value) + 1);
        return 0;
    }
    if (strcmp(key, "poll") == 0) {
        uri->poll_always = strcmp(value, "always") == 0;
        if (!uri->poll_always && strcmp(value, "adaptive") != 0)
            return cipu_fail(error, -EINVAL, "card URI: poll=%s, expected adaptive or always", value);
        return 0;
    }
    if (strcmp(key, "cpu") == 0)
        return parse_cpu(value, &uri->cpu, error);
    const struct native_engine *engine = card->engine;
    int result = engine->option ? engine->option(card, key, value, error) : -ENOENT;
    if (result != -ENOENT)
        return result;
    return cipu_fail(error, -EINVAL, "card URI: unknown option '%s', expected port0, port1, poll%s or cpu", key,
                     engine->options ? engine->options : "");
}

int native_uri_parse(struct native_card *card, const char *rest, struct native_uri *uri, struct cipu_error *error)
{
    *uri = (struct native_uri){.cpu = -1};
    for (unsigned i = 0; i < CARD_PORTS; i++)
        memcpy(uri->port[i], "none", sizeof "none");
    const char *question = strchr(rest, '?');
    if (!question)
        return 0;
    char *options = strdup(question + 1), *next = options;
    int result = options ? 0 : -ENOMEM;
    while (result == 0 && next) {
        char *key = strsep(&next, "&"), *value = key;
        strsep(&value, "=");
        if (!*key && !value && !next)
            break;
        if (value)
            result = parse_option(card, key, value, uri, error);
        else
            result = cipu_fail(error, -EINVAL, "card URI: '%s', expected OPTION=VALUE", key);
    }
    free(options);
    return result;
}
