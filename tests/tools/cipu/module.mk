# SPDX-License-Identifier: Apache-2.0
$(eval $(call script_test,tests/tools/cipu/test_cipu.py,$(B)/bin/cipud $(B)/bin/cipu))
