# SPDX-License-Identifier: Apache-2.0
# NVMe queues.
$(foreach name,queues faults decode copying,$(eval $(call serial_test,test_nvme_$(name),tests/hls/test_nvme_$(name).c,)))
