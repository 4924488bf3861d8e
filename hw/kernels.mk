# SPDX-License-Identifier: Apache-2.0
#
# The card's kernels as modules, one by one: hls/NAME/NAME.c -> build/gen/rtl/NAME.sv (hlsc) -> $(HW)/kernel/NAME.o
# (Verilator), and cipud with the card that has them all. They are the same for all variants; the release variant makes
# them.
HLSC := build/release/bin/hlsc
RTL := build/gen/rtl
RTL_KERNELS := $(sort $(shell sed -n 's/^nk=\([a-z0-9_]*\):.*/\1/p' hls/card.cfg))
RTL_KERNEL_HEADERS := $(wildcard hls/include/*.h hls/*/*.h)

define rtl_kernel
$(RTL)/$(1).sv: hls/$(1)/$(1).c $(RTL_KERNEL_HEADERS) $(HLSC) tools/hlsc/delays.txt
	$$(call say,HLSC,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(HLSC) --interval 1 --report $$(@:.sv=.report) -o $$(@D) $$<

$(HW)/kernel/$(1).o $(HW)/traced/$(1).o: $(RTL)/$(1).sv tools/verilate hw/platform/sim/model.h
	$$(call say,VERIL,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)CXX='$$(CXX)' tools/verilate $$(if $$(findstring /traced/,$$@),--trace) --output $$@ --name $(1) --top $(1) $(RTL)/$(1).sv
endef

ifeq ($(VARIANT),release)
$(foreach kernel,$(RTL_KERNELS),$(eval $(call rtl_kernel,$(kernel))))

build/gen/rtl_kernels.c: hw/kernels.mk hls/card.cfg
	$(Q)$(BEGIN_OUTPUT) { echo '/* SPDX-License-Identifier: Apache-2.0 */'; echo '#include "driver/rtl/rtl.h"'; \
	    printf 'extern const struct rtl_model rtl_model_%s;\n' $(RTL_KERNELS); \
	    echo 'const struct rtl_kernel rtl_kernels[] = {'; \
	    for kernel in $(RTL_KERNELS); do echo "    {\"$$kernel\", &rtl_model_$$kernel},"; done; echo '    {0}};'; } \
	    > "$$new" $(END_OUTPUT)

# What has the rtl card with all kernels links these.
RTL_CARD_SOURCES := $(filter-out driver/rtl/kernels.c,$(RTL_CARD)) build/gen/rtl_kernels.c
TRACED_CARD_OBJECTS := $(RTL_KERNELS:%=$(HW)/traced/%.o) $(CARD_MODELS:%=$(HW)/traced/%.o) $(HW)/verilated.o
RTL_CARD_OBJECTS := $(RTL_KERNELS:%=$(HW)/kernel/%.o) $(call models,$(CARD_MODELS)) $(HW)/verilated.o
$(B)/bin/cipud-rtl: $(RTL_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/cipud-rtl,runtime/cipud.c $(RTL_CARD_SOURCES),$(CIPUD_LIBS) cipu-hw-sim,$(RTL_CARD_OBJECTS) $(CIPUD_LDLIBS) $(VERILATED_LDLIBS)))
endif
