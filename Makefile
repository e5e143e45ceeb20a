# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
# Most tests wait for processes that they have started, so there may be more of them than processors. Those that
# measure something come afterwards, one by one.
WORKERS ?= 4

.PHONY: help setup demo test lint screenshots bundle sbom audit monitoring bench lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with locked dependencies; afterwards .venv/bin/spillway works

# Sources are compiled as pip compiles packages, and the buildpack a function: where PYTHONDONTWRITEBYTECODE is set, each
# start would do it anew.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { echo "venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q shared functions infra
	@touch $(STAMP)

demo: setup ## Start everything on this machine and play a day of the GIF competition
	$(BIN)/spillway demo

test: setup lint tests/browser/node_modules tests/chain/node_modules tests/sdk/node_modules .venv-checkov/.ready ## Lint, then every test
	$(BIN)/pytest -m "not alone" --numprocesses $(WORKERS) --dist loadfile
	$(BIN)/pytest -m alone

tests/%/node_modules: tests/%/package-lock.json
	cd tests/$* && npm ci --silent --ignore-scripts
	@touch $@

# The policy scan's 90 packages are not the product's, and want other versions of some of its own.
.venv-checkov/.ready: tests/deploy/checkov.txt $(STAMP)
	$(BIN)/uv venv --quiet --clear .venv-checkov
	$(BIN)/uv pip install --quiet --python .venv-checkov/bin/python --require-hashes --requirement tests/deploy/checkov.txt
	@touch .venv-checkov/.ready

lint: setup ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: setup ## Write docs/images for the README: ten minutes of the demo, in Debian's Chromium
	$(BIN)/python infra/screenshots.py

bundle: ## Write build/NAME.zip for every function, as it is deployed
	$(PYTHON) infra/bundle.py

sbom: setup ## Write build/sbom (CycloneDX, one for each function) and docs/licences.md
	$(BIN)/python -m supply_chain.sbom

audit: setup ## Ask what is known against the locked packages; fails where no database can be asked
	$(BIN)/python -m supply_chain.audit

monitoring: setup ## Write alert rules, alert policies and dashboards anew from infra/monitoring
	$(BIN)/python -m monitoring

bench: setup tests/chain/node_modules ## Measure; the figures of docs/performance.md (needs nginx), docs/policy.md, docs/capacity-planning.md
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/keys.py
	$(BIN)/python benchmarks/redemptions.py
	$(BIN)/python benchmarks/policies/compare.py
	$(BIN)/python benchmarks/capacity.py
	$(BIN)/python benchmarks/jobs.py

lock: setup ## Compile requirements.lock and functions/*/requirements.txt anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml --extra chain --extra cli --group dev -o requirements.lock
	@for function in functions/*/; do \
		extra=; case $$function in functions/redemptions/) extra="--extra chain";; esac; \
		$(BIN)/uv pip compile --quiet --generate-hashes --no-header --python-platform linux --python-version 3.11 pyproject.toml $$extra -o "$${function}requirements.txt"; \
	done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header tests/deploy/checkov.in -o tests/deploy/checkov.txt

clean: ## Remove what was made
	rm -rf .venv .venv-checkov build var tests/*/node_modules
