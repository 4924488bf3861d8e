/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration reader: any bytes; what it accepts must survive a way through JSON unchanged. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct schema *schema, const void *item, size_t bytes)
{
    json_t *json = schema_encode(schema, item);
    void *copy = calloc(1, bytes);
    const char *parameter;
    struct cipu_error error;
    assert(json && copy);
    assert(schema_decode(schema, json, copy, &parameter, &error) == 0);
    assert(schema_equal(schema, item, copy));
    json_decref(json);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config;
    struct config_errors errors;
    int result = config_parse("f", (const char *)data, size, &config, &errors);
    assert((result < 0) == (errors.count > 0) && (result < 0) == (config == NULL));
    for (size_t i = 0; config && i < config->vpc_count; i++)
        round_trip(&vpc_schema, &config->vpcs[i].vpc, sizeof(config->vpcs[i].vpc));
    for (size_t i = 0; config && i < config->function_count; i++)
        round_trip(&function_schema, &config->functions[i].function, sizeof(config->functions[i].function));
    for (size_t i = 0; config && i < config->route_count; i++)
        round_trip(&route_schema, &config->routes[i].route, sizeof(config->routes[i].route));
    for (size_t i = 0; config && i < config->disk_count; i++)
        round_trip(&disk_schema, &config->disks[i].disk, sizeof(config->disks[i].disk));
    for (size_t i = 0; config && i < config->volume_count; i++)
        round_trip(&volume_schema, &config->volumes[i].volume, sizeof(config->volumes[i].volume));
    for (size_t i = 0; config && i < config->subsystem_count; i++)
        round_trip(&subsystem_schema, &config->subsystems[i].subsystem, sizeof(config->subsystems[i].subsystem));
    for (size_t i = 0; config && i < config->controller_count; i++)
        round_trip(&controller_schema, &config->controllers[i].controller, sizeof(config->controllers[i].controller));
    config_errors_free(&errors);
    config_free(config);
    return 0;
}
