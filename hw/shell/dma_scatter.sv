// SPDX-License-Identifier: Apache-2.0
// Lines of memory out of packed beats: a line's bytes begin anywhere in a beat and may reach into the next one; they are
// turned to their place in the line. The beats come one cycle after their step. One line per cycle.
module dma_scatter (
    input  logic         clk,
    input  logic         rst,
    input  logic         step_valid,
    input  logic [  5:0] step_from,    // first byte in the first beat
    input  logic [  5:0] step_to,      // first byte in the line
    input  logic [  6:0] step_bytes,   // 1 .. 64
    input  logic         step_last,    // of its burst
    input  logic [511:0] first_beat,
    input  logic [511:0] second_beat,
    output logic         line_valid,
    output logic         line_last,
    output logic [511:0] line_data,
    output logic [ 63:0] line_enable
);

  logic valid, last;
  logic [5:0] from, to, distance;
  logic [6:0] bytes;
  logic [511:0] chosen, from_first;

  assign distance = from - to;
  assign from_first = {512{1'b1}} << {from, 3'b000};
  assign chosen = (first_beat & from_first) | (second_beat & ~from_first);

  always_ff @(posedge clk) begin
    valid <= step_valid;
    if (step_valid) begin
      from  <= step_from;
      to    <= step_to;
      bytes <= step_bytes;
      last  <= step_last;
    end
    line_valid <= valid;
    if (valid) begin
      line_last <= last;
      line_data <= 512'({chosen, chosen} >> {distance, 3'b000});
      line_enable <= ({64{1'b1}} >> (7'd64 - bytes)) << to;
    end
    if (rst) begin
      valid <= 1'b0;
      line_valid <= 1'b0;
    end
  end

endmodule
