# SPDX-License-Identifier: Apache-2.0
# What includes LLVM's headers is one library, the rest needs no flags.
HLSC_LLVM := $(addprefix tools/hlsc/,front.c front_signature.c layout.c $(notdir $(wildcard tools/hlsc/lower*.c)) kernel.c)
HLSC_SOURCES := $(filter-out $(HLSC_LLVM) tools/hlsc/main.c,$(wildcard tools/hlsc/*.c))
HLSC_LIBS := hlsc-front hlsc
HLSC_LDLIBS := $(shell llvm-config-19 --ldflags --libs 2>/dev/null)
$(eval $(call library,hlsc-front,$(HLSC_LLVM),-isystem $(shell llvm-config-19 --includedir 2>/dev/null)))
$(eval $(call library,hlsc,$(HLSC_SOURCES)))
$(eval $(call program,hlsc,tools/hlsc/main.c,$(HLSC_LIBS),$(HLSC_LDLIBS)))
