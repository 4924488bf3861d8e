# SPDX-License-Identifier: Apache-2.0
# Without the block path's rings.
HOST_GRAPH := tests/driver/host_graph/host_graph.cfg
HOST_KERNELS := hls tests/driver/host_graph
$(eval $(call native_graph,host,$(HOST_GRAPH),hls/shell.cfg,$(HOST_KERNELS),--open))
$(eval $(call native_graph,host_copying,$(HOST_GRAPH),hls/shell.cfg,$(HOST_KERNELS),--open --copying))
$(eval $(call test,test_host,tests/driver/test_host.c build/gen/native_host.c build/gen/native_host_copying.c,cipu-driver,-lpcap))
$(eval $(call test,test_host_hostile,tests/driver/test_host_hostile.c,cipu-driver,-lpcap))
$(eval $(call test,test_host_card,tests/driver/test_host_card.c,cipu-driver,-lpcap))
$(eval $(call rtl_test,test_rtl_host_card,tests/driver/test_host_card.c $(RTL_CARD),cipu-driver,$(CARD_MODELS),-lpcap))
