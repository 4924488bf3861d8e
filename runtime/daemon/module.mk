# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-daemon,$(addprefix runtime/daemon/,capture.c controllers.c reload_controllers.c reservation_store.c daemon.c functions.c log.c overlay.c reload.c \
    reload_volumes.c statistics.c statistics_volumes.c volumes.c)))
