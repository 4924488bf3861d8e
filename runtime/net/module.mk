# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-net,$(sort $(wildcard runtime/net/*.c))))
