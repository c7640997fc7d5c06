# Checks that turn research code into product code.
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
