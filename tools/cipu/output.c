/* SPDX-License-Identifier: Apache-2.0 */
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/cipu/cipu.h"

void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

const json_t *find_key(const json_t *object, const char *path)
{
    char first[64];
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_object_get(object, path);
    snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
    return find_key(json_object_get(object, first), dot + 1);
}

static const char *list_text(const json_t *list, char text[CELL_BYTES])
{
    size_t used = 0;
    snprintf(text, CELL_BYTES, "-");
    for (size_t i = 0; i < json_array_size(list) && used < CELL_BYTES; i++) {
        const char *item = json_string_value(json_array_get(list, i));
        used += (size_t)snprintf(text + used, CELL_BYTES - used, "%s%s", i ? "," : "", item ? item : "?");
    }
    return text;
}

const char *cell_text(const json_t *value, char text[CELL_BYTES])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_array(value))
        return list_text(value, text);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (json_is_integer(value))
        snprintf(text, CELL_BYTES, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, CELL_BYTES, "%.1f", json_real_value(value));
    else
        return "-";
    return text;
}

static int fill_table(struct libscols_table *table, const json_t *list, const struct column *columns, size_t count)
{
    size_t index;
    json_t *item;
    for (size_t i = 0; i < count; i++)
        if (!scols_table_new_column(table, columns[i].title, 0, columns[i].right ? SCOLS_FL_RIGHT : 0))
            return -1;
    json_array_foreach(list, index, item)
    {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        for (size_t i = 0; line && i < count; i++) {
            char text[CELL_BYTES];
            if (scols_line_set_data(line, i, cell_text(find_key(item, columns[i].key), text)) < 0)
                return -1;
        }
        if (!line)
            return -1;
    }
    return 0;
}

int print_table(const json_t *list, const struct column *columns, size_t count)
{
    scols_init_debug(0);
    struct libscols_table *table = scols_new_table();
    if (!table || fill_table(table, list, columns, count) < 0) {
        fputs("cipu: no memory for a table\n", stderr);
        scols_unref_table(table);
        return EXIT_REFUSED;
    }
    /* Piped output is for programs: whole values, whatever their width. */
    if (!isatty(STDOUT_FILENO)) {
        scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
        scols_table_set_termwidth(table, 1u << 16);
    }
    scols_print_table(table);
    scols_unref_table(table);
    return EXIT_OK;
}

int finish_table(const struct options *options, json_t *result, const struct column *columns, size_t count)
{
    int code = EXIT_OK;
    if (!result)
        return EXIT_REFUSED;
    if (options->json)
        print_json(result);
    else
        code = print_table(result, columns, count);
    json_decref(result);
    return code;
}

static void print_member(const char *prefix, const char *name, const json_t *value)
{
    char label[96], text[CELL_BYTES];
    const char *key;
    json_t *member;
    snprintf(label, sizeof(label), "%s%s%s", prefix, prefix[0] ? "." : "", name);
    if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const char *item = json_string_value(json_object_get(json_array_get(value, i), "name"));
            char item_name[96], number[24];
            snprintf(number, sizeof(number), "%zu", i);
            snprintf(item_name, sizeof(item_name), "%s.%s", name, item ? item : number);
            print_member(prefix, item_name, json_array_get(value, i));
        }
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
        {
            if (strcmp(key, "name") != 0)
                print_member(label, key, member);
        }
    } else {
        printf("%-32s %s\n", label, cell_text(value, text));
    }
}

int finish_object(const struct options *options, json_t *result)
{
    const char *key;
    json_t *value;
    if (!result)
        return EXIT_REFUSED;
    if (options->json) {
        print_json(result);
    } else {
        json_object_foreach(result, key, value)
        {
            print_member("", key, value);
        }
    }
    json_decref(result);
    return EXIT_OK;
}

int finish_quiet(const struct options *options, json_t *result)
{
    if (!result)
        return EXIT_REFUSED;
    if (options->json)
        print_json(result);
    json_decref(result);
    return EXIT_OK;
}
