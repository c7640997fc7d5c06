# Phase 4: serving. Settings are environment variables SERVE_* (or .env), see serving/settings.py.
.PHONY: serve promote rollback online
SERVING := .venv-serve/bin/python

# exec: make's signals reach the server itself; the follower ends with it.
serve: .venv/.done .venv-serve/.done ## Serve the champion on 127.0.0.1:8000, docs at /docs
	@python -m $(PACKAGE).serving.follow $$$$ & PYTHONPATH=src exec $(SERVING) -m $(PACKAGE).serving

promote: .venv/.done ## Make the challenger champion (VERSION=...)
	@python -m $(PACKAGE).serving.release promote $(VERSION)

rollback: .venv/.done ## Make the version before champion again
	@python -m $(PACKAGE).serving.release rollback

online: .venv-serve/.done ## Compare champion and challenger on late labels
	@PYTHONPATH=src $(SERVING) -m $(PACKAGE).serving.online $(SINCE)

# The dependency group alone, as in the image: no MLflow, no training library.
.venv-serve/.done: pyproject.toml | $(UV)
	UV_PROJECT_ENVIRONMENT=.venv-serve $(UV) sync --quiet --only-group serve
	@touch $@
