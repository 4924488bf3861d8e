/* SPDX-License-Identifier: Apache-2.0 */
/* cipu-card: the simulated card on its own, for whoever wants to see what a packet meets in it. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/version.h"
#include "tools/card/session.h"
#include "tools/card/way.h"

static const char usage[] =
    "Usage: cipu-card [OPTION]... PACKETS.pcap\n"
    "Sends the packets of a capture through a simulated card (rtl:), one after the other, and prints the way of each\n"
    "through the kernels: the records on the streams, with the cycle in which each was written and how many it "
    "waited.\n"
    "\n"
    "  -p, --port N          the port that they enter (0, 1; default 0)\n"
    "  -a, --action ACTION   what the flow table says: forward (out of the other port; default), drop,\n"
    "                        punt (no entry: the packet is the host's)\n"
    "  -n, --packet N        print only packet N; the first is 1\n"
    "  -q, --quiet           print one line for each packet\n"
    "  -j, --json            print one JSON object for each packet\n"
    "  -w, --write FILE      write what leaves the card, as pcap\n"
    "  -t, --trace FILE      write the signals of all modules as a waveform (FST, for GTKWave)\n"
    "      --from CYCLE      ... from this cycle on (default 0)\n"
    "      --for N           ... for so many cycles (default 100000)\n"
    "  -h, --help            show this\n"
    "  -V, --version         print the version\n"
    "\n"
    "Cycles are counted while something moves, from the first packet on. 250 of them are a microsecond at 250 MHz (no "
    "such card was timed).\n"
    "\n"
    "Exit status: 0 done, 1 a packet or the card failed, 2 wrong usage, 3 a file cannot be read or written.\n";

extern const struct native_graph native_graph_card;

enum { OPTION_FROM = 256, OPTION_FOR };

struct options {
    const char *packets, *write, *trace;
    uint64_t port, packet, from, count;
    enum session_action action;
    bool quiet, json;
};

static int wrong(const char *what, const char *found, const char *expected)
{
    fprintf(stderr, "cipu-card: %s: found '%s', expected %s\n", what, found, expected);
    return 2;
}

static bool number(const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value <= most;
}

static int parse_action(const char *text, enum session_action *action)
{
    static const char *const names[] = {"forward", "drop", "punt"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *action = (enum session_action)i;
            return -1;
        }
    }
    return wrong("--action", text, "forward, drop or punt");
}

/* -1 = go on, else the exit status. */
static int parse_option(int option, struct options *options)
{
    switch (option) {
    case 'p':
        return number(optarg, CARD_PORTS - 1, &options->port) ? -1 : wrong("--port", optarg, "0 or 1");
    case 'a':
        return parse_action(optarg, &options->action);
    case 'n':
        return number(optarg, UINT32_MAX, &options->packet) && options->packet ? -1
                                                                               : wrong("--packet", optarg, "1 or more");
    case OPTION_FROM:
        return number(optarg, UINT64_MAX, &options->from) ? -1 : wrong("--from", optarg, "a cycle");
    case OPTION_FOR:
        return number(optarg, UINT64_MAX, &options->count) ? -1 : wrong("--for", optarg, "a number of cycles");
    case 'q':
        options->quiet = true;
        return -1;
    case 'j':
        options->json = true;
        return -1;
    case 'w':
        options->write = optarg;
        return -1;
    case 't':
        options->trace = optarg;
        return -1;
    case 'V':
        puts("cipu-card " CIPU_VERSION);
        return 0;
    default:
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? 0 : 2;
    }
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"port", required_argument, NULL, 'p'},
        {"action", required_argument, NULL, 'a'},
        {"packet", required_argument, NULL, 'n'},
        {"quiet", no_argument, NULL, 'q'},
        {"json", no_argument, NULL, 'j'},
        {"write", required_argument, NULL, 'w'},
        {"trace", required_argument, NULL, 't'},
        {"from", required_argument, NULL, OPTION_FROM},
        {"for", required_argument, NULL, OPTION_FOR},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "p:a:n:qjw:t:hV", longs, NULL)) >= 0) {
        int code = parse_option(option, options);
        if (code >= 0)
            return code;
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    options->packets = argv[optind];
    return -1;
}

static const char *fate(const struct session_result *result, char *text, size_t room)
{
    static const char *const reasons[] = {"none", "miss", "action", "ttl", "mtu", "control", "options"};
    if (!result->moved)
        snprintf(text, room, "the port did not take it");
    else if (result->punted)
        snprintf(text, room, "handed to the host (%s)", result->punt_reason < 7 ? reasons[result->punt_reason] : "?");
    else if (result->sent[0] || result->sent[1])
        snprintf(text, room, "left by port %u", result->sent[1] ? 1u : 0u);
    else
        snprintf(text, room, "dropped");
    return text;
}

static void print_packet(const struct options *options, uint64_t which, uint32_t length,
                         const struct session_result *result, const struct way *way)
{
    char text[64];
    uint64_t latency = way_latency(way, result->sent[1] ? "port.tx1" : result->sent[0] ? "port.tx0" : "punt.in");
    if (options->json) {
        json_t *object = json_pack("{s:I, s:i, s:i, s:s, s:I, s:o}", "packet", (json_int_t)which, "port",
                                   (int)options->port, "bytes", (int)length, "fate", fate(result, text, sizeof text),
                                   "latency", (json_int_t)latency, "records", way_json(way));
        json_dumpf(object, stdout, JSON_COMPACT);
        json_decref(object);
        putchar('\n');
        return;
    }
    printf("packet %" PRIu64 ": %u bytes into port %" PRIu64 ", %s", which, length, options->port,
           fate(result, text, sizeof text));
    if (latency)
        printf(" after %" PRIu64 " cycles", latency);
    putchar('\n');
    if (!options->quiet) {
        way_print(way, stdout);
        putchar('\n');
    }
}

/* Everything that a run holds. */
struct run {
    struct session session;
    struct session_result result;
    struct way way;
    struct rtl_watcher watcher;
    pcap_t *format;
    pcap_dumper_t *output;
};

static int run_packet(const struct options *options, struct run *run, uint64_t which, const struct pcap_pkthdr *header,
                      const uint8_t *frame, struct cipu_error *error)
{
    way_clear(&run->way);
    int result = session_send(&run->session, frame, header->caplen, &run->result, error);
    if (result < 0)
        return result;
    if (!options->packet || options->packet == which)
        print_packet(options, which, header->caplen, &run->result, &run->way);
    if (run->output && run->result.length) {
        struct pcap_pkthdr out = {.ts = header->ts, .caplen = run->result.length, .len = run->result.length};
        pcap_dump((u_char *)run->output, &out, run->result.bytes);
    }
    return 0;
}

static int add_flow(const struct options *options, struct run *run, uint64_t which, const struct pcap_pkthdr *header,
                    const uint8_t *frame, struct cipu_error *error)
{
    (void)options;
    (void)which;
    return session_add_flow(&run->session, frame, header->caplen, error);
}

typedef int (*packet_step)(const struct options *options, struct run *run, uint64_t which,
                           const struct pcap_pkthdr *header, const uint8_t *frame, struct cipu_error *error);

/* One step for every packet of the file. -1 = all went well, else the exit status. */
static int each_packet(const struct options *options, struct run *run, packet_step step)
{
    struct cipu_error error = {{0}};
    struct pcap_pkthdr *header;
    const u_char *frame;
    char reason[PCAP_ERRBUF_SIZE];
    int next, code = -1;
    pcap_t *packets = pcap_open_offline(options->packets, reason);
    if (!packets) {
        fprintf(stderr, "cipu-card: %s: %s\n", options->packets, reason);
        return 3;
    }
    if (pcap_datalink(packets) != DLT_EN10MB) {
        fprintf(stderr, "cipu-card: %s: found link type %d, expected Ethernet (%d)\n", options->packets,
                pcap_datalink(packets), DLT_EN10MB);
        code = 3;
    }
    for (uint64_t which = 1; code != 3 && (next = pcap_next_ex(packets, &header, &frame)) != PCAP_ERROR_BREAK;
         which++) {
        if (next == PCAP_ERROR) {
            fprintf(stderr, "cipu-card: %s: %s\n", options->packets, pcap_geterr(packets));
            code = 3;
        } else if (step(options, run, which, header, frame, &error) < 0) {
            fprintf(stderr, "cipu-card: packet %" PRIu64 ": %s\n", which, error.text);
            code = 1;
        }
    }
    pcap_close(packets);
    return code;
}

/* The card is halted. -1 = go on. */
static int start_watching(const struct options *options, struct run *run)
{
    struct cipu_error error = {{0}};
    rtl_card_zero(run->session.card);
    rtl_card_watch(run->session.card, &run->watcher);
    int result = options->trace
                     ? rtl_card_waveform(run->session.card, options->trace, options->from, options->count, &error)
                     : 0;
    if (result == 0)
        return -1;
    fprintf(stderr, "cipu-card: %s\n", error.text);
    return result == -EIO ? 3 : 1;
}

/* The flows stand before the first packet, which enters in cycle 0 or soon after. */
static int run_packets(const struct options *options, struct run *run)
{
    int code = each_packet(options, run, add_flow);
    if (code >= 0)
        return code;
    session_settle(&run->session);
    rtl_card_halt(run->session.card);
    code = start_watching(options, run);
    rtl_card_run(run->session.card);
    if (code < 0)
        code = each_packet(options, run, run_packet);
    rtl_card_halt(run->session.card);
    rtl_card_watch(run->session.card, NULL);
    rtl_card_run(run->session.card);
    return code < 0 ? 0 : code;
}

/* -1 = go on. */
static int open_output(const struct options *options, struct run *run)
{
    if (!options->write)
        return -1;
    run->format = pcap_open_dead(DLT_EN10MB, PACKET_BYTES_MAX);
    run->output = run->format ? pcap_dump_open(run->format, options->write) : NULL;
    if (run->output)
        return -1;
    fprintf(stderr, "cipu-card: %s: %s\n", options->write, run->format ? pcap_geterr(run->format) : "no memory");
    return 3;
}

/* -1 = go on. */
static int open_card(const struct options *options, struct run *run)
{
    struct cipu_error error = {{0}};
    run->watcher = way_watcher(&run->way);
    int result = way_create(&run->way, &native_graph_card);
    if (result == 0)
        result = session_open(&run->session, (unsigned)options->port, options->action, &error);
    if (result < 0)
        fprintf(stderr, "cipu-card: %s\n", error.text[0] ? error.text : strerror(-result));
    return result < 0 ? 1 : -1;
}

static void close_all(struct run *run)
{
    session_close(&run->session);
    way_destroy(&run->way);
    if (run->output)
        pcap_dump_close(run->output);
    if (run->format)
        pcap_close(run->format);
}

int main(int argc, char **argv)
{
    struct options options = {.count = 100000};
    int code = parse(argc, argv, &options);
    if (code >= 0)
        return code;
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return 1;
    run->session.epoll = -1;
    code = open_output(&options, run);
    if (code < 0)
        code = open_card(&options, run);
    if (code < 0)
        code = run_packets(&options, run);
    close_all(run);
    free(run);
    return code;
}
