# Every target sets up what it needs on a fresh machine: Debian packages when a tool is missing (those of the
# edge tests for the tests only), a virtual environment from the lock file, the package itself (editable, with
# its C core).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
NATIVE := $(wildcard native/*.c native/*.h native/build_table.py)

.PHONY: help setup demo agents edge-page test edge-packages edge-test lint types check check-long package bench mutation builtin golden fmt lock \
        agreement-long fuzz-long clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(BIN)/python:
	@.ci/debian-packages $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python pyproject.toml setup.py requirements.lock $(NATIVE)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## the virtual environment with everything in it

demo: $(STAMP) ## verify, build and run the example policies, break a faulty one, and serve one
	@$(BIN)/python -m govlang.cli.demo

agents: $(STAMP) ## two agents, a delete, an incident and its replay, on a real control plane
	@$(BIN)/python examples/agents/run.py

edge-page: $(STAMP) ## the drone policy in a browser: it decides as one moves sliders
	$(BIN)/python examples/edge/serve.py

edge-packages: # compilers, a board and a browser for the tests; an instant where all is there
	@.ci/edge-packages

test: $(STAMP) edge-packages ## the tests (within 12 minutes)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

edge-test: $(STAMP) edge-packages ## the drone policy on an emulated Cortex-M3, and as WebAssembly in wasm3
	$(BIN)/python -m pytest -m "edge and not long"
	$(BIN)/python -m benchmarks.board.rows

lint: $(STAMP) ## ruff, its rules and its layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

package: $(STAMP) ## sdist and wheel, built, installed apart from the sources, and used
	$(BIN)/python -m pytest -m packaging

check: lint types test package ## what every commit must pass

check-long: $(STAMP) edge-packages ## the large random counts (within 60 minutes)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long

fmt: $(STAMP) ## lay out the Python sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

builtin: $(STAMP) ## prove and build the policies that the service runs on; commit what changes
	rm -rf build/builtin
	$(BIN)/gov build --strict runtime/builtin/job.gov -o build/builtin
	$(BIN)/gov build --strict runtime/builtin/outage.gov -o build/builtin
	$(BIN)/gov build --strict runtime/builtin/incident.gov -o build/builtin
	$(BIN)/gov build --strict examples/breaker.gov -o build/builtin
	cp build/builtin/*.govb runtime/builtin/

golden: $(STAMP) edge-packages ## write the golden files anew; read the change as text
	GOVLANG_GOLDEN=write $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

agreement-long: $(STAMP) edge-packages ## ten million random decisions on every backend (hours)
	GOVLANG_AGREEMENT=long $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long \
	        tests/agreement tests/edge/test_agreement.py

fuzz-long: $(STAMP) edge-packages ## ten million hostile tables under sanitizers
	GOVLANG_FUZZ=long $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long tests/native/test_sanitizers.py

$(BENCH_STAMP): $(STAMP) requirements-bench.lock benchmarks/js/package-lock.json
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bench.lock
	npm ci --silent --prefix benchmarks/js
	@touch $@

bench: edge-packages $(BENCH_STAMP) ## measure against the peers, write benchmarks/results.md
	$(BIN)/python benchmarks/run.py

mutation: edge-packages $(STAMP) ## mutate checker, lowering and verifier, write benchmarks/mutation.md (hours)
	$(BIN)/python -m benchmarks.mutation.run

lock: $(BIN)/python ## pin the dependencies anew
	$(BIN)/python -m pip install --quiet 'pip-tools>=7.4'
	.ci/lock $(BIN)/pip-compile

clean: ## remove what the build made
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
