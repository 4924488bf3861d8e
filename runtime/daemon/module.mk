# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-daemon,$(addprefix runtime/daemon/,capture.c controllers.c daemon.c functions.c log.c namespace_pool.c namespace_record.c overlay.c \
    reload.c reload_controllers.c reload_subsystems.c reload_volumes.c reservation_store.c state_file.c statistics.c statistics_controllers.c \
    statistics_volumes.c subsystems.c volumes.c)))
