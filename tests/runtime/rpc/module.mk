# SPDX-License-Identifier: Apache-2.0
$(eval $(call script_test,tests/runtime/rpc/test_rpc.py,$(B)/bin/cipud))
$(eval $(call script_test,tests/runtime/rpc/test_daemon.py,$(B)/bin/cipud))
