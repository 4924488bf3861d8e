# SPDX-License-Identifier: Apache-2.0
# Transmit queues.
$(foreach name,tx tx_faults,$(eval $(call serial_test,test_virtio_$(name),tests/hls/test_virtio_$(name).c,)))
