# SPDX-License-Identifier: Apache-2.0
$(BOOT_DISK): tools/boot/image
	$(call say,DISK,$@)
	$(Q)tools/boot/image
