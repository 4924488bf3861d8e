// SPDX-License-Identifier: Apache-2.0
// Grants one of N requests per cycle, in turn: after a grant that was taken the next one begins behind it, so nobody
// waits for more than N - 1 grants.
module round_robin #(
    parameter int N = 4
) (
    input  logic                              clk,
    input  logic                              rst,
    input  logic [N-1:0]                      request,
    input  logic                              taken,    // the grant of this cycle is used
    output logic                              valid,    // somebody is granted
    output logic [(N > 1 ? $clog2(N) : 1)-1:0] grant
);

  localparam int INDEX = N > 1 ? $clog2(N) : 1;

  initial if (N < 1) $fatal(1, "round_robin: N is %0d, expected at least 1", N);

  logic [N-1:0] behind;  // those that come before the others: behind the last one granted
  logic [INDEX-1:0] first, first_behind;
  logic some_behind;

  always_comb begin
    first = '0;
    first_behind = '0;
    some_behind = 1'b0;
    for (int i = N - 1; i >= 0; i--) begin
      if (request[i]) first = INDEX'(i);
      if (request[i] && behind[i]) begin
        first_behind = INDEX'(i);
        some_behind = 1'b1;
      end
    end
  end

  assign valid = request != '0;
  assign grant = some_behind ? first_behind : first;

  always_ff @(posedge clk) begin
    if (valid && taken) for (int i = 0; i < N; i++) behind[i] <= INDEX'(i) > grant;
    if (rst) behind <= '0;
  end

endmodule
