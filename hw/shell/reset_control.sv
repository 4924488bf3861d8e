// SPDX-License-Identifier: Apache-2.0
// Resets the card without leaving the bus in the middle of a transfer: requests stop, what is on the bus comes to its end
// (or PATIENCE cycles pass: a bus that does not answer must not keep the card for ever), then everything is in reset for
// CYCLES cycles. The host sees `busy` until all is done.
module reset_control #(
    parameter int PATIENCE = 4096,  // more than a bus may take: F2 gives up after 8 us
    parameter int CYCLES   = 16
) (
    input  logic clk,
    input  logic rst,        // of the platform
    input  logic request,
    input  logic bus_idle,
    output logic quiesce,    // no new transfer begins
    output logic core_rst,
    output logic busy,
    output logic idle
);

  localparam int COUNT = $clog2(PATIENCE + 1);

  logic stopping, resetting;
  logic [COUNT-1:0] timer;
  assign quiesce = stopping || resetting;
  assign core_rst = resetting;
  assign busy = request || quiesce;
  assign idle = !busy;

  always_ff @(posedge clk) begin
    if (stopping) begin
      timer <= timer - COUNT'(1);
      if (bus_idle || timer == 0) begin
        stopping <= 1'b0;
        resetting <= 1'b1;
        timer <= COUNT'(CYCLES - 1);
      end
    end else if (resetting) begin
      timer <= timer - COUNT'(1);
      resetting <= timer != 0;
    end else if (request) begin
      stopping <= 1'b1;
      timer <= COUNT'(PATIENCE);
    end
    if (rst) begin
      stopping <= 1'b0;
      resetting <= 1'b1;
      timer <= COUNT'(CYCLES - 1);
    end
  end

endmodule
