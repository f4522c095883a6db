# Every target brings what it needs: uv from PyPI if there is none, the locked environment, and,
# where a target makes lab hosts, Debian's packages.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
LAB ?= lab
HOSTS ?=
KIND ?=
HOST ?= $(LAB)-1
SEED ?= 1

UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
# uv's cache and the machine's own index settings stay as they are; only the noise goes.
export UV_NO_PROGRESS := 1
export PYTHONPATH := .:app
export SEED

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv: requirements.lock
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update --quiet && \
	  apt-get install --quiet --yes --no-install-recommends python3-venv; } || { \
	  echo "make: Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .uv
	awk '/^uv==/ {p=1; print; next} /^[^ ]/ {p=0} p' requirements.lock > .uv/uv.lock
	.uv/bin/python -m pip install --quiet --require-hashes -r .uv/uv.lock
	@touch $@

# What is measured runs on the distribution's Python, as it does on hosts: a build without
# profile-guided optimization takes a quarter longer for all but a signature.
.venvs/bench/ready: PYTHON := /usr/bin/python3
.venv/ready .venvs/bench/ready: requirements.lock | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make: Python 3.10 to 3.13 is needed, and $(PYTHON) is $$($(PYTHON) -V);" \
	    "name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(@D)
	$(UV) pip sync --quiet --python $(@D) --require-hashes --compile-bytecode \
	  requirements.lock
	@touch $@

.venv: .venv/ready ## Make the locked environment: pyinfra, the audit and the tests

.PHONY: lock
lock: | $(UV) ## Resolve the locks anew
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.10 \
	  --custom-compile-command 'make lock' app/pyproject.toml -o app/requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.10 \
	  --custom-compile-command 'make lock' --extra pkcs11 -c app/requirements.lock \
	  app/pyproject.toml -o app/requirements-pkcs11.lock
	$(UV) pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.10 \
	  --custom-compile-command 'make lock' --group dev --extra pkcs11 \
	  -c app/requirements-pkcs11.lock pyproject.toml app/pyproject.toml -o requirements.lock

.PHONY: lint
lint: .venv ## Format, lint, types, import directions
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: format
format: .venv ## Format and sort imports
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# Tests -------------------------------------------------------------------------------------------

.PHONY: test
test: lint test-pythons test-simulation test-server test-browser test-lab ## Run every test; says by name what it skips

.PHONY: test-pythons
test-pythons: .venv ## Unit tests on each Python from 3.10 to 3.13 that this machine has
	.venv/bin/python tests/every_python.py $(UV)

.PHONY: test-simulation
test-simulation: .venv ## Ten years of a fleet's keys in virtual time
	.venv/bin/pytest -n auto tests/simulation

.PHONY: test-server
test-server: .venv /usr/bin/curl redis /usr/bin/softhsm2-util /usr/bin/pkcs11-tool ## The server over real HTTP
	.venv/bin/pytest -n 4 tests/server  # they wait more than they work

.PHONY: redis
redis: /usr/bin/redis-check-rdb .cache/redis-6/ready ## Bring the two versions of Redis that tests start

.cache/redis-6/ready: tests/redis/redis-6.lock | $(UV)
	$(UV) pip install --quiet --target .cache/redis-6 --require-hashes --no-deps \
	  --only-binary :all: --python-version 3.10 --python-platform x86_64-manylinux_2_28 -r $<
	@touch $@

.PHONY: test-browser
test-browser: .venv ## Log in with headless Chromium; screenshots in .artefacts/ (root, to install it)
	.venv/bin/pytest tests/browser

.PHONY: test-lab
test-lab: .venv ## Lab hosts: converge, break, audit, attack (root, systemd-nspawn)
	.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder tests/deploy  # so do these
	.venv/bin/pytest tests/attacks  # alone: they want all of the machine

.PHONY: attack-report
attack-report: .venv ## Attack a plain Debian host and ours, and compare (root; 6 minutes)
	.venv/bin/python -m tests.attacks.report

.PHONY: sweep
sweep: .venv ## Interrupt a deploy at 30 points and let the next finish it (root; SEED=1; half an hour)
	SWEEP=1 .venv/bin/pytest -v -n 2 tests/deploy/sweep

.PHONY: bench
bench: .venvs/bench/ready /usr/bin/wrk /usr/bin/softhsm2-util ## Speed and size (others: node and npm; deploys: root; NAMES=)
	.venvs/bench/bin/python -m benchmarks $(NAMES)

# Programs that tests and benchmarks call, each with the package of Debian's that brings it.
/usr/bin/curl: PACKAGE = curl
/usr/bin/pkcs11-tool: PACKAGE = opensc
# The server's program is in this package, and its daemon in another.
/usr/bin/redis-check-rdb: PACKAGE = redis-tools
/usr/bin/softhsm2-util: PACKAGE = softhsm2
/usr/bin/wrk: PACKAGE = wrk
/usr/bin/curl /usr/bin/pkcs11-tool /usr/bin/redis-check-rdb /usr/bin/softhsm2-util /usr/bin/wrk:
	flock /run/lock/portcullis-apt sh -c 'apt-get update --quiet && \
	  apt-get install --quiet --yes --no-install-recommends $(PACKAGE)'

# The lab -----------------------------------------------------------------------------------------

.PHONY: lab
lab: .venv ## Make lab hosts, deploy, audit, fetch a token, log in (HOSTS=1 KIND=debian-12 LAB=lab)
	@.venv/bin/python -m tests.lab tour --name '$(LAB)' $(if $(HOSTS),--hosts='$(HOSTS)') \
	  $(if $(KIND),--kind='$(KIND)')

.PHONY: lab-ssh
lab-ssh: .venv ## Log in to a lab host (HOST=lab-1)
	@.venv/bin/python -m tests.lab ssh --name $(LAB) $(HOST)

.PHONY: lab-token
lab-token: .venv ## Fetch a token from the lab and verify it
	@.venv/bin/python -m tests.lab token --name $(LAB)

.PHONY: lab-login
lab-login: .venv ## Walk the authorization code flow in the terminal, step by step
	@.venv/bin/python -m tests.lab login --name $(LAB)

.PHONY: lab-list
lab-list: .venv ## List this machine's labs
	@.venv/bin/python -m tests.lab list

.PHONY: lab-down
lab-down: .venv ## Take the lab down, without a trace
	@.venv/bin/python -m tests.lab down --name $(LAB)

.PHONY: lab-clean
lab-clean: .venv ## Remove the lab's cached images and packages
	@.venv/bin/python -m tests.lab clean

.PHONY: clean
clean: ## Remove what was built here (not the lab: make lab-down)
	rm -rf .venv .venvs .uv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .artefacts
