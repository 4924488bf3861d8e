# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-daemon,$(addprefix runtime/daemon/,capture.c daemon.c functions.c log.c overlay.c reload.c statistics.c)))
