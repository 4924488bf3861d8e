// SPDX-License-Identifier: Apache-2.0
// Interrupt requests to MSI-X messages. A vector that is requested again before its message left is sent once; no request
// is without a later message. Moderation: a message opens a window unless one is open, and a vector is silent from its
// message to the window's end, so there are at most two messages of it in that many cycles; 0 = no moderation. The timer
// stands while no window is open, so the clock may.
module interrupts #(
    parameter int PORTS   = 5,
    parameter int VECTORS = cipu::CARD_VECTORS
) (
    input  logic                                         clk,
    input  logic                                         rst,
    input  logic [                                 15:0] message_window,
    input  logic [                            PORTS-1:0] request_valid,
    output logic [                            PORTS-1:0] request_ready,
    // Padding is of no use.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [PORTS*cipu::INTERRUPT_REQUEST_BITS-1:0] request_data,
    // verilator lint_on UNUSEDSIGNAL
    output logic                                         message_valid,
    input  logic                                         message_ready,
    output logic [                                 15:0] message_data,  // the vector
    output logic                                         idle
);

  localparam int VECTOR = $clog2(VECTORS);

  logic [VECTORS-1:0] pending, silent, requested;
  logic send;
  logic [VECTOR-1:0] vector;
  logic [15:0] timer;

  assign request_ready = '1;
  always_comb begin
    requested = '0;
    for (int i = 0; i < PORTS; i++)
      if (request_valid[i] && 32'(request_data[i*cipu::INTERRUPT_REQUEST_BITS+:16]) < VECTORS)
        requested[request_data[i*cipu::INTERRUPT_REQUEST_BITS+:VECTOR]] = 1'b1;
  end

  round_robin #(
      .N(VECTORS)
  ) chooser (
      .clk,
      .rst,
      .request(pending & ~silent),
      .taken(!message_valid || message_ready),
      .valid(send),
      .grant(vector)
  );
  assign idle = request_valid == '0 && pending == '0 && !message_valid && timer == 0;

  always_ff @(posedge clk) begin
    pending <= pending | requested;
    if (timer != 0) timer <= timer - 16'd1;
    if (timer == 1) silent <= '0;
    if (!message_valid || message_ready) begin
      message_valid <= send;
      message_data  <= 16'(vector);
      if (send) begin
        pending[vector] <= requested[vector];
        if (timer == 0) timer <= message_window;
        if (timer != 1) silent[vector] <= message_window != 0;
      end
    end
    if (rst) begin
      pending <= '0;
      silent <= '0;
      timer <= '0;
      message_valid <= 1'b0;
    end
  end

endmodule
