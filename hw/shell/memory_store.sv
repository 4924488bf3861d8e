// SPDX-License-Identifier: Apache-2.0
// Lines on their way to memory, in order, and which of them may still be on it: a line is `dirty` while a change of any
// line with the same low bits is announced and not yet acknowledged, so whoever reads it from memory waits.
module memory_store #(
    parameter int DEPTH   = 64,
    parameter int BUCKETS = 256,
    parameter int CHANGES = 128  // announced or on their way, at most
) (
    input  logic                       clk,
    input  logic                       rst,
    // A change was accepted; its line follows later.
    input  logic                       announce,
    input  logic [$clog2(BUCKETS)-1:0] bucket,           // of that change, or of a line that may be dirty
    output logic                       dirty,
    output logic                       announce_ready,
    output logic                       store_ready,      // for the line that `claim` reserves a place for
    input  logic                       claim,
    input  logic                       store,            // a claimed one
    input  logic [               63:0] store_address,
    input  logic [              511:0] store_line,
    output logic [               63:0] bus_awaddr,
    output logic [                7:0] bus_awlen,
    output logic [                0:0] bus_awid,
    output logic                       bus_awvalid,
    input  logic                       bus_awready,
    output logic [              511:0] bus_wdata,
    output logic [               63:0] bus_wstrb,
    output logic                       bus_wlast,
    output logic                       bus_wvalid,
    input  logic                       bus_wready,
    // One id: acknowledged in order.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [                0:0] bus_bid,
    input  logic [                1:0] bus_bresp,
    // verilator lint_on UNUSEDSIGNAL
    input  logic                       bus_bvalid,
    output logic                       bus_bready,
    output logic                       idle
);

  localparam int BUCKET = $clog2(BUCKETS);
  localparam int COUNT = $clog2(CHANGES) + 1;
  localparam int USED = $clog2(DEPTH) + 1;

  logic [BUCKETS*COUNT-1:0] changes;
  logic [COUNT-1:0] total;
  logic [USED-1:0] used;
  logic [BUCKET-1:0] done_bucket;

  // All three are as deep as `used` counts.
  // verilator lint_off UNUSEDSIGNAL
  logic address_ready, data_ready, bucket_ready, bucket_valid;
  // verilator lint_on UNUSEDSIGNAL
  stream_fifo #(
      .WIDTH(64),
      .DEPTH(DEPTH)
  ) addresses (
      .clk,
      .rst,
      .in_valid (store),
      .in_ready (address_ready),
      .in_data  (store_address),
      .out_valid(bus_awvalid),
      .out_ready(bus_awready),
      .out_data (bus_awaddr)
  );
  stream_fifo #(
      .WIDTH(512),
      .DEPTH(DEPTH)
  ) lines (
      .clk,
      .rst,
      .in_valid (store),
      .in_ready (data_ready),
      .in_data  (store_line),
      .out_valid(bus_wvalid),
      .out_ready(bus_wready),
      .out_data (bus_wdata)
  );
  stream_fifo #(
      .WIDTH(BUCKET),
      .DEPTH(DEPTH)
  ) buckets (
      .clk,
      .rst,
      .in_valid (store),
      .in_ready (bucket_ready),
      .in_data  (store_address[6+:BUCKET]),
      .out_valid(bucket_valid),
      .out_ready(bus_bvalid),
      .out_data (done_bucket)
  );

  assign bus_awlen = 8'd0;
  assign bus_awid = 1'b0;
  assign bus_wstrb = '1;
  assign bus_wlast = 1'b1;
  assign bus_bready = 1'b1;
  assign store_ready = used != USED'(DEPTH);
  assign announce_ready = total != COUNT'(CHANGES);
  assign dirty = changes[bucket*COUNT+:COUNT] != 0;
  assign idle = total == 0;

  always_ff @(posedge clk) begin
    used  <= used + USED'(claim) - USED'(bus_bvalid);
    total <= total + COUNT'(announce) - COUNT'(bus_bvalid);
    if (announce && !(bus_bvalid && done_bucket == bucket))
      changes[bucket*COUNT+:COUNT] <= changes[bucket*COUNT+:COUNT] + COUNT'(1);
    if (bus_bvalid && !(announce && done_bucket == bucket))
      changes[done_bucket*COUNT+:COUNT] <= changes[done_bucket*COUNT+:COUNT] - COUNT'(1);
    if (rst) begin
      used <= '0;
      total <= '0;
      changes <= '0;
    end
  end

endmodule
