/* SPDX-License-Identifier: Apache-2.0 */
/* cipu: the command line of cipud. docs/cipu.md is its manual. One thread; errors end as exit codes. */
#ifndef CIPU_TOOL_H
#define CIPU_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_REFUSED = 1,     /* the daemon said no, or a file could not be written */
    EXIT_WRONG_USAGE = 2, /* the command line is wrong */
    EXIT_UNREACHABLE = 3, /* no daemon answers */
};

struct options {
    const char *socket;
    bool json;
    const char *file; /* -w; NULL = not given */
    long watch;       /* seconds; 0 = once */
    long count;       /* packets; 0 = no limit */
    long seconds;     /* 0 = no limit */
    unsigned given;   /* enum option_bit of the commands' own options that were given */
};

enum option_bit { OPTION_WATCH = 1, OPTION_WRITE = 2, OPTION_COUNT = 4, OPTION_SECONDS = 8 };

struct arguments {
    int count;
    char **words;
};

struct command {
    const char *object, *verb; /* verb NULL: the object alone is the command */
    const char *usage;         /* the words after object and verb */
    const char *summary;
    const char *examples; /* lines */
    unsigned options;     /* enum option_bit */
    int (*run)(const struct options *options, struct arguments *arguments);
};

extern const struct command commands[];
extern const size_t command_count;

/* client.c: a connection to the daemon; exits with EXIT_UNREACHABLE when there is none. */
struct client;
struct client *client_open(const struct options *options);
void client_close(struct client *client);

/* Calls a method; takes `parameters`. Returns the result, or NULL after the refusal was printed. */
json_t *client_call(struct client *client, const char *method, json_t *parameters);

/* One call on a connection of its own. */
json_t *call_once(const struct options *options, const char *method, json_t *parameters);

/* arguments.c: words of the iproute2 kind. */
const char *next_word(struct arguments *arguments,
                      const char *what); /* exits with EXIT_WRONG_USAGE when there is none */
bool take_word(struct arguments *arguments, const char *word);
void no_more_words(const struct arguments *arguments);
long parse_number(const char *text, const char *what, long minimum, long maximum);
_Noreturn void usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* KEYWORD VALUE pairs into an object. */
struct keyword {
    const char *word;
    const char *parameter;
    enum { KEYWORD_TEXT, KEYWORD_NUMBER, KEYWORD_LIST, KEYWORD_FLAG } type; /* a list: A,B,...; a flag has no value */
};
void take_keywords(struct arguments *arguments, const struct keyword *keywords, size_t count, json_t *parameters);

/* output.c */
struct column {
    const char *title;
    const char *key; /* "a.b" for a key within another */
    bool right;
};
#define CELL_BYTES 1024 /* a list of 16 IPv6 subnets fits */
void print_json(const json_t *value);
int print_table(const json_t *list, const struct column *columns, size_t count); /* an exit code */
/* The value's text as tables show it; "-" if it is not there. Valid until the next call. */
const char *cell_text(const json_t *value, char text[CELL_BYTES]);
const json_t *find_key(const json_t *object, const char *path);

/* Prints the result as the options say, and releases it; NULL: the refusal was printed. */
int finish_table(const struct options *options, json_t *result, const struct column *columns, size_t count);
int finish_object(const struct options *options, json_t *result); /* a line for each member, "a.b" within another */
int finish_quiet(const struct options *options, json_t *result);

/* The commands. */
int run_function_list(const struct options *options, struct arguments *arguments);
int run_function_show(const struct options *options, struct arguments *arguments);
int run_function_add(const struct options *options, struct arguments *arguments);
int run_function_del(const struct options *options, struct arguments *arguments);
int run_vpc_list(const struct options *options, struct arguments *arguments);
int run_vpc_add(const struct options *options, struct arguments *arguments);
int run_vpc_del(const struct options *options, struct arguments *arguments);
int run_route_list(const struct options *options, struct arguments *arguments);
int run_route_add(const struct options *options, struct arguments *arguments);
int run_route_del(const struct options *options, struct arguments *arguments);
int run_flow_list(const struct options *options, struct arguments *arguments);
int run_flow_flush(const struct options *options, struct arguments *arguments);
int run_port_list(const struct options *options, struct arguments *arguments);
int run_volume_list(const struct options *options, struct arguments *arguments);
int run_volume_create(const struct options *options, struct arguments *arguments);
int run_volume_delete(const struct options *options, struct arguments *arguments);
int run_volume_resize(const struct options *options, struct arguments *arguments);
int run_volume_qos(const struct options *options, struct arguments *arguments);
int run_volume_latency(const struct options *options, struct arguments *arguments);
int run_volume_erase(const struct options *options, struct arguments *arguments);
int run_volume_fault(const struct options *options, struct arguments *arguments);
int run_volume_attach(const struct options *options, struct arguments *arguments);
int run_volume_detach(const struct options *options, struct arguments *arguments);
int run_controller_list(const struct options *options, struct arguments *arguments);
int run_controller_show(const struct options *options, struct arguments *arguments);
int run_controller_add(const struct options *options, struct arguments *arguments);
int run_controller_del(const struct options *options, struct arguments *arguments);
int run_controller_ana(const struct options *options, struct arguments *arguments);
int run_reservation_list(const struct options *options, struct arguments *arguments);
int run_reservation_clear(const struct options *options, struct arguments *arguments);
int run_subsystem_list(const struct options *options, struct arguments *arguments);
int run_disk_list(const struct options *options, struct arguments *arguments);
int run_stats(const struct options *options, struct arguments *arguments);
int run_capture(const struct options *options, struct arguments *arguments);
int run_rpc(const struct options *options, struct arguments *arguments);

#endif
