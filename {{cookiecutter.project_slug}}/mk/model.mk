# Phase 3: model. Each stage also runs what it depends on.
.PHONY: train export evaluate accept cards register
train: ## Fit the chosen model of conf/model and save it as ONNX
export: ## Calibrate the model and write the artefact
evaluate: ## Measure the model on the test split
accept: ## Check the reports against the requirements in product.yaml
cards: ## Write the pages: requirements, data card, model card
register: ## Log the run to MLflow; if accepted, register a version
train export evaluate accept cards register: .venv/.done
	@$(HOLD_LABELS)
	@dvc repro $@

.PHONY: repro status checkout mlflow sweep adopt research compare ablate explain
MODEL ?= $(shell sed -n 's/^  - model: *\([a-z0-9_-]*\).*/\1/p' conf/config.yaml)

# Before the first split exists, repro checks whether there are enough labels.
repro: .venv/.done ## Run every stage that a change affects
	@$(HOLD_LABELS)
	@if [ -e data/splits/manifest.json ]; then dvc repro; else python -m fullstack_ml.modeling.study.repro; fi

status: .venv/.done ## Show the results and what to type next
	@python -m fullstack_ml.modeling.study.status

checkout: .venv/.done ## Restore data and model of a version: VERSION=3
	@python -m fullstack_ml.project.checkout $(if $(VERSION),$(call quoted,$(VERSION)))

mlflow: .venv/.done ## Open the MLflow UI on 127.0.0.1:5000 (PORT=...)
	@python -m fullstack_ml.modeling.study.review $(call quoted,$(or $(PORT),5000))

sweep: split ## Search models and parameters: MODEL=all TRIALS=60 MINUTES=20
	@python -m fullstack_ml.modeling.study.sweep $(call quoted,$(MODEL)) $(call quoted,$(TRIALS)) $(call quoted,$(MINUTES))

adopt: .venv/.done ## Write the winner of the last sweep into conf/, or another run: RUN=<id>
	@python -m fullstack_ml.modeling.study.adopt $(if $(RUN),$(call quoted,$(RUN)))

research: .venv/.done ## Update the table of experiments in docs/3-model
	@python -m fullstack_ml.modeling.study.research

compare: export ## Compare variants, versions, models: VERSIONS="champion 3" MODELS="logistic boosted"
	@python -m fullstack_ml.modeling.study.compare $(foreach one,$(VERSIONS) $(MODELS:%=model=%),$(call quoted,$(one)))

ablate: split ## Measure what each feature, image region or text property contributes
	@python -m fullstack_ml.modeling.study.ablate $(call quoted,model=$(MODEL))

explain: .venv/.done ## Show what the model relies on, or one record from payload to decision: ID=<id>
	@python -m fullstack_ml.modeling.study.explain $(if $(ID),$(call quoted,$(ID)))
