// SPDX-License-Identifier: Apache-2.0
// What a memory request makes of a line (hls/include/dma.h, enum memory_operation).
module memory_apply (
    input  logic [511:0] line,
    input  logic [  7:0] operation,
    input  logic [  2:0] word,
    input  logic [ 31:0] amount,
    input  logic [383:0] data,
    input  logic [ 31:0] time_ms,
    output logic [511:0] result
);

  cipu::flow_entry_t entry, counted;
  logic [511:0] replaced;
  assign entry = line;
  always_comb begin
    counted = entry;
    counted.packets = entry.packets + 32'd1;
    counted.bytes = entry.bytes + {32'd0, amount};
    counted.last_seen = time_ms == 0 ? 32'd1 : time_ms;  // 0 = no packet yet
  end
  always_comb begin
    replaced = line;
    replaced[word*64+:64] = data[63:0];
  end

  always_comb begin
    case (operation)
      cipu::MEMORY_WRITE: result = {128'd0, data};
      cipu::MEMORY_WRITE_WORD: result = replaced;
      cipu::MEMORY_COUNT: result = counted;
      default: result = line;
    endcase
  end

endmodule
