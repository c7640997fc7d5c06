# Phase 0: what everything else needs.
.PHONY: setup
setup: .venv/.done ## Install the environment; make a git repository where there is none
	@python mk/first_commit.py

.venv/.done: pyproject.toml engine/pyproject.toml | $(UV)
	@echo "setup: installing the environment into .venv, about 1 GiB"
	@$(UV) sync --quiet
	@touch $@

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv/"
	@python3 -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.PHONY: new-stage clear-sample remove upgrade
new-stage: .venv/.done ## Begin a stage of your own: NAME=enrich AFTER=split
	@python -m fullstack_ml.project.new_stage "$(NAME)" "$(AFTER)"

clear-sample: .venv/.done ## Remove the sample: contract, data, labels, models, reports
	@python -m fullstack_ml.project.clear_sample

remove: .venv/.done ## Take a part out: PART=annotation, serving, edge or monitoring
	@python -m fullstack_ml.project.remove "$(PART)"

upgrade: .venv/.done ## Bring the template's later changes in
	@UV="$(UV)" python -m fullstack_ml.project.upgrade
