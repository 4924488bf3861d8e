# SPDX-License-Identifier: Apache-2.0
$(eval $(call test,test_config,tests/runtime/config/test_config.c runtime/net/address.c runtime/block/backend_uri.c driver/error.c,cipu-config,-lyaml -ljansson))
$(eval $(call test,test_config_block,tests/runtime/config/test_config_block.c runtime/net/address.c runtime/block/backend_uri.c driver/error.c,cipu-config,-lyaml -ljansson))
$(eval $(call fuzz,fuzz_config,tests/fuzz/fuzz_config.c runtime/net/address.c runtime/block/backend_uri.c driver/error.c,cipu-config,-lyaml -ljansson))
