/* SPDX-License-Identifier: Apache-2.0 */
/* cipu capture: the daemon writes pcap into a FIFO, from which whole records go to the file. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/cipu/cipu.h"

/* https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, sections 4 and 5 */
#define FILE_HEADER_BYTES    24
#define RECORD_HEADER_BYTES  16
#define RECORD_LENGTH_OFFSET 8
#define BUFFER_BYTES         (1u << 20)
#define SECONDS_MAX          86400
#define KEEP_ALIVE_S         60 /* the daemon disconnects silent clients */

struct capture {
    struct client *client;
    char folder[64], fifo_path[80];
    int fifo, output;
    uint8_t *buffer;
    size_t filled;
    bool header_done, stopped;
    int output_error; /* errno; 0 = none */
    long packets, count;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void remove_fifo(struct capture *capture)
{
    if (capture->fifo_path[0])
        unlink(capture->fifo_path);
    if (capture->folder[0])
        rmdir(capture->folder);
    capture->fifo_path[0] = capture->folder[0] = 0;
}

static int make_fifo(struct capture *capture)
{
    const char *place = getenv("TMPDIR");
    if (!place || place[0] != '/' || strlen(place) > 40)
        place = "/tmp";
    snprintf(capture->folder, sizeof(capture->folder), "%s/cipu.XXXXXX", place);
    if (!mkdtemp(capture->folder)) {
        capture->folder[0] = 0;
        return -1;
    }
    snprintf(capture->fifo_path, sizeof(capture->fifo_path), "%s/pcap", capture->folder);
    if (mkfifo(capture->fifo_path, 0600) < 0)
        return -1;
    capture->fifo = open(capture->fifo_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return capture->fifo < 0 ? -1 : 0;
}

static void write_out(struct capture *capture, const uint8_t *data, size_t bytes)
{
    while (bytes && !capture->output_error) {
        ssize_t written = write(capture->output, data, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            capture->output_error = errno;
            if (errno != EPIPE)
                fprintf(stderr, "cipu: cannot write: %s\n", strerror(errno));
            return;
        }
        data += written;
        bytes -= (size_t)written;
    }
}

/* The bytes of the next whole piece (file header or record) at `at`; 0 = not there yet. */
static size_t next_piece(const struct capture *capture, size_t at)
{
    size_t there = capture->filled - at;
    uint32_t length;
    if (!capture->header_done)
        return there >= FILE_HEADER_BYTES ? FILE_HEADER_BYTES : 0;
    if (there < RECORD_HEADER_BYTES)
        return 0;
    memcpy(&length, capture->buffer + at + RECORD_LENGTH_OFFSET, sizeof(length));
    return there - RECORD_HEADER_BYTES >= length ? RECORD_HEADER_BYTES + (size_t)length : 0;
}

static void pass_on(struct capture *capture)
{
    size_t at = 0, piece;
    while (!(capture->count && capture->packets == capture->count) && (piece = next_piece(capture, at)) != 0) {
        at += piece;
        if (capture->header_done)
            capture->packets++;
        capture->header_done = true;
    }
    write_out(capture, capture->buffer, at);
    memmove(capture->buffer, capture->buffer + at, capture->filled - at);
    capture->filled -= at;
}

static bool is_done(const struct capture *capture)
{
    return capture->output_error || (capture->count && capture->packets >= capture->count);
}

static void stop(struct capture *capture)
{
    json_decref(client_call(capture->client, "capture_stop", NULL));
    capture->stopped = true;
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until the daemon closes its end of the FIFO. False: a record does not end. */
static bool follow(struct capture *capture, long seconds)
{
    double start = now_seconds(), spoken = start;
    while (!is_done(capture)) {
        struct pollfd wait = {.fd = capture->fifo, .events = POLLIN};
        double now = now_seconds();
        if (!capture->stopped && (interrupted || (seconds && now - start >= (double)seconds)))
            stop(capture);
        if (!capture->stopped && now - spoken >= KEEP_ALIVE_S) {
            json_decref(client_call(capture->client, "capture_show", NULL));
            spoken = now;
        }
        if (poll(&wait, 1, 200) <= 0)
            continue;
        ssize_t got = read(capture->fifo, capture->buffer + capture->filled, BUFFER_BYTES - capture->filled);
        if (got == 0)
            return true;
        if (got < 0)
            continue;
        capture->filled += (size_t)got;
        pass_on(capture);
        if (capture->filled == BUFFER_BYTES)
            return false;
    }
    return true;
}

static int open_output(const struct options *options)
{
    if (strcmp(options->file, "-") == 0)
        return dup(STDOUT_FILENO);
    return open(options->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

static int run(struct capture *capture, const struct options *options, json_t *parameters)
{
    capture->output = open_output(options);
    if (capture->output < 0 || make_fifo(capture) < 0 || !(capture->buffer = malloc(BUFFER_BYTES))) {
        fprintf(stderr, "cipu: cannot capture into %s: %s\n", options->file, strerror(errno));
        json_decref(parameters);
        return EXIT_REFUSED;
    }
    json_object_set_new(parameters, "path", json_string(capture->fifo_path));
    json_object_set_new(parameters, "attached", json_true());
    json_object_set_new(parameters, "seconds", json_integer(options->seconds ? options->seconds + 1 : SECONDS_MAX));
    json_t *started = client_call(capture->client, "capture_start", parameters);
    remove_fifo(capture);
    if (!started)
        return EXIT_REFUSED;
    json_decref(started);
    bool whole = follow(capture, options->seconds);
    if (is_done(capture) && !capture->stopped)
        stop(capture);
    fprintf(stderr, "%ld packets captured\n", capture->packets);
    if (!whole)
        fputs("cipu: the daemon sent a record that is too long\n", stderr);
    return whole && (capture->output_error == 0 || capture->output_error == EPIPE) ? EXIT_OK : EXIT_REFUSED;
}

static json_t *take_port(struct arguments *arguments)
{
    json_t *parameters = json_object();
    if (take_word(arguments, "port"))
        json_object_set_new(parameters, "port",
                            json_integer(parse_number(next_word(arguments, "the number of a port"), "port", 0, 65535)));
    no_more_words(arguments);
    return parameters;
}

int run_capture(const struct options *options, struct arguments *arguments)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct capture capture = {.fifo = -1, .output = -1, .count = options->count};
    json_t *parameters = take_port(arguments);
    if (!options->file)
        usage_error("capture: expected -w and a file");
    if (strcmp(options->file, "-") == 0 && isatty(STDOUT_FILENO))
        usage_error("capture: -w - does not write packets to a terminal");
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    capture.client = client_open(options);
    int code = run(&capture, options, parameters);
    remove_fifo(&capture);
    client_close(capture.client);
    free(capture.buffer);
    if (capture.fifo >= 0)
        close(capture.fifo);
    if (capture.output >= 0 && close(capture.output) < 0) {
        fprintf(stderr, "cipu: cannot write %s: %s\n", options->file, strerror(errno));
        code = EXIT_REFUSED;
    }
    return code;
}
