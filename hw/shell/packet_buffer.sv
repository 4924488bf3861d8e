// SPDX-License-Identifier: Apache-2.0
// Whole packets: words are written one by one, then the packet is kept or forgotten; what is kept is read in order, each
// packet with the note that was given when it was kept. BEATS words, PACKETS packets.
module packet_buffer #(
    parameter int WIDTH = 520,
    parameter int NOTE = 16,
    parameter int BEATS = 256,
    parameter int PACKETS = 64
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             write,         // only with room
    input  logic [WIDTH-1:0] write_data,
    output logic             room,          // for one more word
    output logic             half,          // half of it is in use
    input  logic             keep,          // with or after the last write of the packet; only with keep_ready
    output logic             keep_ready,
    input  logic [ NOTE-1:0] keep_note,
    input  logic             forget,        // what was written since the last packet, and in this cycle
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data,
    output logic [ NOTE-1:0] out_note,
    input  logic             out_last,      // out_data is the packet's last
    output logic             idle
);

  localparam int INDEX = $clog2(BEATS);

  initial
    if ((BEATS & (BEATS - 1)) != 0 || BEATS < 4) $fatal(1, "packet_buffer: BEATS is %0d, expected a power of two", BEATS);

  logic [WIDTH-1:0] slots[BEATS];
  logic [WIDTH-1:0] read_data;
  logic [INDEX:0] head, tail, start, head_next;  // words before `start` are kept
  logic note_valid, note_taken, take, loaded;

  assign room = (tail - head) != (INDEX + 1)'(BEATS);
  assign half = (tail - head) >= (INDEX + 1)'(BEATS / 2);
  assign take = out_valid && out_ready;
  assign head_next = head + (INDEX + 1)'(take);
  // Packets are kept whole, so the next word is there when its note is; it is read one cycle ahead.
  assign out_valid = note_valid && loaded;
  assign out_data = read_data;
  assign note_taken = take && out_last;
  assign idle = head == tail;

  stream_fifo #(
      .WIDTH(NOTE),
      .DEPTH(PACKETS)
  ) notes (
      .clk,
      .rst,
      .in_valid (keep),
      .in_ready (keep_ready),
      .in_data  (keep_note),
      .out_valid(note_valid),
      .out_ready(note_taken),
      .out_data (out_note)
  );

  always_ff @(posedge clk) begin
    if (write) slots[tail[INDEX-1:0]] <= write_data;
    read_data <= slots[head_next[INDEX-1:0]];
    loaded <= head_next != start;
    head <= head_next;
    if (forget) begin
      tail <= start;
    end else begin
      tail <= tail + (INDEX + 1)'(write);
      if (keep) start <= tail + (INDEX + 1)'(write);
    end
    if (rst) begin
      head <= '0;
      tail <= '0;
      start <= '0;
      loaded <= 1'b0;
    end
  end

endmodule
