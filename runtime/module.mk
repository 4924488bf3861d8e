# SPDX-License-Identifier: Apache-2.0
include $(sort $(wildcard runtime/*/module.mk))
CIPUD_LIBS := cipu-rpc cipu-json-rpc cipu-daemon cipu-block cipu-config cipu-frontend cipu-device cipu-net cipu-packet cipu-driver
CIPUD_LDLIBS := -ljansson -levent -lyaml -lpcap -luring -lcrypto
$(eval $(call program,cipud,runtime/cipud.c,$(CIPUD_LIBS),$(CIPUD_LDLIBS)))
