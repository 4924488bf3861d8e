// SPDX-License-Identifier: Apache-2.0
// The requests of a read channel, packet by packet: segments leave when the packet's last request is here, because its
// first beat carries the length of the whole packet. Segments beyond the SEGMENTS-th of a packet are left out and make it
// an error. Requests that are no transfers (DMA_WINDOW) are swallowed; a length that no transfer has is one refused byte.
module dma_collect #(
    parameter int SEGMENTS = 512,  // of one packet at most
    parameter int PACKETS  = 64
) (
    input  logic                              clk,
    input  logic                              rst,
    input  logic                              request_valid,
    output logic                              request_ready,
    input  logic [cipu::DMA_REQUEST_BITS-1:0] request_data,

    output logic        segment_valid,
    input  logic        segment_ready,
    output logic [63:0] segment_address,
    output logic [16:0] segment_bytes,
    output logic        segment_refused,
    output logic        segment_last,     // of its packet
    output logic [15:0] packet_bytes,     // at most 65535
    output logic [15:0] packet_tag,
    output logic        packet_error,
    output logic        idle
);

  localparam int COUNT = $clog2(SEGMENTS) + 1;
  localparam int SEGMENT_BITS = 64 + 17 + 1;
  localparam int PACKET_BITS = COUNT + 16 + 16 + 1;

  logic window, last, refused, overflow;
  logic [63:0] address;
  logic [16:0] request_bytes;
  logic [15:0] request_tag;
  // verilator lint_off UNUSEDSIGNAL
  logic [15:0] issuer;
  // verilator lint_on UNUSEDSIGNAL
  dma_segment segment (
      .request_data,
      .window,
      .last,
      .refused,
      .address,
      .bytes(request_bytes),
      .tag(request_tag),
      .issuer
  );

  logic [COUNT-1:0] count;  // segments of the packet so far
  logic [16:0] total, total_next, bytes;
  logic [17:0] sum;
  logic [15:0] tag, tag_next;
  assign overflow = count == COUNT'(SEGMENTS);
  assign bytes = request_bytes == 0 ? 17'd1 : request_bytes;
  assign sum = {1'b0, total} + {1'b0, bytes};
  assign total_next = overflow ? total : sum > 18'd65535 ? 17'd65535 : sum[16:0];
  assign tag_next = count == 0 ? request_tag : tag;

  logic segments_ready, packets_ready;
  assign request_ready = window || ((overflow || segments_ready) && (!last || packets_ready));

  always_ff @(posedge clk) begin
    if (request_valid && request_ready && !window) begin
      count <= last ? '0 : overflow ? count : count + COUNT'(1);
      total <= last ? '0 : total_next;
      tag   <= tag_next;
    end
    if (rst) begin
      count <= '0;
      total <= '0;
    end
  end

  logic collected_valid, announced_valid, segment_taken, packet_taken;
  logic [PACKET_BITS-1:0] announced;
  logic [COUNT-1:0] announced_count, index;

  stream_fifo #(
      .WIDTH(SEGMENT_BITS),
      .DEPTH(SEGMENTS)
  ) segments (
      .clk,
      .rst,
      .in_valid (request_valid && !window && !overflow && (!last || packets_ready)),
      .in_ready (segments_ready),
      .in_data  ({refused, bytes, address}),
      .out_valid(collected_valid),
      .out_ready(segment_taken),
      .out_data ({segment_refused, segment_bytes, segment_address})
  );

  stream_fifo #(
      .WIDTH(PACKET_BITS),
      .DEPTH(PACKETS)
  ) packets (
      .clk,
      .rst,
      .in_valid (request_valid && !window && last && (overflow || segments_ready)),
      .in_ready (packets_ready),
      .in_data  ({overflow, tag_next, total_next[15:0], overflow ? count : count + COUNT'(1)}),
      .out_valid(announced_valid),
      .out_ready(packet_taken),
      .out_data (announced)
  );

  assign {packet_error, packet_tag, packet_bytes, announced_count} = announced;
  assign segment_valid = collected_valid && announced_valid;
  assign segment_last = index + COUNT'(1) == announced_count;
  assign segment_taken = segment_valid && segment_ready;
  assign packet_taken = segment_taken && segment_last;
  assign idle = !request_valid && !collected_valid;

  always_ff @(posedge clk) begin
    if (segment_taken) index <= segment_last ? '0 : index + COUNT'(1);
    if (rst) index <= '0;
  end

endmodule
