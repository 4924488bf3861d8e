/* SPDX-License-Identifier: Apache-2.0 */
/* random_verilog SEED FOLDER: a random design as random_design.sv, and the header for its bench. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/tools/hlsc/rtl/random_design.h"
#include "tools/hlsc/emit.h"

#define DELAYS "tools/hlsc/delays.txt"

static FILE *open_in(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

/* One line a stream: NAME in|out BYTES. */
static void write_streams(const struct design *design, const char *folder)
{
    FILE *file = open_in(folder, "streams");
    for (uint32_t i = 0; i < design->stream_count; i++)
        fprintf(file, "%s %s %u\n", design->streams[i].name,
                design->streams[i].direction == STREAM_INPUT ? "in" : "out", design->streams[i].bytes);
    fclose(file);
}

int main(int argc, char **argv)
{
    struct design design;
    struct schedule schedule;
    struct delay_table delays;
    struct schedule_options options = {.budget = 2000, .loop_budget = 3000, .interval_max = 6, .register_max = 100000};
    char error[256];
    if (argc != 3)
        return 2;
    if (delay_read(&delays, DELAYS, error, sizeof error) != 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    random_design(&design, strtoull(argv[1], NULL, 0));
    if (schedule_design(&schedule, &design, &delays, &options, stderr) != 0)
        return 3;
    FILE *file = open_in(argv[2], "random_design.sv");
    emit_verilog(&schedule, file);
    fclose(file);
    write_streams(&design, argv[2]);
    emit_report(&schedule, stdout);
    schedule_free(&schedule);
    design_free(&design);
    return 0;
}
