# Phase 4: the artefact in the browser.
.PHONY: edge edge-serve
EDGE_PORT ?= 8100

edge: accept ## Build the page that runs the model in a browser
	@python -m fullstack_ml.edge.build

edge-serve: .venv/.done ## Serve the page on 127.0.0.1:8100 (EDGE_PORT=...)
	@test -f dist/edge/index.html || { printf 'error: there is no page\nwhere: dist/edge/\nfix:   make edge\n' >&2; exit 1; }
	@echo $(call quoted,http://127.0.0.1:$(EDGE_PORT)/)
	@python -m http.server $(call quoted,$(EDGE_PORT)) --bind 127.0.0.1 --directory dist/edge
