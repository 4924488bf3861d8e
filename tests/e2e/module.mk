# SPDX-License-Identifier: Apache-2.0
E2E_DEPS := all $(GUEST) $(QEMU)
$(eval $(call script_test,tests/e2e/test_guest_linux_peer.sh,$(E2E_DEPS)))
$(eval $(call script_test,tests/e2e/test_wire.sh,$(E2E_DEPS)))
$(eval $(call script_test,tests/e2e/test_tenants.sh,$(E2E_DEPS)))
$(eval $(call script_test,tests/e2e/test_restart.sh,$(E2E_DEPS)))
$(eval $(call script_test,tests/e2e/test_reboot.sh,$(E2E_DEPS)))
$(eval $(call program,hostile_driver,tests/e2e/hostile_driver.c,cipu-test-peers cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
$(eval $(call script_test,tests/e2e/test_hostile.sh,$(E2E_DEPS)))

# Block devices. The guests' work is the same under sanitizers, where the hostile driver and the units' tests say more.
ifeq ($(VARIANT),release)
$(foreach job,nvme_guest nvme_manage nvme_share nvme_multipath block_resize block_frontends,$(eval $(call script_test,tests/e2e/test_$(job).sh,$(E2E_DEPS))))
$(eval $(call program,power_cut,tests/e2e/power_cut.c tests/e2e/killed_daemon.c,cipu-test-peers cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
$(eval $(call script_test,tests/e2e/test_power_cut.sh,all))
$(eval $(call program,overtake,tests/e2e/overtake.c,cipu-test-peers cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
$(eval $(call script_test,tests/e2e/test_overtake.sh,all))
# Its image takes minutes: `make test BOOT_TEST=1`.
ifneq ($(BOOT_TEST),)
$(eval $(call script_test,tests/e2e/test_boot_disk.sh,$(B)/bin/cipud $(B)/bin/cipu $(QEMU)))
endif
endif
$(eval $(call program,namespace_cut,tests/e2e/namespace_cut.c tests/e2e/killed_daemon.c,cipu-test-peers cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
# Guests and the operator on threads of their own: also under the sanitizer of threads.
$(eval $(call script_test,tests/e2e/test_namespace_cut.sh,all,release tsan))
HOSTILE_NVME_SOURCES := $(addprefix tests/e2e/,hostile_nvme.c nvme_attacker.c nvme_attacks.c nvme_matrix.c)
$(eval $(call program,hostile_nvme,$(HOSTILE_NVME_SOURCES),cipu-test-peers cipu-frontend cipu-device cipu-driver,-ljansson -lpcap))
$(eval $(call script_test,tests/e2e/test_nvme_hostile.sh,all))

# The same on the rtl card.
$(foreach job,guest tenants restart hostile reboot wire,$(eval $(call script_test,tests/e2e/test_rtl_$(job).sh,$(E2E_DEPS) $(B)/bin/cipud-rtl)))
