// SPDX-License-Identifier: Apache-2.0
// A monitor for each stream of beats and the watchdog of them all, read word by word as the register file shows them
// (struct stream_registers).
module stream_monitors #(
    parameter int STREAMS = cipu::MONITOR_STREAMS,
    parameter int LIMIT   = 1000000
) (
    input  logic                          clk,
    input  logic                          rst,
    input  logic [           STREAMS-1:0] valid,
    input  logic [           STREAMS-1:0] ready,
    input  logic [           STREAMS-1:0] last,
    input  logic [         STREAMS*7-1:0] bytes,
    input  logic [$clog2(STREAMS)+3-1:0] word,   // {stream, register}
    output logic [                  31:0] value,
    output logic [           STREAMS-1:0] stuck,
    output logic                          idle
);

  logic watchdog_idle;
  logic [STREAMS*64-1:0] packets, total, stalls;
  logic [31:0] at;
  assign idle = valid == '0 && watchdog_idle;

  assign at = 32'(word[$clog2(STREAMS)+2:3]) * 64;
  always_comb begin
    case (word[2:0])
      0: value = packets[at+:32];
      1: value = packets[at+32+:32];
      2: value = total[at+:32];
      3: value = total[at+32+:32];
      4: value = stalls[at+:32];
      5: value = stalls[at+32+:32];
      default: value = '0;
    endcase
  end

  watchdog #(
      .STREAMS(STREAMS),
      .LIMIT  (LIMIT)
  ) watchdog (
      .clk,
      .rst,
      .valid,
      .ready,
      .stuck,
      .idle(watchdog_idle)
  );

  genvar s;
  generate
    for (s = 0; s < STREAMS; s++) begin : streams
      stream_monitor monitor (
          .clk,
          .rst,
          .valid(valid[s]),
          .ready(ready[s]),
          .last (last[s]),
          .bytes(bytes[s*7+:7]),
          .packets(packets[s*64+:64]),
          .total(total[s*64+:64]),
          .stalls(stalls[s*64+:64])
      );
    end
  endgenerate

endmodule
