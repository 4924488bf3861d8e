// SPDX-License-Identifier: Apache-2.0
// Cuts a segment of memory into bursts that stay within aligned 512 bytes: so none crosses 4 KiB, a read is one PCIe
// request, and a burst is at most eight lines of 64 bytes. A segment of no bytes is one burst of no bytes. SIDE bits
// travel beside each burst.
module dma_split #(
    parameter int SIDE = 1
) (
    input  logic            clk,
    input  logic            rst,
    input  logic            segment_valid,
    output logic            segment_ready,
    input  logic [    63:0] segment_address,
    input  logic [    16:0] segment_bytes,
    input  logic            segment_last,
    input  logic [SIDE-1:0] segment_side,
    output logic            burst_valid,
    input  logic            burst_ready,
    output logic [    63:0] burst_address,
    output logic [     9:0] burst_bytes,      // 0 .. 512
    output logic            burst_last,       // of the last segment
    output logic [SIDE-1:0] burst_side
);

  logic [16:0] left;
  logic [9:0] straight;
  logic last, final_burst;

  assign straight = 10'd512 - {1'b0, burst_address[8:0]};
  assign final_burst = left <= {7'd0, straight};
  assign burst_bytes = final_burst ? left[9:0] : straight;
  assign burst_last = last && final_burst;
  assign segment_ready = !burst_valid || (burst_ready && final_burst);

  always_ff @(posedge clk) begin
    if (burst_valid && burst_ready) begin
      burst_valid <= 1'b0;
      if (!final_burst) begin
        burst_valid <= 1'b1;
        burst_address <= {burst_address[63:9] + 55'd1, 9'd0};
        left <= left - {7'd0, straight};
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
