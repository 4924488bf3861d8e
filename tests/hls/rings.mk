# SPDX-License-Identifier: Apache-2.0
# Host rings, control, DMA guard, checksum, receive filter.
$(foreach name,guard rings rings_packets ring_append control filter checksum,$(eval $(call serial_test,test_$(name),tests/hls/test_$(name).c,)))
$(eval $(call program,test-checksum-pipe,tests/hls/checksum_pipe.c,))
$(eval $(call script_test,tests/hls/test_checksum_scapy.py,$(B)/bin/test-checksum-pipe))
