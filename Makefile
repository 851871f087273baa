# The firm's two commands are `make nightly` and `make test`; both do their own set-up. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
FIRM ?= sample_firm
AS_OF ?=
FROM ?=
PORT ?= 3000
EXCHANGE ?= kraken
# two workers: a worker keeps a file's tests, which share their nights
ARGS ?= -n 2 --dist loadfile
BIN := .venv/bin
PACKAGES := schemas transforms pipelines
SOURCES := $(shell find $(PACKAGES) -name '*.py')
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
NIGHT := umask 077; $(BIN)/python -m pipelines.launch

.PHONY: help nightly backfill prices ui test lint types golden coverage lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

nightly: .venv/.compiled ## the night of a firm: FIRM=path (default sample_firm) AS_OF=YYYY-MM-DD (default firm.toml's, else today)
	@$(NIGHT) night --firm "$(FIRM)" --as-of "$(AS_OF)"

backfill: .venv/.compiled ## the night again from tax year FROM=2019 to the present, opened from the year before
	@$(NIGHT) backfill --firm "$(FIRM)" --as-of "$(AS_OF)" --from "$(FROM)"

prices: .venv/.compiled ## closes of EXCHANGE (kraken) for what the last night of FIRM has no price of; needs the library ccxt
	@umask 077; $(BIN)/python -m pipelines.exchange_prices --firm "$(FIRM)" --exchange "$(EXCHANGE)"

ui: .venv/.compiled ## Dagster on FIRM: graph, runs, schedule and sensor, on http://localhost:PORT (3000)
	@umask 077; home="$$($(BIN)/python -m pipelines.launch home --firm "$(FIRM)")" && \
	PATH="$(CURDIR)/$(BIN):$$PATH" LOTBOOK_FIRM="$(abspath $(FIRM))" DAGSTER_HOME="$$home" exec dagster dev -w workspace.yaml -p $(PORT)

test: .venv/.ready-dev .venv/.compiled ## all tests (ARGS="-k name" for some, one after the other)
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/.ready-dev ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/.ready-dev ## mypy, strict
	@$(BIN)/mypy

golden: .venv/.ready-dev .venv/.compiled ## write the golden files anew, to be read in the diff
	@$(BIN)/python -m pytest tests/transforms/sources --regenerate-golden
	@$(BIN)/python -m pytest tests/pipelines/test_definitions.py --snapshot-update

coverage: .venv/.ready-dev ## count what the parsers read in LOTBOOK_SAMPLE_DATA=folder, and write docs/coverage.md
	@$(BIN)/python -m pipelines.coverage docs/coverage.md

lock: .venv/.ready-dev ## resolve the dependencies anew, with hashes
	@$(BIN)/uv pip compile --universal --no-strip-extras --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command "make lock" --upgrade --quiet pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --universal --no-strip-extras --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command "make lock" --upgrade --quiet pyproject.toml --group pyproject.toml:dev \
	  -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment and the caches; no firm's folder is touched
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: stamps, so that a second night installs nothing and needs no network ---

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Lotbook needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.ready: requirements.lock | .venv/.made
	@echo "Installing the locked dependencies (once) ..."
	@$(INSTALL) -r requirements.lock
	@touch $@

.venv/.ready-dev: requirements-dev.lock .venv/.ready
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# by hand, for PYTHONDONTWRITEBYTECODE may be set: without bytecode every start takes twice as long; numba keeps what it
# compiles beside the source and compiles again only where that changed
.venv/.compiled: $(SOURCES) .venv/.ready
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@echo "Compiling the lot kernel and the valuation (once for each version of them, a minute or two) ..."
	@$(BIN)/python -c "from transforms import cells, lots; lots.warm_up(); cells.warm_up()"
	@touch $@
