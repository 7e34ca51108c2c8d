# Everything a fresh machine with Python 3.11 and make needs; `make help` lists the targets.
PYTHON ?= python3.11
ifeq (,$(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
BIN := .venv/bin
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow fuzz check format lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/ready: requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Python 3.11 to 3.13 needed, this is {sys.version}"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ready  ## simulate, train, release, start everything, feed wafers, show the dashboard (Ctrl-C ends it)
	$(BIN)/waferwatch demo

test: .venv/ready  ## the fast tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow and not faults and not browser and not cluster and not fuzz"

test-slow: .venv/ready  ## the rest: faults, browser, Ray
	$(BIN)/python -m pytest -m "(slow or faults or browser or cluster) and not fuzz"

fuzz: .venv/ready  ## ten thousand damaged files of each format
	$(BIN)/python -m pytest -n $(JOBS) -m fuzz

check: .venv/ready  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready  ## let ruff tidy up
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/ready  ## pin the newest versions that fit pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --all-extras --group dev --constraint requirements.txt --output-file requirements-dev.txt
	echo uv | $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 - --output-file requirements-bootstrap.txt

clean:  ## remove the environment and what the demo made
	rm -rf .venv .demo
