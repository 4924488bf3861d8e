# SPDX-License-Identifier: Apache-2.0
$(foreach depth,2 16,$(eval $(call verilated,stream_fifo_$(depth),stream_fifo,stream_fifo,WIDTH=640 DEPTH=$(depth))))
$(eval $(call rtl_test,test_stream_fifo,tests/hw/test_stream_fifo.c tests/hw/bench.c,,stream_fifo_2 stream_fifo_16))

HW_ORACLE := tests/hw/bench.c tests/hw/native_shell.c tests/hw/dma_bench.c
DMA_READ := round_robin stream_fifo dma_collect dma_split dma_slots dma_gather dma_read
$(eval $(call verilated,dma_read_4,dma_read,$(DMA_READ),CHANNELS=4 SLOTS=8 SEGMENTS=16))
$(eval $(call verilated,dma_read_16,dma_read,$(DMA_READ)))
$(eval $(call rtl_test,test_dma_read,tests/hw/test_dma_read.c $(HW_ORACLE),cipu-driver,dma_read_4 dma_read_16,-lpcap))
