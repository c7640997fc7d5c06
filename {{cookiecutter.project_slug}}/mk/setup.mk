# Phase 0: what everything else needs.
.PHONY: setup
# An extra that is installed stays, and the backend of the chosen model comes.
EXTRAS = $(foreach extra,$(shell sed -n '/^.project.optional/,/^$$/s/^\([a-z]*\) = .*/\1/p' pyproject.toml),$(if \
	$(wildcard .venv/lib/python*/site-packages/$(extra))$(shell grep -s '^backend: $(extra)' conf/model/$(MODEL).yaml),--extra $(extra)))
DATELESS := fix:   if the index gives no upload times, as Nexus and Artifactory, remove exclude-newer from pyproject.toml
setup: .venv/.done ## Install the environment; make a git repository where there is none
	@python mk/first_commit.py

# Programs name the folder in which they were installed: a moved or copied project installs its own, as after an
# installation that was interrupted, also one into an environment that was whole. A link is a loan.
$(shell [ -L .venv ] || [ ! -e .venv/.done ] || \
  { [ "$$(cat .venv/.done)" = "$$(pwd -P)" ] && [ ! -e .venv/.changing ]; } || rm .venv/.done)
.venv/.done: pyproject.toml engine/pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@echo "setup: installing the environment into .venv, about 1 GiB"
	@[ -L .venv ] || [ -e $@ ] || rm -rf .venv
	@[ ! -e $@ ] || touch .venv/.changing
	@"$(UV)" sync --quiet $(EXTRAS) || { [ $$? -gt 128 ] || rm -f .venv/.changing; printf 'error: uv cannot install the environment, see above\nwhere: pyproject.toml\n$(DATELESS)\n' >&2; exit 1; }
	@rm -f .venv/.changing; if [ -L .venv ]; then touch $@; else pwd -P > $@; fi

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
