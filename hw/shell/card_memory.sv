// SPDX-License-Identifier: Apache-2.0
// The card's memory behind a direct-mapped, write-through cache: PORTS ports of requests and lines
// (hls/include/dma.h), each in order, all of them atomic line by line. A request per cycle in total.
//
// A request is looked up when it enters, and asks memory for its line then if it is not in the cache; it is performed
// when it reaches the head of the queue, where everything before it has been. So many lookups are in flight, the cache's
// tags run ahead of its data, and the two agree because both change in the queue's order. Fetched lines wait in their
// own ring until then. A line that a change has not yet reached in memory is not fetched (memory_store).
//
// A read is only taken when there is room for its answer, so no port waits for another one's reader.
module card_memory #(
    parameter int PORTS = 4,
    parameter int SETS = 1024,
    parameter int QUEUE = 64,
    parameter int ANSWERS = 64,  // of a port
    parameter int LINES = cipu::CARD_MEMORY_LINES
) (
    input  logic                                      clk,
    input  logic                                      rst,
    input  logic [                              31:0] time_ms,
    input  logic [                         PORTS-1:0] request_valid,
    output logic [                         PORTS-1:0] request_ready,
    // Padding is of no use.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [PORTS*cipu::MEMORY_REQUEST_BITS-1:0] request_data,
    // verilator lint_on UNUSEDSIGNAL
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
  localparam int SET = $clog2(SETS);
  localparam int TAG = 32 - SET;
  localparam int BUCKETS = 64;
  localparam int BUCKET = $clog2(BUCKETS);
  localparam int ROOM = $clog2(ANSWERS) + 1;
  localparam int JOB = PORT + 8 + 3 + 32 + 384 + 32 + 2;

  initial
    if (PORTS < 2 || SETS < BUCKETS || (SETS & (SETS - 1)) != 0)
      $fatal(1, "card_memory: PORTS %0d, SETS %0d, expected at least 2, and a power of two from %0d", PORTS, SETS, BUCKETS);

  // ---- choice of a request
  logic [PORTS-1:0] may_enter;
  logic [PORTS*ROOM-1:0] owed;  // answers that are promised or wait
  logic chosen, enter;
  logic [PORT-1:0] port;
  // verilator lint_off UNUSEDSIGNAL
  cipu::memory_request_t request;
  // verilator lint_on UNUSEDSIGNAL

  genvar p;
  generate
    for (p = 0; p < PORTS; p++) begin : ports
      logic is_read;
      assign is_read = request_data[p*cipu::MEMORY_REQUEST_BITS+32+:8] == cipu::MEMORY_READ;
      assign may_enter[p] = request_valid[p] && (!is_read || owed[p*ROOM+:ROOM] != ROOM'(ANSWERS));
    end
  endgenerate
  round_robin #(
      .N(PORTS)
  ) chooser (
      .clk,
      .rst,
      .request(may_enter),
      .taken(enter),
      .valid(chosen),
      .grant(port)
  );
  assign request = request_data[port*cipu::MEMORY_REQUEST_BITS+:cipu::MEMORY_REQUEST_BITS];
  always_comb begin
    request_ready = '0;
    request_ready[port] = enter;
  end

  // ---- lookup
  logic in_range, hit, read, changes, fetch, fetch_ready, store_room, dirty, queue_ready;
  logic [SET-1:0] set;
  logic [TAG-1:0] tags[SETS];
  logic [SETS-1:0] valid;
  assign in_range = request.line < LINES;
  assign set = request.line[SET-1:0];
  assign hit = valid[set] && tags[set] == request.line[31:SET];
  assign read = request.operation == cipu::MEMORY_READ;
  assign changes = in_range && (request.operation == cipu::MEMORY_WRITE || request.operation == cipu::MEMORY_COUNT ||
      request.operation == cipu::MEMORY_WRITE_WORD);
  assign fetch = in_range && (read || changes) && !hit && request.operation != cipu::MEMORY_WRITE;
  assign enter = chosen && queue_ready && (!fetch || (fetch_ready && !dirty)) && (!changes || store_room);

  always_ff @(posedge clk) begin
    if (enter && in_range && (read || changes)) begin
      tags[set]  <= request.line[31:SET];
      valid[set] <= 1'b1;
    end
    for (int i = 0; i < PORTS; i++)
      owed[i*ROOM+:ROOM] <= owed[i*ROOM+:ROOM] + ROOM'(enter && read && 32'(port) == i) - ROOM'(
          line_valid[i] && line_ready[i]);
    if (rst) begin
      valid <= '0;
      owed  <= '0;
    end
  end

  // ---- the queue
  logic job_valid, job_taken;
  logic [JOB-1:0] job;
  stream_fifo #(
      .WIDTH(JOB),
      .DEPTH(QUEUE)
  ) jobs (
      .clk,
      .rst,
      .in_valid(enter),
      .in_ready(queue_ready),
      .in_data({port, request.operation, request.word[2:0], request.amount, request.data, request.line, in_range, fetch}),
      .out_valid(job_valid),
      .out_ready(job_taken),
      .out_data(job)
  );

  // ---- performing: the line is read in one cycle and changed in the next
  logic head_fetched, head_in_range, head_changes, have_fetched, store_ready;
  logic [7:0] head_operation;
  logic [SET-1:0] head_set;
  assign {head_set, head_in_range, head_fetched} = job[SET+1:0];
  assign head_operation = job[JOB-1-PORT-:8];
  assign head_changes = head_in_range && (head_operation == cipu::MEMORY_WRITE || head_operation == cipu::MEMORY_COUNT ||
      head_operation == cipu::MEMORY_WRITE_WORD);
  assign job_taken = job_valid && (!head_fetched || have_fetched) && (!head_changes || store_ready);

  logic busy, fetched, present, changing, around, writes;
  logic [PORT-1:0] to;
  logic [7:0] operation;
  logic [2:0] word;
  logic [31:0] amount, number;
  logic [383:0] data;
  logic [511:0] cache[SETS];
  logic [511:0] cached, fetched_line, found, result, around_line;
  logic [JOB-1:0] current;
  assign {to, operation, word, amount, data, number, present, fetched} = current;
  assign found = !present ? '0 : fetched ? fetched_line : around ? around_line : cached;
  assign writes = busy && (fetched || changing);

  always_ff @(posedge clk) begin
    busy <= job_taken;
    current <= job;
    changing <= head_changes;
    cached <= cache[head_set];
    if (writes) cache[number[SET-1:0]] <= result;
    around <= writes && number[SET-1:0] == head_set;
    around_line <= result;
    if (rst) busy <= 1'b0;
  end

  memory_apply apply (
      .line(found),
      .operation,
      .word,
      .amount,
      .data,
      .time_ms,
      .result
  );

  logic fetch_idle, store_idle;
  memory_fetch #(
      .DEPTH(32)
  ) fetcher (
      .clk,
      .rst,
      .ask_ready(fetch_ready),
      .ask(enter && fetch),
      .ask_address({26'd0, request.line, 6'd0}),
      .have(have_fetched),
      .take(job_taken && head_fetched),
      .line(fetched_line),
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
      .idle(fetch_idle)
  );

  memory_store #(
      .DEPTH  (32),
      .BUCKETS(BUCKETS)
  ) storer (
      .clk,
      .rst,
      .announce(enter && changes),
      .announce_bucket(request.line[BUCKET-1:0]),
      .ask_bucket(request.line[BUCKET-1:0]),
      .dirty,
      .announce_ready(store_room),
      .store_ready,
      .claim(job_taken && head_changes),
      .store(busy && changing),
      .store_address({26'd0, number, 6'd0}),
      .store_line(result),
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
      .idle(store_idle)
  );

  // ---- answers; their room was promised
  generate
    for (p = 0; p < PORTS; p++) begin : answers
      // verilator lint_off UNUSEDSIGNAL
      logic ready;
      // verilator lint_on UNUSEDSIGNAL
      stream_fifo #(
          .WIDTH(512),
          .DEPTH(ANSWERS)
      ) fifo (
          .clk,
          .rst,
          .in_valid (busy && operation == cipu::MEMORY_READ && 32'(to) == p),
          .in_ready (ready),
          .in_data  (found),
          .out_valid(line_valid[p]),
          .out_ready(line_ready[p]),
          .out_data (line_data[p*512+:512])
      );
`ifdef VERILATOR
      always_ff @(posedge clk)
        assert (rst || !(busy && operation == cipu::MEMORY_READ && 32'(to) == p) || ready)
        else $error("card_memory: an answer without room");
`endif
    end
  endgenerate

  assign idle = request_valid == '0 && !job_valid && !busy && fetch_idle && store_idle && owed == '0;

endmodule
