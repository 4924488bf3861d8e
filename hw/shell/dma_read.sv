// SPDX-License-Identifier: Apache-2.0
// The reading half of the DMA master: CHANNELS independent channels of requests and packed beats (hls/include/dma.h)
// on one AXI4 read port of 64-byte lines.
//
// A channel's requests are collected to packets and cut into bursts. Bursts of all channels take turns at the bus; each
// has a slot (an id, and room for its data), and its channel remembers the order. Lines come back in any order of ids.
// The other end walks the channels' bursts in their order, one line per cycle, and packs the lines into beats.
module dma_read #(
    parameter int CHANNELS = 16,
    parameter int RESERVED = 7,  // channels, from 0 on, that no other one can stop (dma_slots)
    parameter int SLOTS = 32,
    // Channels whose reader may wait for what others read (dma_slots): those that fetch commands of block devices, 8 and
    // 13, while answers of others want their data moved.
    parameter logic [CHANNELS-1:0] DEPENDENT = CHANNELS'('h2100),
    parameter int SEGMENTS = 512,
    parameter int BEATS = 16,  // of a channel that wait for its stream
    // Bytes of a burst, in one slot. While an answer takes 250 cycles the bus moves 16,000 bytes: so much must be under way
    // in part of the slots, as the others are kept free or hold reads of a line.
    parameter int BURST = 2048
) (
    input  logic                                       clk,
    input  logic                                       rst,
    input  logic [                       CHANNELS-1:0] request_valid,
    output logic [                       CHANNELS-1:0] request_ready,
    input  logic [CHANNELS*cipu::DMA_REQUEST_BITS-1:0] request_data,
    output logic [                       CHANNELS-1:0] data_valid,
    input  logic [                       CHANNELS-1:0] data_ready,
    output logic [       CHANNELS*cipu::BEAT_BITS-1:0] data_data,

    output logic [             63:0] bus_araddr,
    output logic [              7:0] bus_arlen,
    output logic [$clog2(SLOTS)-1:0] bus_arid,
    output logic                     bus_arvalid,
    input  logic                     bus_arready,
    input  logic [            511:0] bus_rdata,
    input  logic [$clog2(SLOTS)-1:0] bus_rid,
    input  logic [              1:0] bus_rresp,
    // Lines are counted.
    // verilator lint_off UNUSEDSIGNAL
    input  logic                     bus_rlast,
    // verilator lint_on UNUSEDSIGNAL
    input  logic                     bus_rvalid,
    output logic                     bus_rready,
    output logic                     idle,
    output logic                     quiet  // nothing moves, and nothing will while the inputs stay as they are
);

  localparam int CHANNEL = $clog2(CHANNELS);
  localparam int SLOT = $clog2(SLOTS);
  localparam int LINES = BURST / 64;
  localparam int LINE = $clog2(LINES);
  localparam int BYTES = $clog2(BURST) + 1;  // a burst's, in bits
  localparam int SIDE = 1 + 16 + 16 + 1;          // error, tag, length, refused
  localparam int ORDER = SLOT + 1 + 6 + BYTES + SIDE;  // slot, last, offset, bytes

  // ---- requests to bursts
  logic [CHANNELS-1:0] burst_valid, burst_ready, burst_last, burst_refused, collect_idle, segment_moves;
  logic [CHANNELS*64-1:0] burst_address;
  logic [CHANNELS*BYTES-1:0] burst_bytes;
  logic [CHANNELS*SIDE-1:0] burst_side;

  genvar c;
  generate
    for (c = 0; c < CHANNELS; c++) begin : channel
      logic segment_valid, segment_ready, segment_refused, segment_last, packet_error;
      logic [63:0] segment_address;
      logic [16:0] segment_bytes;
      logic [15:0] packet_bytes, packet_tag;
      dma_collect #(
          .SEGMENTS(SEGMENTS)
      ) collect (
          .clk,
          .rst,
          .request_valid(request_valid[c]),
          .request_ready(request_ready[c]),
          .request_data (request_data[c*cipu::DMA_REQUEST_BITS+:cipu::DMA_REQUEST_BITS]),
          .segment_valid,
          .segment_ready,
          .segment_address,
          .segment_bytes,
          .segment_refused,
          .segment_last,
          .packet_bytes,
          .packet_tag,
          .packet_error,
          .idle(collect_idle[c])
      );
      dma_split #(
          .SIDE (SIDE),
          .BURST(BURST)
      ) split (
          .clk,
          .rst,
          .segment_valid,
          .segment_ready,
          .segment_address,
          .segment_bytes,
          .segment_last,
          .segment_side ({packet_error, packet_tag, packet_bytes, segment_refused}),
          .burst_valid  (burst_valid[c]),
          .burst_ready  (burst_ready[c]),
          .burst_address(burst_address[c*64+:64]),
          .burst_bytes  (burst_bytes[c*BYTES+:BYTES]),
          .burst_last   (burst_last[c]),
          .burst_side   (burst_side[c*SIDE+:SIDE])
      );
      assign burst_refused[c] = burst_side[c*SIDE];
      assign segment_moves[c] = segment_valid && segment_ready;
    end
  endgenerate

  // ---- bursts to the bus
  logic [CHANNELS-1:0] may_claim, may_issue, order_ready;
  logic [CHANNEL-1:0] issue_channel;
  logic [SLOT-1:0] next_slot;
  logic issue, issue_refused, address_free;
  logic [63:0] issue_address;
  logic [BYTES-1:0] issue_bytes;

  assign address_free = !bus_arvalid || bus_arready;
  assign may_issue = burst_valid & order_ready & (burst_refused | (may_claim & {CHANNELS{address_free}}));
  round_robin #(
      .N(CHANNELS)
  ) issuer (
      .clk,
      .rst,
      .request(may_issue),
      .taken(1'b1),
      .valid(issue),
      .grant(issue_channel)
  );
  assign issue_refused = burst_refused[issue_channel];
  assign issue_address = burst_address[issue_channel*64+:64];
  assign issue_bytes = burst_bytes[issue_channel*BYTES+:BYTES];
  always_comb begin
    burst_ready = '0;
    burst_ready[issue_channel] = issue;
  end

  always_ff @(posedge clk) begin
    if (bus_arready) bus_arvalid <= 1'b0;
    if (issue && !issue_refused) begin
      bus_arvalid <= 1'b1;
      bus_araddr <= {issue_address[63:6], 6'd0};
      bus_arlen <= 8'((BYTES'(issue_address[5:0]) + issue_bytes - BYTES'(1)) >> 6);
      bus_arid <= next_slot;
    end
    if (rst) bus_arvalid <= 1'b0;
  end

  // ---- slots and their lines
  logic [LINE-1:0] line_index;
  logic [SLOTS*(LINE+1)-1:0] received;
  logic slots_idle, release_slot;
  logic [SLOT-1:0] released;
  logic [CHANNEL-1:0] walk_channel;

  dma_slots #(
      .CHANNELS(CHANNELS),
      .RESERVED(RESERVED),
      .SLOTS(SLOTS),
      .LINES(LINES),
      .DEPENDENT(DEPENDENT)
  ) slots (
      .clk,
      .rst,
      .may_claim,
      .next_slot,
      .claim(issue && !issue_refused),
      .claim_channel(issue_channel),
      .release_slot,
      .released,
      .release_channel(walk_channel),
      .line_valid(bus_rvalid),
      .line_slot(bus_rid),
      .line_index,
      .received,
      .idle(slots_idle)
  );

  logic [512:0] lines[SLOTS*LINES];
  logic [512:0] line;
  logic [SLOT+LINE-1:0] line_at;
  assign bus_rready = 1'b1;
  always_ff @(posedge clk) begin
    if (bus_rvalid) lines[{bus_rid, line_index}] <= {bus_rresp != 2'b00, bus_rdata};
    if (walk) line <= lines[line_at];
  end

  // ---- the order of each channel's bursts, and where the walk through it is
  logic [CHANNELS-1:0] order_valid, order_taken, have_line, may_walk, flush, started, room;
  logic [CHANNELS*ORDER-1:0] order_data;
  logic [BYTES-1:0] walked[CHANNELS];  // bytes of the burst at the head
  logic [5:0] filled[CHANNELS];  // bytes that are no whole beat yet
  logic [LINE-1:0] walk_line[CHANNELS];

  generate
    for (c = 0; c < CHANNELS; c++) begin : order
      stream_fifo #(
          .WIDTH(ORDER),
          .DEPTH(SLOTS)
      ) bursts (
          .clk,
          .rst,
          .in_valid(issue && 32'(issue_channel) == c),
          .in_ready(order_ready[c]),
          .in_data({
            next_slot,
            burst_last[c],
            burst_address[c*64+:6],
            burst_bytes[c*BYTES+:BYTES],
            burst_side[c*SIDE+:SIDE]
          }),
          .out_valid(order_valid[c]),
          .out_ready(order_taken[c]),
          .out_data(order_data[c*ORDER+:ORDER])
      );
      logic [SLOT-1:0] slot;
      assign slot = order_data[c*ORDER+ORDER-1-:SLOT];
      assign have_line[c] = order_data[c*ORDER] || received[slot*(LINE+1)+:LINE+1] > {1'b0, walk_line[c]};
      assign may_walk[c] = room[c] && (flush[c] || (order_valid[c] && have_line[c]));
    end
  endgenerate

  // ---- the walk: one line per cycle
  logic walk, walk_flush, head_last, head_error, head_refused, burst_end, packet_end, emit;
  logic [SLOT-1:0] head_slot;
  logic [5:0] head_offset, offset, fill;
  logic [BYTES-1:0] head_bytes, burst_left;
  logic [15:0] head_tag, head_length;
  logic [6:0] take, together, beat_bytes;

  round_robin #(
      .N(CHANNELS)
  ) walker (
      .clk,
      .rst,
      .request(may_walk),
      .taken(1'b1),
      .valid(walk),
      .grant(walk_channel)
  );
  assign {head_slot, head_last, head_offset, head_bytes, head_error, head_tag, head_length, head_refused} =
      order_data[walk_channel*ORDER+:ORDER];
  assign walk_flush = flush[walk_channel];
  assign offset = walked[walk_channel] == 0 ? head_offset : 6'd0;
  assign burst_left = head_bytes - walked[walk_channel];
  assign take = burst_left < BYTES'(64) - BYTES'(offset) ? burst_left[6:0] : 7'd64 - {1'b0, offset};
  assign burst_end = burst_left == BYTES'(take);
  assign fill = filled[walk_channel];
  assign together = {1'b0, fill} + take;
  assign packet_end = burst_end && head_last;
  // A packet's end of more than a beat: the beat leaves now, the rest by a flush.
  assign emit = walk_flush || together[6] || packet_end;
  assign beat_bytes = walk_flush ? {1'b0, fill} : together[6] ? 7'd64 : together;
  assign line_at = {head_slot, walk_line[walk_channel]};
  assign release_slot = walk && !walk_flush && burst_end && !head_refused;
  assign released = head_slot;
  always_comb begin
    order_taken = '0;
    order_taken[walk_channel] = walk && !walk_flush && burst_end;
  end

  logic beat_last, together_over;
  assign together_over = together > 7'd64;
  assign beat_last = walk_flush || (packet_end && !together_over);

  always_ff @(posedge clk) begin
    if (walk) begin
      if (!walk_flush) begin
        walked[walk_channel] <= burst_end ? '0 : walked[walk_channel] + BYTES'(take);
        walk_line[walk_channel] <= burst_end ? '0 : walk_line[walk_channel] + LINE'(1);
      end
      filled[walk_channel] <= beat_last ? '0 : together[5:0];
      flush[walk_channel] <= !walk_flush && packet_end && together_over;
      started[walk_channel] <= (started[walk_channel] || emit) && !beat_last;
    end
    if (rst) begin
      flush   <= '0;
      started <= '0;
      for (int i = 0; i < CHANNELS; i++) begin
        walked[i] <= '0;
        filled[i] <= '0;
        walk_line[i] <= '0;
      end
    end
  end

  logic beat_valid, gather_idle;
  logic [CHANNEL-1:0] beat_channel;
  logic [cipu::BEAT_BITS-1:0] beat_data;

  dma_gather #(
      .CHANNELS(CHANNELS)
  ) gather (
      .clk,
      .rst,
      .step_valid(walk),
      .step_channel(walk_channel),
      .step_zero(head_refused),
      .step_offset(offset),
      .step_fill(fill),
      .step_bytes(beat_bytes),
      .step_emit(emit),
      .step_first(!started[walk_channel]),
      .step_last(beat_last),
      .step_flush(walk_flush),
      .step_error(head_error),
      .step_length(head_length),
      .step_tag(head_tag),
      .line(line[511:0]),
      .line_error(line[512]),
      .beat_valid,
      .beat_channel,
      .beat_data,
      .idle(gather_idle)
  );

  // ---- beats to the streams; room is taken when a step that gives a beat begins
  localparam int ROOM = $clog2(BEATS) + 1;
  logic [CHANNELS*ROOM-1:0] used;
`ifdef VERILATOR
  // Before the first reset nothing is known, and anything may be.
  logic began;
  initial began = 1'b0;
  always @(posedge clk) if (rst) began <= 1'b1;
`endif
  generate
    for (c = 0; c < CHANNELS; c++) begin : beats
      // There is always room.
      // verilator lint_off UNUSEDSIGNAL
      logic ready;
      // verilator lint_on UNUSEDSIGNAL
      stream_fifo #(
          .WIDTH(cipu::BEAT_BITS),
          .DEPTH(BEATS)
      ) fifo (
          .clk,
          .rst,
          .in_valid (beat_valid && 32'(beat_channel) == c),
          .in_ready (ready),
          .in_data  (beat_data),
          .out_valid(data_valid[c]),
          .out_ready(data_ready[c]),
          .out_data (data_data[c*cipu::BEAT_BITS+:cipu::BEAT_BITS])
      );
      assign room[c] = used[c*ROOM+:ROOM] != ROOM'(BEATS);
      always_ff @(posedge clk) begin
        used[c*ROOM+:ROOM] <= used[c*ROOM+:ROOM] + ROOM'(walk && emit && 32'(walk_channel) == c) - ROOM'(
            data_valid[c] && data_ready[c]);
        if (rst) used[c*ROOM+:ROOM] <= '0;
`ifdef VERILATOR
        assert (!began || rst || !(beat_valid && 32'(beat_channel) == c) || ready)
        else $error("dma_read: a beat without room");
`endif
      end
    end
  endgenerate

  assign idle = &collect_idle && burst_valid == '0 && order_valid == '0 && !bus_arvalid && slots_idle && flush == '0 &&
      gather_idle && data_valid == '0;
  assign quiet = (request_valid & request_ready) == '0 && segment_moves == '0 && !issue && !bus_arvalid && !bus_rvalid &&
      !walk && gather_idle && (data_valid & data_ready) == '0;

endmodule
