// SPDX-License-Identifier: Apache-2.0
// A master that does what it is told, right or wrong: the test of the bus model's rules.
module bus_puppet (
    // A test looks at the pins, nothing in here does.
    // verilator lint_off UNUSEDSIGNAL
    input  logic         clk,
    input  logic         rst,
    input  logic [ 63:0] set_araddr,
    input  logic [  7:0] set_arlen,
    input  logic [  4:0] set_arid,
    input  logic         set_arvalid,
    input  logic [ 63:0] set_awaddr,
    input  logic [  7:0] set_awlen,
    input  logic [  3:0] set_awid,
    input  logic         set_awvalid,
    input  logic [511:0] set_wdata,
    input  logic [ 63:0] set_wstrb,
    input  logic         set_wlast,
    input  logic         set_wvalid,
    output logic [ 63:0] bus_araddr,
    output logic [  7:0] bus_arlen,
    output logic [  4:0] bus_arid,
    output logic         bus_arvalid,
    input  logic         bus_arready,
    input  logic [511:0] bus_rdata,
    input  logic [  4:0] bus_rid,
    input  logic [  1:0] bus_rresp,
    input  logic         bus_rlast,
    input  logic         bus_rvalid,
    output logic         bus_rready,
    output logic [ 63:0] bus_awaddr,
    output logic [  7:0] bus_awlen,
    output logic [  3:0] bus_awid,
    output logic         bus_awvalid,
    input  logic         bus_awready,
    output logic [511:0] bus_wdata,
    output logic [ 63:0] bus_wstrb,
    output logic         bus_wlast,
    output logic         bus_wvalid,
    input  logic         bus_wready,
    input  logic [  3:0] bus_bid,
    input  logic [  1:0] bus_bresp,
    input  logic         bus_bvalid,
    output logic         bus_bready
    // verilator lint_on UNUSEDSIGNAL
);

  assign {bus_araddr, bus_arlen, bus_arid, bus_arvalid} = {set_araddr, set_arlen, set_arid, set_arvalid};
  assign {bus_awaddr, bus_awlen, bus_awid, bus_awvalid} = {set_awaddr, set_awlen, set_awid, set_awvalid};
  assign {bus_wdata, bus_wstrb, bus_wlast, bus_wvalid} = {set_wdata, set_wstrb, set_wlast, set_wvalid};
  assign bus_rready = 1'b1;
  assign bus_bready = 1'b1;

endmodule
