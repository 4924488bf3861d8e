# SPDX-License-Identifier: Apache-2.0
$(eval $(call fuzz,fuzz-vfio-user,tests/fuzz/frontend/fuzz_vfio_user.c,cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
$(eval $(call fuzz,fuzz_vhost_user,tests/fuzz/frontend/fuzz_vhost_user.c tests/runtime/frontend/plain_vhost_device.c \
    driver/error.c driver/memory_fd.c driver/signaller.c,cipu-frontend,-ljansson))
