# SPDX-License-Identifier: Apache-2.0
include $(sort $(wildcard runtime/*/module.mk))
$(eval $(call program,cipud,runtime/cipud.c,cipu-rpc cipu-json-rpc cipu-daemon cipu-config cipu-frontend cipu-device \
    cipu-net cipu-packet cipu-driver,-ljansson -levent -lyaml -lpcap))
