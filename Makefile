# `make` lists the targets. Only python3, make and the package index are needed; everything goes into .venv and var.

PYTHON ?= python3
# Of the tests: half of their time they wait for processes they have killed, frozen or slowed down.
WORKERS ?= 4
# Tests start some hundred processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install tools run test check format lint types imports loadtest opening bench profile failover screenshots \
  lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What it takes to run: locked versions, checked by hash.
$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.txt
	$(PIP) install --require-hashes -r requirements-build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

install: $(VENV)/.installed ## create the environment

tools: $(VENV)/.installed-dev

run: install ## start gateway and booking site with a demo room; ctrl-C stops both
	@exec $(BIN)/sunbeon demo

loadtest: install ## while `make run` runs: send 2,000 visitors through it and check what it promised
	@$(BIN)/sunbeon loadtest --url http://127.0.0.1:8080/ --backend-url http://127.0.0.1:8090 \
	  --operator-token-file var/operator.token --audit-log var/audit.log --backend-log var/booking-requests.log \
	  --visitors 2000 --total-active-users 300 --new-users-per-minute 6000

opening: install ## while `make run` runs: an opening with 20,000 early visitors and 20,000 later ones (begins the line anew)
	@$(BIN)/sunbeon loadtest --url http://127.0.0.1:8080/ --operator-token-file var/operator.token \
	  --audit-log var/audit.log --scenario opening --reset --cheat 0.02 --stay-s 0.5 \
	  --total-active-users 20000 --new-users-per-minute 30000

test: $(VENV)/.installed-dev ## all tests that need no extra system package (browser tests too where Chromium is)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --durations=20

check: format lint types imports test ## what CI runs

format: $(VENV)/.installed-dev ## is every file in the formatter's form?
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

imports: $(VENV)/.installed-dev ## do imports point where they may?
	$(BIN)/lint-imports

failover: $(VENV)/.installed-dev ## kill Redis' primary amid 3,000 visitors at three gateways; then upgrade gateways amid 5,000
	$(BIN)/python -m gateway.tests.many.failover
	$(BIN)/python -m gateway.tests.many.rolling

bench: $(VENV)/.installed-dev ## measure beside nginx, haproxy, Go, Caddy, aiohttp; all rows, or ROWS=status,forward-1k; more: BENCH=--help
	$(BIN)/python -m loadtest.bench --install $(if $(ROWS),--rows $(ROWS)) --write docs/benchmarks.md $(BENCH)

profile: $(VENV)/.installed-dev ## a flame graph of a worker under load, into var; what it is asked for: ROW=forward-1k
	$(BIN)/python -m loadtest.bench.profile $(if $(ROW),--row $(ROW)) $(PROFILE)

screenshots: $(VENV)/.installed-dev ## pictures of the pages, into docs/images (needs Chromium)
	$(BIN)/python -m gateway.tests.browser.screenshots docs/images

lock: $(VENV)/.installed-dev ## write the requirements files anew from pyproject.toml
	$(PIP) install uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	  --all-extras pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	  --group build -o requirements-build.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	  --all-extras --group dev pyproject.toml -o requirements-dev.txt

clean: ## remove the environment and caches; keeps var, where the line is
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
