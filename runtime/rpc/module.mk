# SPDX-License-Identifier: Apache-2.0
# The protocol alone, for what needs no daemon; and the servers of the daemon.
$(eval $(call library,cipu-json-rpc,$(addprefix runtime/rpc/,framer.c json_rpc.c)))
$(eval $(call library,cipu-rpc,$(addprefix runtime/rpc/,methods.c methods_controller.c methods_daemon.c methods_flow.c methods_function.c \
    methods_overlay.c methods_reservation.c methods_subsystem.c methods_volume.c metrics.c metrics_text.c server.c unix_socket.c)))
