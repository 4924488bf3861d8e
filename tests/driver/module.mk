# SPDX-License-Identifier: Apache-2.0
$(eval $(call native_graph,wire,tests/driver/graphs/wire.cfg,hls/shell.cfg,tests/driver/kernels))
$(eval $(call native_graph,mover,tests/driver/graphs/mover.cfg,hls/shell.cfg,tests/driver/kernels))
$(eval $(call native_graph,mover_copying,tests/driver/graphs/mover.cfg,hls/shell.cfg,tests/driver/kernels,--copying))

MOVER_SOURCES := tests/driver/dma_tests.c tests/driver/mover_card.c build/gen/native_mover.c build/gen/native_mover_copying.c
$(eval $(call test,test_native_dma,tests/driver/test_native_dma.c $(MOVER_SOURCES),cipu-driver,-lpcap))
$(eval $(call rtl_test,test_rtl_dma,tests/driver/test_rtl_dma.c $(MOVER_SOURCES) $(RTL_CARD),cipu-driver,$(CARD_MODELS),-lpcap))
$(eval $(call test,test_stream,tests/driver/test_stream.c,))
$(eval $(call test,test_native_doorbells,tests/driver/test_native_doorbells.c,cipu-packet cipu-driver,-lpcap))
$(eval $(call test,test_native_timer,tests/driver/test_native_timer.c,cipu-packet cipu-driver,-lpcap))
$(eval $(call test,test_ports,tests/driver/test_ports.c build/gen/native_wire.c,cipu-driver,-lpcap))
$(eval $(call rtl_test,test_rtl_ports,tests/driver/test_ports.c build/gen/native_wire.c $(RTL_CARD),cipu-driver,$(CARD_MODELS),-lpcap))
$(eval $(call program,card-wire,tests/driver/wire.c build/gen/native_wire.c,cipu-driver,-lpcap))
$(eval $(call script_test,tests/driver/test_interfaces.py,$(B)/bin/card-wire))

DEPTH_SOURCES := $(addprefix tests/driver/,depth_tests.c depth_world.c)
$(eval $(call test,test_depths,tests/driver/test_depths.c $(DEPTH_SOURCES),cipu-packet cipu-driver,-lpcap))
ifeq ($(VARIANT),release)
$(B)/test/test_rtl_depths: $(RTL_CARD_OBJECTS)
$(eval $(call test,test_rtl_depths,tests/driver/test_rtl_depths.c $(DEPTH_SOURCES) $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim, \
    $(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))
endif

BLOCK_SOURCES := $(addprefix tests/driver/,block_tests.c block_load.c block_world.c)
BLOCK_DEPTH_SOURCES := $(addprefix tests/driver/,block_depth_tests.c block_load.c block_world.c)
$(eval $(call test,test_block_card,tests/driver/test_block_card.c $(BLOCK_SOURCES),cipu-packet cipu-driver,-lpcap))
$(eval $(call test,test_block_depths,tests/driver/test_block_depths.c $(BLOCK_DEPTH_SOURCES),cipu-packet cipu-driver,-lpcap))
ifeq ($(VARIANT),release)
$(B)/test/test_rtl_block_depths: $(RTL_CARD_OBJECTS)
$(eval $(call test,test_rtl_block_depths,tests/driver/test_rtl_block_depths.c $(BLOCK_DEPTH_SOURCES) $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim, \
    $(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))
$(B)/test/test_rtl_block_card: $(RTL_CARD_OBJECTS)
$(eval $(call test,test_rtl_block_card,tests/driver/test_rtl_block_card.c $(BLOCK_SOURCES) $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim, \
    $(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))
endif

include tests/driver/host.mk
