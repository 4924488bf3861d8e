# SPDX-License-Identifier: Apache-2.0
DEVICE_TEST_LIBS := cipu-test-peers cipu-frontend cipu-device cipu-driver
DEVICE_TEST_LDLIBS := -ljansson -lpcap
$(eval $(call program,serve-virtio-net,tests/runtime/device/serve_virtio_net.c,$(DEVICE_TEST_LIBS),$(DEVICE_TEST_LDLIBS)))
$(foreach name,virtio_net_traffic virtio_net_control virtio_pci,$(eval $(call test,test-$(subst _,-,$(name)), \
    tests/runtime/device/test_$(name).c tests/runtime/device/reflecting_card.c,$(DEVICE_TEST_LIBS),$(DEVICE_TEST_LDLIBS))))
$(eval $(call test,test-guest-memory,tests/runtime/device/test_guest_memory.c,cipu-device cipu-driver,-lpcap))
$(foreach name,nvme_controller nvme_admin nvme_erase nvme_io nvme_shared nvme_owned,$(eval $(call test,test-$(subst _,-,$(name)), \
    tests/runtime/device/test_$(name).c tests/runtime/device/nvme_bench.c,cipu-device cipu-driver,-lpcap)))
$(eval $(call serial_test,test-nvme-reservation,tests/runtime/device/test_nvme_reservation.c,cipu-device cipu-driver,-lpcap))
# virtio-blk in front of the real block engine; the card is a few hundred lines of C in place of driver/'s.
BLK_TEST_SOURCES := tests/runtime/device/block_card.c driver/error.c driver/memory_fd.c driver/signaller.c
BLK_TEST_LIBS := cipu-test-peers cipu-frontend cipu-device cipu-block
BLK_TEST_LDLIBS := -ljansson -luring -lcrypto
$(eval $(call test,test-virtio-blk,tests/runtime/device/test_virtio_blk.c $(BLK_TEST_SOURCES),$(BLK_TEST_LIBS),$(BLK_TEST_LDLIBS)))
