# Orders Registry. Needs Python >= 3.11 and make; everything else comes into .venv from the hashed locks.
#   ARGS   handed to the program:       make test ARGS="-k shopify"
#   PYTHON the interpreter to begin with, when the one found is not the one wanted

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test fuzz torture serve check bench lock venv clean
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.project  ## show it at work: shops' signed deliveries become a contact's orders (ends by itself in a pipe)
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/orders-registry demo $(ARGS); \
	else exec $(BIN)/orders-registry demo --once $(ARGS); fi

test: .venv/.project .venv/.dev  ## every test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

fuzz: .venv/.project .venv/.dev .venv/.fuzz  ## hostile deliveries for every adapter, an hour (ARGS="--seconds 600" for less)
	$(BIN)/python -m tests.fuzz $(ARGS)

torture: .venv/.project .venv/.dev  ## kill, cut off, fill up and lie to real servers (docs/reliability.md; up to 40 min)
	$(BIN)/python -m tests.torture $(ARGS)

serve: .venv/.project  ## migrate, then serve (settings: make serve ARGS=--help)
	@exec $(BIN)/orders-registry serve $(ARGS)

check: .venv/.project .venv/.dev  ## format, lint, types, import arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy app adapters migrations
	$(BIN)/python -m pytest tests/test_house.py

bench: .venv/.project .venv/.dev  ## measure the intake against other receivers (make bench load: what becomes of it when too much comes)
	$(BIN)/python -m bench $(filter-out bench,$(MAKECMDGOALS)) $(ARGS)

ifeq (bench,$(firstword $(MAKECMDGOALS)))  # the words after it name a bench
$(filter-out bench,$(MAKECMDGOALS)): bench ; @:
endif

venv: .venv/.project .venv/.dev  ## only set up .venv, with everything in it

lock: .venv/.base  ## resolve the dependencies anew and write the four locks
	@set -eu; \
	if command -v uv >/dev/null 2>&1; then uv=uv; else $(PIP) install 'uv>=0.9'; uv=$(BIN)/uv; fi; \
	compile() { "$$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate "$$@" >/dev/null; }; \
	compile --upgrade pyproject.toml --group dev --output-file requirements-dev.lock; \
	compile --upgrade pyproject.toml --constraints requirements-dev.lock --output-file requirements.lock; \
	compile --upgrade --group build --constraints requirements-dev.lock --output-file requirements-build.lock; \
	compile --upgrade --group fuzz --constraints requirements-dev.lock --output-file requirements-fuzz.lock; \
	if grep -nE '://|^ *--(index|extra-index|find-links|trusted-host)|^/|file:' requirements*.lock; then \
		echo 'make lock: a lock names an address; only names, versions and hashes belong there' >&2; exit 1; fi

# .venv in three steps, each redone when what it is made from changes; a change of the runtime lock begins from nothing.
.venv/.base: requirements.lock requirements-build.lock
	@set -eu; python=; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
		if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
		then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'make: no Python 3.11 or newer with its venv module was found (looked for python3.13, python3.12, python3.11,' >&2; \
		echo '      python3). On Debian: apt-get install python3 python3-venv. Or: make PYTHON=/path/to/python' >&2; exit 1; fi; \
	echo "setting up .venv with $$("$$python" --version), once" >&2; \
	"$$python" -m venv --clear .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --require-hashes -r requirements-build.lock
	@touch $@

.venv/.project: .venv/.base pyproject.toml
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q app adapters migrations  # also where PYTHONDONTWRITEBYTECODE has each start compile them
	@touch $@

.venv/.dev: .venv/.base requirements-dev.lock
	@echo 'adding what tests and checks need to .venv, once' >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# Only where there is a wheel: to build atheris takes a clang of its own. Without it half of the fuzzing is left out.
.venv/.fuzz: .venv/.base requirements-fuzz.lock
	@if $(PIP) install --require-hashes --only-binary :all: -r requirements-fuzz.lock; then touch $@; \
	else echo 'make fuzz: atheris cannot be installed here' >&2; fi

clean:  ## take away .venv and what the tools left behind (never data/)
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
