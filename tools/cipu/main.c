/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/version.h"
#include "tools/cipu/cipu.h"

#define NUMBER_MAX 1000000000

enum { KEY_WATCH = 256, KEY_COUNT, KEY_SECONDS };

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"write", required_argument, NULL, 'w'},
    {"watch", required_argument, NULL, KEY_WATCH},
    {"count", required_argument, NULL, KEY_COUNT},
    {"seconds", required_argument, NULL, KEY_SECONDS},
    {NULL, 0, NULL, 0},
};

static const struct {
    enum option_bit bit;
    const char *name;
} option_names[] = {
    {OPTION_WATCH, "--watch"}, {OPTION_WRITE, "-w"}, {OPTION_COUNT, "--count"}, {OPTION_SECONDS, "--seconds"}};

static void print_usage(const struct command *command)
{
    printf("cipu %s%s%s%s%s\n", command->object, command->verb ? " " : "", command->verb ? command->verb : "",
           command->usage[0] ? " " : "", command->usage);
}

static void help_all(void)
{
    puts("Usage: cipu [OPTION]... OBJECT COMMAND [ARGUMENT]...\n\nAsks cipud, the daemon of a card.\n");
    for (size_t i = 0; i < command_count; i++) {
        fputs("  ", stdout);
        print_usage(&commands[i]);
        printf("      %s\n", commands[i].summary);
    }
    puts("\n  -s, --socket PATH   the daemon's socket (default " CIPU_RPC_SOCKET ")\n"
         "  -j, --json          print JSON\n"
         "  -h, --help          show this, or with a command what it takes, with examples\n"
         "  -V, --version       print the version\n\n"
         "Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon answers.");
}

static void help_one(const struct command *command)
{
    fputs("Usage: ", stdout);
    print_usage(command);
    printf("\n%s.\n\nExamples:\n", command->summary);
    for (const char *line = command->examples, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        printf("  %.*s\n", (int)(end - line), line);
    }
}

static bool is_command(const struct command *command, const struct arguments *arguments)
{
    return strcmp(command->object, arguments->words[0]) == 0 &&
           (!command->verb || (arguments->count > 1 && strcmp(command->verb, arguments->words[1]) == 0));
}

static const struct command *find_command(struct arguments *arguments)
{
    bool object_known = false;
    for (size_t i = 0; i < command_count; i++) {
        if (is_command(&commands[i], arguments)) {
            int words = commands[i].verb ? 2 : 1;
            arguments->count -= words;
            arguments->words += words;
            return &commands[i];
        }
        object_known |= strcmp(commands[i].object, arguments->words[0]) == 0;
    }
    fprintf(stderr, "cipu: found '%s%s%s', expected one of:", arguments->words[0],
            object_known && arguments->count > 1 ? " " : "",
            object_known && arguments->count > 1 ? arguments->words[1] : "");
    for (size_t i = 0; i < command_count; i++) {
        if (object_known && strcmp(commands[i].object, arguments->words[0]) == 0)
            fprintf(stderr, " '%s %s'", commands[i].object, commands[i].verb);
        else if (!object_known && (i == 0 || strcmp(commands[i].object, commands[i - 1].object) != 0))
            fprintf(stderr, " %s", commands[i].object);
    }
    fputs("\nTry 'cipu --help'.\n", stderr);
    exit(EXIT_WRONG_USAGE);
}

/* `cipu function --help` shows all commands of the object. */
static void help_for(const struct arguments *arguments)
{
    bool shown = false;
    for (size_t i = 0; arguments->count && i < command_count; i++) {
        if (strcmp(commands[i].object, arguments->words[0]) != 0 ||
            (arguments->count > 1 && !is_command(&commands[i], arguments)))
            continue;
        if (shown)
            putchar('\n');
        help_one(&commands[i]);
        shown = true;
    }
    if (!shown)
        help_all();
}

static void take_options(int count, char **words, struct options *options, bool *help)
{
    for (int key; (key = getopt_long(count, words, "s:jhVw:", long_options, NULL)) != -1;) {
        switch (key) {
        case 's':
            options->socket = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            *help = true;
            break;
        case 'V':
            puts("cipu " CIPU_VERSION);
            exit(EXIT_OK);
        case 'w':
            options->file = optarg;
            options->given |= OPTION_WRITE;
            break;
        case KEY_WATCH:
            options->watch = parse_number(optarg, "--watch", 1, 86400);
            options->given |= OPTION_WATCH;
            break;
        case KEY_COUNT:
            options->count = parse_number(optarg, "--count", 1, NUMBER_MAX);
            options->given |= OPTION_COUNT;
            break;
        case KEY_SECONDS:
            options->seconds = parse_number(optarg, "--seconds", 1, 86399);
            options->given |= OPTION_SECONDS;
            break;
        default:
            fputs("Try 'cipu --help'.\n", stderr);
            exit(EXIT_WRONG_USAGE);
        }
    }
}

static void check_options(const struct command *command, const struct options *options)
{
    for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++)
        if (options->given & ~command->options & option_names[i].bit)
            usage_error("%s%s%s takes no %s", command->object, command->verb ? " " : "",
                        command->verb ? command->verb : "", option_names[i].name);
}

int main(int count, char **words)
{
    struct options options = {.socket = CIPU_RPC_SOCKET};
    bool help = false;
    take_options(count, words, &options, &help);
    struct arguments arguments = {count - optind, words + optind};
    if (help) {
        help_for(&arguments);
        return EXIT_OK;
    }
    for (int i = 0; i < arguments.count; i++) {
        json_t *text = json_string(arguments.words[i]);
        if (!text)
            usage_error("argument %d: found bytes that are not UTF-8", i + 1);
        json_decref(text);
    }
    if (arguments.count == 0) {
        fputs("cipu: expected a command\nTry 'cipu --help'.\n", stderr);
        return EXIT_WRONG_USAGE;
    }
    const struct command *command = find_command(&arguments);
    check_options(command, &options);
    int code = command->run(&options, &arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("cipu: cannot write");
        return EXIT_REFUSED;
    }
    return code;
}
