// SPDX-License-Identifier: Apache-2.0
// A card: the graph that cipu-graph made (card_graph) and the shell around it. What is left are neutral ports that a
// platform adapts: AXI4-Lite for registers, doorbell writes, MSI-X messages, one AXI4 master for host memory, one for
// card memory, and an Ethernet MAC at each port.
module card #(
    parameter int CLOCK_KHZ = 250000,
    parameter int STUCK_CYCLES = 1000000
) (
    input logic clk,
    input logic rst,

    input  logic [15:0] lite_awaddr,
    input  logic        lite_awvalid,
    output logic        lite_awready,
    input  logic [31:0] lite_wdata,
    input  logic [ 3:0] lite_wstrb,
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

    input  logic        doorbell_valid,
    output logic        doorbell_ready,
    input  logic [31:0] doorbell_page,
    input  logic [31:0] doorbell_index,
    input  logic [31:0] doorbell_value,
    input  logic [15:0] message_window,  // moderation, in cycles
    output logic        message_valid,
    input  logic        message_ready,
    output logic [15:0] message_data,
    input  logic [31:0] time_ms,
    input  logic [31:0] time_ns,         // card time, the low half
    input  logic [31:0] time_tick,       // card time / 1024 ns

    output logic [ 63:0] host_araddr,
    output logic [  7:0] host_arlen,
    output logic [  4:0] host_arid,
    output logic         host_arvalid,
    input  logic         host_arready,
    input  logic [511:0] host_rdata,
    input  logic [  4:0] host_rid,
    input  logic [  1:0] host_rresp,
    input  logic         host_rlast,
    input  logic         host_rvalid,
    output logic         host_rready,
    output logic [ 63:0] host_awaddr,
    output logic [  7:0] host_awlen,
    output logic [  4:0] host_awid,
    output logic         host_awvalid,
    input  logic         host_awready,
    output logic [511:0] host_wdata,
    output logic [ 63:0] host_wstrb,
    output logic         host_wlast,
    output logic         host_wvalid,
    input  logic         host_wready,
    input  logic [  4:0] host_bid,
    input  logic [  1:0] host_bresp,
    input  logic         host_bvalid,
    output logic         host_bready,

    output logic [ 63:0] memory_araddr,
    output logic [  7:0] memory_arlen,
    output logic [  4:0] memory_arid,
    output logic         memory_arvalid,
    input  logic         memory_arready,
    input  logic [511:0] memory_rdata,
    input  logic [  4:0] memory_rid,
    input  logic [  1:0] memory_rresp,
    input  logic         memory_rlast,
    input  logic         memory_rvalid,
    output logic         memory_rready,
    output logic [ 63:0] memory_awaddr,
    output logic [  7:0] memory_awlen,
    output logic [  0:0] memory_awid,
    output logic         memory_awvalid,
    input  logic         memory_awready,
    output logic [511:0] memory_wdata,
    output logic [ 63:0] memory_wstrb,
    output logic         memory_wlast,
    output logic         memory_wvalid,
    input  logic         memory_wready,
    input  logic [  0:0] memory_bid,
    input  logic [  1:0] memory_bresp,
    input  logic         memory_bvalid,
    output logic         memory_bready,

    input  logic [    cipu::CARD_PORTS-1:0] link,
    input  logic [    cipu::CARD_PORTS-1:0] mac_rx_valid,
    input  logic [cipu::CARD_PORTS*512-1:0] mac_rx_data,
    input  logic [  cipu::CARD_PORTS*7-1:0] mac_rx_bytes,
    input  logic [    cipu::CARD_PORTS-1:0] mac_rx_last,
    input  logic [    cipu::CARD_PORTS-1:0] mac_rx_error,
    input  logic [    cipu::CARD_PORTS-1:0] mac_rx_lost,
    output logic [    cipu::CARD_PORTS-1:0] mac_rx_pause,
    output logic [    cipu::CARD_PORTS-1:0] mac_tx_valid,
    input  logic [    cipu::CARD_PORTS-1:0] mac_tx_ready,
    output logic [cipu::CARD_PORTS*512-1:0] mac_tx_data,
    output logic [  cipu::CARD_PORTS*7-1:0] mac_tx_bytes,
    output logic [    cipu::CARD_PORTS-1:0] mac_tx_last,
    input  logic [    cipu::CARD_PORTS-1:0] mac_tx_pause,
    input  logic [    cipu::CARD_PORTS-1:0] mac_tx_lost,
    output logic                            core_rst,      // the card is being reset: what stands behind it may be, too
    output logic                            idle
);

  localparam int CHANNELS = 16;
  localparam int WRITE_CHANNELS = 24;
  localparam int TIMERS = 2;
  localparam int PORTS = cipu::CARD_PORTS;
  localparam int MEMORY_PORTS = 4;
  localparam int INTERRUPT_PORTS = 5;

  logic quiesce, reset_request, reset_busy, settings_pending;
  // The clock is the platform's business.
  // verilator lint_off UNUSEDSIGNAL
  logic read_quiet;
  // verilator lint_on UNUSEDSIGNAL
  logic graph_idle, read_idle, write_idle, memory_idle, doorbells_idle, interrupts_idle;
  logic registers_idle, reset_idle;
  logic [PORTS-1:0] rx_idle, tx_idle, tx_between;
  logic [PORTS*5*32-1:0] port_registers;
  localparam int STREAMS = cipu::MONITOR_STREAMS;
  logic monitors_idle;
  logic [8:0] monitor_word;
  logic [31:0] monitor_value;
  logic [STREAMS-1:0] stuck, monitor_valid, monitor_ready, monitor_last;
  logic [STREAMS*7-1:0] monitor_bytes;
  // Of a beat only these two matter here.
  // verilator lint_off UNUSEDSIGNAL
  logic [STREAMS*cipu::BEAT_BITS-1:0] monitor_data;
  cipu::beat_t monitor_beat;
  // verilator lint_on UNUSEDSIGNAL

  logic rings_valid, rings_ready;
  logic [cipu::RING_SETTING_BITS-1:0] rings_data;
  logic receive_valid, receive_ready, transmit_valid, transmit_ready, host_valid, host_ready;
  logic [cipu::DOORBELL_BITS-1:0] receive_data, transmit_data, host_data;
  logic [CHANNELS-1:0] read_request_valid, read_request_ready, read_data_valid, read_data_ready;
  logic [CHANNELS*cipu::DMA_REQUEST_BITS-1:0] read_request_data;
  logic [WRITE_CHANNELS*cipu::DMA_REQUEST_BITS-1:0] write_request_data;
  logic [CHANNELS*cipu::BEAT_BITS-1:0] read_data_data;
  logic [WRITE_CHANNELS*cipu::BEAT_BITS-1:0] write_data_data;
  logic [WRITE_CHANNELS-1:0] write_request_valid, write_request_ready, write_data_valid, write_data_ready;
  logic [WRITE_CHANNELS-1:0] write_done_valid, write_done_ready;
  logic [WRITE_CHANNELS*cipu::DMA_DONE_BITS-1:0] write_done_data;
  logic [TIMERS-1:0] wish_valid, wish_ready, tick_valid, tick_ready;
  logic [TIMERS*cipu::TIMER_REQUEST_BITS-1:0] wish_data;
  logic [TIMERS*cipu::TIMER_TICK_BITS-1:0] tick_data;
  logic block_valid, block_ready, nvme_valid, nvme_ready, timers_idle;
  logic [cipu::DOORBELL_BITS-1:0] block_data, nvme_data;
  logic [MEMORY_PORTS-1:0] lookup_valid, lookup_ready, line_valid, line_ready;
  logic [MEMORY_PORTS*cipu::MEMORY_REQUEST_BITS-1:0] lookup_data;
  logic [MEMORY_PORTS*cipu::MEMORY_LINE_BITS-1:0] line_data;
  logic [INTERRUPT_PORTS-1:0] interrupt_valid, interrupt_ready;
  logic [INTERRUPT_PORTS*cipu::INTERRUPT_REQUEST_BITS-1:0] interrupt_data;
  logic [PORTS-1:0] rx_valid, rx_ready, tx_valid, tx_ready;
  logic [PORTS*cipu::BEAT_BITS-1:0] rx_data, tx_data;

  reset_control reset_control (
      .clk,
      .rst,
      .request(reset_request),
      .bus_idle(read_idle && write_idle && memory_idle && (&tx_between)),
      .quiesce,
      .core_rst,
      .busy(reset_busy),
      .idle(reset_idle)
  );

  register_file #(
      .CLOCK_KHZ(CLOCK_KHZ),
      .STUCK_CYCLES(STUCK_CYCLES)
  ) registers (
      .clk,
      .rst,
      .clear(core_rst),
      .lite_awaddr,
      .lite_awvalid,
      .lite_awready,
      .lite_wdata,
      .lite_wstrb,
      .lite_wvalid,
      .lite_wready,
      .lite_bresp,
      .lite_bvalid,
      .lite_bready,
      .lite_araddr,
      .lite_arvalid,
      .lite_arready,
      .lite_rdata,
      .lite_rresp,
      .lite_rvalid,
      .lite_rready,
      .rings_valid,
      .rings_ready,
      .rings_data,
      .settings_pending,
      .reset_request,
      .reset_busy,
      .idle(registers_idle),
      .port_registers,
      .monitor_word,
      .monitor_value,
      .stuck
  );

  // In the order of hls/include/registers.h.
  assign monitor_valid = {write_data_valid, read_data_valid, tx_valid, rx_valid};
  assign monitor_ready = {write_data_ready, read_data_ready, tx_ready, rx_ready};
  assign monitor_data  = {write_data_data, read_data_data, tx_data, rx_data};
  always_comb
    for (int s = 0; s < STREAMS; s++) begin
      monitor_beat = monitor_data[s*cipu::BEAT_BITS+:cipu::BEAT_BITS];
      monitor_last[s] = monitor_beat.meta.last != 0;
      monitor_bytes[s*7+:7] = monitor_beat.meta.bytes[6:0];
    end
  stream_monitors #(
      .STREAMS(STREAMS),
      .LIMIT(STUCK_CYCLES)
  ) monitors (
      .clk,
      .rst(core_rst),
      .valid(monitor_valid),
      .ready(monitor_ready),
      .last(monitor_last),
      .bytes(monitor_bytes),
      .word(monitor_word),
      .value(monitor_value),
      .stuck,
      .idle(monitors_idle)
  );

  doorbells doorbells (
      .clk,
      .rst(core_rst),
      .time_ns,
      .write_valid(doorbell_valid),
      .write_ready(doorbell_ready),
      .write_page(doorbell_page),
      .write_index(doorbell_index),
      .write_value(doorbell_value),
      .hold_host(settings_pending),
      .receive_valid,
      .receive_ready,
      .receive_data,
      .transmit_valid,
      .transmit_ready,
      .transmit_data,
      .host_valid,
      .host_ready,
      .host_data,
      .block_valid,
      .block_ready,
      .block_data,
      .nvme_valid,
      .nvme_ready,
      .nvme_data,
      .idle(doorbells_idle)
  );

  timer #(
      .TIMERS(TIMERS)
  ) timers (
      .clk,
      .rst(core_rst),
      .time_tick,
      .request_valid(wish_valid),
      .request_ready(wish_ready),
      .request_data(wish_data),
      .tick_valid,
      .tick_ready,
      .tick_data,
      .idle(timers_idle)
  );

  interrupts #(
      .PORTS(INTERRUPT_PORTS)
  ) interrupts (
      .clk,
      .rst(core_rst),
      .message_window,
      .request_valid(interrupt_valid),
      .request_ready(interrupt_ready),
      .request_data(interrupt_data),
      .message_valid,
      .message_ready,
      .message_data,
      .idle(interrupts_idle)
  );

  card_graph graph (
      .clk,
      .rst(core_rst),
      .registers_rings_valid(rings_valid),
      .registers_rings_ready(rings_ready),
      .registers_rings_data(rings_data),
      .doorbell_receive_valid(receive_valid),
      .doorbell_receive_ready(receive_ready),
      .doorbell_receive_data(receive_data),
      .doorbell_transmit_valid(transmit_valid),
      .doorbell_transmit_ready(transmit_ready),
      .doorbell_transmit_data(transmit_data),
      .doorbell_host_valid(host_valid),
      .doorbell_host_ready(host_ready),
      .doorbell_host_data(host_data),
      .doorbell_block_valid(block_valid),
      .doorbell_block_ready(block_ready),
      .doorbell_block_data(block_data),
      .doorbell_nvme_valid(nvme_valid),
      .doorbell_nvme_ready(nvme_ready),
      .doorbell_nvme_data(nvme_data),
      .timer_request_valid(wish_valid),
      .timer_request_ready(wish_ready),
      .timer_request_data(wish_data),
      .timer_tick_valid(tick_valid),
      .timer_tick_ready(tick_ready),
      .timer_tick_data(tick_data),
      .port_rx0_valid(rx_valid[0]),
      .port_rx0_ready(rx_ready[0]),
      .port_rx0_data(rx_data[0+:cipu::BEAT_BITS]),
      .port_rx1_valid(rx_valid[1]),
      .port_rx1_ready(rx_ready[1]),
      .port_rx1_data(rx_data[cipu::BEAT_BITS+:cipu::BEAT_BITS]),
      .port_tx0_valid(tx_valid[0]),
      .port_tx0_ready(tx_ready[0]),
      .port_tx0_data(tx_data[0+:cipu::BEAT_BITS]),
      .port_tx1_valid(tx_valid[1]),
      .port_tx1_ready(tx_ready[1]),
      .port_tx1_data(tx_data[cipu::BEAT_BITS+:cipu::BEAT_BITS]),
      .dma_read_request_valid(read_request_valid),
      .dma_read_request_ready(read_request_ready & ~{CHANNELS{quiesce}}),
      .dma_read_request_data(read_request_data),
      .dma_read_data_valid(read_data_valid),
      .dma_read_data_ready(read_data_ready),
      .dma_read_data_data(read_data_data),
      .dma_write_request_valid(write_request_valid),
      .dma_write_request_ready(write_request_ready & ~{WRITE_CHANNELS{quiesce}}),
      .dma_write_request_data(write_request_data),
      .dma_write_data_valid(write_data_valid),
      .dma_write_data_ready(write_data_ready),
      .dma_write_data_data(write_data_data),
      .dma_write_done_valid(write_done_valid),
      .dma_write_done_ready(write_done_ready),
      .dma_write_done_data(write_done_data),
      .memory_request_valid(lookup_valid),
      .memory_request_ready(lookup_ready & ~{MEMORY_PORTS{quiesce}}),
      .memory_request_data(lookup_data),
      .memory_line_valid(line_valid),
      .memory_line_ready(line_ready),
      .memory_line_data(line_data),
      .interrupt_request_valid(interrupt_valid),
      .interrupt_request_ready(interrupt_ready),
      .interrupt_request_data(interrupt_data),
      .idle(graph_idle)
  );

  dma_read #(
      .CHANNELS(CHANNELS)
  ) reader (
      .clk,
      .rst(core_rst),
      .request_valid(read_request_valid & ~{CHANNELS{quiesce}}),
      .request_ready(read_request_ready),
      .request_data(read_request_data),
      .data_valid(read_data_valid),
      .data_ready(read_data_ready),
      .data_data(read_data_data),
      .bus_araddr(host_araddr),
      .bus_arlen(host_arlen),
      .bus_arid(host_arid),
      .bus_arvalid(host_arvalid),
      .bus_arready(host_arready),
      .bus_rdata(host_rdata),
      .bus_rid(host_rid),
      .bus_rresp(host_rresp),
      .bus_rlast(host_rlast),
      .bus_rvalid(host_rvalid),
      .bus_rready(host_rready),
      .idle(read_idle),
      .quiet(read_quiet)
  );

  dma_write #(
      .CHANNELS(WRITE_CHANNELS),
      .MOVES(16)
  ) writer (
      .clk,
      .rst(core_rst),
      .request_valid(write_request_valid & ~{WRITE_CHANNELS{quiesce}}),
      .request_ready(write_request_ready),
      .request_data(write_request_data),
      .data_valid(write_data_valid),
      .data_ready(write_data_ready),
      .data_data(write_data_data),
      .done_valid(write_done_valid),
      .done_ready(write_done_ready),
      .done_data(write_done_data),
      .bus_awaddr(host_awaddr),
      .bus_awlen(host_awlen),
      .bus_awid(host_awid),
      .bus_awvalid(host_awvalid),
      .bus_awready(host_awready),
      .bus_wdata(host_wdata),
      .bus_wstrb(host_wstrb),
      .bus_wlast(host_wlast),
      .bus_wvalid(host_wvalid),
      .bus_wready(host_wready),
      .bus_bid(host_bid),
      .bus_bresp(host_bresp),
      .bus_bvalid(host_bvalid),
      .bus_bready(host_bready),
      .idle(write_idle)
  );

  card_memory #(
      .PORTS(MEMORY_PORTS)
  ) memory (
      .clk,
      .rst(core_rst),
      .time_ms,
      .request_valid(lookup_valid & ~{MEMORY_PORTS{quiesce}}),
      .request_ready(lookup_ready),
      .request_data(lookup_data),
      .line_valid,
      .line_ready,
      .line_data,
      .bus_araddr(memory_araddr),
      .bus_arlen(memory_arlen),
      .bus_arid(memory_arid),
      .bus_arvalid(memory_arvalid),
      .bus_arready(memory_arready),
      .bus_rdata(memory_rdata),
      .bus_rid(memory_rid),
      .bus_rresp(memory_rresp),
      .bus_rlast(memory_rlast),
      .bus_rvalid(memory_rvalid),
      .bus_rready(memory_rready),
      .bus_awaddr(memory_awaddr),
      .bus_awlen(memory_awlen),
      .bus_awid(memory_awid),
      .bus_awvalid(memory_awvalid),
      .bus_awready(memory_awready),
      .bus_wdata(memory_wdata),
      .bus_wstrb(memory_wstrb),
      .bus_wlast(memory_wlast),
      .bus_wvalid(memory_wvalid),
      .bus_wready(memory_wready),
      .bus_bid(memory_bid),
      .bus_bresp(memory_bresp),
      .bus_bvalid(memory_bvalid),
      .bus_bready(memory_bready),
      .idle(memory_idle)
  );

  genvar p;
  generate
    for (p = 0; p < PORTS; p++) begin : ports
      ethernet_rx #(
          .PORT(p)
      ) rx (
          .clk,
          .rst,
          .clear(core_rst),
          .mac_valid(mac_rx_valid[p]),
          .mac_data(mac_rx_data[p*512+:512]),
          .mac_bytes(mac_rx_bytes[p*7+:7]),
          .mac_last(mac_rx_last[p]),
          .mac_error(mac_rx_error[p]),
          .mac_lost(mac_rx_lost[p]),
          .out_valid(rx_valid[p]),
          .out_ready(rx_ready[p]),
          .out_data(rx_data[p*cipu::BEAT_BITS+:cipu::BEAT_BITS]),
          .mac_pause(mac_rx_pause[p]),
          .received_packets(port_registers[(p*5+1)*32+:32]),
          .received_dropped(port_registers[(p*5+2)*32+:32]),
          .idle(rx_idle[p])
      );
      ethernet_tx tx (
          .clk,
          .rst(core_rst),
          .in_valid(tx_valid[p]),
          .in_ready(tx_ready[p]),
          .in_data(tx_data[p*cipu::BEAT_BITS+:cipu::BEAT_BITS]),
          .mac_pause(mac_tx_pause[p]),
          .quiesce,
          .between(tx_between[p]),
          .mac_valid(mac_tx_valid[p]),
          .mac_ready(mac_tx_ready[p]),
          .mac_data(mac_tx_data[p*512+:512]),
          .mac_bytes(mac_tx_bytes[p*7+:7]),
          .mac_last(mac_tx_last[p]),
          .mac_lost(mac_tx_lost[p]),
          .sent_packets(port_registers[(p*5+3)*32+:32]),
          .send_dropped(port_registers[(p*5+4)*32+:32]),
          .idle(tx_idle[p])
      );
      assign port_registers[p*5*32+:32] = {31'd0, link[p]};
    end
  endgenerate

  assign idle = reset_idle && registers_idle && graph_idle && read_idle && write_idle && memory_idle && doorbells_idle && timers_idle &&
      interrupts_idle && (&rx_idle) && (&tx_idle) && monitors_idle;

endmodule
