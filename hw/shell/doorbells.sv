// SPDX-License-Identifier: Apache-2.0
// Doorbell pages: a write rings its page, whatever else waits. A page that rings again before it was passed on rings once,
// with its newest value; no ring is lost. Pages go to three streams by their number (hls/include/dma.h): receive queues,
// transmit queues, host rings. One ring per cycle in all, pages in turn.
module doorbells #(
    parameter int PAGES = cipu::DOORBELL_PAGES
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic                           write_valid,
    input  logic [                   31:0] write_page,
    input  logic [                   31:0] write_value,
    input  logic                           hold_host,       // a host ring's setting is on its way: none may overtake it
    output logic                           receive_valid,
    input  logic                           receive_ready,
    output logic [cipu::DOORBELL_BITS-1:0] receive_data,
    output logic                           transmit_valid,
    input  logic                           transmit_ready,
    output logic [cipu::DOORBELL_BITS-1:0] transmit_data,
    output logic                           host_valid,
    input  logic                           host_ready,
    output logic [cipu::DOORBELL_BITS-1:0] host_data,
    output logic                           idle
);

  localparam int PAGE = $clog2(PAGES);
  localparam int WAITING = 4;  // rings before each stream
  localparam int ROOM = $clog2(WAITING) + 1;

  initial
    if (PAGES <= cipu::DOORBELL_HOST)
      $fatal(1, "doorbells: PAGES is %0d, expected more than %0d", PAGES, cipu::DOORBELL_HOST);

  logic [PAGES-1:0] rung, may_ring;
  logic [31:0] values[PAGES];
  logic [31:0] value;
  logic ring, ringing, good_page;
  logic [PAGE-1:0] page, ringing_page;
  logic [2:0] room, out_valid, out_ready, to, ringing_to;
  logic [3*ROOM-1:0] used;
  logic [3*cipu::DOORBELL_BITS-1:0] out_data;

  assign good_page = write_page < PAGES;
  always_comb
    for (int i = 0; i < PAGES; i++)
      may_ring[i] = rung[i] && (i >= cipu::DOORBELL_HOST ? room[2] && !hold_host : room[i%2]);
  round_robin #(
      .N(PAGES)
  ) chooser (
      .clk,
      .rst,
      .request(may_ring),
      .taken(1'b1),
      .valid(ring),
      .grant(page)
  );
  assign to = 32'(page) >= cipu::DOORBELL_HOST ? 3'b100 : page[0] ? 3'b010 : 3'b001;

  always_ff @(posedge clk) begin
    if (ring) begin
      value <= values[page];
      rung[page] <= 1'b0;
    end
    if (write_valid && good_page) begin
      values[write_page[PAGE-1:0]] <= write_value;
      rung[write_page[PAGE-1:0]] <= 1'b1;
    end
    ringing <= ring;
    ringing_page <= page;
    ringing_to <= to;
    if (rst) begin
      rung <= '0;
      ringing <= 1'b0;
    end
  end

  genvar s;
  generate
    for (s = 0; s < 3; s++) begin : streams
      // There is always room.
      // verilator lint_off UNUSEDSIGNAL
      logic ready;
      // verilator lint_on UNUSEDSIGNAL
      stream_fifo #(
          .WIDTH(cipu::DOORBELL_BITS),
          .DEPTH(WAITING)
      ) fifo (
          .clk,
          .rst,
          .in_valid (ringing && ringing_to[s]),
          .in_ready (ready),
          .in_data  ({value, 32'(ringing_page)}),
          .out_valid(out_valid[s]),
          .out_ready(out_ready[s]),
          .out_data (out_data[s*cipu::DOORBELL_BITS+:cipu::DOORBELL_BITS])
      );
      assign room[s] = used[s*ROOM+:ROOM] != ROOM'(WAITING);
      always_ff @(posedge clk) begin
        used[s*ROOM+:ROOM] <= used[s*ROOM+:ROOM] + ROOM'(ring && to[s]) - ROOM'(out_valid[s] && out_ready[s]);
        if (rst) used[s*ROOM+:ROOM] <= '0;
      end
    end
  endgenerate

  assign {host_valid, transmit_valid, receive_valid} = out_valid;
  assign out_ready = {host_ready, transmit_ready, receive_ready};
  assign {host_data, transmit_data, receive_data} = out_data;
  assign idle = !write_valid && rung == '0 && used == '0;

endmodule
