# SPDX-License-Identifier: Apache-2.0
# libclang of the same compiler; its headers stand beside it.
LIBCLANG := /usr/lib/llvm-19
$(eval $(call build_tool,cipu-records,$(wildcard tools/records/*.c),-I$(LIBCLANG)/include -L$(LIBCLANG)/lib -lclang-19))
