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
    // Padding is of no use.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [TIMERS*cipu::TIMER_REQUEST_BITS-1:0] request_data,
    // verilator lint_on UNUSEDSIGNAL
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
      logic [31:0] at, now;
      logic due;
      // A kernel asks from the time of its last tick on, which may be longer ago than half of the range.
      logic [31:0] wanted, passed;
      assign wanted = at - now;
      assign passed = time_tick - now;
      assign due = armed[t] && (wanted[31] || passed >= wanted);
      assign tick_data[t*cipu::TIMER_TICK_BITS+:cipu::TIMER_TICK_BITS] = {32'd0, now};

      always_ff @(posedge clk) begin
        if (tick_valid[t] && tick_ready[t]) tick_valid[t] <= 1'b0;
        if (due && !tick_valid[t]) begin
          tick_valid[t] <= 1'b1;
          now <= time_tick;
          armed[t] <= 1'b0;
        end
        if (request_valid[t]) begin
          armed[t] <= 1'b1;
          at <= request_data[t*cipu::TIMER_REQUEST_BITS+:32];
        end
        if (rst) begin
          armed[t] <= 1'b0;
          tick_valid[t] <= 1'b0;
          now <= '0;
        end
      end
    end
  endgenerate

endmodule
