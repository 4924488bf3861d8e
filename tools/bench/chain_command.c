/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/chain_command.h"

#include <string.h>

bool chain_command_writes(const struct command_entry *entry)
{
    return entry->opcode == COMMAND_BUCKET_WRITE || entry->opcode == COMMAND_FLOW_WRITE ||
           entry->opcode == COMMAND_ACTION_WRITE;
}

void chain_command_beat(struct beat *beat, const struct command_entry *entry, enum command_part part)
{
    memcpy(beat->data, entry, sizeof *entry);
    beat->meta = (struct beat_meta){
        .bytes = BEAT_BYTES, .last = 1, .length = BEAT_BYTES, .source = ENDPOINT_NONE, .source_id = (uint16_t)part};
}
