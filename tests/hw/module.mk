# SPDX-License-Identifier: Apache-2.0
$(foreach depth,2 16,$(eval $(call verilated,stream_fifo_$(depth),stream_fifo,stream_fifo,WIDTH=640 DEPTH=$(depth))))
$(eval $(call rtl_test,test_stream_fifo,tests/hw/test_stream_fifo.c tests/hw/bench.c,,stream_fifo_2 stream_fifo_16))

HW_ORACLE := tests/hw/bench.c tests/hw/native_shell.c tests/hw/dma_bench.c
$(eval $(call verilated,dma_read_4,dma_read,$(DMA_READ),CHANNELS=4 SLOTS=8 SEGMENTS=16))
$(eval $(call rtl_test,test_dma_read,tests/hw/test_dma_read.c $(HW_ORACLE),cipu-driver,dma_read_4 dma_read,-lpcap))

$(eval $(call verilated,dma_write_4,dma_write,$(DMA_WRITE),CHANNELS=4))
$(eval $(call rtl_test,test_dma_write,tests/hw/test_dma_write.c $(HW_ORACLE),cipu-driver,dma_write_4 dma_write,-lpcap))

# Few sets and lines, so that lines meet in the cache.
$(eval $(call verilated,card_memory_small,card_memory,$(CARD_MEMORY),SETS=64 LINES=4096))
$(eval $(call rtl_test,test_card_memory,tests/hw/test_card_memory.c tests/hw/bench.c,,card_memory_small))
