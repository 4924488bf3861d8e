# SPDX-License-Identifier: Apache-2.0
NET_RECORDED := tests/runtime/net/recorded_host.c driver/error.c

$(eval $(call test,test_net_address,tests/runtime/net/test_net_address.c driver/error.c,cipu-net))
$(eval $(call test,test_net_flow_table,tests/runtime/net/test_net_flow_table.c $(NET_RECORDED),cipu-net cipu-packet))
$(eval $(call program,test-slow-path-pipe,tests/runtime/net/slow_path_pipe.c $(NET_RECORDED),cipu-net cipu-packet))
$(eval $(call script_test,tests/runtime/net/test_net_slow_path.py,$(B)/bin/test-slow-path-pipe))
$(eval $(call test,test_net_card,tests/runtime/net/test_net_card.c,cipu-net cipu-packet cipu-driver,-lpcap))
$(eval $(call fuzz,fuzz_slow_path,tests/runtime/net/fuzz_slow_path.c $(NET_RECORDED),cipu-net cipu-packet))
