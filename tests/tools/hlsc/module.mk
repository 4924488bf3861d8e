# SPDX-License-Identifier: Apache-2.0
$(eval $(call serial_test,test_hlsc_net,tests/tools/hlsc/test_net.c,hlsc))
$(eval $(call serial_test,test_hlsc_schedule,tests/tools/hlsc/test_schedule.c,hlsc))

HLSC_COMPARE := $(addprefix tests/tools/hlsc/,compare.c native.c stimulus.c)
$(eval $(call serial_test,test_hlsc_kernels,tests/tools/hlsc/test_kernels.c $(HLSC_COMPARE),$(HLSC_LIBS),$(HLSC_LDLIBS) -ldl))
$(eval $(call script_test,tests/tools/hlsc/test_refused.py,$(B)/bin/hlsc))
$(eval $(call script_test,tests/tools/hlsc/test_random_kernels.py,$(B)/test/test_hlsc_kernels,release))
$(eval $(call script_test,tests/tools/hlsc/test_random_rtl.py,$(B)/bin/hlsc,release))
$(eval $(call script_test,tests/tools/hlsc/test_rtl.py,$(B)/bin/hlsc,release))
$(eval $(call script_test,tests/tools/hlsc/test_vitis.py,$(B)/bin/hlsc $(B)/bin/cipu-graph build/gen/hw/cipu.sv,release))
$(eval $(call script_test,tests/tools/hlsc/test_command.py,$(B)/bin/hlsc))
