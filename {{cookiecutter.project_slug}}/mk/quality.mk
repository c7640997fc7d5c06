# Research code to product code.
.PHONY: check test format
check: .venv/.done ## Lint, types, import contracts, product.yaml
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports
	@python -m $(PACKAGE).contract

test: .venv/.done ## Run the tests
	@pytest

format: .venv/.done ## Format the code
	@ruff format .
	@ruff check --fix .
