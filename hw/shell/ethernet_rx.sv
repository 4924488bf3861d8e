// SPDX-License-Identifier: Apache-2.0
// From the MAC, which cannot wait, to beats. A frame is passed on when it is whole, because its first beat carries the
// length. Frames that are spoilt, shorter or longer than a packet may be, or find no room, are dropped and counted. A frame
// that is on the wire while the card is reset is lost to its end: its rest is no frame.
module ethernet_rx #(
    parameter int PORT  = 0,
    parameter int BEATS = 512
) (
    input  logic                       clk,
    input  logic                       rst,              // of the platform
    input  logic                       clear,            // the card is reset
    input  logic                       mac_valid,
    input  logic [              511:0] mac_data,
    input  logic [                6:0] mac_bytes,        // 64 but in the last word
    input  logic                       mac_last,
    input  logic                       mac_error,        // with last
    input  logic                       mac_lost,         // a frame was lost before it came here
    output logic                       out_valid,
    input  logic                       out_ready,
    output logic [cipu::BEAT_BITS-1:0] out_data,
    output logic                       mac_pause,        // half full: the other end should wait (IEEE 802.3, 31B)
    output logic [               31:0] received_packets,
    output logic [               31:0] received_dropped,
    output logic                       idle
);

  logic room, keep, keep_ready, partial, lost, lost_now, good;
  logic [15:0] length, total, out_length;
  logic [519:0] word;
  logic first;

  assign total = (partial ? length : 16'd0) + {9'd0, mac_bytes};
  assign lost_now = (partial && lost) || !room || total > cipu::PACKET_BYTES_MAX;
  assign good = !lost_now && !mac_error && total >= cipu::PACKET_BYTES_MIN && keep_ready;
  assign keep = mac_valid && mac_last && good;

  packet_buffer #(
      .WIDTH(520),
      .NOTE (16),
      .BEATS(BEATS)
  ) buffer (
      .clk,
      .rst(rst || clear),
      .write(mac_valid && !lost_now),
      .write_data({mac_last, mac_bytes, mac_data}),
      .room,
      .half(mac_pause),
      .keep,
      .keep_ready,
      .keep_note(total),
      .forget(mac_valid && mac_last && !good),
      .out_valid,
      .out_ready,
      .out_data(word),
      .out_note(out_length),
      .out_last(word[519]),
      .idle
  );

  cipu::beat_t beat;
  logic [511:0] beyond;
  assign beyond = word[518] ? '0 : {512{1'b1}} << {word[517:512], 3'b000};
  always_comb begin
    beat = '0;
    beat.data = word[511:0] & ~beyond;
    beat.meta.bytes = {1'b0, word[518:512]};
    beat.meta.last = {7'd0, word[519]};
    if (first) begin
      beat.meta.length = out_length;
      beat.meta.source = cipu::ENDPOINT_PORT;
      beat.meta.source_id = 16'(PORT);
    end
  end
  assign out_data = beat;

  always_ff @(posedge clk) begin
    if (mac_valid) begin
      partial <= !mac_last;
      length <= total > cipu::PACKET_BYTES_MAX ? 16'd65000 : total;  // never becomes good again
      lost   <= lost_now;
    end
    received_packets <= received_packets + 32'(keep);
    received_dropped <= received_dropped + 32'(mac_valid && mac_last && !good) + 32'(mac_lost);
    if (out_valid && out_ready) first <= word[519];
    if (rst) partial <= 1'b0;
    if (rst || clear) begin
      lost <= 1'b1;
      first <= 1'b1;
      received_packets <= '0;
      received_dropped <= '0;
    end
  end

endmodule
