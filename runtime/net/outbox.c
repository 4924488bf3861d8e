/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/net/outbox.h"

#include <string.h>

void outbox_command(struct outbox *outbox, unsigned opcode, uint32_t index, uint32_t argument, const void *data,
                    size_t bytes)
{
    if (outbox->command_count == OUTBOX_COMMANDS)
        outbox_flush(outbox);
    struct command_entry *command = &outbox->commands[outbox->command_count++];
    *command =
        (struct command_entry){.opcode = (uint16_t)opcode, .target = TARGET_NET, .index = index, .argument = argument};
    memcpy(command->data, data, bytes);
}

void outbox_packet(struct outbox *outbox, enum endpoint source, unsigned source_id, uint32_t action,
                   const uint8_t *data, size_t length)
{
    if (length < PACKET_BYTES_MIN || length > PACKET_BYTES_MAX) {
        outbox->lost++;
        return;
    }
    if (outbox->packet_count == OUTBOX_PACKETS || outbox->bytes + length > OUTBOX_BYTES)
        outbox_flush(outbox);
    outbox->packets[outbox->packet_count++] = (struct packet_entry){
        .length = (uint16_t)length, .source = (uint8_t)source, .source_id = (uint16_t)source_id, .action = action};
    memcpy(outbox->data + outbox->bytes, data, length);
    outbox->bytes += length;
}

int outbox_flush(struct outbox *outbox)
{
    int status = 0;
    if (outbox->command_count > 0)
        status = cipu_host_command(outbox->host, outbox->commands, outbox->command_count);
    outbox->command_count = 0;
    if (status != 0)
        outbox->broken = true;
    size_t offset = 0;
    for (unsigned i = 0; i < outbox->packet_count; i++) {
        const struct packet_entry *packet = &outbox->packets[i];
        if (outbox->broken || cipu_host_inject(outbox->host, packet, outbox->data + offset) != 0)
            outbox->lost++;
        offset += packet->length;
    }
    outbox->packet_count = 0;
    outbox->bytes = 0;
    return status;
}
