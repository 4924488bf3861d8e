// SPDX-License-Identifier: Apache-2.0
// Where the card's memory is changed: a request per cycle, in the order in which they enter, behind a direct-mapped,
// write-through cache. What becomes of each is told all ports (memory_port): the line that one asked for, or the new line.
//
// A request is looked up when it enters, and asks memory for its line then if it is not in the cache; it is performed
// when it reaches the head of the queue, where everything before it has been. So many lookups are in flight, the cache's
// tags run ahead of its data, and the two agree because both change in the queue's order. Fetched lines wait in their
// own ring until then. A line that a change has not yet reached in memory is not fetched (memory_store).
module memory_home #(
    parameter int PORTS = 4,
    parameter int SETS  = 1024,
    parameter int QUEUE = 64
) (
    input  logic                     clk,
    input  logic                     rst,
    input  logic [             31:0] time_ms,
    // A change, or MEMORY_READ; of lines that there are.
    input  logic                     request_valid,
    output logic                     request_ready,
    input  logic [$clog2(PORTS)-1:0] request_port,
    input  logic                     request_again,
    input  logic [              7:0] request_operation,
    input  logic [              2:0] request_word,
    input  logic [             31:0] request_amount,
    input  logic [            383:0] request_data,
    input  logic [             31:0] request_line,

    output logic [PORTS-1:0] news_asked,    // by this port
    output logic             news_again,    // as in the request
    output logic             news_changed,
    output logic [PORTS-1:0] news_own,      // the port that changed it
    output logic [     31:0] news_line,
    output logic [    511:0] news_data,

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
  localparam int BUCKETS = 256;
  localparam int BUCKET = $clog2(BUCKETS);
  localparam int JOB = PORT + 1 + 8 + 3 + 32 + 384 + 32 + 1;

  // ---- lookup
  logic enter, hit, changes, fetch, fetch_ready, store_room, dirty, queue_ready;
  logic [SET-1:0] set;
  logic [TAG-1:0] tags[SETS];
  logic [SETS-1:0] valid;
  assign set = request_line[SET-1:0];
  assign hit = valid[set] && tags[set] == request_line[31:SET];
  assign changes = request_operation != cipu::MEMORY_READ;
  assign fetch = !hit && request_operation != cipu::MEMORY_WRITE;
  assign request_ready = queue_ready && (!fetch || (fetch_ready && !dirty)) && (!changes || store_room);
  assign enter = request_valid && request_ready;

  always_ff @(posedge clk) begin
    if (enter) begin
      tags[set]  <= request_line[31:SET];
      valid[set] <= 1'b1;
    end
    if (rst) valid <= '0;
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
      .in_data({
        request_port,
        request_again,
        request_operation,
        request_word,
        request_amount,
        request_data,
        request_line,
        fetch
      }),
      .out_valid(job_valid),
      .out_ready(job_taken),
      .out_data(job)
  );

  // ---- performing: the line is read in one cycle and changed in the next
  logic head_fetched, head_changes, have_fetched, store_ready;
  logic [SET-1:0] head_set;
  assign {head_set, head_fetched} = job[SET:0];
  assign head_changes = job[JOB-2-PORT-:8] != cipu::MEMORY_READ;
  assign job_taken = job_valid && (!head_fetched || have_fetched) && (!head_changes || store_ready);

  logic busy, fetched, changing, around, again;
  logic [PORT-1:0] port;
  logic [7:0] operation;
  logic [2:0] word;
  logic [31:0] amount, number;
  logic [383:0] data;
  logic [511:0] cache[SETS];
  logic [511:0] cached, fetched_line, found, result, around_line;
  logic [JOB-1:0] current;
  logic writes;
  assign {port, again, operation, word, amount, data, number, fetched} = current;
  assign found = fetched ? fetched_line : around ? around_line : cached;
  assign writes = busy && (fetched || changing);

  always_ff @(posedge clk) begin
    busy <= job_taken;
    current <= job;
    changing <= head_changes;
    cached <= cache[head_set];
    if (writes) cache[number[SET-1:0]] <= result;
    around <= writes && number[SET-1:0] == head_set;
    around_line <= result;
    news_asked <= PORTS'(busy && !changing) << port;
    news_again <= again;
    news_changed <= busy && changing;
    news_own <= PORTS'(1) << port;
    news_line <= number;
    news_data <= result;
    if (rst) begin
      busy <= 1'b0;
      news_asked <= '0;
      news_changed <= 1'b0;
    end
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
      .ask_address({26'd0, request_line, 6'd0}),
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
      .DEPTH  (64),
      .BUCKETS(BUCKETS)
  ) storer (
      .clk,
      .rst,
      .announce(enter && changes),
      .bucket(request_line[BUCKET-1:0]),
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

  assign idle = !job_valid && !busy && news_asked == '0 && !news_changed && fetch_idle && store_idle;

endmodule
