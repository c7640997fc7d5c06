# All documents in one place: docs/ and the reports as a searchable site, which needs no server and no network.
.PHONY: docs
docs: .venv/.done .venv-docs/.done ## Build docs/ and the reports as a site: site/index.html
	@python -m fullstack_ml.site .venv-docs/bin/zensical

# Only the dependency group docs, in its own environment, so that .venv does not change.
.venv-docs/.done: pyproject.toml | $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-docs "$(UV)" sync --quiet --only-group docs
	@touch $@
