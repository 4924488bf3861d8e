# SPDX-License-Identifier: Apache-2.0
# Own clients and drivers that tests use against the real servers and devices.
$(eval $(call library,cipu-test-peers,$(wildcard tests/peers/*.c)))
