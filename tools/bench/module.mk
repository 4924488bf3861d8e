# SPDX-License-Identifier: Apache-2.0
$(eval $(call native_graph,chain,tools/bench/chain.cfg,tools/bench/chain_shell.cfg,hls))
$(eval $(call library,cipu-graph-run,tools/bench/graph_run.c tools/bench/graph_memory.c))
$(eval $(call library,bench-chain-graph,build/gen/native_chain.c,-O3))
$(eval $(call program,bench-chain,tools/bench/chain.c,bench-chain-graph cipu-graph-run))
$(eval $(call program,flood,tools/bench/flood.c,))
$(eval $(call program,xdp-pass,tools/bench/xdp_pass.c,))

# The rtl card with every kernel a module.
ifeq ($(VARIANT),release)
$(B)/bin/bench-rtl-virtio: $(RTL_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/bench-rtl-virtio,tools/bench/rtl_virtio.c tools/bench/rtl_load.c tools/bench/rtl_guest.c $(RTL_CARD_SOURCES),cipu-packet cipu-driver cipu-hw-sim,$(RTL_CARD_OBJECTS) -lpcap -lstdc++ -lm))
endif
