# What a person types. Meson does the building; this finds what it needs first.
#
#   make          build into build/, where build/sbx works in place
#   make run      the same, then an agent in the current folder (AGENT=shell ARGS='...')
#   make check    the same set-up, then every test; ends with "N passed, N failed"
#   make check-kvm  sandboxes under real KVM, inside an emulated machine: on any machine, some minutes
#   make attack   the attacks of the test suite, some minutes of each
#   make bench    prints this machine's figures
#   make install  PREFIX=/usr/local

BUILD ?= build
PREFIX ?= /usr/local
AGENT ?= shell
ARGS ?=

.PHONY: all build packages run check check-kvm attack bench fuzz lint format install clean
all: build

packages:
	@tools/install-packages

$(BUILD)/build.ninja: | packages
	@meson setup $(BUILD) --prefix $(PREFIX) >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -rf $(BUILD); exit 1; }
	@rm -f $(BUILD).log

build: packages $(BUILD)/build.ninja
	@ninja --quiet -C $(BUILD)

run: build
	@$(BUILD)/sbx run $(AGENT) $(if $(ARGS),-- $(ARGS))

check: build
	@tools/check $(BUILD)

check-kvm: build
	@tools/check-kvm $(BUILD)

attack: build
	@SBX_HOME=$$PWD/$(BUILD)/test-home $(BUILD)/sbx template verify >/dev/null 2>&1 || tools/check $(BUILD)
	@tools/attack $(BUILD)

bench: build
	@bench/all $(BUILD)

fuzz: packages
	@tools/fuzz

lint:
	@SBX_DEVELOPER=1 tools/install-packages
	@tools/lint $(BUILD)

format:
	clang-format -i src/*/*.[ch] test/*/*.[ch]

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-*
