/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to structures: what the schema says about single values. config_check.c has what holds between values. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "hls/include/beat.h"
#include "runtime/config/config.h"
#include "runtime/version.h"

static const struct field config_fields[] = {
    {"card", FIELD_TEXT, .required = true, .offset = offsetof(struct config, card)},
    {"rpc", FIELD_SOCKET, .offset = offsetof(struct config, rpc)},
    {"metrics", FIELD_TEXT, .offset = offsetof(struct config, metrics)},
    {"state", FIELD_SOCKET, .offset = offsetof(struct config, state)},
    {"flow-idle", FIELD_UNSIGNED, .offset = offsetof(struct config, flow_idle), .minimum = 1, .maximum = 86400},
};
const struct schema config_schema = {"config", config_fields, sizeof(config_fields) / sizeof(config_fields[0])};

/* The lists of the file: how many items, and where an item keeps its structure (always first) and its lines. */
struct section {
    const char *name;
    const struct schema *schema;
    size_t items_offset, count_offset, item_bytes, lines_offset;
    size_t maximum;
};

#define SECTION(KEY, SCHEMA, TYPE, MAXIMUM)                \
    {.name = #KEY "s",                                     \
     .schema = &(SCHEMA),                                  \
     .items_offset = offsetof(struct config, KEY##s),      \
     .count_offset = offsetof(struct config, KEY##_count), \
     .item_bytes = sizeof(TYPE),                           \
     .lines_offset = offsetof(TYPE, lines),                \
     .maximum = (MAXIMUM)}

static const struct section sections[] = {
    SECTION(port, port_schema, struct config_port, 64),
    SECTION(vpc, vpc_schema, struct config_vpc, 4096),
    SECTION(function, function_schema, struct config_function, CARD_FUNCTIONS - 1),
    SECTION(route, route_schema, struct config_route, 16384),
    SECTION(disk, disk_schema, struct config_disk, BLOCK_DISKS - 1),
    SECTION(volume, volume_schema, struct config_volume, BLOCK_VOLUMES - 1),
    SECTION(subsystem, subsystem_schema, struct config_subsystem, CARD_FUNCTIONS - 1),
    SECTION(controller, controller_schema, struct config_controller, CARD_FUNCTIONS - 1),
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

struct reader {
    const char *file;
    yaml_document_t *document;
    struct config_errors *errors;
};

static void append_error(struct config_errors *errors, const char *line)
{
    size_t length = strlen(line);
    char *text = realloc(errors->text, errors->bytes + length + 2);
    if (!text)
        return;
    memcpy(text + errors->bytes, line, length);
    memcpy(text + errors->bytes + length, "\n", 2);
    errors->text = text;
    errors->bytes += length + 1;
}

void config_error(struct config_errors *errors, const char *file, unsigned line, const char *key, const char *format,
                  ...)
{
    char place[512], what[512], message[1280], number[16] = "";
    va_list arguments;
    if (++errors->count > CONFIG_ERRORS_MAX + 1)
        return;
    if (line)
        snprintf(number, sizeof(number), ":%u", line);
    snprintf(place, sizeof(place), "%.400s%s", file, number);
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (errors->count == CONFIG_ERRORS_MAX + 1)
        snprintf(message, sizeof(message), "%s: more errors follow", place);
    else
        snprintf(message, sizeof(message), "%s: %.192s%s%s", place, key ? key : "", key ? ": " : "", what);
    append_error(errors, message);
}

void config_errors_free(struct config_errors *errors)
{
    free(errors->text);
    *errors = (struct config_errors){0};
}

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* "" for what YAML reads as null. */
static bool is_nothing(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || strcmp(text_of(node), "~") == 0 || strcmp(text_of(node), "null") == 0);
}

static const char *found(const yaml_node_t *node, char text[64])
{
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (is_nothing(node))
        return "nothing";
    return quote_text(text_of(node), node->data.scalar.length, text);
}

static void wrong_type(const struct reader *reader, const yaml_node_t *node, const char *key, const char *expected)
{
    char text[64];
    config_error(reader->errors, reader->file, line_of(node), key, "found %s, expected %s", found(node, text),
                 expected);
}

static void read_scalar(const struct reader *reader, const yaml_node_t *node, const char *key,
                        const struct field *field, void *item)
{
    struct cipu_error error;
    char expected[192];
    field_expected(field, expected, sizeof(expected));
    if (node->type != YAML_SCALAR_NODE || is_nothing(node) ||
        strlen(text_of(node)) != node->data.scalar.length) /* a zero byte */
        wrong_type(reader, node, key, expected);
    else if (field_read(field, text_of(node), item, &error) < 0)
        config_error(reader->errors, reader->file, line_of(node), key, "%s", error.text);
}

static void read_field(const struct reader *reader, const yaml_node_t *node, const char *key, const struct field *field,
                       void *item)
{
    if (!field->list) {
        read_scalar(reader, node, key, field, item);
        return;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        wrong_type(reader, node, key, "a list");
        return;
    }
    size_t index = 0;
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++, index++) {
        char element[192];
        snprintf(element, sizeof(element), "%s[%zu]", key, index);
        read_scalar(reader, yaml_document_get_node(reader->document, *i), element, field, item);
    }
}

/* The key of a pair, or NULL after an error. */
static const char *pair_key(const struct reader *reader, const yaml_node_t *key, const char *where)
{
    if (key->type == YAML_SCALAR_NODE && strlen(text_of(key)) == key->data.scalar.length && !is_nothing(key))
        return text_of(key);
    wrong_type(reader, key, where, "a key");
    return NULL;
}

static void key_path(char path[160], const char *where, const char *key)
{
    char quoted[64];
    size_t length = strlen(key);
    /* Foreign text: shown as it is only if it cannot be mistaken. */
    bool plain =
        length < 40 && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
    snprintf(path, 160, "%s%s%s", where ? where : "", where ? "." : "", plain ? key : quote_text(key, length, quoted));
}

static void check_missing(const struct reader *reader, const struct schema *schema, const struct config_lines *lines,
                          const char *where)
{
    for (size_t i = 0; i < schema->count; i++) {
        char path[160], expected[192];
        if (!schema->fields[i].required || lines->fields[i])
            continue;
        key_path(path, where, schema->fields[i].name);
        field_expected(&schema->fields[i], expected, sizeof(expected));
        config_error(reader->errors, reader->file, lines->item, path, "found nothing, expected %s", expected);
    }
}

/* One pair of an item: known, not a duplicate, and its value. */
static void read_pair(const struct reader *reader, const yaml_node_t *key, const yaml_node_t *value, const char *where,
                      const struct schema *schema, void *item, struct config_lines *lines)
{
    const char *name = pair_key(reader, key, where);
    if (!name)
        return;
    char path[160], names[192];
    key_path(path, where, name);
    const struct field *field = strchr(name, '_') ? NULL : schema_find(schema, name);
    if (!field) {
        schema_names(schema, false, names, sizeof(names));
        config_error(reader->errors, reader->file, line_of(key), path, "found an unknown key, expected one of: %s",
                     names);
        return;
    }
    unsigned *line = &lines->fields[field - schema->fields];
    if (*line) {
        config_error(reader->errors, reader->file, line_of(key), path,
                     "found a second time, expected once (the first is in line %u)", *line);
        return;
    }
    *line = line_of(key);
    read_field(reader, value, path, field, item);
}

static void read_item(const struct reader *reader, const yaml_node_t *node, const char *where,
                      const struct schema *schema, void *item, struct config_lines *lines)
{
    unsigned errors = reader->errors->count;
    lines->item = line_of(node);
    lines->bad = node->type != YAML_MAPPING_NODE;
    if (lines->bad) {
        wrong_type(reader, node, where, "a mapping");
        return;
    }
    yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++)
        read_pair(reader, yaml_document_get_node(reader->document, pair->key),
                  yaml_document_get_node(reader->document, pair->value), where, schema, item, lines);
    check_missing(reader, schema, lines, where);
    lines->bad = reader->errors->count != errors;
}

static void read_section(const struct reader *reader, const yaml_node_t *node, const struct section *section,
                         struct config *config)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        if (!is_nothing(node))
            wrong_type(reader, node, section->name, "a list");
        return;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > section->maximum) {
        config_error(reader->errors, reader->file, line_of(node), section->name,
                     "found %zu items, expected at most %zu", count, section->maximum);
        return;
    }
    char *items = calloc(count ? count : 1, section->item_bytes);
    if (!items) {
        config_error(reader->errors, reader->file, line_of(node), section->name, "no memory for %zu items", count);
        return;
    }
    memcpy((char *)config + section->items_offset, &items, sizeof(items));
    memcpy((char *)config + section->count_offset, &count, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        char where[64];
        snprintf(where, sizeof(where), "%s[%zu]", section->name, i);
        char *item = items + i * section->item_bytes;
        read_item(reader, yaml_document_get_node(reader->document, node->data.sequence.items.start[i]), where,
                  section->schema, item, (struct config_lines *)(void *)(item + section->lines_offset));
    }
}

static const struct section *find_section(const char *name)
{
    for (size_t i = 0; i < SECTIONS; i++)
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
    return NULL;
}

static void read_top(const struct reader *reader, struct config *config)
{
    yaml_node_t *root = yaml_document_get_root_node(reader->document);
    unsigned section_lines[SECTIONS] = {0};
    config->lines.item = root ? line_of(root) : 1;
    if (!root || root->type != YAML_MAPPING_NODE) {
        char text[64];
        config_error(reader->errors, reader->file, config->lines.item, NULL, "found %s, expected a mapping",
                     root ? found(root, text) : "nothing");
        return;
    }
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        const struct section *section = key->type == YAML_SCALAR_NODE ? find_section(text_of(key)) : NULL;
        char path[160], names[192];
        if (section && section_lines[section - sections]) {
            config_error(reader->errors, reader->file, line_of(key), section->name,
                         "found a second time, expected once (the first is in line %u)",
                         section_lines[section - sections]);
        } else if (section) {
            section_lines[section - sections] = line_of(key);
            read_section(reader, value, section, config);
        } else if (key->type == YAML_SCALAR_NODE && !is_nothing(key) && !schema_find(&config_schema, text_of(key))) {
            key_path(path, NULL, text_of(key));
            schema_names(&config_schema, false, names, sizeof(names));
            config_error(reader->errors, reader->file, line_of(key), path,
                         "found an unknown key, expected one of: %s, ports, vpcs, functions, routes, disks, volumes, "
                         "subsystems, controllers",
                         names);
        } else {
            read_pair(reader, key, value, NULL, &config_schema, config, &config->lines);
        }
    }
    check_missing(reader, &config_schema, &config->lines, NULL);
}

static void syntax_error(const yaml_parser_t *parser, const char *file, struct config_errors *errors)
{
    size_t line = parser->problem_mark.line ? parser->problem_mark.line : parser->context_mark.line;
    config_error(errors, file, (unsigned)line + 1, NULL, "found %s%s%s, expected YAML",
                 parser->problem ? parser->problem : "bytes that are not text", parser->context ? " " : "",
                 parser->context ? parser->context : "");
}

/* Reads the one document of the stream. */
static void read_stream(yaml_parser_t *parser, const char *file, struct config *config, struct config_errors *errors)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        syntax_error(parser, file, errors);
        return;
    }
    struct reader reader = {file, &document, errors};
    read_top(&reader, config);
    yaml_document_delete(&document);
    if (!yaml_parser_load(parser, &document)) {
        syntax_error(parser, file, errors);
        return;
    }
    yaml_node_t *second = yaml_document_get_root_node(&document);
    if (second)
        config_error(errors, file, line_of(second), NULL, "found a second document, expected one");
    yaml_document_delete(&document);
}

int config_parse(const char *name, const char *text, size_t bytes, struct config **result, struct config_errors *errors)
{
    struct config *config = calloc(1, sizeof(*config));
    yaml_parser_t parser;
    *errors = (struct config_errors){0};
    *result = NULL;
    if (!config || !yaml_parser_initialize(&parser)) {
        free(config);
        config_error(errors, name, 0, NULL, "no memory");
        return -ENOMEM;
    }
    strcpy(config->rpc, CIPU_RPC_SOCKET);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    read_stream(&parser, name, config, errors);
    yaml_parser_delete(&parser);
    config_check(config, name, errors);
    config_check_block(config, name, errors);
    if (errors->count) {
        config_free(config);
        return -EINVAL;
    }
    *result = config;
    return 0;
}

static int read_file(const char *path, char **text, size_t *bytes, struct config_errors *errors)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        config_error(errors, path, 0, NULL, "cannot open: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -EINVAL;
    }
    char *buffer = S_ISREG(status.st_mode) ? malloc(CONFIG_BYTES_MAX + 1) : NULL;
    size_t length = 0;
    ssize_t got = 0;
    while (buffer && length <= CONFIG_BYTES_MAX && (got = read(fd, buffer + length, CONFIG_BYTES_MAX + 1 - length)) > 0)
        length += (size_t)got;
    if (!buffer)
        config_error(errors, path, 0, NULL, "found no regular file");
    else if (got < 0)
        config_error(errors, path, 0, NULL, "cannot read: %s", strerror(errno));
    else if (length > CONFIG_BYTES_MAX)
        config_error(errors, path, 0, NULL, "found more than %u bytes, expected at most that", CONFIG_BYTES_MAX);
    close(fd);
    if (errors->count) {
        free(buffer);
        return -EINVAL;
    }
    *text = buffer;
    *bytes = length;
    return 0;
}

int config_read(const char *path, struct config **config, struct config_errors *errors)
{
    char *text;
    size_t bytes;
    *errors = (struct config_errors){0};
    *config = NULL;
    int result = read_file(path, &text, &bytes, errors);
    if (result < 0)
        return result;
    result = config_parse(path, text, bytes, config, errors);
    free(text);
    return result;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    free(config->ports);
    free(config->vpcs);
    free(config->functions);
    free(config->routes);
    free(config->disks);
    free(config->volumes);
    free(config->subsystems);
    free(config->controllers);
    free(config);
}
