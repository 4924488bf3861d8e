# SPDX-License-Identifier: Apache-2.0
include $(sort $(wildcard tests/fuzz/*/module.mk))
$(eval $(call fuzz,fuzz_rings,tests/fuzz/fuzz_rings.c,))
$(eval $(call fuzz,fuzz_nvme,tests/fuzz/fuzz_nvme.c,))
$(eval $(call fuzz,fuzz_nvme_controller,tests/fuzz/fuzz_nvme_controller.c tests/runtime/device/nvme_bench.c,cipu-device cipu-driver,-lpcap -lcmocka))
$(eval $(call fuzz,fuzz_namespace_record,tests/fuzz/fuzz_namespace_record.c runtime/daemon/namespace_record.c,,-ljansson))
