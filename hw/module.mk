# SPDX-License-Identifier: Apache-2.0
#
#   $(eval $(call verilated,NAME,TOP,SOURCES[,PARAMETERS[,FILES[,OPTIONS]]]))   the module TOP as `struct rtl_model rtl_model_NAME`
#   $(eval $(call rtl_test,NAME,SOURCES,LIBS,MODELS[,LDLIBS]))   a cmocka program with such models
#
# SOURCES are files of hw/shell without folder and suffix, FILES any others; the package comes with them. Models are the same for all
# variants: the sanitizers watch the C around them.

# What the hardware needs of the C headers; those of kernels declare records that only some of them exchange.
RECORD_HEADERS := $(wildcard hls/include/*.h) hls/checksum/checksum.h hls/packet_gate/packet_gate.h
build/gen/hw/cipu.sv: $(RECORD_HEADERS) build/gen/bin/cipu-records
	$(call say,GEN,$@)
	$(Q)$(BEGIN_OUTPUT) build/gen/bin/cipu-records --package "$$new" $(RECORD_HEADERS) $(END_OUTPUT)

build/gen/record_types.c: $(RECORD_HEADERS) build/gen/bin/cipu-records
	$(call say,GEN,$@)
	$(Q)$(BEGIN_OUTPUT) build/gen/bin/cipu-records --fields "$$new" $(RECORD_HEADERS) $(END_OUTPUT)

build/gen/hw/registers.md: $(RECORD_HEADERS) build/gen/bin/cipu-records
	$(Q)$(BEGIN_OUTPUT) build/gen/bin/cipu-records --registers "$$new" $(RECORD_HEADERS) $(END_OUTPUT)

# $(eval $(call rtl_graph,FOLDER,CFG,KERNEL_FOLDERS)): the module card_graph in build/gen/hw/FOLDER
define rtl_graph
build/gen/hw/$(strip $(1))/card_graph.sv: $(2) hls/shell.cfg build/gen/bin/cipu-graph
	$$(call say,GRAPH,$$@)
	$$(Q)$$(BEGIN_OUTPUT) build/gen/bin/cipu-graph --name card $(addprefix --kernels ,$(3)) --rtl "$$$$new" $(2) $$(END_OUTPUT)
endef
$(eval $(call rtl_graph,empty,tests/hw/graphs/empty.cfg,hls))

HW := build/hw$(if $(IS_CLANG),,-$(notdir $(CC)))
VERILATOR_INCLUDE := /usr/share/verilator/include
shell_sources = build/gen/hw/cipu.sv $(foreach name,$(1),hw/shell/$(name).sv)
models = $(foreach name,$(1),$(HW)/$(name).o)

# In the folder traced with --trace: what cipu-card links.
define verilated
$(HW)/$(strip $(1)).o $(HW)/traced/$(strip $(1)).o: $(call shell_sources,$(3)) $(5) tools/verilate hw/platform/sim/model.h
	$$(call say,VERIL,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)CXX='$$(CXX)' tools/verilate $(6) $$(if $$(findstring /traced/,$$@),--trace) --output $$@ --name $(strip $(1)) --top $(strip $(2)) $(addprefix --parameter ,$(4)) $(call shell_sources,$(3)) $(5)
endef

# Verilator's own run time, and waveforms.
VERILATED := $(addprefix $(VERILATOR_INCLUDE)/,verilated.cpp verilated_threads.cpp verilated_fst_c.cpp) hw/platform/sim/waveform.cpp
VERILATED_LDLIBS := -lstdc++ -lm -lz
$(HW)/verilated.o: $(VERILATED) hw/platform/sim/waveform.h hw/platform/sim/waveform_context.h hw/platform/sim/model.h
	$(call say,CXX,$@)
	$(Q)mkdir -p $(@D)
	$(Q)printf '#include "%s"\n' $(VERILATED) > $(@:.o=.cpp)
	$(Q)$(CXX) -std=c++17 -O2 -w -pthread -I. -I$(VERILATOR_INCLUDE) -I$(VERILATOR_INCLUDE)/vltstd -c -o $@ $(@:.o=.cpp)

# For programs with the rtl card: sources, because card.c finds it only when it is linked in.
RTL_CARD := $(wildcard driver/rtl/*.c)
define rtl_test
$(B)/test/$(strip $(1)): $(call models,$(4)) $(HW)/verilated.o
$(call test,$(1),$(2),$(3) cipu-hw-sim,$(call models,$(4)) $(HW)/verilated.o $(VERILATED_LDLIBS) $(5))
endef

$(eval $(call library,cipu-hw-sim,$(wildcard hw/platform/sim/*.c)))

# The modules of the rtl card's shell.
DMA_READ := round_robin stream_fifo dma_segment dma_collect dma_split dma_slots dma_gather dma_read
DMA_WRITE := round_robin stream_fifo dma_segment dma_split dma_done dma_scatter dma_write
$(eval $(call verilated,dma_read,dma_read,$(DMA_READ)))
$(eval $(call verilated,dma_write,dma_write,$(DMA_WRITE),CHANNELS=24 MOVES=16))
$(eval $(call verilated,timer,timer,timer))
CARD_MEMORY := round_robin stream_fifo memory_apply memory_fetch memory_store memory_home memory_port card_memory
$(eval $(call verilated,card_memory,card_memory,$(CARD_MEMORY)))
$(eval $(call verilated,doorbells,doorbells,round_robin stream_fifo doorbells))
$(eval $(call verilated,interrupts,interrupts,round_robin interrupts))
$(foreach port,0 1,$(eval $(call verilated,ethernet_rx_$(port),ethernet_rx,stream_fifo packet_buffer ethernet_rx,PORT=$(port))))
$(eval $(call verilated,ethernet_tx,ethernet_tx,stream_fifo packet_buffer ethernet_tx))
$(eval $(call verilated,register_file,register_file,stream_fifo register_file))
$(eval $(call verilated,reset_control,reset_control,reset_control))
$(eval $(call verilated,stream_monitors,stream_monitors,stream_monitor watchdog stream_monitors))
CARD_MODELS := stream_monitors dma_read dma_write card_memory doorbells timer interrupts ethernet_rx_0 ethernet_rx_1 ethernet_tx register_file reset_control
