// SPDX-License-Identifier: Apache-2.0
// Cuts a segment of memory into bursts that stay within aligned BURST bytes, a power of two: so none crosses 4 KiB, and
// each is at most BURST / 64 lines. A segment of no bytes is one burst of no bytes. SIDE bits travel beside each burst.
module dma_split #(
    parameter int SIDE  = 1,
    parameter int BURST = 512
) (
    input  logic                   clk,
    input  logic                   rst,
    input  logic                   segment_valid,
    output logic                   segment_ready,
    input  logic [           63:0] segment_address,
    input  logic [           16:0] segment_bytes,
    input  logic                   segment_last,
    input  logic [       SIDE-1:0] segment_side,
    output logic                   burst_valid,
    input  logic                   burst_ready,
    output logic [           63:0] burst_address,
    output logic [$clog2(BURST):0] burst_bytes,      // 0 .. BURST
    output logic                   burst_last,       // of the last segment
    output logic [       SIDE-1:0] burst_side
);

  localparam int PLACE = $clog2(BURST);

  initial
    if (BURST < 128 || BURST > 4096 || 1 << PLACE != BURST)
      $fatal(1, "dma_split: BURST %0d, expected a power of two from 128 to 4096", BURST);

  logic [16:0] left;
  logic [PLACE:0] straight;
  logic last, final_burst;

  assign straight = (PLACE + 1)'(BURST) - {1'b0, burst_address[PLACE-1:0]};
  assign final_burst = left <= 17'(straight);
  assign burst_bytes = final_burst ? left[PLACE:0] : straight;
  assign burst_last = last && final_burst;
  assign segment_ready = !burst_valid || (burst_ready && final_burst);

  always_ff @(posedge clk) begin
    if (burst_valid && burst_ready) begin
      burst_valid <= 1'b0;
      if (!final_burst) begin
        burst_valid <= 1'b1;
        burst_address <= {burst_address[63:PLACE] + (64 - PLACE)'(1), PLACE'(0)};
        left <= left - 17'(straight);
      end
    end
    if (segment_valid && segment_ready) begin
      burst_valid <= 1'b1;
      burst_address <= segment_address;
      burst_side <= segment_side;
      left <= segment_bytes;
      last <= segment_last;
    end
    if (rst) burst_valid <= 1'b0;
  end

endmodule
