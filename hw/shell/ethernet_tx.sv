// SPDX-License-Identifier: Apache-2.0
// From beats to the MAC. A packet is sent when it is whole, because only its last beat says whether it is spoilt, and
// because a MAC may not be kept waiting inside a frame. Spoilt packets and those of a length that no frame has are dropped
// and counted. While `mac_pause` or `quiesce` is set no new frame begins.
module ethernet_tx #(
    parameter int BEATS = 512
) (
    input  logic                       clk,
    input  logic                       rst,
    input  logic                       in_valid,
    output logic                       in_ready,
    // Of the sideband only bytes, last and error matter here.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [cipu::BEAT_BITS-1:0] in_data,
    // verilator lint_on UNUSEDSIGNAL
    input  logic                       mac_pause,        // the other end asks for it
    input  logic                       quiesce,          // the card is about to be reset
    output logic                       between,          // no frame is under way
    output logic                       mac_valid,
    input  logic                       mac_ready,
    output logic [              511:0] mac_data,
    output logic [                6:0] mac_bytes,
    output logic                       mac_last,
    input  logic                       mac_lost,         // a frame that the MAC had taken was lost there
    output logic [               31:0] sent_packets,
    output logic [               31:0] send_dropped,
    output logic                       idle
);

  initial
    if (BEATS * 64 < 2 * cipu::PACKET_BYTES_MAX)
      $fatal(1, "ethernet_tx: BEATS is %0d, expected room for two of the longest packets", BEATS);

  // verilator lint_off UNUSEDSIGNAL
  cipu::beat_t beat;
  logic half;
  logic [0:0] note;
  // verilator lint_on UNUSEDSIGNAL
  logic room, keep_ready, spoilt, spoilt_now, last, good, move, outside, offered, word_valid;
  logic [6:0] bytes;
  logic [15:0] length, total;
  logic [519:0] word;

  assign beat = in_data;
  assign last = beat.meta.last != 0;
  assign bytes = beat.meta.bytes < 64 ? beat.meta.bytes[6:0] : 7'd64;
  assign total = length + {9'd0, bytes};
  assign spoilt_now = spoilt || total > cipu::PACKET_BYTES_MAX;
  assign good = !spoilt_now && beat.meta.error == 0 && total >= cipu::PACKET_BYTES_MIN;
  assign in_ready = spoilt_now || (room && keep_ready);
  assign move = in_valid && in_ready;

  packet_buffer #(
      .WIDTH(520),
      .NOTE (1),
      .BEATS(BEATS)
  ) buffer (
      .clk,
      .rst,
      .write(move && !spoilt_now),
      .write_data({last, bytes, beat.data}),
      .room,
      .half,
      .keep(move && last && good),
      .keep_ready,
      .keep_note(1'b0),
      .forget(move && last && !good),
      .out_valid(word_valid),
      .out_ready(mac_ready && mac_valid),
      .out_data(word),
      .out_note(note),
      .out_last(word[519]),
      .idle
  );
  assign mac_valid = word_valid && (!outside || !(mac_pause || quiesce) || offered);
  assign between = outside && !offered;
  assign {mac_last, mac_bytes, mac_data} = word;

  always_ff @(posedge clk) begin
    if (move) begin
      length <= last ? '0 : spoilt_now ? length : total;
      spoilt <= !last && spoilt_now;
    end
    sent_packets <= sent_packets + 32'(mac_valid && mac_ready && mac_last) - 32'(mac_lost);
    send_dropped <= send_dropped + 32'(move && last && !good) + 32'(mac_lost);
    if (mac_valid && mac_ready) outside <= mac_last;
    offered <= mac_valid && !mac_ready;
    if (rst) begin
      length <= '0;
      spoilt <= 1'b0;
      outside <= 1'b1;
      offered <= 1'b0;
      sent_packets <= '0;
      send_dropped <= '0;
    end
  end

endmodule
