# SPDX-License-Identifier: Apache-2.0
#
# One Makefile: each folder adds a fragment (module.mk) that only uses the macros below.
#
#   $(eval $(call library,NAME,SOURCES[,EXTRA_CFLAGS]))          $(B)/lib/libNAME.a
#   $(eval $(call program,NAME,SOURCES,LIBS[,LDLIBS]))           $(B)/bin/NAME
#   $(eval $(call test,NAME,SOURCES,LIBS[,LDLIBS]))              $(B)/test/NAME: a cmocka program, run by `make test`
#   $(eval $(call serial_test,...))                              the same of a program with one thread: not under TSan
#   $(eval $(call script_test,PATH[,DEPS[,VARIANTS]]))           an executable that prints TAP, run by `make test`
#   $(eval $(call fuzz,NAME,SOURCES,LIBS[,LDLIBS]))              $(B)/fuzz/NAME: a libFuzzer target
#   $(eval $(call build_tool,NAME,SOURCES[,LDLIBS]))             build/gen/bin/NAME: a generator, the same for all variants
#
# LIBS are names of our libraries in link order, LDLIBS are flags such as -ljansson. $(call objects,SOURCES[,EXTRA_CFLAGS])
# names the objects of sources, for rules such as `$(call objects,a.c): | build/gen/a.h`.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# Variants: each has its own folder, so that they live side by side.
ifneq ($(filter default undefined,$(origin CC)),)
CC := clang-19
endif
CXX = $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),$(subst gcc,g++,$(CC)))
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
SANITIZE ?=
IS_CLANG := $(findstring clang,$(CC))

SANITIZE_none :=
SANITIZE_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_thread := -fsanitize=thread -fno-omit-frame-pointer
SANITIZE_fuzzer := $(SANITIZE_address) -fsanitize=fuzzer-no-link -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
VARIANT_none := release
VARIANT_address := asan
VARIANT_thread := tsan
VARIANT_fuzzer := fuzz

SANITIZER := $(or $(strip $(SANITIZE)),none)
VARIANT := $(VARIANT_$(SANITIZER))
ifeq ($(VARIANT),)
$(error SANITIZE=$(SANITIZE) is not one of address, thread, fuzzer)
endif
B := build/$(VARIANT)$(if $(IS_CLANG),,-$(notdir $(CC)))

WARNINGS := -Wall -Wextra -Wshadow
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -Ibuild/gen -pthread -fno-strict-aliasing $(WARNINGS) $(CFLAGS) $(SANITIZE_$(SANITIZER))
ALL_CXXFLAGS := $(patsubst -std=c11,-std=c++17,$(ALL_CFLAGS))
ALL_LDFLAGS := -pthread $(if $(IS_CLANG),-fuse-ld=lld) $(SANITIZE_$(SANITIZER)) $(LDFLAGS)

# The data path and whatever compiles its code in is built for AVX2 (x86-64-v3).
V3_FOLDERS := hls/% driver/% build/gen/% tests/hls/% tests/driver/% tools/bench/%
folder_flags = $(if $(filter $(V3_FOLDERS),$(1)),-march=x86-64-v3) $(if $(filter hls/%,$(1)),-Wconversion)

# V=1 shows whole commands.
Q := $(if $(V),,@)

# An output is made as "$new" and then renamed: whoever sees it sees it whole, also another make in the same folder.
BEGIN_OUTPUT = mkdir -p $(@D) && new=$(@D)/.new-$$$$-$(@F) && trap 'rm -f "$$new" "$$new.d"' EXIT &&
END_OUTPUT = && mv -f "$$new" $@
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')
empty :=
space := $(empty) $(empty)

LIBRARIES :=
PROGRAMS :=
OBJECTS :=
TOOL_SOURCES :=
UNIT_TESTS :=
SCRIPT_TESTS :=
FUZZERS :=

flag_key = $(subst ",,$(subst ',,$(subst $(space),,$(subst /,_,$(subst =,_,$(strip $(1)))))))
object = $(B)/obj/$(1)$(if $(strip $(2)),.$(call flag_key,$(2))).o
objects = $(foreach source,$(1),$(call object,$(source),$(2)))
archives = $(foreach name,$(1),$(B)/lib/lib$(name).a)

# $(call compile_rule,SOURCE,OBJECT,EXTRA_CFLAGS)
define compile_rule
OBJECTS += $(2)
SOURCE_$(2) := $(1)
FLAGS_$(2) := $(call folder_flags,$(1)) $(3)
$(2): $(1) $(B)/flags
	$$(call say,$(if $(filter %.c,$(1)),CC,CXX),$(1))
	$$(Q)$$(BEGIN_OUTPUT) $(if $(filter %.c,$(1)),$$(CC) $$(ALL_CFLAGS),$$(CXX) $$(ALL_CXXFLAGS)) $$(FLAGS_$(2)) \
	    -MMD -MP -MF "$$$$new.d" -MT $$@ -c -o "$$$$new" $(1) && mv -f "$$$$new.d" $$(@:.o=.d) $$(END_OUTPUT)
endef

# Each pair of source and flags is compiled once, however many programs use it.
compile_once = $(if $(filter $(call object,$(1),$(2)),$(OBJECTS)),,$(eval $(call compile_rule,$(1),$(call object,$(1),$(2)),$(2))))
compile = $(foreach source,$(1),$(call compile_once,$(source),$(2)))

# $(call link_rule,TARGET,SOURCES,LIBS,LDLIBS)
define link_rule
$(call compile,$(2))
$(1): $(call objects,$(2)) $(call archives,$(3))
	$$(call say,LD,$$@)
	$$(Q)$$(BEGIN_OUTPUT) $(if $(filter-out %.c,$(2)),$$(CXX),$$(CC)) $$(ALL_LDFLAGS) -o "$$$$new" $(call objects,$(2)) \
	    -Wl,--start-group $(call archives,$(3)) -Wl,--end-group $(4) $$(END_OUTPUT)
endef

define library
$(call compile,$(2),$(3))
LIBRARIES += $(B)/lib/lib$(strip $(1)).a
$(B)/lib/lib$(strip $(1)).a: $(call objects,$(2),$(3))
	$$(call say,AR,$$@)
	$$(Q)$$(BEGIN_OUTPUT) $$(AR) rcs "$$$$new" $(call objects,$(2),$(3)) $$(END_OUTPUT)
endef

define program
PROGRAMS += $(B)/bin/$(strip $(1))
$(call link_rule,$(B)/bin/$(strip $(1)),$(2),$(3),$(4))
endef

define test
UNIT_TESTS += $(B)/test/$(strip $(1))
$(call link_rule,$(B)/test/$(strip $(1)),$(2),$(3),$(4) -lcmocka)
endef

# One thread from beginning to end: TSan has nothing to find.
define serial_test
ifneq ($(VARIANT),tsan)
$(call test,$(1),$(2),$(3),$(4))
endif
endef

# Tests with guests are slow under the sanitizers: they run there only when VARIANTS says so.
define script_test
ifneq ($(filter $(VARIANT),$(or $(strip $(3)),$(if $(filter tests/e2e/%,$(1)),release,release asan tsan))),)
SCRIPT_TESTS += $(strip $(1))
SCRIPT_DEPS_$(strip $(1)) := $(2)
endif
endef

# libFuzzer is clang's.
define fuzz
ifeq ($(VARIANT)$(IS_CLANG),fuzzclang)
FUZZERS += $(B)/fuzz/$(strip $(1))
$(call link_rule,$(B)/fuzz/$(strip $(1)),$(2),$(3),$(4) -fsanitize=fuzzer)
endif
endef

define build_tool
TOOL_SOURCES += $(filter %.c,$(2))
$(foreach source,$(filter %.c,$(2)),$(eval FLAGS_tool_$(source) := $(filter -I%,$(3))))
build/gen/bin/$(strip $(1)): $(2)
	$$(call say,TOOL,$$@)
	$$(Q)$$(BEGIN_OUTPUT) $$(CC) -std=c11 -D_GNU_SOURCE -I. $$(WARNINGS) -O1 -g -o "$$$$new" $(filter %.c,$(2)) $(3) $$(END_OUTPUT)
endef

# The guest's kernel and initramfs, and a QEMU that speaks vfio-user: what tests with guests depend on.
GUEST := build/guest/vmlinuz build/guest/initramfs.cpio build/guest/storage.cpio
QEMU := build/qemu/qemu-system-x86_64
# A hard disk with Debian: what DEMO=boot starts from.
BOOT_DISK := build/boot/disk.img

include $(wildcard hls/module.mk hw/module.mk driver/module.mk runtime/module.mk hw/kernels.mk tools/module.mk tests/module.mk)

all: $(LIBRARIES) $(PROGRAMS) ## build everything (SANITIZE=address|thread, CC=gcc, V=1)

$(B)/flags: FORCE
	@mkdir -p $(@D); new='$(subst ','\'',$(CC) $(ALL_CFLAGS) $(V3_FOLDERS))'; \
	[ "$$(cat $@ 2>/dev/null)" = "$$new" ] || { printf '%s\n' "$$new" > $@.$$$$ && mv -f $@.$$$$ $@; }

-include $(OBJECTS:.o=.d)

# The stamp carries the content of tools/setup in its name: a changed list of packages is checked again.
SETUP ?= 1
SETUP_STAMP := build/setup-$(shell cksum < tools/setup 2>/dev/null | cut -d' ' -f1).done
setup: $(if $(filter 0,$(SETUP)),,$(SETUP_STAMP)) ## install what is missing (Debian 12 and 13; SETUP=0 skips it)
$(SETUP_STAMP):
	$(Q)tools/setup
	$(Q)mkdir -p build && rm -f build/setup-*.done && touch $@

# Removed by hand, perhaps: setup knows how to make it.
$(QEMU):
	$(Q)tools/setup

DEMO ?= network
$(if $(filter network boot,$(DEMO)),,$(error DEMO=$(DEMO): expected network or boot))
CARD ?= $(if $(filter boot,$(DEMO)),native,rtl)
RUN_CIPUD = $(B)/bin/cipud$(if $(filter rtl,$(CARD)),-rtl)
run: setup ## boot a guest on the card (CARD=rtl|native) and show its network and its disk; DEMO=boot: Debian boots from the disk
ifeq ($(DEMO),boot)
	$(Q)+$(MAKE) --no-print-directory SETUP=0 $(RUN_CIPUD) $(B)/bin/cipu $(QEMU) $(BOOT_DISK)
	$(Q)tools/boot/run --card $(CARD)
else
	$(Q)+$(MAKE) --no-print-directory SETUP=0 all $(GUEST) $(RUN_CIPUD)
	$(Q)tools/run/run --card $(CARD)
endif

test: setup ## run all tests (ONLY=pattern for some)
	$(Q)tools/test-run $(if $(ONLY),--only '$(ONLY)')

bench: setup ## measure speed (ONLY=prefix for some), results in build/bench/results.jsonl
	$(Q)+$(MAKE) --no-print-directory SETUP=0 all guest $(addprefix $(B)/bin/bench-rtl-,virtio nvme net sim)
	$(Q)tools/bench/run $(ONLY)

area: setup ## estimate what the card costs on a chip, with yosys, into docs/area.md (an hour or so)
	$(Q)+$(MAKE) --no-print-directory SETUP=0 build/gen/hw/cipu.sv build/gen/native_card.c $(RTL_KERNELS:%=$(RTL)/%.sv)
	$(Q)tools/area docs/area.md

FUZZ_SECONDS ?= 600
FUZZ_KERNELS ?= 3000
fuzz: setup ## fuzz each parser of foreign bytes (FUZZ_SECONDS=600 each, ONLY=pattern), and hlsc with FUZZ_KERNELS=3000 kernels
	$(Q)tools/test-run --variants fuzz --fuzz-seconds $(FUZZ_SECONDS) $(if $(ONLY),--only '$(ONLY)')
	$(if $(ONLY),,$(Q)COUNT=$(FUZZ_KERNELS) SEED=$$(date +%s) tools/test-run --variants release --only test_random_rtl)

docs: setup ## make the pictures and tables in docs/
	$(Q)+$(MAKE) --no-print-directory SETUP=0 $(B)/bin/cipu-graph $(B)/bin/cipu-card build/gen/hw/registers.md
	$(Q)$(B)/bin/cipu-graph --dot - hls/card.cfg | dot -Tsvg > docs/graph.svg.new && mv -f docs/graph.svg.new docs/graph.svg
	$(Q)cp build/gen/hw/registers.md docs/registers.md.new && mv -f docs/registers.md.new docs/registers.md
	$(Q)tools/card/pipeline docs/pipeline.svg
	$(Q)tools/card/pipeline --bytes 1514 docs/pipeline-1514.svg

C_FILES = $(shell git ls-files -co --exclude-standard -- '*.c' '*.h')
format: ## format all C sources
	$(Q)clang-format-19 -i $(C_FILES)

format-check: ## check the format of all C sources
	$(Q)clang-format-19 --dry-run -Werror $(C_FILES)

lint: setup ## check format, compilers' warnings, clang-tidy, cppcheck, shellcheck and Verilog
	$(Q)+$(MAKE) -s --no-print-directory SETUP=0 all build/gen/hw/cipu.sv build/gen/hw/empty/card_graph.sv
	$(Q)tools/lint

clean: ## remove what was built (the guest and QEMU stay)
	rm -rf build/release* build/asan* build/tsan* build/fuzz* build/gen build/bench

distclean: ## remove everything that is not in the repository
	rm -rf build

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(filter Makefile %.mk,$(MAKEFILE_LIST))

# For the test runner: where the variant is built, then one line per test: `KIND NAME TARGETS`.
test-list:
	@:$(info folder $(B))$(foreach t,$(UNIT_TESTS),$(info unit $(t) $(t)))$(foreach t,$(SCRIPT_TESTS),$(info script $(t) $(SCRIPT_DEPS_$(t))))$(foreach t,$(FUZZERS),$(info fuzz $(t) $(t)))

# For lint: each C source of the variant with its compiler's flags.
lint-flags:
	@:$(foreach o,$(filter %.o,$(OBJECTS)),$(if $(filter %.c,$(SOURCE_$(o))),$(info $(SOURCE_$(o)) $(ALL_CFLAGS) $(FLAGS_$(o)))))$(foreach s,$(TOOL_SOURCES),$(info $(s) $(ALL_CFLAGS) $(FLAGS_tool_$(s))))

FORCE:
.PHONY: all setup run test bench area fuzz docs format format-check lint clean distclean help test-list lint-flags guest FORCE
