# SPDX-License-Identifier: Apache-2.0
# Network kernels: the section of the card's own graph, with the test at its ends.
build/gen/net.cfg: hls/card.cfg tests/hls/net_ends.cfg
	$(call say,GEN,$@)
	$(Q)$(BEGIN_OUTPUT) { echo '[connectivity]'; sed -n '/^# ---- network/,/^# ---- [^n]/p' hls/card.cfg; cat tests/hls/net_ends.cfg; } \
	    > "$$new" $(END_OUTPUT)

$(eval $(call native_graph,net,build/gen/net.cfg,tests/hls/net_shell.cfg,hls))
$(eval $(call native_graph,net_copying,build/gen/net.cfg,tests/hls/net_shell.cfg,hls,--copying))
$(eval $(call library,net-card,tests/hls/net_card.c build/gen/native_net.c build/gen/native_net_copying.c))

$(eval $(call serial_test,test_net,tests/hls/test_net.c,net-card cipu-graph-run))
$(eval $(call serial_test,test_net_match,tests/hls/test_net_match.c,bench-chain-graph cipu-graph-run))
$(eval $(call serial_test,test_net_rewrite,tests/hls/test_net_rewrite.c,net-card cipu-graph-run))
$(eval $(call program,test-net-pipe,tests/hls/net_pipe.c,net-card cipu-packet cipu-graph-run))
$(eval $(call script_test,tests/hls/test_net_scapy.py,$(B)/bin/test-net-pipe))
$(eval $(call fuzz,fuzz_packet,tests/fuzz/fuzz_packet.c,net-card cipu-packet cipu-graph-run))
