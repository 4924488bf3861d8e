/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/json_rpc.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void scan_string(struct rpc_framer *framer, char c)
{
    if (framer->escaped)
        framer->escaped = false;
    else if (c == '\\')
        framer->escaped = true;
    else if (c == '"')
        framer->in_string = false;
}

enum rpc_frame rpc_frame_scan(struct rpc_framer *framer, const char *text, size_t bytes)
{
    for (; framer->scanned < bytes; framer->scanned++) {
        char c = text[framer->scanned];
        if (framer->in_string) {
            scan_string(framer, c);
        } else if (framer->depth == 0) {
            if (is_space(c)) {
                framer->start = framer->scanned + 1;
                continue;
            }
            if (c != '{' && c != '[')
                return RPC_FRAME_BROKEN;
            framer->depth = 1;
        } else if (c == '"') {
            framer->in_string = true;
        } else if (c == '{' || c == '[') {
            framer->depth++;
        } else if ((c == '}' || c == ']') && --framer->depth == 0) {
            framer->scanned++;
            return RPC_FRAME_COMPLETE;
        }
    }
    return RPC_FRAME_MORE;
}
