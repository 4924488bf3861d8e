/* SPDX-License-Identifier: Apache-2.0 */
/* pcap:READ[,WRITE]: receives the packets of one file, as fast as the card takes them, and writes what is sent to
 * another. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "driver/port.h"

struct pcap_port {
    pcap_t *reader; /* NULL = nothing (more) to read */
    pcap_t *format; /* of the written file */
    pcap_dumper_t *writer;
    bool written; /* since the last flush */
    uint8_t buffer[PACKET_BYTES_MAX];
};

static int open_reader(struct pcap_port *state, const char *path, struct cipu_error *error)
{
    char reason[PCAP_ERRBUF_SIZE];
    state->reader = pcap_open_offline(path, reason);
    if (!state->reader)
        return cipu_fail(error, -ENOENT, "port pcap: cannot read '%s': %s", path, reason);
    int type = pcap_datalink(state->reader);
    if (type != DLT_EN10MB)
        return cipu_fail(error, -EINVAL, "port pcap: '%s' has link type %d, expected Ethernet (%d)", path, type,
                         DLT_EN10MB);
    return 0;
}

static int open_writer(struct pcap_port *state, const char *path, struct cipu_error *error)
{
    state->format = pcap_open_dead(DLT_EN10MB, PACKET_BYTES_MAX);
    if (!state->format)
        return -ENOMEM;
    state->writer = pcap_dump_open(state->format, path);
    if (!state->writer)
        return cipu_fail(error, -EACCES, "port pcap: cannot write '%s': %s", path, pcap_geterr(state->format));
    return 0;
}

static int pcap_port_open(struct port *port, const char *argument, struct cipu_error *error)
{
    struct pcap_port *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    port->state = state;
    const char *comma = strchr(argument, ',');
    char *path = strndup(argument, comma ? (size_t)(comma - argument) : strlen(argument));
    if (!path)
        return -ENOMEM;
    int result = 0;
    if (!*path && !(comma && comma[1]))
        result =
            cipu_fail(error, -EINVAL, "port 'pcap:%s': expected pcap:READ, pcap:READ,WRITE or pcap:,WRITE", argument);
    if (result == 0 && *path)
        result = open_reader(state, path, error);
    if (result == 0 && comma && comma[1])
        result = open_writer(state, comma + 1, error);
    free(path);
    atomic_store(&port->link, result == 0);
    return result;
}

static void pcap_port_close(struct port *port)
{
    struct pcap_port *state = port->state;
    if (!state)
        return;
    if (state->writer)
        pcap_dump_close(state->writer);
    if (state->format)
        pcap_close(state->format);
    if (state->reader)
        pcap_close(state->reader);
    free(state);
}

static bool pcap_receive(struct port *port, const uint8_t **frame, uint32_t *length)
{
    struct pcap_port *state = port->state;
    struct pcap_pkthdr *header;
    const u_char *data;
    while (state->reader) {
        if (pcap_next_ex(state->reader, &header, &data) != 1) {
            pcap_close(state->reader);
            state->reader = NULL;
            return false;
        }
        if (header->caplen == header->len) {
            *frame = data;
            *length = header->len;
            return true;
        }
        port_count(&port->received_dropped, 1); /* cut when it was captured */
    }
    return false;
}

static void pcap_release(struct port *port)
{
    (void)port; /* the file's buffer stays until the next read */
}

static uint8_t *pcap_reserve(struct port *port)
{
    struct pcap_port *state = port->state;
    return state->writer ? state->buffer : NULL;
}

static void pcap_commit(struct port *port, uint32_t length)
{
    struct pcap_port *state = port->state;
    struct pcap_pkthdr header = {.caplen = length, .len = length};
    gettimeofday(&header.ts, NULL);
    pcap_dump((u_char *)state->writer, &header, state->buffer);
    state->written = true;
}

static void pcap_flush(struct port *port)
{
    (void)port; /* stdio gathers; the card's idle moments write it out */
}

static bool pcap_arm(struct port *port)
{
    struct pcap_port *state = port->state;
    if (state->written)
        pcap_dump_flush(state->writer);
    state->written = false;
    return false;
}

const struct port_ops port_pcap = {
    .scheme = "pcap",
    .open = pcap_port_open,
    .close = pcap_port_close,
    .receive = pcap_receive,
    .release = pcap_release,
    .reserve = pcap_reserve,
    .commit = pcap_commit,
    .flush = pcap_flush,
    .arm = pcap_arm,
};
