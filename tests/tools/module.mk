# SPDX-License-Identifier: Apache-2.0
$(eval $(call script_test,tests/tools/test_peer.sh,,release))
$(eval $(call script_test,tests/tools/test_guest.sh,$(GUEST),release))
$(eval $(call script_test,tests/tools/test_make.sh,,release))
$(eval $(call script_test,tests/tools/test_kernels_doc.sh,$(B)/bin/hlsc $(B)/bin/cipu-graph,release))
$(eval $(call script_test,tests/tools/test_graph.py,$(B)/bin/cipu-graph))
$(eval $(call script_test,tests/tools/test_records.py,build/gen/hw/cipu.sv))
include $(sort $(wildcard tests/tools/*/module.mk))
