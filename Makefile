# Diana Ledger. `make help` says what there is.
#
#   make [MODE=release|debug|asan|tsan] [CC=clang] [V=1] [WERROR=] [T="test_log integration/test_rpc"]
#
# Everything goes to build/$(MODE)/. build/dianad and build/dianactl are those of the default mode.
# Folders are listed by wildcard: a new .c file needs no line here.

MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

MAKECMDGOALS ?=
GOALS := $(or $(MAKECMDGOALS),all)

# One goal is built by all processors, unless -j says otherwise. Several goals are taken one after the other, so that
# `make clean all` means what it says.
ifneq ($(words $(GOALS)),1)
.NOTPARALLEL:
else ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# ---- what can be set ----

MODE ?= release
BUILD ?= build/$(MODE)
PREFIX ?= /usr/local
DESTDIR ?=
CPPFLAGS ?=
CFLAGS ?=
LDFLAGS ?=
WERROR ?= -Werror
CLANG ?= clang
# Debian's python, which python3-msgpack belongs to, whatever else is first on PATH.
PYTHON ?= /usr/bin/python3
# no: do not look for missing packages.
SETUP ?= yes
# Parts of names: of test files to run, of benchmarks to run, and arguments for these.
T ?=
B ?=
ARGS ?=
FUZZ_SECONDS ?= 20
AWARDS ?= 10000000
V ?=

# ---- set-up ----

# Before anything is asked of pkg-config, which may itself be missing. 20 ms when there is nothing to do.
NEEDS_NOTHING := clean help setup
ifneq ($(filter-out $(NEEDS_NOTHING),$(GOALS)),)
# Not with make -n, whose letter is in MAKEFLAGS' first word.
ifeq ($(SETUP)$(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS)))),yes)
GROUPS := build $(if $(filter bench% check check-tidy,$(GOALS)),bench) $(if $(filter check% fuzz%,$(GOALS)),check)
ifneq ($(shell scripts/setup $(GROUPS) >&2 || echo failed),)
$(error set-up is not complete)
endif
endif
endif

# ---- flags ----

ifeq ($(MODE),release)
MODE_FLAGS := -O2 $(WERROR)
else ifeq ($(MODE),debug)
MODE_FLAGS := -Og -g3 $(WERROR)
else ifeq ($(MODE),asan)
# No -Werror under sanitizers: gcc warns wrongly about the code they add.
MODE_FLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(MODE),tsan)
MODE_FLAGS := -O1 -fsanitize=thread
else ifeq ($(MODE),fuzz)
MODE_FLAGS := -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
else
$(error MODE is release, debug, asan or tsan)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
	-Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wno-format-nonliteral -Wno-unused-parameter

# Each asked once, when first needed.
pkg = $(shell pkg-config $1 $2 || echo pkg-config-failed)
PKGS := lmdb libevent_core libevent_pthreads msgpack libzstd libcrypto jansson inih libutf8proc libxxhash
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call pkg,--cflags,$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(call pkg,--libs,$(PKGS)))$(PKG_LIBS)
TEST_LIBS = $(eval TEST_LIBS := $$(call pkg,--libs,cmocka))$(TEST_LIBS)
BENCH_CFLAGS = $(eval BENCH_CFLAGS := $$(call pkg,--cflags,hiredis))$(BENCH_CFLAGS)
BENCH_LIBS = $(eval BENCH_LIBS := $$(call pkg,--libs,hiredis))$(BENCH_LIBS)

OUR_CPPFLAGS = -I. -D_GNU_SOURCE $(PKG_CFLAGS)
OUR_CFLAGS = -std=gnu11 -g -fno-omit-frame-pointer -pthread $(WARNINGS) $(MODE_FLAGS)
OUR_LDFLAGS = $(MODE_FLAGS) -pthread -Wl,--as-needed
LIBS = $(PKG_LIBS) -lm

# ---- files ----

DAEMON_MAINS := $(wildcard daemon/dianad.c daemon/dianactl*.c)
LIB_SRC := $(sort $(wildcard core/*.c log/*.c projections/*.c) $(filter-out $(DAEMON_MAINS),$(wildcard daemon/*.c)))
DIANAD_SRC := $(wildcard daemon/dianad.c)
DIANACTL_SRC := $(sort $(wildcard daemon/dianactl*.c))
TEST_LIB_SRC := $(sort $(wildcard tests/lib/*.c))
TEST_SRC := $(sort $(wildcard tests/test_*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_LIB_SRC := $(sort $(filter-out $(BENCH_SRC),$(wildcard tests/bench/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN_SRC := tests/fuzz/standalone.c
INTEGRATION := $(sort $(wildcard tests/integration/test_*.py))
ALL_SRC := $(LIB_SRC) $(DAEMON_MAINS) $(TEST_LIB_SRC) $(TEST_SRC) $(BENCH_SRC) $(BENCH_LIB_SRC) $(FUZZ_SRC) \
	$(FUZZ_MAIN_SRC)

objects = $(patsubst %.c,$(BUILD)/%.o,$1)
programs = $(patsubst %.c,$(BUILD)/%,$1)

LIB := $(BUILD)/libdiana.a
TEST_LIB := $(BUILD)/libdianatest.a
PROGRAMS := $(if $(DIANAD_SRC),$(BUILD)/dianad) $(if $(DIANACTL_SRC),$(BUILD)/dianactl)
LINKS := $(if $(filter build/release,$(BUILD)),$(patsubst $(BUILD)/%,build/%,$(PROGRAMS)))
TESTS := $(call programs,$(TEST_SRC)) $(if $(filter-out fuzz,$(MODE)),$(call programs,$(FUZZ_SRC)))

# ---- building ----

.PHONY: all tests test demo run bench bench-auditor fuzz fuzz-run docs setup install clean help FORCE
.PHONY: check check-format check-tidy check-cppcheck check-shell check-docs

# $(call quiet,WHAT): one word and the target instead of the command, unless V=1.
quiet = $(if $(V),,@printf '  %-5s %s\n' $1 $@;)

all: $(PROGRAMS) $(LINKS) $(LIB)  ## build build/dianad and build/dianactl (also: MODE=debug|asan|tsan, CC=clang)

tests: all $(TESTS)  ## build the tests too

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC) $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(EXTRA) $(CFLAGS) -MMD -MP -c -o $@ $<

EXTRA :=
# libFuzzer calls these by name.
$(foreach o,%.o %.tidy,$(patsubst %.c,$(BUILD)/$o,$(FUZZ_SRC))): EXTRA := -Wno-missing-prototypes
$(foreach o,%.o %.tidy,$(patsubst %.c,$(BUILD)/$o,$(BENCH_SRC) $(BENCH_LIB_SRC))): EXTRA = $(BENCH_CFLAGS)

# Archives are made anew, so that an object whose source is gone does not stay in them.
$(LIB): $(call objects,$(LIB_SRC)) $(BUILD)/sources
$(TEST_LIB): $(call objects,$(TEST_LIB_SRC)) $(BUILD)/sources
$(LIB) $(TEST_LIB):
	@mkdir -p $(@D)
	$(call quiet,AR) rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

link = $(CC) $(OUR_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@

$(BUILD)/dianad: $(call objects,$(DIANAD_SRC)) $(LIB)
	$(call quiet,LINK) $(link) $^ $(LIBS)

$(BUILD)/dianactl: $(call objects,$(DIANACTL_SRC)) $(LIB)
	$(call quiet,LINK) $(link) $^ $(LIBS)

# A test, or tests/lib, that defines __wrap_NAME gets all calls of NAME that our own code makes.
wraps = $$(nm --defined-only $1 2>/dev/null | sed -n 's/.* T __wrap_/-Wl,--wrap=/p')

$(call programs,$(TEST_SRC)): %: %.o $(TEST_LIB) $(LIB)
	$(call quiet,LINK) $(link) $(call wraps,$< $(TEST_LIB)) $(filter %.o,$^) $(filter %.a,$^) $(TEST_LIBS) $(LIBS)

# This test has a schema of its own: the daemon's and an event that has changed. What expands the schema is compiled
# again with it, and stands in front of the library.
EVOLVED_SRC := core/records.c core/decide.c daemon/event_log.c
EVOLVED := $(patsubst %.c,$(BUILD)/evolved/%.o,$(EVOLVED_SRC))
EVOLVED_FLAGS := -DSCHEMA_ALSO='"tests/schema/evolution.def"'
$(BUILD)/tests/test_event_evolution: $(EVOLVED)
$(BUILD)/tests/test_event_evolution.o $(BUILD)/tests/test_event_evolution.tidy: EXTRA = $(EVOLVED_FLAGS)
$(EVOLVED): $(BUILD)/evolved/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC) $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(EVOLVED_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(call programs,$(BENCH_SRC)): %: %.o $(call objects,$(BENCH_LIB_SRC)) $(TEST_LIB) $(LIB)
	$(call quiet,LINK) $(link) $^ $(TEST_LIBS) $(BENCH_LIBS) $(LIBS)

ifeq ($(MODE),fuzz)
$(call programs,$(FUZZ_SRC)): %: %.o $(LIB)
	$(call quiet,LINK) $(link) -fsanitize=fuzzer $^ $(LIBS)
else
$(call programs,$(FUZZ_SRC)): %: %.o $(call objects,$(FUZZ_MAIN_SRC)) $(LIB)
	$(call quiet,LINK) $(link) $^ $(LIBS)
endif

$(LINKS): build/%: $(BUILD)/%
	@ln -sfn $(patsubst build/%,%,$<) $@

# Files that change when what they say changes: another compiler or flag rebuilds, so does a source that is gone.
$(BUILD)/flags: SAYS = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) $(LDFLAGS)
$(BUILD)/sources: SAYS = $(LIB_SRC) $(TEST_LIB_SRC)
$(BUILD)/flags $(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(SAYS)' | cmp -s - $@ || echo '$(SAYS)' > $@

.PRECIOUS: $(BUILD)/%.o
-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SRC)) $(EVOLVED:.o=.d)

# ---- running ----

# Absolute, for tests that change directory.
RUN_ENV = DIANAD='$(abspath $(BUILD)/dianad)' DIANACTL='$(abspath $(BUILD)/dianactl)' DIANA_MODE='$(MODE)' \
	PYTHON='$(PYTHON)'

test: tests  ## build and run all tests; T="part of a name ..." chooses
	@$(RUN_ENV) $(PYTHON) tests/run --logs '$(BUILD)/test-logs' --only '$(T)' $(TESTS) $(INTEGRATION)

demo: all  ## see it work: a daemon with data in a temporary directory
	@$(RUN_ENV) scripts/demo

run: all  ## run the daemon on ./run/ until Ctrl-C
	@mkdir -p run/data
	@echo 'In another shell: build/dianactl --socket run/diana.sock call server.stats'
	@exec $(BUILD)/dianad --data run/data --socket run/diana.sock $(ARGS)

# scripts/bench, if there is one, decides what is run how.
BENCHES := $(foreach p,$(call programs,$(BENCH_SRC)),$(if $(strip $(foreach b,$(or $(B),bench),$(findstring $b,$(notdir $p)))),$p))
BENCH_ENV = $(RUN_ENV) BENCH_DIR='$(abspath $(BUILD)/tests/bench)'
bench: all $(BENCHES)  ## run the benchmarks, beside Redis; B="part of a name ..." chooses, ARGS="..." is passed on
	@set -e; export $(BENCH_ENV); \
	if [ -x scripts/bench ]; then scripts/bench $(notdir $(BENCHES)) $(ARGS); \
	else for b in $(BENCHES); do echo "== $${b##*/}"; $$b $(ARGS); done; fi

bench-auditor: all $(BUILD)/tests/bench/bench_auditor  ## the auditor's benchmark on a log of AWARDS (10000000) awards
	@$(BENCH_ENV) scripts/bench bench_auditor --awards '$(AWARDS)' $(ARGS)

fuzz:  ## run each fuzzer for FUZZ_SECONDS (20), with clang
	@$(MAKE) --no-print-directory MODE=fuzz CC='$(CLANG)' SETUP=no fuzz-run

fuzz-run: $(call programs,$(FUZZ_SRC))
	@scripts/fuzz '$(FUZZ_SECONDS)' $^

# ---- checks ----

check: check-format check-tidy check-cppcheck check-shell check-docs  ## layout, clang-tidy, cppcheck, shellcheck, docs

SOURCE_DIRS := $(wildcard core log projections daemon tests)

check-format:
	@find $(SOURCE_DIRS) -name '*.[ch]' -print0 | xargs -0r clang-format --dry-run -Werror

# A stamp per file: what has not changed is not looked at again.
check-tidy: $(patsubst %.c,$(BUILD)/%.tidy,$(ALL_SRC))

$(BUILD)/%.tidy: %.c $(BUILD)/%.o .clang-tidy
	$(call quiet,TIDY) clang-tidy --quiet $< -- $(OUR_CPPFLAGS) $(CPPFLAGS) -std=gnu11 $(EXTRA) 2>&1 \
		| grep -v ' warnings\? generated\.$$' >&2; [ $${PIPESTATUS[0]} -eq 0 ]
	@touch $@

check-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck -q -j$$(nproc) --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--library=posix --suppress=missingIncludeSystem --suppress=duplicateAssignExpression \
		--suppress=ctuuninitvar \
		--cppcheck-build-dir=$(BUILD)/cppcheck -I. -D_GNU_SOURCE $(ALL_SRC)

check-shell:
	@grep -lE '^#!.*\b(ba)?sh$$' $(wildcard scripts/* tests/* tests/*/*) .ci/run 2>/dev/null | xargs -r shellcheck

check-docs: all
	@DIANAD='$(BUILD)/dianad' scripts/check-docs

docs: all  ## write docs/methods.md from what the daemon says
	@DIANAD='$(BUILD)/dianad' scripts/check-docs --write

# ---- the rest ----

BINDIR := $(PREFIX)/bin
DOCDIR := $(PREFIX)/share/doc/diana

install: all  ## install to PREFIX (/usr/local), below DESTDIR
	install -D -t '$(DESTDIR)$(BINDIR)' $(PROGRAMS)
	install -D -m 644 -t '$(DESTDIR)$(DOCDIR)' README.md $(wildcard docs/*.md)
	install -D -m 644 scripts/diana.sysusers '$(DESTDIR)$(PREFIX)/lib/sysusers.d/diana.conf'
	install -d '$(DESTDIR)$(PREFIX)/lib/systemd/system'
	sed -e 's|/usr/local/bin|$(BINDIR)|' -e 's|/usr/local/share/doc/diana|$(DOCDIR)|' scripts/diana.service \
		> '$(DESTDIR)$(PREFIX)/lib/systemd/system/diana.service'

setup:  ## install the Debian packages for all of this (otherwise done when needed)
	@scripts/setup build bench check

clean:  ## remove build/
	rm -rf build

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | while IFS=$$'\t' read -r name what; do \
		printf '  make %-13s %s\n' "$$name" "$$what"; done
