# Checks that turn research code into product code, and the documents as a site.
.PHONY: check test format audit-deps
check: .venv/.done ## Lint, types, import contracts, product.yaml
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports --config engine/pyproject.toml
	@python -m fullstack_ml.product.contract

test: .venv/.done ## Run the tests, or some: T=tests/test_contract.py, T="-k labels"
	@pytest $(T)

format: .venv/.done ## Format the code
	@ruff format .
	@ruff check --fix .

audit-deps: | $(UV) ## Compare the locked libraries with the published advisories
	@$(UV) export --frozen --all-groups --no-emit-local --no-hashes --no-header \
	  | $(UV) tool run --quiet pip-audit==2.10.1 --no-deps --disable-pip --requirement /dev/stdin

# All documents in one place: docs/ and the reports as a searchable site, which needs no server and no network.
.PHONY: docs
docs: .venv/.done .venv-docs/.done ## Build docs/ and the reports as a site: site/index.html
	@python -m fullstack_ml.site .venv-docs/bin/zensical

# Only the dependency group docs, in its own environment, so that .venv does not change.
.venv-docs/.done: pyproject.toml | $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-docs "$(UV)" sync --quiet --only-group docs
	@touch $@
