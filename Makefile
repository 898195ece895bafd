# `make` alone tells what there is. Only Python 3.11 or newer, make and a package index are needed.

VENV ?= .venv
PY := $(VENV)/bin/python
# For two cores; on a larger machine: make test PYTEST_ARGS="-n 8"
PYTEST_ARGS ?= -n 3 --dist loadgroup
FAST_TESTS ?= $(wildcard tests/unit tests/replay tests/mutants tests/test_architecture.py)
UV ?= uv
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock'
# Any values will do to check the file; nothing is started with them.
COMPOSE_CHECK := POSTGRES_PASSWORD=x HEXAVOX_SERVER_SECRET=x HEXAVOX_KAMAILIO_PASSWORD=x

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-fast test-long mutants fix check check-compose bench replay history migration clients \
	client-tools lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/dev.stamp $(VENV)/project.stamp ## Make the virtualenv with everything for development

run: $(VENV)/project.stamp ## Bring the whole system up on this machine; Ctrl-C stops it
	@$(VENV)/bin/hexavox dev

test: setup ## Run the whole test suite; options by PYTEST_ARGS
	$(PY) -m pytest $(PYTEST_ARGS)

test-fast: setup ## Run the tests that need no server: rules, replay, architecture
	$(PY) -m pytest $(PYTEST_ARGS) $(FAST_TESTS)

test-long: setup ## Search the random histories for longer (an hour or more), by chance
	LEDGER_EXAMPLES=250 INBOUND_EXAMPLES=600 REPORT_EXAMPLES=50 $(PY) -m pytest $(PYTEST_ARGS) \
		--timeout 7200 tests/ledger tests/inbound/test_opt_out_law.py tests/reports/test_histories.py

mutants: setup ## Plant faults in a copy of the code and print those no test notices; MUTANTS="closing"
	$(PY) -m tests.mutants $(MUTANTS)

fix: setup ## Correct what ruff can correct, and the format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

check: setup ## Check format, style, types, import contracts and docker-compose.yml
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	@$(MAKE) --no-print-directory check-compose

check-compose:
	@if command -v docker-compose >/dev/null; then \
		$(COMPOSE_CHECK) docker-compose config --quiet && echo "docker-compose.yml is valid"; \
	else \
		echo "SKIPPED: docker-compose.yml is not checked, docker-compose is not installed"; \
	fi

bench: setup ## Measure; BENCH_ARGS="reports" for one kind; `python -m bench --help` lists them
	$(PY) -m bench $(BENCH_ARGS)

history: setup ## Record what is missing in tests/replay/histories; NAME=… for one
	$(PY) -m tests.replay.record $(NAME)

replay: setup ## Replay the stored workflow histories against this code
	$(PY) -m pytest tests/replay

migration: setup ## Draft the next migration from the tables: make migration MSG="add a column"
	@test -n "$(MSG)" || { echo 'say what it does: make migration MSG="add a column"'; exit 1; }
	$(PY) -m cli.dev.draft_migration "$(MSG)"

clients: setup client-tools ## Write clients in Python and TypeScript and a Postman collection into CLIENTS="folder"
	@$(PY) -m tests.clients.write "$(CLIENTS)"

# The generators and linters of the specification, for `clients` and the tests that need them.
client-tools: $(VENV)/clients.stamp tests/clients/node_modules/.package-lock.json

lock: ## Pin all dependencies anew from pyproject.toml (needs uv); LOCK_ARGS=--upgrade for newer ones
	@command -v $(UV) >/dev/null || { echo "uv is needed: pip install uv, or UV=/path/to/uv"; exit 1; }
	echo 'setuptools>=77' | $(UV) $(LOCK) $(LOCK_ARGS) pyproject.toml - -o requirements.lock
	echo 'setuptools>=77' | $(UV) $(LOCK) $(LOCK_ARGS) --group dev -c requirements.lock \
		pyproject.toml - -o requirements-dev.lock
	$(UV) $(LOCK) $(LOCK_ARGS) tests/clients/requirements.in -o tests/clients/requirements.lock

clean: ## Remove the virtualenv and all caches; data in .hexavox stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# setuptools, pinned in the lock, installs the checkout itself, so no build ever asks the index.
$(VENV)/project.stamp: pyproject.toml $(VENV)/runtime.stamp
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	@touch $@

$(VENV)/runtime.stamp: requirements.lock | $(PY)
	@echo "Installing the pinned dependencies …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@echo "Installing the pinned development tools …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/clients.stamp: tests/clients/requirements.lock | $(PY)
	@echo "Installing the generator of Python clients …"
	@$(PY) -m venv $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--require-hashes -r $<
	@touch $@

tests/clients/node_modules/.package-lock.json: tests/clients/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed, of Node 20.19 or newer" >&2; exit 1; }
	@echo "Installing the generator of TypeScript clients and the linters …"
	@npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund --fetch-retries=1 \
		--fetch-timeout=60000 --loglevel=error
	@touch $@

# Each candidate is run, not only found: a pyenv shim may stand for a version that is not chosen.
$(PY):
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version) …"; \
			$$python -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$python cannot make a virtualenv; on Debian: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed; tried without success: $(or $(PYTHON),python3.13 python3.12 python3.11 python3). Name one by PYTHON=/path/to/python" >&2; \
	exit 1
