# SPDX-License-Identifier: Apache-2.0
ifeq ($(VARIANT),release)
$(B)/test/fst_signal: $(HW)/verilated.o
$(eval $(call compile,tests/tools/card/fst_signal.c,-isystem $(VERILATOR_INCLUDE)))
$(B)/test/fst_signal: $(call objects,tests/tools/card/fst_signal.c,-isystem $(VERILATOR_INCLUDE))
	$(call say,LD,$@)
	$(Q)$(BEGIN_OUTPUT) $(CC) $(ALL_LDFLAGS) -o "$$new" $(filter %.o,$^) $(VERILATED_LDLIBS) $(END_OUTPUT)
endif
$(eval $(call script_test,tests/tools/card/test_cipu_card.py,$(B)/bin/cipu-card $(B)/test/fst_signal,release))
