# SPDX-License-Identifier: Apache-2.0
# The simulated card with modules whose signals can be seen.
ifeq ($(VARIANT),release)
$(B)/bin/cipu-card: $(TRACED_CARD_OBJECTS)
$(eval $(call link_rule,$(B)/bin/cipu-card,$(sort $(wildcard tools/card/*.c)) build/gen/record_types.c $(RTL_CARD_SOURCES),cipu-net cipu-packet \
    cipu-driver cipu-hw-sim,$(TRACED_CARD_OBJECTS) -ljansson -lpcap $(VERILATED_LDLIBS)))
endif
