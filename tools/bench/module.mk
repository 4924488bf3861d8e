# SPDX-License-Identifier: Apache-2.0
$(eval $(call native_graph,chain,tools/bench/chain.cfg,tools/bench/chain_shell.cfg,hls))
$(eval $(call library,cipu-graph-run,tools/bench/graph_run.c tools/bench/graph_memory.c))
$(eval $(call library,bench-chain-graph,build/gen/native_chain.c,-O3))
$(eval $(call program,bench-chain,tools/bench/chain.c tools/bench/chain_command.c,bench-chain-graph cipu-graph-run))
$(eval $(call program,flood,tools/bench/flood.c,))
$(eval $(call program,xdp-pass,tools/bench/xdp_pass.c,))

# The rtl card with every kernel a module.
ifeq ($(VARIANT),release)
$(B)/bin/bench-rtl-virtio: $(RTL_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/bench-rtl-virtio,tools/bench/rtl_virtio.c tools/bench/rtl_load.c tools/bench/rtl_guest.c $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim,$(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))

$(B)/bin/bench-rtl-nvme: $(RTL_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/bench-rtl-nvme,tools/bench/rtl_nvme.c $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim,$(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))

RTL_NET := $(addprefix tools/bench/,rtl_net_run.c rtl_net_chain.c rtl_net_whole.c net_load.c chain_beat.c chain_command.c)
$(B)/bin/bench-rtl-net: $(RTL_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/bench-rtl-net,tools/bench/rtl_net.c $(RTL_NET) $(RTL_CARD_SOURCES),cipu-packet cipu-driver bench-chain-graph cipu-hw-sim,$(RTL_CARD_OBJECTS) -lpcap $(VERILATED_LDLIBS)))

# The chain as one model.
CHAIN_KERNELS := $(shell sed -n 's/^nk=\([a-z0-9_]*\):.*/\1/p' tools/bench/chain.cfg)
build/gen/hw/chain/chain_graph.sv: tools/bench/chain.cfg tools/bench/chain_shell.cfg build/gen/bin/cipu-graph
	$(call say,GRAPH,$@)
	$(Q)$(BEGIN_OUTPUT) build/gen/bin/cipu-graph --name chain --shell tools/bench/chain_shell.cfg --rtl "$$new" tools/bench/chain.cfg $(END_OUTPUT)
$(eval $(call verilated,chain,chain_graph,stream_fifo,,build/gen/hw/chain/chain_graph.sv $(CHAIN_KERNELS:%=$(RTL)/%.sv)))
RTL_SIM_OBJECTS := $(call models,chain) $(RTL_CARD_OBJECTS)
$(B)/bin/bench-rtl-sim: $(RTL_SIM_OBJECTS)
$(eval $(call link_rule,$(B)/bin/bench-rtl-sim,tools/bench/rtl_sim.c tools/bench/rtl_net_one.c $(RTL_NET) $(RTL_CARD_SOURCES),cipu-packet cipu-driver bench-chain-graph cipu-hw-sim,$(RTL_SIM_OBJECTS) -lpcap $(VERILATED_LDLIBS)))
endif
$(eval $(call program,bench-block,tools/bench/block.c,cipu-test-peers cipu-frontend))
