# SPDX-License-Identifier: Apache-2.0
GRAPH_SOURCES := $(wildcard tools/graph/*.c)
$(eval $(call build_tool,cipu-graph,$(GRAPH_SOURCES)))
$(eval $(call program,cipu-graph,$(GRAPH_SOURCES),))

