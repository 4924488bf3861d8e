// SPDX-License-Identifier: Apache-2.0
// Timers of kernels: a request names a time, and when that has come one tick tells the time. A later request replaces an
// earlier one (hls/include/block.h).
module timer #(
    parameter int TIMERS = 2
) (
    input  logic                                 clk,
    input  logic                                 rst,
    input  logic [                         31:0] time_tick,      // card time
    input  logic [                   TIMERS-1:0] request_valid,
    output logic [                   TIMERS-1:0] request_ready,
    input  logic [TIMERS*cipu::TIMER_REQUEST_BITS-1:0] request_data,
    output logic [                   TIMERS-1:0] tick_valid,
    input  logic [                   TIMERS-1:0] tick_ready,
    output logic [   TIMERS*cipu::TIMER_TICK_BITS-1:0] tick_data,
    output logic                                 idle
);

  logic [TIMERS-1:0] armed;
  assign request_ready = '1;
  assign idle = request_valid == '0 && armed == '0 && tick_valid == '0;

  genvar t;
  generate
    for (t = 0; t < TIMERS; t++) begin : timers
      // verilator lint_off UNUSEDSIGNAL
      cipu::timer_request_t request;
      // verilator lint_on UNUSEDSIGNAL
      cipu::timer_tick_t tick;
      logic [31:0] at, now;
      logic due;
      assign request = request_data[t*cipu::TIMER_REQUEST_BITS+:cipu::TIMER_REQUEST_BITS];
      // Times wrap around: what is due is not more than half of the range ago.
      assign due = armed[t] && 32'(time_tick - at) < 32'h8000_0000;
      always_comb begin
        tick = '0;
        tick.now = now;
      end
      assign tick_data[t*cipu::TIMER_TICK_BITS+:cipu::TIMER_TICK_BITS] = tick;

      always_ff @(posedge clk) begin
        if (tick_valid[t] && tick_ready[t]) tick_valid[t] <= 1'b0;
        if (due && !tick_valid[t]) begin
          tick_valid[t] <= 1'b1;
          now <= time_tick;
          armed[t] <= 1'b0;
        end
        if (request_valid[t]) begin
          armed[t] <= 1'b1;
          at <= request.at;
        end
        if (rst) begin
          armed[t] <= 1'b0;
          tick_valid[t] <= 1'b0;
        end
      end
    end
  endgenerate

endmodule
