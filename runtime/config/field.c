/* SPDX-License-Identifier: Apache-2.0 */
/* One value: from text, what it may be, how large it is. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config/schema.h"
#include "runtime/net/address.h"

const char *quote_text(const char *text, size_t length, char quoted[64])
{
    size_t shown = length > 48 ? 48 : length, at = 0;
    quoted[at++] = '"';
    for (size_t i = 0; i < shown; i++)
        quoted[at++] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
    snprintf(quoted + at, 64 - at, "%s", length > shown ? "...\"" : "\"");
    return quoted;
}

static const char *address_kind(const struct field *field)
{
    return field->family == 4 ? "an IPv4" : field->family == 6 ? "an IPv6" : "an IPv4 or IPv6";
}

static void expected_choice(const struct field *field, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; field->choices[i] && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%s",
                               !i                      ? ""
                               : field->choices[i + 1] ? ", "
                                                       : " or ",
                               field->choices[i]);
}

void field_expected(const struct field *field, char *text, size_t bytes)
{
    switch (field->type) {
    case FIELD_UNSIGNED:
        snprintf(text, bytes, "%s from %llu to %llu", field->power_of_two ? "a power of two" : "an integer",
                 (unsigned long long)field->minimum, (unsigned long long)field->maximum);
        break;
    case FIELD_COUNT:
        snprintf(text, bytes, "an integer from %llu to %llu", (unsigned long long)field->minimum,
                 (unsigned long long)field->maximum);
        break;
    case FIELD_SIZE:
        snprintf(text, bytes, "bytes, at least %llu, such as 512MiB (KiB, MiB, GiB, TiB)",
                 (unsigned long long)field->minimum);
        break;
    case FIELD_BOOLEAN:
        snprintf(text, bytes, "true or false");
        break;
    case FIELD_CHOICE:
    case FIELD_LEVEL:
        expected_choice(field, text, bytes);
        break;
    case FIELD_NAME:
        snprintf(text, bytes, "a name of at most %d letters, digits, '.', '_' and '-'", NET_NAME_BYTES - 1);
        break;
    case FIELD_SOCKET:
        snprintf(text, bytes, "an absolute path of at most %d bytes", SOCKET_PATH_BYTES - 1);
        break;
    case FIELD_TEXT:
        snprintf(text, bytes, "printable text of at most %d bytes", FIELD_TEXT_BYTES - 1);
        break;
    case FIELD_MAC:
        snprintf(text, bytes, "the MAC address of one station, such as 02:00:00:00:00:01");
        break;
    case FIELD_ADDRESS:
        snprintf(text, bytes, "%s address without a prefix, such as %s", address_kind(field),
                 field->family == 6 ? "2001:db8::1" : "192.0.2.1");
        break;
    case FIELD_INTERFACE:
        snprintf(text, bytes, "%s address with its subnet's prefix, such as %s", address_kind(field),
                 field->family == 6 ? "2001:db8::1/64" : "192.0.2.1/24");
        break;
    case FIELD_PREFIX:
        snprintf(text, bytes, "%s subnet without bits beyond its prefix, such as %s, or one address",
                 address_kind(field), field->family == 6 ? "2001:db8::/64" : "10.1.0.0/16");
        break;
    }
}

size_t field_bytes(const struct field *field)
{
    switch (field->type) {
    case FIELD_UNSIGNED:
    case FIELD_LEVEL:
        return sizeof(unsigned);
    case FIELD_COUNT:
    case FIELD_SIZE:
        return sizeof(uint64_t);
    case FIELD_BOOLEAN:
    case FIELD_CHOICE:
        return sizeof(bool);
    case FIELD_NAME:
        return NET_NAME_BYTES;
    case FIELD_SOCKET:
        return SOCKET_PATH_BYTES;
    case FIELD_TEXT:
        return FIELD_TEXT_BYTES;
    case FIELD_MAC:
        return 6;
    case FIELD_ADDRESS:
    case FIELD_INTERFACE:
    case FIELD_PREFIX:
        return sizeof(struct net_address);
    }
    return 0;
}

static bool read_unsigned(const struct field *field, const char *text, unsigned *value)
{
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 10)
        return false;
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end || number < field->minimum || number > field->maximum || number > UINT32_MAX)
        return false;
    if (field->power_of_two && (number & (number - 1)))
        return false;
    *value = (unsigned)number;
    return true;
}

static const char *const size_suffixes[] = {"", "KiB", "MiB", "GiB", "TiB"};
#define SIZE_SUFFIXES (sizeof(size_suffixes) / sizeof(size_suffixes[0]))

/* Whole numbers; with a size's suffix if it is one. */
static bool read_long(const struct field *field, const char *text, uint64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    unsigned shift = 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    while (shift < SIZE_SUFFIXES && strcmp(end, size_suffixes[shift]) != 0)
        shift++;
    if (errno || shift == SIZE_SUFFIXES || (shift && field->type != FIELD_SIZE) || number > UINT64_MAX >> 10 * shift)
        return false;
    number <<= 10 * shift;
    if (number < field->minimum || number > field->maximum)
        return false;
    *value = number;
    return true;
}

void size_format(uint64_t bytes, char text[32])
{
    unsigned shift = 0;
    while (bytes && bytes % 1024 == 0 && shift + 1 < SIZE_SUFFIXES) {
        bytes /= 1024;
        shift++;
    }
    snprintf(text, 32, "%llu%s", (unsigned long long)bytes, size_suffixes[shift]);
}

static bool read_choice(const struct field *field, const char *text, unsigned *index)
{
    for (*index = 0; field->choices[*index]; (*index)++)
        if (strcmp(field->choices[*index], text) == 0)
            return true;
    return false;
}

static bool read_text(const struct field *field, const char *text, char *value)
{
    size_t length = strlen(text);
    if (length == 0 || length >= field_bytes(field) || (field->type == FIELD_SOCKET && text[0] != '/'))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (iscntrl(c) || (field->type == FIELD_NAME && !isalnum(c) && !strchr("._-", c)))
            return false;
    }
    memset(value, 0, field_bytes(field));
    memcpy(value, text, length);
    return true;
}

static bool read_mac(const char *text, uint8_t mac[6])
{
    uint8_t value[6];
    if (net_mac_parse(text, value, NULL) < 0 || !net_mac_unicast(value))
        return false;
    memcpy(mac, value, 6);
    return true;
}

static bool host_bits(const struct net_address *address)
{
    struct net_address masked = net_address_masked(address, address->prefix);
    return !net_address_same_host(address, &masked);
}

static bool read_address(const struct field *field, const char *text, struct net_address *address)
{
    struct net_address value = {0};
    bool with_prefix = strchr(text, '/') != NULL;
    if (net_address_parse(text, &value, NULL) < 0 || (field->family && value.family != field->family))
        return false;
    if ((field->type == FIELD_ADDRESS && with_prefix) || (field->type == FIELD_INTERFACE && !with_prefix) ||
        (field->type == FIELD_PREFIX && host_bits(&value)))
        return false;
    *address = value;
    return true;
}

static bool read_value(const struct field *field, const char *text, void *value)
{
    unsigned index;
    switch (field->type) {
    case FIELD_UNSIGNED:
        return read_unsigned(field, text, value);
    case FIELD_COUNT:
    case FIELD_SIZE:
        return read_long(field, text, value);
    case FIELD_BOOLEAN:
        *(bool *)value = strcmp(text, "true") == 0;
        return *(bool *)value || strcmp(text, "false") == 0;
    case FIELD_CHOICE:
        if (!read_choice(field, text, &index))
            return false;
        *(bool *)value = index == 1;
        return true;
    case FIELD_LEVEL:
        return read_choice(field, text, value);
    case FIELD_NAME:
    case FIELD_SOCKET:
    case FIELD_TEXT:
        return read_text(field, text, value);
    case FIELD_MAC:
        return read_mac(text, value);
    case FIELD_ADDRESS:
    case FIELD_INTERFACE:
    case FIELD_PREFIX:
        return read_address(field, text, value);
    }
    return false;
}

int field_read(const struct field *field, const char *text, void *item, struct cipu_error *error)
{
    char *value = (char *)item + field->offset;
    unsigned *count = field->list ? (unsigned *)(void *)((char *)item + field->count_offset) : NULL;
    if (count && *count >= field->list)
        return cipu_fail(error, -E2BIG, "found more than %zu values, expected at most %zu", field->list, field->list);
    if (count)
        value += *count * field_bytes(field);
    if (!read_value(field, text, value)) {
        char quoted[64], expected[192];
        field_expected(field, expected, sizeof(expected));
        return cipu_fail(error, -EINVAL, "found %s, expected %s", quote_text(text, strlen(text), quoted), expected);
    }
    if (count)
        ++*count;
    if (field->present_offset)
        *((bool *)item + field->present_offset) = true;
    return 0;
}
