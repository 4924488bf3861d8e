// SPDX-License-Identifier: Apache-2.0
// Outstanding reads: SLOTS of them, each a bus id with room for a burst. A slot belongs to a channel from the request
// until its last line has been delivered, so data that comes always has room. One of the first RESERVED channels that
// holds none finds one free, whatever the others do: who stops, stops itself alone. The other channels share what is
// left: each slot that is kept free for a channel without reads is one less for those that are busy. Of these, a channel
// of DEPENDENT may stop until others bring something: it holds SHARE slots at most, so that all of them leave some.
module dma_slots #(
    parameter int CHANNELS = 16,
    parameter int RESERVED = 16,
    parameter int SLOTS = 32,
    parameter int LINES = 8,  // of a burst
    parameter logic [CHANNELS-1:0] DEPENDENT = '0,
    parameter int SHARE = 12
) (
    input  logic                       clk,
    input  logic                       rst,
    output logic [       CHANNELS-1:0] may_claim,
    output logic [  $clog2(SLOTS)-1:0] next_slot,
    input  logic                       claim,
    input  logic [$clog2(CHANNELS)-1:0] claim_channel,
    input  logic                       release_slot,
    input  logic [  $clog2(SLOTS)-1:0] released,
    input  logic [$clog2(CHANNELS)-1:0] release_channel,
    // Lines come in order for each slot.
    input  logic                       line_valid,
    input  logic [  $clog2(SLOTS)-1:0] line_slot,
    output logic [  $clog2(LINES)-1:0] line_index,
    output logic [(SLOTS*($clog2(LINES)+1))-1:0] received,  // lines, by slot
    output logic                       idle
);

  localparam int SLOT = $clog2(SLOTS);
  localparam int COUNT = $clog2(LINES) + 1;
  localparam int HELD = $clog2(SLOTS) + 1;

  initial
    if (SLOTS <= RESERVED || RESERVED > CHANNELS || CHANNELS < 2 || LINES < 2)
      $fatal(1, "dma_slots: %0d slots of %0d lines for %0d channels, expected more than the %0d that are reserved", SLOTS,
             LINES, CHANNELS, RESERVED);

  initial
    if ($countones(DEPENDENT) * SHARE >= SLOTS - RESERVED)
      $fatal(1, "dma_slots: %0d dependent channels of %0d slots, expected less than %0d in all", $countones(DEPENDENT),
             SHARE, SLOTS - RESERVED);

  logic [SLOTS-1:0] busy;
  logic [CHANNELS*HELD-1:0] held;  // slots by channel
  logic [HELD-1:0] free_count;
  logic [$clog2(CHANNELS):0] poor_count;  // channels with a reservation that hold none

  always_comb begin
    next_slot  = '0;
    free_count = '0;
    poor_count = '0;
    for (int i = SLOTS - 1; i >= 0; i--) begin
      if (!busy[i]) begin
        next_slot  = SLOT'(i);
        free_count = free_count + HELD'(1);
      end
    end
    for (int i = 0; i < RESERVED; i++)
      if (held[i*HELD+:HELD] == 0) poor_count = poor_count + ($clog2(CHANNELS) + 1)'(1);
    for (int i = 0; i < CHANNELS; i++)
      may_claim[i] = i < RESERVED && held[i*HELD+:HELD] == 0 ? free_count != 0 :
          32'(free_count) > 32'(poor_count) && (!DEPENDENT[i] || 32'(held[i*HELD+:HELD]) < SHARE);
  end

  assign line_index = received[line_slot*COUNT+:COUNT-1];
  assign idle = busy == '0;

  always_ff @(posedge clk) begin
    if (line_valid) received[line_slot*COUNT+:COUNT] <= received[line_slot*COUNT+:COUNT] + COUNT'(1);
    if (release_slot) busy[released] <= 1'b0;
    if (claim) begin
      busy[next_slot] <= 1'b1;
      received[next_slot*COUNT+:COUNT] <= '0;
    end
    if (claim || release_slot)
      for (int i = 0; i < CHANNELS; i++)
        held[i*HELD+:HELD] <= held[i*HELD+:HELD] + HELD'(claim && 32'(claim_channel) == i) - HELD'(
          release_slot && 32'(release_channel) == i);
    if (rst) begin
      busy <= '0;
      held <= '0;
      received <= '0;
    end
  end

endmodule
