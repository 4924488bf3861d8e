# SPDX-License-Identifier: Apache-2.0
# The block path's kernels.
$(foreach name,walk path virtio qos,$(eval $(call serial_test,test_block_$(name),tests/hls/test_block_$(name).c,)))
