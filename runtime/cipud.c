/* SPDX-License-Identifier: Apache-2.0 */
/* cipud: serves the functions of one card. docs/cipud.md is its manual. */
#include <argp.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "runtime/daemon/daemon.h"
#include "runtime/daemon/log.h"
#include "runtime/rpc/methods.h"
#include "runtime/rpc/metrics.h"
#include "runtime/rpc/server.h"
#include "runtime/version.h"

#define CONFIG_DEFAULT "/etc/cipu/cipud.yaml"
#define EXIT_USAGE     2

const char *argp_program_version = "cipud " CIPU_VERSION;

struct options {
    const char *config;
    bool check;
    unsigned verbose;
};

struct program {
    struct daemon daemon;
    struct event_base *base;
    struct rpc_server *rpc;
    struct rpc_service service;
    struct metrics_server *metrics;
    struct event *signals[3];
};

static const struct argp_option option_list[] = {
    {"config", 'c', "FILE", 0, "The configuration file (default " CONFIG_DEFAULT ")", 0},
    {"check", 'C', "FILE", 0, "Check a configuration file and exit", 0},
    {"verbose", 'v', NULL, 0, "Log more", 0},
    {0},
};

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'C':
        options->check = true;
        options->config = argument;
        return 0;
    case 'c':
        options->config = argument;
        return 0;
    case 'v':
        options->verbose++;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument: %s", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void on_stop(evutil_socket_t number, short what, void *context)
{
    struct program *program = context;
    (void)what;
    log_info("stopping", "why=%s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    event_base_loopbreak(program->base);
}

static void on_reload(evutil_socket_t number, short what, void *context)
{
    struct program *program = context;
    (void)number;
    (void)what;
    daemon_reload(&program->daemon);
}

static void on_card_warning(const char *text)
{
    log_warning(text, NULL);
}

static void on_client_closed(void *context, void *connection)
{
    daemon_capture_release(context, connection);
}

static int watch_signals(struct program *program, struct cipu_error *error)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < 3; i++) {
        program->signals[i] = evsignal_new(program->base, numbers[i], i == 2 ? on_reload : on_stop, program);
        if (!program->signals[i] || event_add(program->signals[i], NULL) < 0)
            return cipu_fail(error, -ENOMEM, "cannot watch signals");
    }
    return 0;
}

/* Where sockets are by default: services make it (RuntimeDirectory=cipu), who starts the daemon by hand need not. */
static void make_runtime_folder(void)
{
    char folder[] = CIPU_RPC_SOCKET;
    *strrchr(folder, '/') = 0;
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        log_warning("cannot make the folder of the sockets", "path=%s\terror=%s", folder, strerror(errno));
}

/* In the order in which it must be undone: the RPC socket is claimed first, so that a second daemon touches nothing.
 * Takes the configuration. */
static int open_all(struct program *program, struct config *config, struct cipu_error *error)
{
    if (strcmp(config->rpc, CIPU_RPC_SOCKET) == 0)
        make_runtime_folder();
    int result = rpc_server_open(program->base, config->rpc, &program->rpc, error);
    if (result < 0) {
        config_free(config);
        return result;
    }
    result = daemon_open(&program->daemon, config, program->base, error);
    if (result < 0)
        return result;
    program->service = cipud_service;
    program->service.context = &program->daemon;
    if (config->metrics[0])
        result = metrics_server_open(&program->daemon, config->metrics, &program->metrics, error);
    if (result == 0)
        result = watch_signals(program, error);
    if (result == 0)
        rpc_server_start(program->rpc, &program->service, on_client_closed);
    return result;
}

static void close_all(struct program *program)
{
    for (int i = 0; i < 3; i++)
        if (program->signals[i])
            event_free(program->signals[i]);
    if (program->metrics)
        metrics_server_close(program->metrics);
    if (program->daemon.card)
        daemon_close(&program->daemon);
    if (program->rpc)
        rpc_server_close(program->rpc);
}

static int serve(struct config *config, const char *path)
{
    struct program program = {.daemon.config_path = path};
    struct cipu_error error = {0};
    program.base = event_base_new();
    if (!program.base) {
        log_error("cannot start", "error=no event loop");
        config_free(config);
        return EXIT_FAILURE;
    }
    cipu_on_warning(on_card_warning);
    int result = open_all(&program, config, &error);
    if (result == 0) {
        log_info("ready", "version=%s\tcard=%s\trpc=%s\tmetrics=%s", CIPU_VERSION, config->card, config->rpc,
                 config->metrics);
        if (event_base_dispatch(program.base) < 0)
            result = cipu_fail(&error, -EIO, "the event loop failed");
    }
    if (result < 0)
        log_error("cannot serve", "error=%s", error.text[0] ? error.text : strerror(-result));
    close_all(&program);
    event_base_free(program.base);
    libevent_global_shutdown();
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Each guest brings its descriptors: interrupts, memory, a socket. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            log_warning("cannot raise the limit of open files", "error=%s", strerror(errno));
    }
}

int main(int count, char **arguments)
{
    struct options options = {.config = CONFIG_DEFAULT};
    struct argp argp = {option_list, take_option, NULL, "Serves the functions of one card to virtual machines.",
                        NULL,        NULL,        NULL};
    struct config *config;
    struct config_errors errors;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, count, arguments, 0, NULL, &options))
        return EXIT_USAGE;
    if (options.verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    int result = config_read(options.config, &config, &errors);
    if (result < 0) {
        fputs(errors.text ? errors.text : "cipud: no memory\n", stderr);
        config_errors_free(&errors);
        return EXIT_FAILURE;
    }
    if (options.check) {
        printf("%s: %zu ports, %zu VPCs, %zu functions, %zu routes, %zu disks, %zu volumes, %zu subsystems, %zu "
               "controllers\n",
               options.config, config->port_count, config->vpc_count, config->function_count, config->route_count,
               config->disk_count, config->volume_count, config->subsystem_count, config->controller_count);
        config_free(config);
        return EXIT_SUCCESS;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    return serve(config, options.config);
}
