// SPDX-License-Identifier: Apache-2.0
// A stream's FIFO: DEPTH records, a record leaves at the earliest one cycle after it entered, one in and one out per
// cycle. Neither side sees the other's valid or ready in the same cycle, so FIFOs cut all paths between kernels.
//
// The RAM has a registered read port, as block RAMs want it: it reads ahead what will be at the head in the next cycle,
// and what is written there in this cycle goes around it.
module stream_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 64
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data
);

  localparam int INDEX = $clog2(DEPTH);

  initial begin
    if (WIDTH < 1) $fatal(1, "stream_fifo: WIDTH is %0d, expected at least 1", WIDTH);
    if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0)
      $fatal(1, "stream_fifo: DEPTH is %0d, expected a power of two from 2", DEPTH);
  end

  logic [WIDTH-1:0] slots[DEPTH];
  logic [INDEX:0] head, tail, head_next;
  logic put, take, around;
  logic [WIDTH-1:0] read_data, around_data;

  assign in_ready = (tail - head) != (INDEX + 1)'(DEPTH);
  assign out_valid = tail != head;
  assign put = in_valid && in_ready;
  assign take = out_valid && out_ready;
  assign head_next = head + (INDEX + 1)'(take);
  assign out_data = around ? around_data : read_data;

  always_ff @(posedge clk) begin
    if (put) slots[tail[INDEX-1:0]] <= in_data;
    if (take || around) read_data <= slots[head_next[INDEX-1:0]];
    if (put) around_data <= in_data;
    around <= put && tail == head_next;
    head <= head_next;
    tail <= tail + (INDEX + 1)'(put);
    if (rst) begin
      head <= '0;
      tail <= '0;
    end
  end

endmodule
