# SPDX-License-Identifier: Apache-2.0
$(GUEST) &: tools/guest/build tools/guest/init tools/fetch-debs
	$(call say,GUEST,build/guest)
	$(Q)tools/guest/build

guest: $(GUEST) ## build the guest's kernel and initramfs
