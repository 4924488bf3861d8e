# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-block,$(sort $(wildcard runtime/block/*.c))))
