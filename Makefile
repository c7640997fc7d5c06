# The template, command by command: `make help`. Needs Python 3.11+, git and make; uv is installed where it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
START := $(shell date +%s)
UV := $(or $(shell command -v uv),.uv/bin/uv)
PYTHON := .venv/bin/python
ENGINE := {{cookiecutter.project_slug}}/engine
# Imports are much slower without bytecode, and a foreign environment would be taken for the project's own.
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
export PATH := $(PATH):$(CURDIR)/.uv/bin
# A folder of wheels that pip knows of, such as a CPU build of PyTorch, is one for uv too.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.PHONY: help demo bake check test test-fast bench docs
help: ## Show the commands
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  \033[36m%-15s\033[0m %s\n", $$1, $$2}' Makefile

demo: .venv/.done ## Generate the default project into demo/ and run its whole lifecycle
	@if [ -e demo/my-product ]; then echo "demo: goes on in demo/my-product; rm -rf demo to start anew"; else \
		rm -rf demo/.new && $(PYTHON) -m cookiecutter . --no-input --default-config --output-dir demo/.new && \
		mv demo/.new/my-product demo/ && echo "demo: generated demo/my-product"; fi
	@STARTED=$(START) $(MAKE) --no-print-directory -C demo/my-product
	@echo "demo: to go on, cd demo/my-product"

bake: .venv/.done ## Generate with answers: ANSWERS="task=tabular-classification" OUT=bake
	@$(PYTHON) -m cookiecutter . --no-input --output-dir $(or $(OUT),bake) $(ANSWERS)

check: .venv/.done ## Lint, format, types and layers of hooks, tests and engine
	@for tool in 'ruff format --check' 'ruff check'; do $(PYTHON) -m $$tool hooks tests '$(ENGINE)'; done; $(PYTHON) -m mypy
	@cd '$(ENGINE)' && $(CURDIR)/.venv/bin/lint-imports --no-cache --config pyproject.toml

# One project per task is baked and set up, and all of its tests run in one process, so that nothing is made twice.
test test-fast: .venv/.done ## All tests; test-fast: engine in place and template, without those that set up a project
	@$(PYTHON) -m pytest -n auto --dist loadgroup $(if $(filter test-fast,$@),-m "not slow")

docs: .venv/.done ## Build README.md and docs/ as a site with a search: site/index.html
	@PYTHONPATH='$(ENGINE)/src' $(PYTHON) -m fullstack_ml.site .venv/bin/zensical

bench: .venv/.done ## Measure: Markdown tables of medians and ratios
	@PYTHONPATH=tests $(PYTHON) tests/bench/run.py

.venv/.done: pyproject.toml | $(UV)
	@$(UV) sync --quiet && touch $@

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv/"
	@python3 -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv
