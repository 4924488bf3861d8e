# SPDX-License-Identifier: Apache-2.0
# One thread each: nothing for the thread sanitizer.
ifneq ($(VARIANT),tsan)
$(foreach depth,2 16,$(eval $(call verilated,stream_fifo_$(depth),stream_fifo,stream_fifo,WIDTH=640 DEPTH=$(depth))))
$(eval $(call rtl_test,test_stream_fifo,tests/hw/test_stream_fifo.c tests/hw/bench.c,,stream_fifo_2 stream_fifo_16))

$(eval $(call verilated,bus_puppet,bus_puppet,,,tests/hw/bus_puppet.sv))
$(eval $(call rtl_test,test_bus,tests/hw/test_bus.c,,bus_puppet))

HW_ORACLE := tests/hw/bench.c tests/hw/native_shell.c tests/hw/dma_bench.c
$(eval $(call verilated,dma_read_4,dma_read,$(DMA_READ),CHANNELS=4 RESERVED=4 SLOTS=8 SEGMENTS=16))
$(eval $(call verilated,dma_read_16,dma_read,$(DMA_READ),RESERVED=16 DEPENDENT=0))
$(eval $(call rtl_test,test_dma_read,tests/hw/test_dma_read.c $(HW_ORACLE),cipu-driver,dma_read_4 dma_read_16 dma_read,-lpcap))

$(eval $(call verilated,dma_write_4,dma_write,$(DMA_WRITE),CHANNELS=4))
$(eval $(call rtl_test,test_dma_write,tests/hw/test_dma_write.c $(HW_ORACLE),cipu-driver,dma_write_4 dma_write,-lpcap))

# Few sets and lines, so that lines meet in the cache.
$(eval $(call verilated,card_memory_small,card_memory,$(CARD_MEMORY),SETS=64 LINES=4096))
$(eval $(call rtl_test,test_card_memory,tests/hw/test_card_memory.c tests/hw/bench.c,,card_memory_small))

$(eval $(call rtl_test,test_doorbells,tests/hw/test_doorbells.c tests/hw/bench.c,,doorbells))
$(eval $(call rtl_test,test_timer,tests/hw/test_timer.c tests/hw/bench.c,,timer))
$(eval $(call rtl_test,test_interrupts,tests/hw/test_interrupts.c tests/hw/bench.c,,interrupts))
$(eval $(call rtl_test,test_ethernet,tests/hw/test_ethernet.c tests/hw/bench.c,,ethernet_rx_0 ethernet_tx))
$(eval $(call rtl_test,test_register_file,tests/hw/test_register_file.c tests/hw/bench.c tests/hw/native_shell.c,cipu-driver,register_file,-lpcap))
$(eval $(call verilated,reset_control_100,reset_control,reset_control,PATIENCE=100))
$(eval $(call verilated,watchdog,watchdog,watchdog,STREAMS=2 LIMIT=50))
$(eval $(call verilated,stream_monitor,stream_monitor,stream_monitor))
$(eval $(call rtl_test,test_reset_watchdog,tests/hw/test_reset_watchdog.c,,reset_control_100 watchdog stream_monitor stream_monitors))
endif

ifeq ($(VARIANT),release)
# The whole card, shell and kernels, as one model, and the same card as the rtl card joins it.
$(eval $(call rtl_graph,card,hls/card.cfg,hls))
CARD_SHELL := $(DMA_READ) $(DMA_WRITE) $(CARD_MEMORY) doorbells timer interrupts packet_buffer ethernet_rx ethernet_tx \
    register_file reset_control stream_monitor watchdog stream_monitors card
$(eval $(call verilated,card_whole,card,$(sort $(CARD_SHELL)),,build/gen/hw/card/card_graph.sv $(RTL_KERNELS:%=$(RTL)/%.sv),--large))
$(B)/test/test_card: $(RTL_CARD_OBJECTS) $(HW)/card_whole.o
$(eval $(call test,test_card,tests/hw/test_card.c tests/hw/card_traffic.c $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim,$(RTL_CARD_OBJECTS) $(HW)/card_whole.o -lpcap $(VERILATED_LDLIBS)))
endif
