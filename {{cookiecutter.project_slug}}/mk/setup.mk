# Phase 0: setup, which everything else needs.
.PHONY: setup
# Keep the extras that are installed, and add the one that the chosen model's backend needs.
EXTRAS = $(foreach extra,$(shell sed -n '/^.project.optional/,/^$$/s/^\([a-z]*\) = .*/\1/p' pyproject.toml),$(if \
	$(wildcard .venv/lib/python*/site-packages/$(extra:encoders=transformers))$(shell grep -s \
	-e '^backend: $(extra)' -e 'uv sync --extra $(extra)' $(call quoted,conf/model/$(MODEL).yaml)),--extra $(extra)))
DATELESS := fix:   if the index gives no upload times, as Nexus and Artifactory, remove exclude-newer from pyproject.toml
setup: .venv/.done ## Install the environment; make a git repository if there is none
	@python mk/first_commit.py

# Installed programs contain the path of their folder, so a moved or copied project installs its environment again. So
# does a project whose installation or update was interrupted. A .venv that is a link belongs elsewhere: leave it.
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
new-stage: .venv/.done ## Add a stage of your own: NAME=enrich AFTER=split
	@python -m fullstack_ml.project.new_stage $(call quoted,$(NAME)) $(call quoted,$(AFTER))

clear-sample: .venv/.done ## Remove the sample: contract, data, labels, models, reports
	@python -m fullstack_ml.project.clear_sample

remove: .venv/.done ## Remove a part: PART=annotation, serving, edge or monitoring
	@python -m fullstack_ml.project.remove $(call quoted,$(PART))

upgrade: .venv/.done ## Apply the template's later changes
	@UV="$(UV)" python -m fullstack_ml.project.upgrade
