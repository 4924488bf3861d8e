// SPDX-License-Identifier: Apache-2.0
// Packs lines of memory into beats: each line is turned so that its first byte stands behind the last one that its
// channel has, and joined to what is left of the channel's lines before. A line gives one beat at most: a packet's end
// that needs two beats takes two steps. One line per cycle, of any channel.
module dma_gather #(
    parameter int CHANNELS = 16
) (
    input  logic                        clk,
    input  logic                        rst,
    // A step; the line itself comes one cycle later.
    input  logic                        step_valid,
    input  logic [$clog2(CHANNELS)-1:0] step_channel,
    input  logic                        step_zero,     // there is no line: zeros, and the packet is an error
    input  logic [                 5:0] step_offset,   // the line's first byte
    input  logic [                 5:0] step_fill,     // bytes that the channel has already
    input  logic [                 6:0] step_bytes,    // of the beat, when one leaves
    input  logic                        step_emit,     // a beat leaves
    input  logic                        step_first,    // it is the packet's first
    input  logic                        step_last,     // it is the packet's last
    input  logic                        step_flush,    // nothing is added: the rest leaves
    input  logic                        step_error,    // the packet is an error for other reasons
    input  logic [                15:0] step_length,
    input  logic [                15:0] step_tag,
    input  logic [               511:0] line,
    input  logic                        line_error,

    output logic                        beat_valid,
    output logic [$clog2(CHANNELS)-1:0] beat_channel,
    output logic [  cipu::BEAT_BITS-1:0] beat_data,
    output logic                        idle
);

  localparam int CHANNEL = $clog2(CHANNELS);
  localparam int STEP = CHANNEL + 6 + 7 + 5 + 32;

  // Turning.
  logic turn_valid, turn_zero, turn_flush, turn_error;
  logic [5:0] turn_offset;
  logic [STEP-1:0] turn_step;
  logic [5:0] distance;
  logic [511:0] usable;
  assign distance = turn_offset - turn_step[STEP-1-CHANNEL-:6];
  assign turn_error = !turn_flush && (turn_zero || line_error);
  assign usable = turn_error ? '0 : line;

  // Joining.
  logic join_valid, join_error;
  logic [STEP-1:0] join_step;
  logic [511:0] turned;
  logic [CHANNEL-1:0] channel;
  logic [5:0] fill;
  logic [6:0] bytes;
  logic emit, first, last, flush, failed;
  logic [15:0] length, tag;
  assign {channel, fill, bytes, emit, first, last, flush, failed, length, tag} = join_step;

  logic [511:0] rest[CHANNELS];
  logic [CHANNELS-1:0] error;
  logic [511:0] kept, joined, shown, from_line, beyond;
  assign kept = rest[channel];
  assign from_line = flush ? '0 : {512{1'b1}} << {fill, 3'b000};
  assign beyond = bytes[6] ? '0 : {512{1'b1}} << {bytes[5:0], 3'b000};
  assign joined = (kept & ~from_line) | (turned & from_line);
  assign shown = joined & ~beyond;

  // What a packet's later beats and padding leave zero is never assigned.
  cipu::beat_t beat;
  always_comb begin
    beat = '0;
    beat.data = shown;
    beat.meta.bytes = {1'b0, bytes};
    beat.meta.last = {7'd0, last};
    beat.meta.error = {7'd0, last && (error[channel] || join_error || failed)};
    if (first) begin
      beat.meta.length = length;
      beat.meta.source_id = tag;
    end
  end

  assign beat_valid = join_valid && emit;
  assign beat_channel = channel;
  assign beat_data = beat;
  assign idle = !turn_valid && !join_valid;

  always_ff @(posedge clk) begin
    turn_valid <= step_valid;
    if (step_valid) begin
      turn_zero <= step_zero;
      turn_flush <= step_flush;
      turn_offset <= step_offset;
      turn_step <= {
        step_channel,
        step_fill,
        step_bytes,
        step_emit,
        step_first,
        step_last,
        step_flush,
        step_error,
        step_length,
        step_tag
      };
    end
    join_valid <= turn_valid;
    if (turn_valid) begin
      join_step <= turn_step;
      join_error <= turn_error;
      turned <= 512'({usable, usable} >> {distance, 3'b000});
    end
    if (join_valid) begin
      rest[channel]  <= emit ? turned : joined;
      error[channel] <= !(emit && last) && (error[channel] || join_error);
    end
    if (rst) begin
      turn_valid <= 1'b0;
      join_valid <= 1'b0;
      error <= '0;
    end
  end

endmodule
