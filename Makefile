# Everything here works on a fresh Debian or Ubuntu with python3 and make: what is missing is installed first.
# PYTHON=python3.12 make test picks another interpreter, make test TESTS=tests/test_plot.py some of the tests.

PYTHON ?= python3
export PYTHON

PY = .venv/bin/python
DRIVER = tests/driver.c $(filter-out csrc/module.c csrc/download_module.c csrc/python/%,$(shell find csrc -name '*.c'))
SANITIZE = -std=c11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer -ffp-contract=off -Wall -Wextra -Werror -pthread \
           -Icsrc $(LANES_CURL_CFLAGS)
# Older sanitizers cannot start where addresses are randomised as widely as newer kernels do.
PLAIN = $(shell setarch -R true 2>/dev/null && echo setarch -R)
LIBS = $(or $(LANES_CURL_LIBS),-lcurl) -lz

.PHONY: help compare test build notebooks bench docs pictures lint sanitize sanitize-address sanitize-thread clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

compare: build ## the main job: the same downloads and the same compute on every model, in one table
	@.venv/bin/lanes compare

test: ## all tests
	@.ci/setup test
	@$(PY) -m pytest $(TESTS)

build: ## stop after the build, with .venv/bin/lanes and .venv/bin/python ready
	@.ci/setup

notebooks: build ## the notebooks executed anew, and saved with what they show
	@$(PY) tests/notebooks.py

bench: ## the figures of the README, as a table and as JSON
	@.ci/setup bench
	@$(PY) tests/bench

docs: ## the reference as pages, in build/docs; a warning is an error
	@.ci/setup docs
	@.venv/bin/mkdocs build --config-file .docs/mkdocs.yml
	@echo build/docs/index.html

pictures: build ## those of the README, from runs here and now
	@$(PY) .docs/pictures.py

lint: build ## linters, formatters and the type checker
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	.venv/bin/clang-format --dry-run -Werror $$(find csrc tests -name '*.[ch]')
	$(PY) -m mypy

sanitize: sanitize-address sanitize-thread ## the native engine under ASan, LSan, UBSan and TSan, without an interpreter

sanitize-address: build
	@mkdir -p build
	$(CC) $(SANITIZE) -fsanitize=address,undefined -fno-sanitize-recover=all $(DRIVER) $(LIBS) -o build/driver-address
	ASAN_OPTIONS=detect_leaks=1 $(PLAIN) build/driver-address

sanitize-thread: build
	@mkdir -p build
	$(CC) $(SANITIZE) -fsanitize=thread $(DRIVER) $(LIBS) -o build/driver-thread
	TSAN_OPTIONS=halt_on_error=1 $(PLAIN) build/driver-thread

clean: ## remove all that was made here
	rm -rf .venv .venv-3* build dist python/*.egg-info python/lanes/_*.so .mypy_cache .pytest_cache .ruff_cache
	find python tests -name __pycache__ -prune -exec rm -rf {} +
