# Phase 4: serving. Settings are environment variables SERVE_* (or .env), see serving/settings.py.
.PHONY: serve predict release promote rollback online
SERVING := .venv-serve/bin/python

# exec, so that signals to make reach the server itself; the follower ends with the server.
serve: .venv/.done .venv-serve/.done ## Serve the champion on 127.0.0.1:8000, docs at /docs
	@python -m fullstack_ml.serving.follow $$$$ & exec $(SERVING) -m fullstack_ml.serving

# As for draft, Python gets the typed values unchanged.
$(foreach name,INPUT OUTPUT LOG,$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
predict: .venv/.done ## Run the model on many records: INPUT=... OUTPUT=... (LOG=1 FORCE=1)
	@python -m fullstack_ml.serving.batch

release: .venv/.done ## Show how the challenger does, and carry out the release plan
	@python -m fullstack_ml.serving.decide

promote: .venv/.done ## Make the challenger champion (VERSION=...)
	@python -m fullstack_ml.serving.release promote $(if $(VERSION),$(call quoted,$(VERSION)))

rollback: .venv/.done ## Make the previous version champion again
	@python -m fullstack_ml.serving.release rollback

online: .venv/.done ## Compare champion and challenger: late labels, abstentions, latency
	@python -m fullstack_ml.serving.online $(if $(SINCE),$(call quoted,$(SINCE)))

# Only the dependency group serve, as in the image: no MLflow, no training library.
.venv-serve/.done: pyproject.toml | $(filter .uv/bin/uv,$(UV))
	UV_PROJECT_ENVIRONMENT=.venv-serve "$(UV)" sync --quiet --only-group serve
	@touch $@
