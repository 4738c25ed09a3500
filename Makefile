# `make` runs what CI runs. Every target does its own set-up, into .venv.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,\
	$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
UV := $(or $(shell command -v uv),.venv/bin/uv)
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)
RUN := .venv/bin

export UV_COMPILE_BYTECODE := 1
# Trust what this machine trusts, a company's own certificates among them.
export UV_SYSTEM_CERTS := 1
export UV_PROJECT_ENVIRONMENT := .venv

.PHONY: all demo test cluster up lint docs bench faults clean

all: lint test docs

demo: .venv/.demo ## run the example projects
	@$(RUN)/python examples/demo.py

test: .venv/.dev ## run every test
	$(RUN)/pytest -n $(or $(WORKERS),auto)

cluster: .venv/.dev ## what is exported to Kubernetes and Argo, on the cluster that WINDLASS_TEST_KUBERNETES names (a kubeconfig)
	$(RUN)/pytest -n 2 tests/kubernetes --ignore tests/kubernetes/test_restarts.py
	$(RUN)/pytest -n 0 tests/kubernetes/test_restarts.py

up: .venv/.up ## start Airflow with the example pg2pg in it, until Ctrl-C
	@$(RUN)/windlass -C examples/pg2pg up --pgadmin

lint: .venv/.dev ## format, lint, types, layers, spelling
	$(RUN)/ruff format --check
	$(RUN)/ruff check
	$(RUN)/mypy
	$(RUN)/lint-imports --no-logo
	$(RUN)/codespell

docs: .venv/.dev ## build the manual into site/
	$(RUN)/python docs/generate.py --check
	$(RUN)/zensical build --strict --clean

bench: .venv/.bench ## measure against the raw limit and peers; also: python -m benchmarks airflow, … containers, … runs
	$(RUN)/python -m benchmarks

faults: .venv/.dev ## play every place of a kill; with N: so many kills at random moments, from SEED on
	$(RUN)/pytest tests/faults $(if $(N),-k random --faults=$(N),-n auto --every) $(if $(SEED),--seed=$(SEED))

clean: ## remove everything that was made
	rm -rf .venv .cache site dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .windlass -type d -prune -exec rm -rf {} +
	rm -rf examples/taxi/downloads examples/drugs/imported_data examples/drugs/processed_data
	rm -rf examples/ensembl/steps/transform-load/node_modules examples/ensembl/ensembl*-*.json
	rm -rf examples/dashboard/raw examples/dashboard/steps/*/node_modules

# --- set-up ---

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "windlass needs Python 3.11 or newer on the PATH"; exit 1; }
	@command -v uv >/dev/null || $(PYTHON) -m venv .venv || { echo "install python3-venv, or uv"; exit 1; }
	@command -v uv >/dev/null || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@command -v uv >/dev/null && uv venv --quiet --allow-existing --python $(PYTHON) .venv || true

# What each kind of work needs of uv.lock.
FOR_demo := --no-default-groups --extra all
FOR_up := --no-default-groups --extra all --extra airflow --extra pgadmin
FOR_dev := --group dev --group docs
FOR_bench := --group dev --group bench

.venv/.%: .venv/bin/python pyproject.toml uv.lock
	@echo "setting up .venv for $* (once)"
	@$(UV) sync --quiet --frozen --inexact $(FOR_$*)
	@$(RUN)/python -m compileall -q src
	@touch $@
