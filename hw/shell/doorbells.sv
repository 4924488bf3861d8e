// SPDX-License-Identifier: Apache-2.0
// Doorbell pages: a write rings its page, whatever else waits. A page that rings again before it was passed on rings once,
// with its newest value; no ring is lost. Pages go to streams by their number (hls/include/dma.h): receive queues, transmit
// queues, host rings, queues of virtio-blk. One ring per cycle in all, pages in turn. The pages of NVMe controllers have a
// doorbell in each word: their writes go on one by one, in order, and wait at the bus while there is no room.
module doorbells #(
    parameter int NVME_WAITING = 64
) (
    input  logic                           clk,
    input  logic                           rst,
    input  logic [                   31:0] time_ns,
    input  logic                           write_valid,
    output logic                           write_ready,
    input  logic [                   31:0] write_page,
    input  logic [                   31:0] write_index,     // word in the page
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
    output logic                           block_valid,
    input  logic                           block_ready,
    output logic [cipu::DOORBELL_BITS-1:0] block_data,
    output logic                           nvme_valid,
    input  logic                           nvme_ready,
    output logic [cipu::DOORBELL_BITS-1:0] nvme_data,
    output logic                           idle
);

  // A place for each page that has one doorbell: queues, host rings, and from BLOCK on those of virtio-blk.
  localparam int HOST = cipu::DOORBELL_HOST;
  localparam int BLOCK = HOST + 8;
  localparam int BLOCKS = cipu::DOORBELL_NVME - cipu::DOORBELL_BLOCK;
  localparam int PAGES = BLOCK + BLOCKS;
  localparam int PAGE = $clog2(PAGES);
  localparam int STREAMS = 4;
  localparam int WAITING = 4;  // rings before each stream
  localparam int ROOM = $clog2(WAITING) + 1;

  logic [PAGES-1:0] rung, may_ring;
  logic [31:0] values[PAGES];
  logic [31:0] value;
  logic ring, ringing, good_page, is_block, is_nvme;
  logic [PAGE-1:0] page, ringing_page, written;
  logic [STREAMS-1:0] room, out_valid, out_ready, to, ringing_to;
  logic [STREAMS*ROOM-1:0] used;
  logic [STREAMS*cipu::DOORBELL_BITS-1:0] out_data;

  assign is_block = write_page >= cipu::DOORBELL_BLOCK && write_page < cipu::DOORBELL_NVME;
  assign is_nvme = write_page >= cipu::DOORBELL_NVME && write_page < cipu::DOORBELL_PAGES &&
      write_index < cipu::DOORBELL_NVME_WORDS;
  assign good_page = write_page < BLOCK || is_block;
  assign written = is_block ? PAGE'(write_page - cipu::DOORBELL_BLOCK + BLOCK) : write_page[PAGE-1:0];
  always_comb
    for (int i = 0; i < PAGES; i++)
      may_ring[i] = rung[i] && (i >= BLOCK ? room[3] : i >= HOST ? room[2] && !hold_host : room[i%2]);
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
  assign to = 32'(page) >= BLOCK ? 4'b1000 : 32'(page) >= HOST ? 4'b0100 : page[0] ? 4'b0010 : 4'b0001;

  always_ff @(posedge clk) begin
    if (ring) begin
      value <= values[page];
      rung[page] <= 1'b0;
    end
    if (write_valid && good_page) begin
      values[written] <= write_value;
      rung[written] <= 1'b1;
    end
    ringing <= ring;
    ringing_page <= page;
    ringing_to <= to;
    if (rst) begin
      rung <= '0;
      ringing <= 1'b0;
    end
  end

  // What rang, as its stream has it.
  cipu::doorbell_t said;
  always_comb begin
    said = '0;
    said.page = 32'(ringing_page);
    if (ringing_to[3]) said.page = 32'(ringing_page) - BLOCK + cipu::DOORBELL_BLOCK;
    said.value = value;
    said.time_ = time_ns;
  end

  cipu::doorbell_t word;
  logic nvme_room;
  always_comb begin
    word = '0;
    word.page = write_page;
    word.value = write_value;
    word.index = write_index;
    word.time_ = time_ns;
  end
  assign write_ready = !is_nvme || nvme_room;
  stream_fifo #(
      .WIDTH(cipu::DOORBELL_BITS),
      .DEPTH(NVME_WAITING)
  ) words (
      .clk,
      .rst,
      .in_valid (write_valid && is_nvme),
      .in_ready (nvme_room),
      .in_data  (word),
      .out_valid(nvme_valid),
      .out_ready(nvme_ready),
      .out_data (nvme_data)
  );

  genvar s;
  generate
    for (s = 0; s < STREAMS; s++) begin : streams
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
          .in_data  (said),
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

  assign {block_valid, host_valid, transmit_valid, receive_valid} = out_valid;
  assign out_ready = {block_ready, host_ready, transmit_ready, receive_ready};
  assign {block_data, host_data, transmit_data, receive_data} = out_data;
  assign idle = !write_valid && rung == '0 && used == '0 && !nvme_valid;

endmodule
