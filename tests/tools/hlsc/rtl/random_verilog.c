/* SPDX-License-Identifier: Apache-2.0 */
/* random_verilog NUMBER FOLDER: a random design as FOLDER/random_design.sv. */
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
    schedule_free(&schedule);
    design_free(&design);
    return 0;
}
