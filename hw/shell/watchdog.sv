// SPDX-License-Identifier: Apache-2.0
// Tells which streams stand still: a record has waited for its reader for LIMIT to 2 LIMIT cycles. One timer for all, which
// runs while a record waits anywhere.
module watchdog #(
    parameter int STREAMS = 8,
    parameter int LIMIT   = 1000000
) (
    input  logic               clk,
    input  logic               rst,
    input  logic [STREAMS-1:0] valid,
    input  logic [STREAMS-1:0] ready,
    output logic [STREAMS-1:0] stuck,  // until a record moves
    output logic               idle
);

  localparam int COUNT = $clog2(LIMIT);

  initial if (LIMIT < 2) $fatal(1, "watchdog: LIMIT is %0d, expected at least 2", LIMIT);

  logic [COUNT-1:0] timer;
  logic [STREAMS-1:0] waits, waited;  // now; since the timer began
  logic over;
  assign waits = valid & ~ready;
  assign over  = timer == COUNT'(LIMIT - 1);
  assign idle  = waits == '0 && waited == '0 && stuck == '0 && timer == 0;

  always_ff @(posedge clk) begin
    timer  <= over || waits == '0 ? '0 : timer + COUNT'(1);
    waited <= (timer == 0 ? '1 : waited) & waits;
    stuck  <= (stuck | (over ? waited : '0)) & waits;
    if (rst) begin
      timer  <= '0;
      waited <= '0;
      stuck  <= '0;
    end
  end

endmodule
