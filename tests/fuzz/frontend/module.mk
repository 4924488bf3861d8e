# SPDX-License-Identifier: Apache-2.0
$(eval $(call fuzz,fuzz-vfio-user,tests/fuzz/frontend/fuzz_vfio_user.c,cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
