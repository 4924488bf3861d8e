// SPDX-License-Identifier: Apache-2.0
// Lines on their way from memory: they come in any order and leave in the order in which they were asked for. A ring of
// DEPTH places; a place is the bus id.
module memory_fetch #(
    parameter int DEPTH = 32
) (
    input  logic                     clk,
    input  logic                     rst,
    output logic                     ask_ready,
    input  logic                     ask,        // only when ready
    input  logic [             63:0] ask_address,
    output logic                     have,       // the oldest line is here
    input  logic                     take,       // it is used: `line` in the next cycle
    output logic [            511:0] line,
    output logic [             63:0] bus_araddr,
    output logic [              7:0] bus_arlen,
    output logic [$clog2(DEPTH)-1:0] bus_arid,
    output logic                     bus_arvalid,
    input  logic                     bus_arready,
    input  logic [            511:0] bus_rdata,
    input  logic [$clog2(DEPTH)-1:0] bus_rid,
    input  logic [              1:0] bus_rresp,
    // Every read is one line.
    // verilator lint_off UNUSEDSIGNAL
    input  logic                     bus_rlast,
    // verilator lint_on UNUSEDSIGNAL
    input  logic                     bus_rvalid,
    output logic                     bus_rready,
    output logic                     idle
);

  localparam int INDEX = $clog2(DEPTH);

  logic [INDEX:0] asked, taken;
  logic [DEPTH-1:0] here;
  logic [511:0] lines[DEPTH];

  assign ask_ready = (asked - taken) != (INDEX + 1)'(DEPTH) && (!bus_arvalid || bus_arready);
  assign have = asked != taken && here[taken[INDEX-1:0]];
  assign bus_arlen = 8'd0;
  assign bus_rready = 1'b1;
  assign idle = asked == taken;

  always_ff @(posedge clk) begin
    // A line that cannot be read is zeros.
    if (bus_rvalid) lines[bus_rid] <= bus_rresp != 2'b00 ? '0 : bus_rdata;
    line <= lines[taken[INDEX-1:0]];
    if (bus_rvalid) here[bus_rid] <= 1'b1;
    if (take) begin
      here[taken[INDEX-1:0]] <= 1'b0;
      taken <= taken + (INDEX + 1)'(1);
    end
    if (bus_arready) bus_arvalid <= 1'b0;
    if (ask) begin
      bus_arvalid <= 1'b1;
      bus_araddr <= ask_address;
      bus_arid <= asked[INDEX-1:0];
      asked <= asked + (INDEX + 1)'(1);
    end
    if (rst) begin
      bus_arvalid <= 1'b0;
      asked <= '0;
      taken <= '0;
      here <= '0;
    end
  end

endmodule
