// SPDX-License-Identifier: Apache-2.0
// A write channel's end: takes the bus' responses in the order of the bursts and says when a packet is visible. Bursts
// that never reached the bus wait for no response and are errors.
module dma_done #(
    parameter int BURSTS = 16  // on their way
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic                           burst_valid,
    output logic                           burst_ready,
    input  logic                           burst_refused,
    input  logic                           burst_last,     // of its packet
    input  logic [                   15:0] burst_tag,
    input  logic [                   15:0] burst_function,
    input  logic                           response_valid,  // there is room for each
    input  logic                           response_error,
    input  logic                           data_error,      // of the packet at hand
    output logic                           packet_taken,
    output logic                           done_valid,
    input  logic                           done_ready,
    output logic [cipu::DMA_DONE_BITS-1:0] done_data,
    output logic                           idle
);

  logic waits, refused, last, answered, answer_error, error, complete, taken;
  logic [15:0] tag, issuer;

  stream_fifo #(
      .WIDTH(34),
      .DEPTH(BURSTS)
  ) bursts (
      .clk,
      .rst,
      .in_valid (burst_valid),
      .in_ready (burst_ready),
      .in_data  ({burst_refused, burst_last, burst_tag, burst_function}),
      .out_valid(waits),
      .out_ready(taken),
      .out_data ({refused, last, tag, issuer})
  );

  // verilator lint_off UNUSEDSIGNAL
  logic response_ready;
  // verilator lint_on UNUSEDSIGNAL
  stream_fifo #(
      .WIDTH(1),
      .DEPTH(BURSTS)
  ) responses (
      .clk,
      .rst,
      .in_valid (response_valid),
      .in_ready (response_ready),
      .in_data  (response_error),
      .out_valid(answered),
      .out_ready(taken && !refused),
      .out_data (answer_error)
  );

`ifdef VERILATOR
  // Before the first reset nothing is known, and anything may be.
  logic began;
  initial began = 1'b0;
  always @(posedge clk) if (rst) began <= 1'b1;
`endif

  cipu::dma_done_t done;
  assign complete = waits && (refused || answered);
  assign taken = complete && (!last || done_ready);
  assign done_valid = complete && last;
  assign packet_taken = taken && last;
  always_comb begin
    done = '0;
    done.tag = tag;
    done.function_ = issuer;
    done.error = {7'd0, error || refused || answer_error || data_error};
  end
  assign done_data = done;
  assign idle = !waits;

  always_ff @(posedge clk) begin
    if (taken) error <= !last && (error || refused || answer_error);
    if (rst) error <= 1'b0;
`ifdef VERILATOR
    assert (!began || rst || !response_valid || response_ready)
    else $error("dma_done: a response to no burst");
`endif
  end

endmodule
