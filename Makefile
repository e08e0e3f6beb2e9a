# SPDX-License-Identifier: MIT
#
# Short names for the usual ways in; the build itself is CMake (CMakePresets.json, HACKING.md).
PREFIX ?= /usr/local
OUT ?= kvpsi-out
PORT ?= 8080
CACHE = $(or $(KVPSI_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kvpsi)
MODEL ?= $(CACHE)/models/SmolLM2-135M-Instruct.Q4_1.gguf

.PHONY: help demo bench serve test golden format tidy install clean prepare release model-gemma

help:
	@echo "make demo     install and fetch what is needed, build, run the pressure benchmark (18 minutes at most)"
	@echo "make test     the same and a second model, then every test, plain and under the sanitizers"
	@echo "make bench    the full benchmark: two to five trials in each order (an hour at most)"
	@echo "make serve    build llama-server with kvpsi in it (8 minutes) and start it: MODEL=, PORT=$(PORT)"
	@echo "make install  build and install kvpsi below PREFIX ($(PREFIX))"
	@echo "make golden   after a change of the law on purpose: make its golden journals anew"
	@echo "make format   clang-format over our sources      make tidy   clang-tidy over them"
	@echo "make clean    remove build/; downloads stay in the cache, results in $(OUT)/"

prepare:
	@scripts/install-deps.sh
	@scripts/fetch.sh llama model

# A second model, 227 MiB, which only tests use; without it they are skipped and say so.
model-gemma:
	@scripts/fetch.sh model-gemma

release: prepare
	@scripts/build.sh release

demo: release
	@build/release/bin/kvpsi bench --demo

bench: release
	@build/release/bin/kvpsi bench --full

serve: prepare
	@scripts/build.sh server
	@build/server/bin/kvpsi serve -m "$(MODEL)" --port $(PORT)

test: prepare
	@scripts/fetch.sh model-gemma || echo "test: goes on without it, its tests are skipped"
	@scripts/test.sh

golden: release
	@scripts/update_golden.sh build/release/bin/kvpsi

format:
	@scripts/format.sh

tidy: prepare
	@scripts/build.sh tidy

install: release
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build
