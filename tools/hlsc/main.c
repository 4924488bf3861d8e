/* SPDX-License-Identifier: Apache-2.0 */
/* hlsc: compiles step kernels to SystemVerilog. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hlsc/emit.h"
#include "tools/hlsc/kernel.h"
#include "tools/hlsc/report.h"
#include "tools/hlsc/vitis.h"

#define ARGUMENTS_MAX 48u
#define PATH_BYTES    4096
#define UNFINISHED    ".part"

static const char usage[] =
    "Usage: hlsc [OPTION]... KERNEL.C...\n"
    "Compiles each step kernel (hls/include/hls.h) into a SystemVerilog module, a pipeline, and tells what it costs.\n"
    "\n"
    "  -o, --output DIR      write DIR/NAME.sv (default: the current folder)\n"
    "      --check           write nothing: the kernels are only checked and scheduled\n"
    "      --vitis           write DIR/NAME.cpp instead: the kernel for AMD Vitis HLS (never run with that tool)\n"
    "  -r, --report FILE     one line for each kernel (default: standard output)\n"
    "      --json            the report as a JSON object for each kernel\n"
    "  -q, --quiet           no report but to a file\n"
    "\n"
    "  -b, --budget NS       what a stage may take (default 2.0)\n"
    "      --loop-budget NS  what state that depends on itself may take, where the budget is not enough (default 3.0)\n"
    "      --interval N      cycles between activations, at most (default 8); the smallest that works is taken\n"
    "      --registers BITS  more registers are an error (default 100000)\n"
    "      --delays FILE     delays of operations (default tools/hlsc/delays.txt)\n"
    "\n"
    "  -I DIR, -D NAME       for the C compiler (-I. is given)\n"
    "      --compiler PATH   clang of LLVM 19 (default clang-19)\n"
    "      --explain CODE    explain a message, as HLS005; 'all' lists the codes\n"
    "  -h, --help            show this\n"
    "\n"
    "Exit status: 0 good, 1 errors in a kernel, 2 usage or a file that cannot be written.\n";

enum {
    OPTION_CHECK = 256,
    OPTION_VITIS,
    OPTION_LOOP,
    OPTION_INTERVAL,
    OPTION_REGISTERS,
    OPTION_DELAYS,
    OPTION_COMPILER,
    OPTION_EXPLAIN,
    OPTION_JSON
};

enum mode { MODE_VERILOG, MODE_CHECK, MODE_VITIS };

struct command {
    const char *output, *report, *delays;
    enum mode mode;
    bool quiet, json;
    struct schedule_options schedule;
    struct kernel_options kernel;
    const char *arguments[ARGUMENTS_MAX + 1];
    uint32_t argument_count;
    struct delay_table table;
    FILE *report_to;
};

/* ---- options ---- */

static bool read_nanoseconds(const char *text, uint32_t *picoseconds)
{
    char *end;
    double value = strtod(text, &end);
    if (*end != 0 || !(value > 0) || value > 1000)
        return false;
    *picoseconds = (uint32_t)(value * 1000 + 0.5);
    return true;
}

static bool read_number(const char *text, uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != 0 || end == text || errno != 0 || value == 0 || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool add_argument(struct command *command, const char *option, const char *value)
{
    if (command->argument_count + 2 > ARGUMENTS_MAX)
        return false;
    command->arguments[command->argument_count++] = option;
    command->arguments[command->argument_count++] = value;
    return true;
}

static int explain(const char *code)
{
    if (strcmp(code, "all") == 0) {
        message_list(stdout);
        return 0;
    }
    if (message_explain(stdout, code))
        return 0;
    fprintf(stderr, "hlsc: there is no message '%s'; --explain all lists them\n", code);
    return 2;
}

static bool take_option(struct command *command, int option, const char *value)
{
    switch (option) {
    case 'o':
        command->output = value;
        return true;
    case 'r':
        command->report = value;
        return true;
    case 'b':
        return read_nanoseconds(value, &command->schedule.budget);
    case 'I':
        return add_argument(command, "-I", value);
    case 'D':
        return add_argument(command, "-D", value);
    case 'q':
        command->quiet = true;
        return true;
    case OPTION_JSON:
        command->json = true;
        return true;
    case OPTION_CHECK:
        command->mode = MODE_CHECK;
        return true;
    case OPTION_VITIS:
        command->mode = MODE_VITIS;
        return true;
    case OPTION_LOOP:
        return read_nanoseconds(value, &command->schedule.loop_budget);
    case OPTION_INTERVAL:
        return read_number(value, &command->schedule.interval_max);
    case OPTION_REGISTERS:
        return read_number(value, &command->schedule.register_max);
    case OPTION_DELAYS:
        command->delays = value;
        return true;
    case OPTION_COMPILER:
        command->kernel.compiler = value;
        return true;
    default:
        return false;
    }
}

/* Returns -1 to go on, else the exit status. */
static int read_options(struct command *command, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"report", required_argument, NULL, 'r'},
        {"quiet", no_argument, NULL, 'q'},
        {"budget", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"vitis", no_argument, NULL, OPTION_VITIS},
        {"loop-budget", required_argument, NULL, OPTION_LOOP},
        {"interval", required_argument, NULL, OPTION_INTERVAL},
        {"registers", required_argument, NULL, OPTION_REGISTERS},
        {"delays", required_argument, NULL, OPTION_DELAYS},
        {"compiler", required_argument, NULL, OPTION_COMPILER},
        {"explain", required_argument, NULL, OPTION_EXPLAIN},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "o:r:qb:I:D:h", longs, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == OPTION_EXPLAIN)
            return explain(optarg);
        if (!take_option(command, option, optarg)) {
            if (option != '?')
                fprintf(stderr, "hlsc: '%s' is no value for this option\n", optarg);
            fputs("hlsc: see hlsc --help\n", stderr);
            return 2;
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return 2;
    }
    return -1;
}

/* ---- kernels ---- */

/* Opens what close_output makes DIR/NAME.suffix. */
static FILE *open_output(const struct command *command, const char *name, const char *suffix, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%s/%s.%s" UNFINISHED, command->output, name, suffix);
    if (length < 0 || length >= PATH_BYTES) {
        fprintf(stderr, "hlsc: the name of the folder is too long\n");
        return NULL;
    }
    FILE *file = fopen(path, "w");
    if (file == NULL)
        fprintf(stderr, "hlsc: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

/* Nobody sees a file that is not whole. */
static int close_output(FILE *file, const char *path)
{
    char whole[PATH_BYTES];
    snprintf(whole, sizeof whole, "%.*s", (int)(strlen(path) - strlen(UNFINISHED)), path);
    bool good = ferror(file) == 0;
    if (fclose(file) == 0 && good && rename(path, whole) == 0)
        return 0;
    fprintf(stderr, "hlsc: cannot write %s: %s\n", whole, strerror(errno));
    unlink(path);
    return 2;
}

static int write_vitis(const struct command *command, const struct kernel *kernel)
{
    char path[PATH_BYTES];
    FILE *file = open_output(command, kernel->design.name, "cpp", path);
    if (file == NULL)
        return 2;
    vitis_write(kernel, file);
    return close_output(file, path);
}

static int write_verilog(const struct command *command, const struct schedule *schedule)
{
    char path[PATH_BYTES];
    FILE *file = open_output(command, schedule->design->name, "sv", path);
    if (file == NULL)
        return 2;
    emit_verilog(schedule, file);
    return close_output(file, path);
}

static int schedule_kernel(const struct command *command, struct kernel *kernel)
{
    struct schedule schedule;
    int status = 1;
    if (schedule_design(&schedule, &kernel->design, &command->table, &command->schedule, stderr) == 0) {
        status = command->mode == MODE_VERILOG ? write_verilog(command, &schedule) : 0;
        if (!command->quiet || command->report != NULL)
            (command->json ? report_json : emit_report)(&schedule, command->report_to);
    }
    schedule_free(&schedule);
    return status;
}

static int compile_kernel(const struct command *command, const char *source)
{
    struct messages messages = {.to = stderr};
    struct kernel kernel;
    int status = 1;
    if (kernel_read(&kernel, &messages, source, &command->kernel))
        status = command->mode == MODE_VITIS ? write_vitis(command, &kernel) : schedule_kernel(command, &kernel);
    kernel_free(&kernel);
    return status;
}

static int prepare(struct command *command)
{
    char error[256];
    if (delay_read(&command->table, command->delays, error, sizeof error) != 0) {
        fprintf(stderr, "hlsc: %s\n", error);
        return 2;
    }
    if (command->mode != MODE_CHECK && mkdir(command->output, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "hlsc: cannot make %s: %s\n", command->output, strerror(errno));
        return 2;
    }
    command->report_to = command->report != NULL ? fopen(command->report, "w") : stdout;
    if (command->report_to == NULL) {
        fprintf(stderr, "hlsc: cannot write %s: %s\n", command->report, strerror(errno));
        return 2;
    }
    return 0;
}

static bool close_report(struct command *command)
{
    if (command->report == NULL || command->report_to == NULL || fclose(command->report_to) == 0)
        return true;
    fprintf(stderr, "hlsc: cannot write %s: %s\n", command->report, strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    struct command command = {
        .output = ".",
        .delays = "tools/hlsc/delays.txt",
        .schedule = {.budget = DELAY_BUDGET_DEFAULT, .loop_budget = 3000, .interval_max = 8, .register_max = 100000},
    };
    command.kernel.arguments = command.arguments;
    add_argument(&command, "-I", ".");
    int status = read_options(&command, argc, argv);
    if (status >= 0)
        return status;
    status = prepare(&command);
    for (int i = optind; i < argc && status != 2; i++) {
        int one = compile_kernel(&command, argv[i]);
        status = one > status ? one : status;
    }
    return close_report(&command) ? status : 2;
}
