/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cipu/cipu.h"

void usage_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("cipu: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\nTry 'cipu --help'.\n", stderr);
    va_end(arguments);
    exit(EXIT_WRONG_USAGE);
}

const char *next_word(struct arguments *arguments, const char *what)
{
    if (arguments->count == 0)
        usage_error("expected %s", what);
    arguments->count--;
    return *arguments->words++;
}

bool take_word(struct arguments *arguments, const char *word)
{
    if (arguments->count == 0 || strcmp(arguments->words[0], word) != 0)
        return false;
    next_word(arguments, word);
    return true;
}

void no_more_words(const struct arguments *arguments)
{
    if (arguments->count)
        usage_error("found '%s', expected nothing more", arguments->words[0]);
}

long parse_number(const char *text, const char *what, long minimum, long maximum)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < minimum || value > maximum)
        usage_error("%s: found '%s', expected a number from %ld to %ld", what, text, minimum, maximum);
    return value;
}

static json_t *split_list(const char *text)
{
    json_t *list = json_array();
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, (size_t)(end - text)));
    }
    return list;
}

static const struct keyword *find_keyword(const char *word, const struct keyword *keywords, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keywords[i].word, word) == 0)
            return &keywords[i];
    fprintf(stderr, "cipu: found '%s', expected one of:", word);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " %s", keywords[i].word);
    fputs("\nTry 'cipu --help'.\n", stderr);
    exit(EXIT_WRONG_USAGE);
}

void take_keywords(struct arguments *arguments, const struct keyword *keywords, size_t count, json_t *parameters)
{
    while (arguments->count) {
        const struct keyword *keyword = find_keyword(next_word(arguments, "a keyword"), keywords, count);
        if (json_object_get(parameters, keyword->parameter))
            usage_error("found '%s' a second time", keyword->word);
        if (keyword->type == KEYWORD_FLAG) {
            json_object_set_new(parameters, keyword->parameter, json_true());
            continue;
        }
        const char *value = next_word(arguments, keyword->word);
        json_t *json = keyword->type == KEYWORD_LIST ? split_list(value)
                       : keyword->type == KEYWORD_NUMBER
                           ? json_integer(parse_number(value, keyword->word, 0, UINT32_MAX))
                           : json_string(value);
        json_object_set_new(parameters, keyword->parameter, json);
    }
}
