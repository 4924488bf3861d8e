// SPDX-License-Identifier: Apache-2.0
// One port of the card's memory: requests in order, and a cache of its own, so that ports do not wait for each other.
//
// A request is performed when it reaches the head of the queue: a read takes its line out of the cache, a change goes to
// memory_home, which tells every port the new line (`news`). The cache is changed by news alone, and a read waits until
// the port has heard of its own changes; so every request is performed at one moment, in the order of its port.
//
// A read whose line is not in the cache asks for it as soon as it enters, so many are in flight. Should the line be gone
// again when the read reaches the head, it is asked for once more.
//
// A read is only taken when there is room for its answer.
module memory_port #(
    parameter int SETS = 1024,
    parameter int QUEUE = 32,
    parameter int ANSWERS = 64,
    parameter int LINES = cipu::CARD_MEMORY_LINES
) (
    input  logic                                 clk,
    input  logic                                 rst,
    input  logic                                 request_valid,
    output logic                                 request_ready,
    // Padding is of no use.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [cipu::MEMORY_REQUEST_BITS-1:0] request_data,
    // verilator lint_on UNUSEDSIGNAL
    output logic                                 line_valid,
    input  logic                                 line_ready,
    output logic [                        511:0] line_data,

    // To memory_home: a change, or MEMORY_READ for a line that shall come as news.
    output logic         home_valid,
    input  logic         home_ready,
    output logic         home_again,      // the line was asked for before
    output logic [  7:0] home_operation,
    output logic [  2:0] home_word,
    output logic [ 31:0] home_amount,
    output logic [383:0] home_data,
    output logic [ 31:0] home_line,

    input  logic         news_asked,    // a line for this port
    input  logic         news_again,
    input  logic         news_changed,  // a line was changed
    input  logic         news_own,      // by this port
    input  logic [ 31:0] news_line,
    input  logic [511:0] news_data,
    output logic         idle
);

  localparam int SET = $clog2(SETS);
  localparam int TAG = 32 - SET;
  localparam int ROOM = $clog2(ANSWERS) + 1;
  localparam int COUNT = 8;  // more than are ever in memory_home and on the way to it
  localparam int JOB = 8 + 3 + 32 + 384 + 32 + 2;

  logic [TAG-1:0] tags[SETS];
  logic [511:0] cache[SETS];
  logic [SETS-1:0] valid;
  logic [ROOM-1:0] owed;  // answers that are promised or wait
  logic [COUNT-1:0] pending, arrived;  // own changes without news; lines that came for reads in the queue
  logic retrying;

  // ---- a request enters
  // verilator lint_off UNUSEDSIGNAL
  cipu::memory_request_t request;
  // verilator lint_on UNUSEDSIGNAL
  logic in_range, read, changes, ask, may_enter, enter, queue_ready, head_wants;
  logic [SET-1:0] set;
  assign request = request_data;
  assign set = request.line[SET-1:0];
  assign in_range = request.line < LINES;
  assign read = request.operation == cipu::MEMORY_READ;
  assign changes = in_range && (request.operation == cipu::MEMORY_WRITE || request.operation == cipu::MEMORY_COUNT ||
      request.operation == cipu::MEMORY_WRITE_WORD);
  assign ask = read && in_range && !(valid[set] && tags[set] == request.line[31:SET]);
  assign may_enter = request_valid && queue_ready && (!read || owed != ROOM'(ANSWERS));
  assign enter = may_enter && (!ask || (home_ready && !head_wants));
  assign request_ready = enter;

  logic job_valid, job_taken;
  logic [JOB-1:0] job;
  stream_fifo #(
      .WIDTH(JOB),
      .DEPTH(QUEUE)
  ) jobs (
      .clk,
      .rst,
      .in_valid(enter && (read || changes)),
      .in_ready(queue_ready),
      .in_data({request.operation, request.word[2:0], request.amount, request.data, request.line, in_range, ask}),
      .out_valid(job_valid),
      .out_ready(job_taken),
      .out_data(job)
  );

  // ---- and is performed
  logic head_in_range, head_asked, head_reads, head_changes, present, may_read, performs, retries;
  logic [7:0] head_operation;
  logic [2:0] head_word;
  logic [31:0] head_amount, head_line;
  logic [383:0] head_data;
  logic [SET-1:0] head_set;
  assign {head_operation, head_word, head_amount, head_data, head_line, head_in_range, head_asked} = job;
  assign head_set = head_line[SET-1:0];
  assign head_reads = job_valid && head_operation == cipu::MEMORY_READ;
  assign head_changes = job_valid && head_operation != cipu::MEMORY_READ;
  assign present = valid[head_set] && tags[head_set] == head_line[31:SET];
  assign may_read = head_reads && pending == '0 && (!head_asked || arrived != '0);
  assign performs = may_read && (!head_in_range || present);
  assign retries = may_read && head_in_range && !present && !retrying;
  assign head_wants = head_changes || retries;
  assign job_taken = performs || (head_changes && home_ready);

  assign home_valid = head_wants || (may_enter && ask);
  assign home_again = head_wants;
  assign home_operation = head_wants ? head_operation : cipu::MEMORY_READ;
  assign home_word = head_word;
  assign home_amount = head_amount;
  assign home_data = head_data;
  assign home_line = head_wants ? head_line : request.line;

  // ---- news
  logic known, writes;
  logic [SET-1:0] news_set;
  assign news_set = news_line[SET-1:0];
  assign known = valid[news_set] && tags[news_set] == news_line[31:SET];
  assign writes = news_asked || (news_changed && known);

  logic answers, answer_in_range;
  logic [511:0] cached;
  always_ff @(posedge clk) begin
    cached <= cache[head_set];
    if (writes) cache[news_set] <= news_data;
    if (news_asked) begin
      tags[news_set]  <= news_line[31:SET];
      valid[news_set] <= 1'b1;
    end
    answers <= performs;
    answer_in_range <= head_in_range;
    owed <= owed + ROOM'(enter && read) - ROOM'(line_valid && line_ready);
    pending <= pending + COUNT'(head_changes && home_ready) - COUNT'(news_changed && news_own);
    arrived <= arrived + COUNT'(news_asked && !news_again) - COUNT'(performs && head_asked);
    if (retries && home_ready) retrying <= 1'b1;
    if (news_asked && news_again) retrying <= 1'b0;
    if (rst) begin
      valid <= '0;
      owed <= '0;
      pending <= '0;
      arrived <= '0;
      retrying <= 1'b0;
      answers <= 1'b0;
    end
  end

  // Its room was promised.
  // verilator lint_off UNUSEDSIGNAL
  logic answer_ready;
  // verilator lint_on UNUSEDSIGNAL
  stream_fifo #(
      .WIDTH(512),
      .DEPTH(ANSWERS)
  ) lines (
      .clk,
      .rst,
      .in_valid (answers),
      .in_ready (answer_ready),
      .in_data  (answer_in_range ? cached : '0),
      .out_valid(line_valid),
      .out_ready(line_ready),
      .out_data (line_data)
  );
`ifdef VERILATOR
  // Before the first reset nothing is known, and anything may be.
  logic began;
  initial began = 1'b0;
  always @(posedge clk) if (rst) began <= 1'b1;
  always_ff @(posedge clk)
    assert (!began || rst || !answers || answer_ready)
    else $error("memory_port: an answer without room");
`endif

  assign idle = !request_valid && !job_valid && owed == '0 && pending == '0;

endmodule
