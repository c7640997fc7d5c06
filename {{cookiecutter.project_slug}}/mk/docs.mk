# All documents at one place: docs/ and the reports as a site with a search, which needs no server and no network.
.PHONY: docs
docs: .venv/.done .venv-docs/.done ## Build docs/ and the reports as a site: site/index.html
	@python -m fullstack_ml.site .venv-docs/bin/zensical

# The dependency group alone, in an environment of its own: what is installed in .venv stays as it is.
.venv-docs/.done: pyproject.toml | $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-docs "$(UV)" sync --quiet --only-group docs
	@touch $@
