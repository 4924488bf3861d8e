# SPDX-License-Identifier: Apache-2.0
# Transmit queues.
$(eval $(call test,test_virtio_tx,tests/hls/test_virtio_tx.c,))
