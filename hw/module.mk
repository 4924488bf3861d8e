# SPDX-License-Identifier: Apache-2.0
# What the hardware needs of the C headers.
RECORD_HEADERS := $(wildcard hls/include/*.h)
build/gen/hw/cipu.sv: $(RECORD_HEADERS) build/gen/bin/cipu-records
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)build/gen/bin/cipu-records --package $@ $(RECORD_HEADERS)

build/gen/hw/registers.md: $(RECORD_HEADERS) build/gen/bin/cipu-records
	$(Q)mkdir -p $(@D)
	$(Q)build/gen/bin/cipu-records --registers $@ $(RECORD_HEADERS)
