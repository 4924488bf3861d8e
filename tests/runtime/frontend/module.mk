# SPDX-License-Identifier: Apache-2.0
FRONTEND_TEST_LIBS := cipu-test-peers cipu-frontend cipu-device cipu-driver
FRONTEND_TEST_LDLIBS := -ljansson -lpcap
$(foreach name,messages connection memory,$(eval $(call test,test-vfio-user-$(name),tests/runtime/frontend/test_vfio_user_$(name).c \
    tests/runtime/frontend/plain_device.c,$(FRONTEND_TEST_LIBS),$(FRONTEND_TEST_LDLIBS))))
$(eval $(call test,test-vhost-user-messages,tests/runtime/frontend/test_vhost_user_messages.c \
    tests/runtime/frontend/plain_vhost_device.c driver/error.c driver/memory_fd.c driver/signaller.c, \
    cipu-test-peers cipu-frontend,-ljansson))
$(eval $(call test,test-vhost-user-blk,tests/runtime/frontend/test_vhost_user_blk.c $(BLK_TEST_SOURCES),$(BLK_TEST_LIBS),$(BLK_TEST_LDLIBS)))
