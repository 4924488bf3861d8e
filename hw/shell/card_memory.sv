// SPDX-License-Identifier: Apache-2.0
// The card's memory: PORTS ports of requests and lines (hls/include/dma.h), each in order, all of them atomic line by
// line and performed in one order. Reads of lines that a port has in its cache (memory_port) take a cycle on every port
// at once; changes and other lines share memory_home, a cycle for each.
module card_memory #(
    parameter int PORTS = 4,
    parameter int SETS = 1024,
    parameter int QUEUE = 32,
    parameter int ANSWERS = 64,  // of a port
    parameter int LINES = cipu::CARD_MEMORY_LINES
) (
    input  logic                                      clk,
    input  logic                                      rst,
    input  logic [                              31:0] time_ms,
    input  logic [                         PORTS-1:0] request_valid,
    output logic [                         PORTS-1:0] request_ready,
    input  logic [PORTS*cipu::MEMORY_REQUEST_BITS-1:0] request_data,
    output logic [                         PORTS-1:0] line_valid,
    input  logic [                         PORTS-1:0] line_ready,
    output logic [                     PORTS*512-1:0] line_data,

    output logic [ 63:0] bus_araddr,
    output logic [  7:0] bus_arlen,
    output logic [  4:0] bus_arid,
    output logic         bus_arvalid,
    input  logic         bus_arready,
    input  logic [511:0] bus_rdata,
    input  logic [  4:0] bus_rid,
    input  logic [  1:0] bus_rresp,
    input  logic         bus_rlast,
    input  logic         bus_rvalid,
    output logic         bus_rready,
    output logic [ 63:0] bus_awaddr,
    output logic [  7:0] bus_awlen,
    output logic [  0:0] bus_awid,
    output logic         bus_awvalid,
    input  logic         bus_awready,
    output logic [511:0] bus_wdata,
    output logic [ 63:0] bus_wstrb,
    output logic         bus_wlast,
    output logic         bus_wvalid,
    input  logic         bus_wready,
    input  logic [  0:0] bus_bid,
    input  logic [  1:0] bus_bresp,
    input  logic         bus_bvalid,
    output logic         bus_bready,
    output logic         idle
);

  localparam int PORT = $clog2(PORTS);
  localparam int ASK = 1 + 8 + 3 + 32 + 384 + 32;

  initial
    if (PORTS < 2 || SETS < 2 || (SETS & (SETS - 1)) != 0)
      $fatal(1, "card_memory: PORTS %0d, SETS %0d, expected at least 2, and a power of two", PORTS, SETS);

  logic [PORTS-1:0] port_idle, ask_valid, ask_ready, news_asked, news_own;
  logic [PORTS*ASK-1:0] asks;
  logic news_again, news_changed;
  logic [31:0] news_line;
  logic [511:0] news_data;

  // Between a port and its home is a FIFO, so that neither waits for the other one's lookup.
  genvar p;
  generate
    for (p = 0; p < PORTS; p++) begin : ports
      logic home_valid, home_ready, home_again;
      logic [7:0] home_operation;
      logic [2:0] home_word;
      logic [31:0] home_amount, home_line;
      logic [383:0] home_data;
      memory_port #(
          .SETS(SETS),
          .QUEUE(QUEUE),
          .ANSWERS(ANSWERS),
          .LINES(LINES)
      ) port (
          .clk,
          .rst,
          .request_valid(request_valid[p]),
          .request_ready(request_ready[p]),
          .request_data(request_data[p*cipu::MEMORY_REQUEST_BITS+:cipu::MEMORY_REQUEST_BITS]),
          .line_valid(line_valid[p]),
          .line_ready(line_ready[p]),
          .line_data(line_data[p*512+:512]),
          .home_valid,
          .home_ready,
          .home_again,
          .home_operation,
          .home_word,
          .home_amount,
          .home_data,
          .home_line,
          .news_asked(news_asked[p]),
          .news_again,
          .news_changed,
          .news_own(news_own[p]),
          .news_line,
          .news_data,
          .idle(port_idle[p])
      );
      stream_fifo #(
          .WIDTH(ASK),
          .DEPTH(2)
      ) way (
          .clk,
          .rst,
          .in_valid(home_valid),
          .in_ready(home_ready),
          .in_data({home_again, home_operation, home_word, home_amount, home_data, home_line}),
          .out_valid(ask_valid[p]),
          .out_ready(ask_ready[p]),
          .out_data(asks[p*ASK+:ASK])
      );
    end
  endgenerate

  logic chosen, taken, home_idle;
  logic [PORT-1:0] number;
  logic again;
  logic [7:0] operation;
  logic [2:0] word;
  logic [31:0] amount, line;
  logic [383:0] data;
  round_robin #(
      .N(PORTS)
  ) chooser (
      .clk,
      .rst,
      .request(ask_valid),
      .taken(taken),
      .valid(chosen),
      .grant(number)
  );
  assign {again, operation, word, amount, data, line} = asks[number*ASK+:ASK];
  always_comb begin
    ask_ready = '0;
    ask_ready[number] = taken;
  end

  memory_home #(
      .PORTS(PORTS),
      .SETS (SETS)
  ) home (
      .clk,
      .rst,
      .time_ms,
      .request_valid(chosen),
      .request_ready(taken),
      .request_port(number),
      .request_again(again),
      .request_operation(operation),
      .request_word(word),
      .request_amount(amount),
      .request_data(data),
      .request_line(line),
      .news_asked,
      .news_again,
      .news_changed,
      .news_own,
      .news_line,
      .news_data,
      .bus_araddr,
      .bus_arlen,
      .bus_arid,
      .bus_arvalid,
      .bus_arready,
      .bus_rdata,
      .bus_rid,
      .bus_rresp,
      .bus_rlast,
      .bus_rvalid,
      .bus_rready,
      .bus_awaddr,
      .bus_awlen,
      .bus_awid,
      .bus_awvalid,
      .bus_awready,
      .bus_wdata,
      .bus_wstrb,
      .bus_wlast,
      .bus_wvalid,
      .bus_wready,
      .bus_bid,
      .bus_bresp,
      .bus_bvalid,
      .bus_bready,
      .idle(home_idle)
  );

  assign idle = port_idle == '1 && ask_valid == '0 && home_idle;

endmodule
