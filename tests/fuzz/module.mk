# SPDX-License-Identifier: Apache-2.0
include $(sort $(wildcard tests/fuzz/*/module.mk))
