# One target per job; `make help` lists them. PYTHON selects the interpreter that .venv is made from.
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.ready-run
DEV := .venv/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help setup demo test style types contracts unit bounds study bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo "PYTHON=python3.12 (for example) selects the interpreter; run make clean before changing it"

setup: $(DEV) ## make .venv with the package and the development tools

$(RUN): pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" bash scripts/setup.sh run

$(DEV): pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" bash scripts/setup.sh dev

demo: $(RUN) ## a priced multi-tile study on embedded digits, with its page
	$(BIN)/cosim demo

test: $(DEV) ## every check, stage after stage; stops at the first failure
	@bash scripts/stage.sh style $(MAKE) --no-print-directory style
	@bash scripts/stage.sh types $(MAKE) --no-print-directory types
	@bash scripts/stage.sh contracts $(MAKE) --no-print-directory contracts
	@bash scripts/stage.sh unit $(MAKE) --no-print-directory unit
	@bash scripts/stage.sh bounds $(MAKE) --no-print-directory bounds
	@bash scripts/stage.sh study $(MAKE) --no-print-directory study

style: $(DEV) ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## mypy
	$(BIN)/mypy

contracts: $(DEV) ## import-linter: imports point down
	$(BIN)/lint-imports

unit: $(DEV) ## the test suite; each benchmark runs once, untimed
	$(BIN)/pytest tests --benchmark-disable

bounds: $(DEV) ## the kernel tests again, every array index checked
	bash scripts/bounds_check.sh

study: $(DEV) ## one short study from its file to its page
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		echo '$(BIN)/cosim run cosim/presets/ci.toml' && \
		$(BIN)/cosim run cosim/presets/ci.toml --out "$$folder/run"

bench: $(DEV) ## time the benchmarks, and write their table to reports/speed
	@file=$$(mktemp) && trap 'rm -f "$$file"' EXIT && \
		$(BIN)/pytest tests/benchmarks --benchmark-only --benchmark-json="$$file" && \
		$(BIN)/python scripts/bench_table.py "$$file" reports/speed

clean: ## remove .venv, caches and build products; keep runs/ and reports/
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis .benchmarks
	find device_models circuits cost_model cosim tests -type d -name __pycache__ -prune -exec rm -rf {} +
