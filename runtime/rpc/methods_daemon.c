/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "runtime/daemon/log.h"
#include "runtime/daemon/statistics.h"
#include "runtime/rpc/methods.h"
#include "runtime/version.h"

#define CAPTURE_SECONDS   60
#define CAPTURE_MEGABYTES 1024
#define SHUTDOWN_DELAY_MS 100 /* for the reply to leave */

static const struct field capture_fields[] = {
    {"path", FIELD_TEXT, .required = true, .offset = offsetof(struct capture_settings, path)},
    {"port", FIELD_UNSIGNED, .offset = offsetof(struct capture_settings, port),
     .present_offset = offsetof(struct capture_settings, has_port), .maximum = CARD_PORTS - 1},
    {"seconds", FIELD_UNSIGNED, .offset = offsetof(struct capture_settings, seconds), .minimum = 1, .maximum = 86400},
    {"megabytes", FIELD_UNSIGNED, .offset = offsetof(struct capture_settings, megabytes), .minimum = 1,
     .maximum = 1048576},
    {"attached", FIELD_BOOLEAN, .offset = offsetof(struct capture_settings, attached)},
};
const struct schema capture_schema = {"capture", capture_fields, 5};

static const struct field log_level_fields[] = {
    {"level", FIELD_LEVEL, .required = true, .offset = offsetof(struct log_level_setting, level),
     .choices = log_level_names},
};
const struct schema log_level_schema = {"log", log_level_fields, 1};

int rpc_stats_get(struct rpc_call *call)
{
    call->result = daemon_statistics(call->context);
    return call->result ? 0 : cipu_fail(&call->error, -ENOMEM, "no memory for the statistics");
}

int rpc_capture_start(struct rpc_call *call)
{
    struct capture_settings settings = *(const struct capture_settings *)call->parameters;
    if (!settings.seconds)
        settings.seconds = CAPTURE_SECONDS;
    if (!settings.megabytes)
        settings.megabytes = CAPTURE_MEGABYTES;
    return daemon_capture_start(call->context, &settings, call->connection, &call->error);
}

int rpc_capture_stop(struct rpc_call *call)
{
    uint64_t bytes;
    int result = daemon_capture_stop(call->context, &bytes, &call->error);
    if (result == 0)
        call->result = json_pack("{s:I}", "bytes", (json_int_t)bytes);
    return result;
}

int rpc_capture_show(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    call->result = json_pack("{s:b}", "running", daemon->capture != NULL);
    return 0;
}

int rpc_log_level_set(struct rpc_call *call)
{
    const struct log_level_setting *setting = call->parameters;
    log_set_level((enum log_level)setting->level);
    return 0;
}

int rpc_config_reload(struct rpc_call *call)
{
    int result = daemon_reload(call->context);
    return result < 0 ? cipu_fail(&call->error, result, "the reload is refused, the log says why") : 0;
}

int rpc_shutdown(struct rpc_call *call)
{
    struct daemon *daemon = call->context;
    log_info("stopping", "why=asked by a remote call");
    if (event_base_loopexit(daemon->base, &(struct timeval){.tv_usec = SHUTDOWN_DELAY_MS * 1000}) < 0)
        return cipu_fail(&call->error, -ENOMEM, "no memory for a timer");
    return 0;
}

int rpc_version_get(struct rpc_call *call)
{
    const struct daemon *daemon = call->context;
    call->result = json_pack("{s:s, s:s, s:s}", "version", CIPU_VERSION, "card", daemon->config->card, "log_level",
                             log_level_names[log_level()]);
    return 0;
}
