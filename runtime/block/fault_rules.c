/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/block/backend_fault.h"

#define RULE_BYTES 96u

static const char *const operations[] = {"any", "read", "write", "flush", "zeroes", "discard", "erase", NULL};
static const char *const actions[] = {"error", "nospace", "stall", "delay", NULL};

/* The word that `text` begins with; *text is moved behind it. -1 = none. */
static int word(const char **text, const char *const words[])
{
    for (int i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(*text, words[i], length) == 0 && !isalpha((unsigned char)(*text)[length])) {
            *text += length;
            return i;
        }
    }
    return -1;
}

static bool number(const char **text, uint64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *value = strtoull(*text, &end, 0);
    *text = end;
    return errno == 0;
}

static bool read_rule(const char *text, struct fault_rule *rule)
{
    *rule = (struct fault_rule){.end = UINT64_MAX, .count = UINT64_MAX};
    int operation = word(&text, operations);
    if (operation < 0 || *text++ != '-')
        return false;
    int action = word(&text, actions);
    if (action < 0)
        return false;
    rule->operation = (uint8_t)operation;
    rule->action = (uint8_t)action;
    if (*text == '=') {
        text++;
        if (!number(&text, &rule->begin) || *text != '-')
            return false;
        text++;
        if (!number(&text, &rule->end) || rule->end <= rule->begin)
            return false;
    }
    if (*text == '*') {
        text++;
        if (!number(&text, &rule->count))
            return false;
    }
    if (*text == '@') {
        text++;
        if (!number(&text, &rule->delay) || rule->delay > UINT64_MAX / 1000)
            return false;
        rule->delay *= 1000;
    }
    return !*text && (rule->action == FAULT_DELAY) == (rule->delay != 0);
}

int fault_rules_parse(const char *text, size_t length, struct fault_rules *rules, struct cipu_error *error)
{
    const char *end = text + length;
    rules->count = 0;
    while (text < end) {
        const char *stop = memchr(text, ';', (size_t)(end - text));
        size_t bytes = (size_t)((stop ? stop : end) - text);
        char rule[RULE_BYTES];
        if (rules->count == FAULT_RULES)
            return cipu_fail(error, -EINVAL, "fault: found more than %u rules", FAULT_RULES);
        memcpy(rule, text, bytes < RULE_BYTES ? bytes : RULE_BYTES - 1);
        rule[bytes < RULE_BYTES ? bytes : RULE_BYTES - 1] = 0;
        if (bytes >= RULE_BYTES || !read_rule(rule, &rules->rule[rules->count]))
            return cipu_fail(
                error, -EINVAL,
                "fault: found \"%.48s\", expected OPERATION-ACTION[=BEGIN-END][*COUNT][@MICROSECONDS], such "
                "as read-error=0-4096 or write-delay@5000",
                rule);
        rules->count++;
        text += bytes + (stop ? 1 : 0);
    }
    return 0;
}
