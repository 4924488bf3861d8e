// SPDX-License-Identifier: Apache-2.0
// Counts what passes a stream, and the cycles in which a record waits for its reader. It only listens.
module stream_monitor (
    input  logic        clk,
    input  logic        rst,
    input  logic        valid,
    input  logic        ready,
    input  logic        last,     // of a packet; 1 for records that are no beats
    input  logic [ 6:0] bytes,
    output logic [63:0] packets,
    output logic [63:0] total,    // bytes
    output logic [63:0] stalls
);

  always_ff @(posedge clk) begin
    if (valid && ready) begin
      packets <= packets + {63'd0, last};
      total   <= total + {57'd0, bytes};
    end
    if (valid && !ready) stalls <= stalls + 64'd1;
    if (rst) begin
      packets <= '0;
      total   <= '0;
      stalls  <= '0;
    end
  end

endmodule
