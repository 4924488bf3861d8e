# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-frontend,$(wildcard runtime/frontend/*.c)))
