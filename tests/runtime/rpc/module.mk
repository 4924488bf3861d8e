# SPDX-License-Identifier: Apache-2.0
$(eval $(call script_test,tests/runtime/rpc/test_rpc.py,$(B)/bin/cipud))
$(eval $(call script_test,tests/runtime/rpc/test_daemon.py,$(B)/bin/cipud))
$(eval $(call script_test,tests/runtime/rpc/test_volumes.py,$(B)/bin/cipud $(B)/bin/cipu))
$(eval $(call fuzz,fuzz_rpc,tests/fuzz/fuzz_rpc.c runtime/net/address.c runtime/block/backend_uri.c driver/error.c,cipu-json-rpc cipu-config,-ljansson -lyaml))
