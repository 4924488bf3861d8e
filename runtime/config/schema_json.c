/* SPDX-License-Identifier: Apache-2.0 */
/* Structures to and from JSON by their tables of fields. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/config/schema.h"

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
            return false;
    return *a == *b;
}

const struct field *schema_find(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->count; i++)
        if (same_name(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}

void field_json_name(const struct field *field, char text[32])
{
    snprintf(text, 32, "%s", field->name);
    for (char *c = text; *c; c++)
        if (*c == '-')
            *c = '_';
}

void schema_names(const struct schema *schema, bool json, char *text, size_t bytes)
{
    size_t at = 0;
    snprintf(text, bytes, "none");
    for (size_t i = 0; i < schema->count && at < bytes; i++) {
        char name[32];
        field_json_name(&schema->fields[i], name);
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", i ? ", " : "", json ? name : schema->fields[i].name);
    }
}

/* NULL: the value is not set. */
static json_t *encode_value(const struct field *field, const void *value)
{
    char text[64];
    switch (field->type) {
    case FIELD_UNSIGNED: {
        unsigned number = *(const unsigned *)value;
        return number || field->minimum == 0 ? json_integer(number) : NULL;
    }
    case FIELD_COUNT:
    case FIELD_SIZE: {
        uint64_t number = *(const uint64_t *)value;
        return number || field->minimum == 0 ? json_integer((json_int_t)number) : NULL;
    }
    case FIELD_BOOLEAN:
        return json_boolean(*(const bool *)value);
    case FIELD_CHOICE:
        return json_string(field->choices[*(const bool *)value]);
    case FIELD_LEVEL:
        return json_string(field->choices[*(const unsigned *)value]);
    case FIELD_NAME:
    case FIELD_SOCKET:
    case FIELD_TEXT:
        return *(const char *)value ? json_string(value) : NULL;
    case FIELD_MAC:
        net_mac_format(value, text);
        return json_string(text);
    case FIELD_ADDRESS:
    case FIELD_INTERFACE:
    case FIELD_PREFIX:
        if (((const struct net_address *)value)->family == 0)
            return NULL;
        net_address_format(value, field->type != FIELD_ADDRESS, text, sizeof(text));
        return json_string(text);
    }
    return NULL;
}

static json_t *encode_list(const struct field *field, const char *item)
{
    json_t *list = json_array();
    unsigned count = *(const unsigned *)(const void *)(item + field->count_offset);
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, encode_value(field, item + field->offset + i * field_bytes(field)));
    return list;
}

json_t *schema_encode(const struct schema *schema, const void *item)
{
    json_t *object = json_object();
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *field = &schema->fields[i];
        const char *base = item;
        if (field->present_offset && !*((const bool *)item + field->present_offset))
            continue;
        json_t *value = field->list ? encode_list(field, base) : encode_value(field, base + field->offset);
        char name[32];
        field_json_name(field, name);
        if (value && json_object_set_new(object, name, value) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static const char *found_type(const json_t *value)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(value)];
}

static int decode_value(const struct field *field, const json_t *value, void *item, struct cipu_error *error)
{
    char number[24];
    const char *text = json_string_value(value);
    bool integer = field->type == FIELD_UNSIGNED || field->type == FIELD_COUNT;
    if (integer || (field->type == FIELD_SIZE && json_is_integer(value))) {
        text = json_is_integer(value) ? number : NULL;
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    } else if (field->type == FIELD_BOOLEAN) {
        text = json_is_true(value) ? "true" : json_is_false(value) ? "false" : NULL;
    }
    if (text)
        return field_read(field, text, item, error);
    char expected[192];
    field_expected(field, expected, sizeof(expected));
    return cipu_fail(
        error, -EINVAL, "found %s, expected %s%s", found_type(value),
        integer || field->type == FIELD_BOOLEAN || field->type == FIELD_SIZE ? "" : "a string: ", expected);
}

static int decode_field(const struct field *field, const json_t *value, void *item, struct cipu_error *error)
{
    if (!field->list)
        return decode_value(field, value, item, error);
    if (!json_is_array(value))
        return cipu_fail(error, -EINVAL, "found %s, expected an array", found_type(value));
    size_t i;
    json_t *element;
    json_array_foreach(value, i, element)
    {
        int result = decode_value(field, element, item, error);
        if (result < 0)
            return result;
    }
    return 0;
}

int schema_decode(const struct schema *schema, const json_t *object, void *item, const char **parameter,
                  struct cipu_error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        *parameter = name;
        const struct field *field = strchr(name, '-') ? NULL : schema_find(schema, name);
        if (!field) {
            char names[192];
            schema_names(schema, true, names, sizeof(names));
            return cipu_fail(error, -EINVAL, "found an unknown name, expected one of: %s", names);
        }
        int result = decode_field(field, value, item, error);
        if (result < 0)
            return result;
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *field = &schema->fields[i];
        char key[32], expected[192];
        field_json_name(field, key);
        if (!field->required || json_object_get(object, key))
            continue;
        *parameter = field->name;
        field_expected(field, expected, sizeof(expected));
        return cipu_fail(error, -EINVAL, "found nothing, expected %s", expected);
    }
    return 0;
}

bool schema_equal(const struct schema *schema, const void *a, const void *b)
{
    json_t *first = schema_encode(schema, a), *second = schema_encode(schema, b);
    bool equal = first && second && json_equal(first, second);
    json_decref(first);
    json_decref(second);
    return equal;
}
