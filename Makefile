# Every target installs what it needs first (tools/bootstrap.sh, a no-op when nothing changed).
# Pass options with ARGS: make up ARGS="--port 9000", make test ARGS="-k settlement".

SHELL := /bin/sh
ARGS ?=
python := .venv/bin/python
uv := .boot/bin/uv

.DEFAULT_GOAL := help
.PHONY: help install up demo test lint format types contracts check bench evaluate lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## install everything into .venv
	@tools/bootstrap.sh

up: install ## start PostgreSQL, NATS, Valkey, the API and the workers (ARGS="--port 9000")
	@exec .venv/bin/fairbook up $(ARGS)

demo: install ## run a simulated season through the API (ARGS="--data FILE.csv" for a real one)
	@exec .venv/bin/fairbook demo $(ARGS)

# More workers than two cores: many tests wait for something that was killed to come back. They start programs over and
# over, each of which would compile all of fairbook anew if nothing of it were kept.
test: install ## run all tests (ARGS="-k name")
	@PYTHONDONTWRITEBYTECODE= exec $(python) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: install ## check style and formatting
	@.venv/bin/ruff format --check --output-format concise .
	@.venv/bin/ruff check --output-format concise .

format: install ## format and mend what ruff can mend
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

types: install ## check types (mypy strict)
	@.venv/bin/mypy

contracts: install ## check which package imports which
	@.venv/bin/lint-imports

check: lint types contracts test ## all of the above checks, then the tests

bench: install ## run every benchmark; JSON in benchmarks/results/ (ARGS="--short place_bets")
	@exec $(python) -m benchmarks $(ARGS)

# Fits are measured on one core, and forecasts need no more.
evaluate: install ## how good the models are, beside the market and penaltyblog (ARGS="--html report.html")
	@tools/compare.sh
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 exec .venv/bin/fairbook evaluate $(ARGS)

# No lock may hold a download address: they install from whatever index the machine uses.
compile := $(uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

lock: install ## resolve dependencies again (ARGS=--upgrade for newer ones)
	@$(compile) --group dev --group servers --extra sites --extra predict -o requirements.lock pyproject.toml
	@$(compile) -c requirements.lock -o requirements-runtime.lock pyproject.toml
	@$(compile) --group compare -o requirements-compare.lock
	@echo "requirements.lock, requirements-runtime.lock and requirements-compare.lock are up to date"

clean: ## remove what was installed and cached (no ledger data)
	@rm -rf .venv .venv-compare .boot .bootstrap-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
