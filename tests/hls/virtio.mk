# SPDX-License-Identifier: Apache-2.0
# Receive kernels and used rings.
$(foreach name,rx used used_faults,$(eval $(call serial_test,test_virtio_$(name),tests/hls/test_virtio_$(name).c,)))
