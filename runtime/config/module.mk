# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-config,$(addprefix runtime/config/,config_check.c config_check_block.c config_read.c field.c schema.c schema_json.c)))
