# SPDX-License-Identifier: Apache-2.0
include $(sort $(filter-out tests/hls/module.mk,$(wildcard tests/hls/*.mk)))
