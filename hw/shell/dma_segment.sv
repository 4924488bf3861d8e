// SPDX-License-Identifier: Apache-2.0
// What a DMA request says: a segment of memory, or nothing at all (a window record, which is for dma_guard).
module dma_segment (
    // Padding is of no use.
    // verilator lint_off UNUSEDSIGNAL
    input  logic [cipu::DMA_REQUEST_BITS-1:0] request_data,
    // verilator lint_on UNUSEDSIGNAL
    output logic                              window,
    output logic                              last,
    output logic                              refused,  // or a length that no transfer has
    output logic [                      63:0] address,
    output logic [                      16:0] bytes,    // 0 for such a length
    output logic [                      15:0] tag,
    output logic [                      15:0] issuer    // the function
);

  // verilator lint_off UNUSEDSIGNAL
  cipu::dma_request_t request;
  // verilator lint_on UNUSEDSIGNAL
  logic good;
  assign request = request_data;
  assign good = request.length >= 1 && request.length <= 65536;
  assign window = (request.flags & cipu::DMA_WINDOW) != 0;
  assign last = (request.flags & cipu::DMA_LAST) != 0;
  assign refused = !good || (request.flags & cipu::DMA_REFUSED) != 0;
  assign address = request.address;
  assign bytes = good ? request.length[16:0] : 17'd0;
  assign tag = request.tag;
  assign issuer = request.function_;

endmodule
