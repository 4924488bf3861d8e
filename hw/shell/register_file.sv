// SPDX-License-Identifier: Apache-2.0
// The register file (hls/include/registers.h) behind AXI4-Lite: one access at a time. Offsets and values come from the C
// headers. A ring's setting leaves as a record when its `enable` is written; the write is answered when it has found room.
// A read is answered in the second cycle, so that the streams' counters may be far away.
module register_file #(
    parameter int CLOCK_KHZ = 250000,
    parameter int STUCK_CYCLES = 1000000
) (
    input  logic        clk,
    input  logic        rst,
    input  logic        clear,         // the card is reset: rings are stopped, accesses go on
    input  logic [15:0] lite_awaddr,
    input  logic        lite_awvalid,
    output logic        lite_awready,
    input  logic [31:0] lite_wdata,
    // Registers are written whole.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [ 3:0] lite_wstrb,
    // verilator lint_on UNUSEDSIGNAL
    input  logic        lite_wvalid,
    output logic        lite_wready,
    output logic [ 1:0] lite_bresp,
    output logic        lite_bvalid,
    input  logic        lite_bready,
    input  logic [15:0] lite_araddr,
    input  logic        lite_arvalid,
    output logic        lite_arready,
    output logic [31:0] lite_rdata,
    output logic [ 1:0] lite_rresp,
    output logic        lite_rvalid,
    input  logic        lite_rready,

    output logic                               rings_valid,
    input  logic                               rings_ready,
    output logic [cipu::RING_SETTING_BITS-1:0] rings_data,
    output logic                               settings_pending,
    output logic                               reset_request,     // for one cycle
    input  logic                               reset_busy,
    output logic                               idle,
    // By port: link, packets received, dropped, packets sent, dropped.
    input  logic [cipu::CARD_PORTS*5*32-1:0]   port_registers,
    output logic [8:0]                         monitor_word,      // {stream, register}
    input  logic [31:0]                        monitor_value,
    input  logic [cipu::MONITOR_STREAMS-1:0]   stuck
);

  localparam int RING_BYTES = cipu::RING_REGISTERS_BITS / 8;
  localparam int RING_FIRST = cipu::RINGS_BLOCK_OFFSET + cipu::RINGS_BLOCK_RING_AT;
  localparam int RING_END = RING_FIRST + cipu::RING_COUNT * RING_BYTES;
  localparam int PORT_BYTES = cipu::PORT_REGISTERS_BITS / 8;
  localparam int PORT_FIRST = cipu::PORTS_BLOCK_OFFSET + cipu::PORTS_BLOCK_PORT_AT;
  localparam int PORT_END = PORT_FIRST + cipu::CARD_PORTS * PORT_BYTES;
  localparam int STREAM_FIRST = cipu::STREAMS_BLOCK_OFFSET + cipu::STREAMS_BLOCK_STREAM_AT;
  localparam int STREAM_END = STREAM_FIRST + cipu::MONITOR_STREAMS * cipu::STREAM_REGISTERS_BITS / 8;

  // ---- writes
  logic write, write_ready, ring_write, enable_write, setting_ready;
  logic [31:0] write_at, ring_number, ring_register;
  logic [63:0] entries[cipu::RING_COUNT];
  logic [63:0] index[cipu::RING_COUNT];
  logic [31:0] entries_log2[cipu::RING_COUNT];
  logic [cipu::RING_COUNT-1:0] enabled;

  assign write_at = {16'd0, lite_awaddr};
  assign ring_write = write_at >= RING_FIRST && write_at < RING_END && write_at[1:0] == 0;
  assign ring_number = (write_at - RING_FIRST) / RING_BYTES;
  assign ring_register = (write_at - RING_FIRST) % RING_BYTES;
  assign enable_write = ring_write && ring_register == cipu::RING_REGISTERS_ENABLE_AT;
  assign write_ready = (!lite_bvalid || lite_bready) && (!enable_write || setting_ready);
  assign write = lite_awvalid && lite_wvalid && write_ready;
  assign lite_awready = lite_wvalid && write_ready;
  assign lite_wready = lite_awvalid && write_ready;
  assign lite_bresp = 2'b00;

  logic [2:0] ring;
  assign ring = ring_number[2:0];
  always_ff @(posedge clk) begin
    if (lite_bready) lite_bvalid <= 1'b0;
    if (write) lite_bvalid <= 1'b1;
    if (write && ring_write) begin
      case (ring_register)
        cipu::RING_REGISTERS_ENTRIES_LOW_AT: entries[ring][31:0] <= lite_wdata;
        cipu::RING_REGISTERS_ENTRIES_HIGH_AT: entries[ring][63:32] <= lite_wdata;
        cipu::RING_REGISTERS_INDEX_LOW_AT: index[ring][31:0] <= lite_wdata;
        cipu::RING_REGISTERS_INDEX_HIGH_AT: index[ring][63:32] <= lite_wdata;
        cipu::RING_REGISTERS_ENTRIES_LOG2_AT:
        entries_log2[ring] <= lite_wdata < cipu::RING_ENTRIES_LOG2_MAX ? lite_wdata : cipu::RING_ENTRIES_LOG2_MAX;
        cipu::RING_REGISTERS_ENABLE_AT: enabled[ring] <= lite_wdata[0];
        default: ;
      endcase
    end
    reset_request <= write && write_at == cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_RESET_AT && lite_wdata[0];
    if (rst) begin
      lite_bvalid <= 1'b0;
      reset_request <= 1'b0;
    end
    if (rst || clear) begin
      enabled <= '0;
      for (int i = 0; i < cipu::RING_COUNT; i++) begin
        entries[i] <= '0;
        index[i] <= '0;
        entries_log2[i] <= '0;
      end
    end
  end

  // ---- settings
  cipu::ring_setting_t setting;
  always_comb begin
    setting = '0;
    setting.entries = entries[ring];
    setting.index = index[ring];
    setting.entries_log2 = entries_log2[ring];
    setting.ring = ring_number;
    setting.enabled = {31'd0, lite_wdata[0]};
  end
  stream_fifo #(
      .WIDTH(cipu::RING_SETTING_BITS),
      .DEPTH(8)
  ) settings (
      .clk,
      .rst(rst || clear),
      .in_valid (lite_awvalid && lite_wvalid && enable_write && (!lite_bvalid || lite_bready)),
      .in_ready (setting_ready),
      .in_data  (setting),
      .out_valid(rings_valid),
      .out_ready(rings_ready),
      .out_data (rings_data)
  );
  assign settings_pending = rings_valid || (write && enable_write);

  logic reading;
  assign idle = !lite_awvalid && !lite_arvalid && !lite_bvalid && !reading && !lite_rvalid && !rings_valid && !reset_request;

  // ---- reads
  logic [31:0] read_at, value, port_register, read_register;
  logic [2:0] read_ring;
  logic port_number;
  assign monitor_word = 9'((read_at - STREAM_FIRST) / 4);
  assign port_number = 1'((read_at - PORT_FIRST) / PORT_BYTES);
  assign port_register = (read_at - PORT_FIRST) % PORT_BYTES / 4;
  assign read_ring = 3'((read_at - RING_FIRST) / RING_BYTES);
  assign read_register = (read_at - RING_FIRST) % RING_BYTES;

  always_comb begin
    case (read_at)
      cipu::CARD_BLOCK_OFFSET + cipu::REGISTER_BLOCK_TYPE_AT: value = cipu::BLOCK_CARD;
      cipu::CARD_BLOCK_OFFSET + cipu::REGISTER_BLOCK_VERSION_AT: value = 1;
      cipu::CARD_BLOCK_OFFSET + cipu::REGISTER_BLOCK_LENGTH_AT: value = cipu::CARD_BLOCK_BITS / 8;
      cipu::CARD_BLOCK_OFFSET + cipu::REGISTER_BLOCK_NEXT_AT: value = cipu::RINGS_BLOCK_OFFSET;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_MAGIC_AT: value = cipu::CARD_MAGIC;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_FUNCTIONS_AT: value = cipu::CARD_FUNCTIONS;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_QUEUES_AT: value = cipu::CARD_QUEUES;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_PORTS_AT: value = cipu::CARD_PORTS;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_VECTORS_AT: value = cipu::CARD_VECTORS;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_FLOW_ENTRIES_AT: value = cipu::FLOW_ENTRIES;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_FLOW_ACTIONS_AT: value = cipu::FLOW_ACTIONS;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_CLOCK_KHZ_AT: value = CLOCK_KHZ;
      cipu::CARD_BLOCK_OFFSET + cipu::CARD_BLOCK_RESET_AT: value = {31'd0, reset_busy};
      cipu::RINGS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_TYPE_AT: value = cipu::BLOCK_RINGS;
      cipu::RINGS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_VERSION_AT: value = 1;
      cipu::RINGS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_LENGTH_AT: value = cipu::RINGS_BLOCK_BITS / 8;
      cipu::RINGS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_NEXT_AT: value = cipu::PORTS_BLOCK_OFFSET;
      cipu::PORTS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_TYPE_AT: value = cipu::BLOCK_PORTS;
      cipu::PORTS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_VERSION_AT: value = 1;
      cipu::PORTS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_LENGTH_AT: value = cipu::PORTS_BLOCK_BITS / 8;
      cipu::PORTS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_NEXT_AT: value = cipu::STREAMS_BLOCK_OFFSET;
      cipu::STREAMS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_TYPE_AT: value = cipu::BLOCK_STREAMS;
      cipu::STREAMS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_VERSION_AT: value = 1;
      cipu::STREAMS_BLOCK_OFFSET + cipu::REGISTER_BLOCK_LENGTH_AT: value = cipu::STREAMS_BLOCK_BITS / 8;
      cipu::STREAMS_BLOCK_OFFSET + cipu::STREAMS_BLOCK_STREAMS_AT: value = cipu::MONITOR_STREAMS;
      cipu::STREAMS_BLOCK_OFFSET + cipu::STREAMS_BLOCK_STUCK_CYCLES_AT: value = STUCK_CYCLES;
      cipu::STREAMS_BLOCK_OFFSET + cipu::STREAMS_BLOCK_STUCK_LOW_AT: value = stuck[31:0];
      cipu::STREAMS_BLOCK_OFFSET + cipu::STREAMS_BLOCK_STUCK_HIGH_AT: value = 32'(stuck[cipu::MONITOR_STREAMS-1:32]);
      default: value = '0;
    endcase
    if (read_at >= RING_FIRST && read_at < RING_END) begin
      case (read_register)
        cipu::RING_REGISTERS_ENTRIES_LOW_AT: value = entries[read_ring][31:0];
        cipu::RING_REGISTERS_ENTRIES_HIGH_AT: value = entries[read_ring][63:32];
        cipu::RING_REGISTERS_INDEX_LOW_AT: value = index[read_ring][31:0];
        cipu::RING_REGISTERS_INDEX_HIGH_AT: value = index[read_ring][63:32];
        cipu::RING_REGISTERS_ENTRIES_LOG2_AT: value = entries_log2[read_ring];
        cipu::RING_REGISTERS_ENABLE_AT: value = {31'd0, enabled[read_ring]};
        default: value = '0;
      endcase
    end
    if (read_at >= PORT_FIRST && read_at < PORT_END && port_register < 5)
      value = port_registers[(32'(port_number)*5+32'(port_register[2:0]))*32+:32];
    if (read_at >= STREAM_FIRST && read_at < STREAM_END) value = monitor_value;
    if (read_at >= cipu::REGISTER_FILE_BYTES || read_at[1:0] != 0) value = '1;
  end

  assign lite_arready = !reading && (!lite_rvalid || lite_rready);
  assign lite_rresp   = 2'b00;
  always_ff @(posedge clk) begin
    reading <= lite_arvalid && lite_arready;
    if (lite_arvalid && lite_arready) read_at <= {16'd0, lite_araddr};
    if (lite_rready) lite_rvalid <= 1'b0;
    if (reading) begin
      lite_rvalid <= 1'b1;
      lite_rdata  <= value;
    end
    if (rst) begin
      reading <= 1'b0;
      lite_rvalid <= 1'b0;
    end
  end

endmodule
