/* SPDX-License-Identifier: Apache-2.0 */
#include "hls/include/packet_key.h"
#include "hls/parse/parse.c"

void packet_headers(const uint8_t *bytes, size_t length, unsigned source, unsigned source_id,
                    const struct port_setting ports[CARD_PORTS], struct headers *headers)
{
    struct parse_state state = {0};
    for (unsigned port = 0; port < CARD_PORTS; port++) {
        struct packet_match data;
        memcpy(&data, &ports[port], sizeof data);
        parse_port_set(&state.port[port], &data);
    }
    struct window window = {0};
    if (length > PACKET_BYTES_MAX)
        length = PACKET_BYTES_MAX;
    memcpy(window.data, bytes, length < WINDOW_BYTES ? length : WINDOW_BYTES);
    window.meta.length = (uint16_t)length;
    window.meta.source = (uint8_t)source;
    window.meta.source_id = (uint16_t)source_id;
    parse_packet(&state, &window, headers);
}
