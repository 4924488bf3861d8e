# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-device,$(wildcard runtime/device/*.c)))
