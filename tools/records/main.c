/* SPDX-License-Identifier: Apache-2.0 */
/* cipu-records: makes the SystemVerilog package, the table of fields and the registers' documentation from the C
 * headers. */
#include <getopt.h>
#include <string.h>

#include "tools/records/model.h"

static const char usage[] =
    "Usage: cipu-records [OPTION]... HEADER... [-- COMPILER-ARGUMENT...]\n"
    "Reads the records, constants and registers that C headers declare, with the compiler's own layout.\n"
    "\n"
    "  -p, --package FILE     write a SystemVerilog package ('-' = standard output)\n"
    "      --name NAME        the package's name (default cipu)\n"
    "  -f, --fields FILE      write the records' fields as a C table (tools/card/record.h)\n"
    "  -r, --registers FILE   write the description of the register file\n"
    "      --register-header HEADER   which header declares it (default hls/include/registers.h)\n"
    "  -h, --help             show this\n"
    "\n"
    "Exit status: 0 good, 1 errors in the headers, 2 usage or a file that cannot be written.\n";

struct options {
    const char *package, *name, *fields, *registers, *register_header;
};

enum { OPTION_NAME = 256, OPTION_HEADER };

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"package", required_argument, NULL, 'p'},
        {"name", required_argument, NULL, OPTION_NAME},
        {"fields", required_argument, NULL, 'f'},
        {"registers", required_argument, NULL, 'r'},
        {"register-header", required_argument, NULL, OPTION_HEADER},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "p:f:r:h", longs, NULL)) >= 0) {
        if (option == 'p')
            options->package = optarg;
        else if (option == OPTION_NAME)
            options->name = optarg;
        else if (option == 'f')
            options->fields = optarg;
        else if (option == 'r')
            options->registers = optarg;
        else if (option == OPTION_HEADER)
            options->register_header = optarg;
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    return -1;
}

static bool write_file(const char *path, void (*emit)(const struct model *, const char *, FILE *),
                       const struct model *model, const char *argument)
{
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (!out) {
        perror(path);
        return false;
    }
    emit(model, argument, out);
    bool good = !ferror(out);
    if (out != stdout)
        good &= fclose(out) == 0;
    if (!good)
        perror(path);
    return good;
}

int main(int argc, char **argv)
{
    struct options options = {.name = "cipu", .register_header = "hls/include/registers.h"};
    /* getopt takes what stands before `--`. */
    int own = 1;
    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    int code = parse(own, argv, &options);
    if (code >= 0)
        return code;
    if (optind >= own) {
        fputs(usage, stderr);
        return 2;
    }
    const char *arguments[64] = {"-std=c11", "-I.", "-fparse-all-comments"};
    size_t count = 3;
    for (int i = own + 1; i < argc && count < sizeof arguments / sizeof arguments[0]; i++)
        arguments[count++] = argv[i];
    struct model model = {0};
    if (!read_headers(&model, (const char *const *)argv + optind, (size_t)(own - optind), arguments, count))
        return 1;
    if (options.package && !write_file(options.package, emit_package, &model, options.name))
        return 2;
    if (options.fields && !write_file(options.fields, emit_field_table, &model, "record_types"))
        return 2;
    if (options.registers && !write_file(options.registers, emit_registers, &model, options.register_header))
        return 2;
    return 0;
}
