/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/chain_beat.h"

#include <string.h>

#include "tools/bench/chain_command.h"

void chain_source_fill(struct chain_source *source)
{
    source->commands = net_load_commands(source->command);
}

static void command_beat(struct chain_source *source, struct beat *beat)
{
    const struct command_entry *entry = &source->command[source->sent];
    bool first = chain_command_writes(entry) && !source->again;
    chain_command_beat(beat, entry, first ? COMMAND_WRITE : COMMAND_WHOLE);
    source->again = first;
    source->sent += !first;
}

static void frame_beat(struct chain_source *source, struct beat *beat)
{
    uint32_t left = source->length - source->at, bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    memset(beat, 0, sizeof *beat);
    memcpy(beat->data, source->frame + source->at, bytes);
    beat->meta.bytes = (uint8_t)bytes;
    beat->meta.last = left <= BEAT_BYTES;
    if (source->at == 0) {
        beat->meta.length = (uint16_t)source->length;
        beat->meta.source = ENDPOINT_PORT;
    }
    source->at += bytes;
    if (beat->meta.last)
        source->frame = NULL;
}

bool chain_source_beat(struct chain_source *source, struct net_place *place, struct beat *beat)
{
    if (source->sent < source->commands) {
        command_beat(source, beat);
        return true;
    }
    if (!source->frame && place->run) {
        source->frame = net_run_next(place->run, place->cycle, &source->length);
        source->at = 0;
    }
    if (!source->frame)
        return false;
    frame_beat(source, beat);
    return true;
}

void chain_sink_beat(struct chain_sink *sink, struct net_place *place, const struct beat *beat)
{
    if (sink->length == 0 && beat->meta.source == ENDPOINT_NONE) {
        sink->commands++;
        return;
    }
    if (sink->length == 0 && (beat->meta.destination != ENDPOINT_PORT || beat->meta.destination_id != 1))
        rtl_net_fail("%s: a packet does not leave by port 1: no flow was found", place->name);
    sink->length += beat->meta.bytes;
    sink->in_tail = beat->meta.last == BEAT_LAST_IN_TAIL;
    if (beat->meta.last == BEAT_LAST) {
        net_run_take(place->run, place->cycle, sink->length);
        sink->length = 0;
    }
}
