# SPDX-License-Identifier: Apache-2.0
# $(eval $(call native_graph,NAME,CFG,SHELL,KERNEL_FOLDERS[,FLAGS])): build/gen/native_NAME.c, with the symbol native_graph_NAME
define native_graph
build/gen/native_$(strip $(1)).c: $(2) $(3) $(foreach folder,$(4),$(wildcard $(folder)/*/*.c)) build/gen/bin/cipu-graph
	$$(call say,GRAPH,$$@)
	$$(Q)$$(BEGIN_OUTPUT) build/gen/bin/cipu-graph --name $(strip $(1)) --shell $(3) $(addprefix --kernels ,$(4)) $(5) \
	    --native "$$$$new" $(2) $$(END_OUTPUT)
endef

$(eval $(call native_graph,card,hls/card.cfg,hls/shell.cfg,hls))
$(eval $(call library,cipu-driver,$(wildcard driver/*.c) build/gen/native_card.c,-O3))
