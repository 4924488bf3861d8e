# SPDX-License-Identifier: Apache-2.0
DEVICE_TEST_LIBS := cipu-test-peers cipu-frontend cipu-device cipu-driver
DEVICE_TEST_LDLIBS := -ljansson -lpcap
$(eval $(call program,serve-virtio-net,tests/runtime/device/serve_virtio_net.c,$(DEVICE_TEST_LIBS),$(DEVICE_TEST_LDLIBS)))
$(eval $(call test,test-virtio-net-traffic,tests/runtime/device/test_virtio_net_traffic.c tests/runtime/device/reflecting_card.c, \
    $(DEVICE_TEST_LIBS),$(DEVICE_TEST_LDLIBS)))
