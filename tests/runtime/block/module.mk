# SPDX-License-Identifier: Apache-2.0
# The card is the tests' own: they need none of the driver but its errors.
FAKE_CARD := tests/runtime/block/fake_card.c tests/runtime/block/engine_fixture.c driver/error.c
ENGINE_TRAFFIC := tests/runtime/block/engine_traffic.c
$(eval $(call test,test-block-engine,tests/runtime/block/test_engine.c $(ENGINE_TRAFFIC) $(FAKE_CARD),cipu-block,-luring -lcrypto))
$(eval $(call test,test-block-engine-commands,tests/runtime/block/test_engine_commands.c $(ENGINE_TRAFFIC) $(FAKE_CARD),cipu-block,-luring -lcrypto))
$(eval $(call test,test-block-engine-changes,tests/runtime/block/test_engine_changes.c $(ENGINE_TRAFFIC) $(FAKE_CARD),cipu-block,-luring -lcrypto))
$(eval $(call test,test-block-engine-raw,tests/runtime/block/test_engine_raw.c $(FAKE_CARD),cipu-block,-luring -lcrypto))
$(eval $(call test,test-block-stalls,tests/runtime/block/test_stalls.c $(FAKE_CARD),cipu-block,-luring -lcrypto))
$(eval $(call serial_test,test-block-backends,tests/runtime/block/test_backends.c driver/error.c,cipu-block,-luring -lcrypto))
$(eval $(call serial_test,test-block-disk-crash,tests/runtime/block/test_disk_crash.c tests/runtime/block/disk_image.c driver/error.c,cipu-block,-luring -lcrypto))
$(eval $(call serial_test,test-block-crypt,tests/runtime/block/test_crypt.c tests/runtime/block/crypt_oracle.c \
    tests/runtime/block/disk_image.c driver/error.c,cipu-block,-luring -lcrypto))
$(eval $(call fuzz,fuzz_disk,tests/fuzz/fuzz_disk.c tests/runtime/block/disk_image.c driver/error.c,cipu-block,-luring -lcrypto))
$(eval $(call fuzz,fuzz_crypt,tests/fuzz/fuzz_crypt.c tests/runtime/block/disk_image.c driver/error.c,cipu-block,-luring -lcrypto))
