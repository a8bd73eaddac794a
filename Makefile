# What a person types. Meson does the building; this finds what it needs first.
BUILD ?= build

.PHONY: all build packages
all: build

packages:
	@tools/install-packages

$(BUILD)/build.ninja: | packages
	meson setup $(BUILD)

build: packages $(BUILD)/build.ninja
	ninja -C $(BUILD)
