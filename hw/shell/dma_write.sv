// SPDX-License-Identifier: Apache-2.0
// The writing half of the DMA master: CHANNELS independent channels of requests, packed beats and done records
// (hls/include/dma.h) on one AXI4 write port of 64-byte lines.
//
// Requests are cut into bursts. Beats of all channels go to one buffer, a beat per cycle; a burst begins when all its
// beats are there, so that no channel holds the bus while its kernel thinks. A channel's bursts have its number as id:
// the bus keeps their order.
module dma_write #(
    parameter int CHANNELS = 16,
    parameter int BEATS = 16,  // buffered for a channel: a burst of 512 bytes needs nine
    parameter int BURSTS = 64,  // of a channel, on their way: 0.8 of one in a cycle, at 80 cycles for an answer
    // The channel whose data comes from memory, CHANNELS = none: an error in a packet's last beat becomes an error of its
    // done record. Each of its packets is one of the requests, too.
    parameter int MOVES = CHANNELS
) (
    input  logic                                       clk,
    input  logic                                       rst,
    input  logic [                       CHANNELS-1:0] request_valid,
    output logic [                       CHANNELS-1:0] request_ready,
    input  logic [CHANNELS*cipu::DMA_REQUEST_BITS-1:0] request_data,
    input  logic [                       CHANNELS-1:0] data_valid,
    output logic [                       CHANNELS-1:0] data_ready,
    // A beat's sideband says nothing here: the requests count the bytes.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [       CHANNELS*cipu::BEAT_BITS-1:0] data_data,
    // verilator lint_on UNUSEDSIGNAL
    output logic [                       CHANNELS-1:0] done_valid,
    input  logic [                       CHANNELS-1:0] done_ready,
    output logic [   CHANNELS*cipu::DMA_DONE_BITS-1:0] done_data,

    output logic [                63:0] bus_awaddr,
    output logic [                 7:0] bus_awlen,
    output logic [$clog2(CHANNELS)-1:0] bus_awid,
    output logic                        bus_awvalid,
    input  logic                        bus_awready,
    output logic [               511:0] bus_wdata,
    output logic [                63:0] bus_wstrb,
    output logic                        bus_wlast,
    output logic                        bus_wvalid,
    input  logic                        bus_wready,
    input  logic [$clog2(CHANNELS)-1:0] bus_bid,
    input  logic [                 1:0] bus_bresp,
    input  logic                        bus_bvalid,
    output logic                        bus_bready,
    output logic                        idle
);

  localparam int CHANNEL = $clog2(CHANNELS);
  localparam int BEAT = $clog2(BEATS);
  localparam int SIDE = 16 + 16 + 1;  // tag, function, refused
  localparam int WAITING = 32;        // lines that wait for the bus

  initial
    if (CHANNELS < 2 || BEATS < 16 || (BEATS & (BEATS - 1)) != 0)
      $fatal(1, "dma_write: CHANNELS %0d, BEATS %0d, expected at least 2, and a power of two from 16", CHANNELS, BEATS);

  // ---- requests to bursts
  logic [CHANNELS-1:0] burst_valid, burst_ready, burst_last, burst_refused, may_begin, enough, done_idle, tracked;
  logic [CHANNELS*64-1:0] burst_address;
  logic [CHANNELS*10-1:0] burst_bytes;
  logic [CHANNELS*SIDE-1:0] burst_side;
  logic begin_burst, begin_refused;
  logic [CHANNEL-1:0] begin_channel;

  // ---- each channel's place in the buffer: beats [released, tail) are held, [head, tail) are not used up
  logic [CHANNELS*(BEAT+1)-1:0] tail, head, released;
  logic [CHANNELS*6-1:0] position;  // first unused byte of the head beat
  logic [CHANNELS-1:0] space;

  // verilator lint_off UNUSEDSIGNAL
  cipu::beat_t moved;
  // verilator lint_on UNUSEDSIGNAL
  assign moved = data_data[(MOVES<CHANNELS?MOVES : 0)*cipu::BEAT_BITS+:cipu::BEAT_BITS];

`ifdef VERILATOR
  // Before the first reset nothing is known, and anything may be.
  logic began;
  initial began = 1'b0;
  always @(posedge clk) if (rst) began <= 1'b1;
`endif

  genvar c;
  generate
    for (c = 0; c < CHANNELS; c++) begin : channel
      logic window, last, refused, segment_ready;
      logic [63:0] address;
      logic [16:0] bytes;
      logic [15:0] tag, issuer;
      dma_segment segment (
          .request_data(request_data[c*cipu::DMA_REQUEST_BITS+:cipu::DMA_REQUEST_BITS]),
          .window,
          .last,
          .refused,
          .address,
          .bytes,
          .tag,
          .issuer
      );
      assign request_ready[c] = window || segment_ready;

      dma_split #(
          .SIDE(SIDE)
      ) split (
          .clk,
          .rst,
          .segment_valid(request_valid[c] && !window),
          .segment_ready,
          .segment_address(address),
          .segment_bytes(bytes),
          .segment_last(last),
          .segment_side({tag, issuer, refused}),
          .burst_valid(burst_valid[c]),
          .burst_ready(burst_ready[c]),
          .burst_address(burst_address[c*64+:64]),
          .burst_bytes(burst_bytes[c*10+:10]),
          .burst_last(burst_last[c]),
          .burst_side(burst_side[c*SIDE+:SIDE])
      );
      assign burst_refused[c] = burst_side[c*SIDE];

      logic [BEAT:0] here, held;
      logic [10:0] reach;
      assign here = tail[c*(BEAT+1)+:BEAT+1] - head[c*(BEAT+1)+:BEAT+1];
      assign held = tail[c*(BEAT+1)+:BEAT+1] - released[c*(BEAT+1)+:BEAT+1];
      assign reach = {5'd0, position[c*6+:6]} + {1'b0, burst_bytes[c*10+:10]};
      assign enough[c] = {here, 6'd0} >= (BEAT + 7)'(reach);
      assign space[c] = held != (BEAT + 1)'(BEATS);

      logic data_error;
      // verilator lint_off UNUSEDSIGNAL
      logic packet_taken;
      // verilator lint_on UNUSEDSIGNAL
      if (c == MOVES) begin : errors
        // verilator lint_off UNUSEDSIGNAL
        logic error_ready;
        // verilator lint_on UNUSEDSIGNAL
        logic spoilt, error_valid;
        assign data_error = error_valid && spoilt;
        stream_fifo #(
            .WIDTH(1),
            .DEPTH(2 * BURSTS)
        ) packets (
            .clk,
            .rst,
            .in_valid (data_valid[c] && data_ready[c] && moved.meta.last != 0),
            .in_ready (error_ready),
            .in_data  (moved.meta.error != 0),
            .out_valid(error_valid),
            .out_ready(packet_taken),
            .out_data (spoilt)
        );
`ifdef VERILATOR
        always_ff @(posedge clk)
          assert (!began || rst || !data_valid[c] || error_ready)
          else $error("dma_write: more packets than bursts");
`endif
      end else begin : no_errors
        assign data_error = 1'b0;
      end

      dma_done #(
          .BURSTS(BURSTS)
      ) finish (
          .clk,
          .rst,
          .burst_valid(begin_burst && 32'(begin_channel) == c),
          .burst_ready(tracked[c]),
          .burst_refused(burst_refused[c]),
          .burst_last(burst_last[c]),
          .burst_tag(burst_side[c*SIDE+17+:16]),
          .burst_function(burst_side[c*SIDE+1+:16]),
          .response_valid(bus_bvalid && 32'(bus_bid) == c),
          .response_error(bus_bresp != 2'b00),
          .data_error,
          .packet_taken,
          .done_valid(done_valid[c]),
          .done_ready(done_ready[c]),
          .done_data(done_data[c*cipu::DMA_DONE_BITS+:cipu::DMA_DONE_BITS]),
          .idle(done_idle[c])
      );
    end
  endgenerate
  assign bus_bready = 1'b1;

  // ---- beats into the buffer: even ones in one RAM, odd ones in the other, so that two neighbours are read at once
  logic store;
  logic [CHANNEL-1:0] store_channel;
  logic [BEAT-1:0] store_beat;
  logic [511:0] store_data;
  round_robin #(
      .N(CHANNELS)
  ) storer (
      .clk,
      .rst,
      .request(data_valid & space),
      .taken(1'b1),
      .valid(store),
      .grant(store_channel)
  );
  assign store_beat = tail[store_channel*(BEAT+1)+:BEAT];
  assign store_data = data_data[store_channel*cipu::BEAT_BITS+:512];
  always_comb begin
    data_ready = '0;
    data_ready[store_channel] = store;
  end

  logic [511:0] even[CHANNELS*BEATS/2];
  logic [511:0] odd[CHANNELS*BEATS/2];
  logic [511:0] even_beat, odd_beat;
  logic [CHANNEL+BEAT-2:0] even_at, odd_at;
  always_ff @(posedge clk) begin
    if (store && !store_beat[0]) even[{store_channel, store_beat[BEAT-1:1]}] <= store_data;
    if (store && store_beat[0]) odd[{store_channel, store_beat[BEAT-1:1]}] <= store_data;
    if (step) begin
      even_beat <= even[even_at];
      odd_beat  <= odd[odd_at];
    end
  end

  // ---- the burst in progress
  logic active, step, final_line, address_free, has_room;
  logic [CHANNEL-1:0] active_channel;
  logic [BEAT:0] active_head, active_end;
  logic [5:0] active_from, active_to;
  logic [9:0] active_left;
  logic [6:0] take, reach;

  assign take = active_left < 10'd64 - {4'd0, active_to} ? active_left[6:0] : 7'd64 - {1'b0, active_to};
  assign reach = {1'b0, active_from} + take;
  assign final_line = active_left == {3'd0, take};
  assign step = active && has_room;
  assign even_at = {active_channel, active_head[BEAT-1:1] + (BEAT - 1)'(active_head[0])};
  assign odd_at = {active_channel, active_head[BEAT-1:1]};

  // ---- the next one
  logic [63:0] begin_address;
  logic [9:0] begin_bytes;
  logic [10:0] begin_reach;
  logic [BEAT:0] begin_head, begin_end;
  assign address_free = !bus_awvalid || bus_awready;
  assign may_begin = burst_valid & enough & tracked & (burst_refused | {CHANNELS{address_free}}) &
      {CHANNELS{!active || (step && final_line)}};
  round_robin #(
      .N(CHANNELS)
  ) beginner (
      .clk,
      .rst,
      .request(may_begin),
      .taken(1'b1),
      .valid(begin_burst),
      .grant(begin_channel)
  );
  assign begin_refused = burst_refused[begin_channel];
  assign begin_address = burst_address[begin_channel*64+:64];
  assign begin_bytes = burst_bytes[begin_channel*10+:10];
  assign begin_reach = {5'd0, position[begin_channel*6+:6]} + {1'b0, begin_bytes};
  assign begin_head = head[begin_channel*(BEAT+1)+:BEAT+1];
  // A packet's end uses its beat up.
  assign begin_end = begin_head + (BEAT + 1)'(begin_reach[10:6]) + (BEAT + 1)'(
      burst_last[begin_channel] && begin_reach[5:0] != 0);
  always_comb begin
    burst_ready = '0;
    burst_ready[begin_channel] = begin_burst;
  end

  always_ff @(posedge clk) begin
    if (store) tail[store_channel*(BEAT+1)+:BEAT+1] <= tail[store_channel*(BEAT+1)+:BEAT+1] + (BEAT + 1)'(1);
    if (bus_awready) bus_awvalid <= 1'b0;
    if (step) begin
      active_head <= active_head + (BEAT + 1)'(reach[6]);
      active_from <= reach[5:0];
      active_to   <= '0;
      active_left <= active_left - {3'd0, take};
      // Beat by beat, so that the next burst's come in meanwhile.
      released[active_channel*(BEAT+1)+:BEAT+1] <= final_line ? active_end : active_head + (BEAT + 1)'(reach[6]);
      if (final_line) active <= 1'b0;
    end
    if (begin_burst) begin
      head[begin_channel*(BEAT+1)+:BEAT+1] <= begin_end;
      position[begin_channel*6+:6] <= burst_last[begin_channel] ? '0 : begin_reach[5:0];
      if (begin_refused) begin
        released[begin_channel*(BEAT+1)+:BEAT+1] <= begin_end;
      end else begin
        active <= 1'b1;
        active_channel <= begin_channel;
        active_head <= begin_head;
        active_end <= begin_end;
        active_from <= position[begin_channel*6+:6];
        active_to <= begin_address[5:0];
        active_left <= begin_bytes;
        bus_awvalid <= 1'b1;
        bus_awaddr <= {begin_address[63:6], 6'd0};
        bus_awlen <= 8'(({4'd0, begin_address[5:0]} + begin_bytes - 10'd1) >> 6);
        bus_awid <= begin_channel;
      end
    end
    if (rst) begin
      active <= 1'b0;
      bus_awvalid <= 1'b0;
      tail <= '0;
      head <= '0;
      released <= '0;
      position <= '0;
    end
  end

  // ---- lines to the bus
  logic line_valid, line_last, swapped;
  logic [511:0] line_data, first_beat, second_beat;
  logic [63:0] line_enable;
  always_ff @(posedge clk) swapped <= active_head[0];
  assign first_beat = swapped ? odd_beat : even_beat;
  assign second_beat = swapped ? even_beat : odd_beat;
  dma_scatter scatter (
      .clk,
      .rst,
      .step_valid(step),
      .step_from(active_from),
      .step_to(active_to),
      .step_bytes(take),
      .step_last(final_line),
      .first_beat,
      .second_beat,
      .line_valid,
      .line_last,
      .line_data,
      .line_enable
  );

  // Room is taken when a line's step begins, so there always is some.
  localparam int ROOM = $clog2(WAITING) + 1;
  logic [ROOM-1:0] used;
  // verilator lint_off UNUSEDSIGNAL
  logic line_ready;
  // verilator lint_on UNUSEDSIGNAL
  stream_fifo #(
      .WIDTH(577),
      .DEPTH(WAITING)
  ) lines (
      .clk,
      .rst,
      .in_valid (line_valid),
      .in_ready (line_ready),
      .in_data  ({line_last, line_enable, line_data}),
      .out_valid(bus_wvalid),
      .out_ready(bus_wready),
      .out_data ({bus_wlast, bus_wstrb, bus_wdata})
  );
  assign has_room = used != ROOM'(WAITING);
  always_ff @(posedge clk) begin
    used <= used + ROOM'(step) - ROOM'(bus_wvalid && bus_wready);
    if (rst) used <= '0;
`ifdef VERILATOR
    assert (!began || rst || !line_valid || line_ready)
    else $error("dma_write: a line without room");
`endif
  end

  assign idle = request_valid == '0 && burst_valid == '0 && !store && !active && !bus_awvalid && used == '0 &&
      (&done_idle);

endmodule
