# Phase 4: serving. Settings are environment variables SERVE_* (or .env), see serving/settings.py.
.PHONY: serve predict release promote rollback online
SERVING := .venv-serve/bin/python

# exec: make's signals reach the server itself; the follower ends with it.
serve: .venv/.done .venv-serve/.done ## Serve the champion on 127.0.0.1:8000, docs at /docs
	@python -m fullstack_ml.serving.follow $$$$ & exec $(SERVING) -m fullstack_ml.serving

# As in draft, what was typed reaches Python as it is.
$(foreach name,INPUT OUTPUT LOG,$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
predict: .venv/.done ## Answer many records: INPUT=... OUTPUT=... (LOG=1 FORCE=1)
	@python -m fullstack_ml.serving.batch

release: .venv/.done ## Show where the challenger stands, and do what the plan decides
	@python -m fullstack_ml.serving.decide

promote: .venv/.done ## Make the challenger champion (VERSION=...)
	@python -m fullstack_ml.serving.release promote $(VERSION)

rollback: .venv/.done ## Make the version before champion again
	@python -m fullstack_ml.serving.release rollback

online: .venv/.done ## Compare champion and challenger on late answers
	@python -m fullstack_ml.serving.online $(SINCE)

# The dependency group alone, as in the image: no MLflow, no training library.
.venv-serve/.done: pyproject.toml | $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-serve "$(UV)" sync --quiet --only-group serve
	@touch $@
