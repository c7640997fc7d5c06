# Phase 3: model. Each stage also runs what it depends on.
.PHONY: train export evaluate accept cards register
train: ## Fit the model of conf/model and leave it as ONNX
export: ## Calibrate and describe the one artefact
evaluate: ## Measure it on the test split
accept: ## Hold the reports against product.yaml
cards: ## Render requirements, data card, model card
register: ## Log to MLflow; move the alias if accepted
train export evaluate accept cards register: .venv/.done
	@$(HOLD_LABELS)
	@dvc repro $@

.PHONY: repro status checkout mlflow sweep adopt research compare ablate explain
MODEL ?= $(shell sed -n 's/^  - model: *\([a-z0-9_-]*\).*/\1/p' conf/config.yaml)

# Before the first split it is not known whether there are labels enough.
repro: .venv/.done ## Run every stage that a change concerns
	@$(HOLD_LABELS)
	@if [ -e data/splits/manifest.json ]; then dvc repro; else python -m fullstack_ml.modeling.study.repro; fi

status: .venv/.done ## Say what came out and what to type next
	@python -m fullstack_ml.modeling.study.status

checkout: .venv/.done ## Bring back data and model of a version: VERSION=3
	@python -m fullstack_ml.project.checkout $(VERSION)

mlflow: .venv/.done ## Open the MLflow UI on 127.0.0.1:5000 (PORT=...)
	@python -m fullstack_ml.modeling.study.review $(or $(PORT),5000)

sweep: split ## Search models and parameters: MODEL=all TRIALS=60 MINUTES=20
	@python -m fullstack_ml.modeling.study.sweep "$(MODEL)" "$(TRIALS)" "$(MINUTES)"

adopt: .venv/.done ## Write the winner of the last sweep into conf/, or another run: RUN=<id>
	@python -m fullstack_ml.modeling.study.adopt $(RUN)

research: .venv/.done ## Fill the table of what was tried in docs/3-model
	@python -m fullstack_ml.modeling.study.research

compare: export ## Variants side by side: VERSIONS="champion 3" MODELS="logistic boosted"
	@python -m fullstack_ml.modeling.study.compare $(VERSIONS) $(addprefix model=,$(MODELS))

ablate: split ## What each feature, region, or thing that texts share is worth
	@python -m fullstack_ml.modeling.study.ablate model=$(MODEL)

explain: .venv/.done ## What the model goes by; or one record, payload to decision: ID=<id>
	@python -m fullstack_ml.modeling.study.explain $(ID)
