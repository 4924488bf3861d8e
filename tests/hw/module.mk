# SPDX-License-Identifier: Apache-2.0
$(foreach depth,2 16,$(eval $(call verilated,stream_fifo_$(depth),stream_fifo,stream_fifo,WIDTH=640 DEPTH=$(depth))))
$(eval $(call rtl_test,test_stream_fifo,tests/hw/test_stream_fifo.c tests/hw/bench.c,,stream_fifo_2 stream_fifo_16))
