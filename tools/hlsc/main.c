/* SPDX-License-Identifier: Apache-2.0 */
/* hlsc: compiles step kernels to SystemVerilog. */
#include "tools/hlsc/kernel.h"

int main(int argc, char **argv)
{
    static const char *const arguments[] = {"-I.", NULL};
    struct kernel_options options = {NULL, arguments};
    for (int i = 1; i < argc; i++) {
        struct messages messages = {.to = stderr};
        struct kernel kernel;
        bool good = kernel_read(&kernel, &messages, argv[i], &options);
        printf("%-20s %s nodes %u streams %u registers %u rams %u\n", kernel.design.name, good ? "good" : "BAD",
               kernel.design.netlist.node_count, kernel.design.stream_count, kernel.design.register_count,
               kernel.design.ram_count);
        kernel_free(&kernel);
    }
    return 0;
}
