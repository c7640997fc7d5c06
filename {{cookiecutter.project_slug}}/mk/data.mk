# Phases 1 and 2: requirements and data. Each stage also runs what it depends on.
.PHONY: compose collect validate label split
compose: ## Compose params.yaml from conf/
collect: ## Collect raw records from the source
validate: ## Check the records; stop at any that product.yaml does not allow
label: ## Merge the labels of annotators and source
split: ## Split the records into train, validation, calibration and test
compose collect validate label split: .venv/.done
	@$(HOLD_LABELS)
	@dvc repro $@

# A remote may be a folder that does not exist here, as on a CI machine. It is then treated as no remote.
pull: .venv/.done ## Fetch data and models from the DVC remote, if any
	@place=$$(COLUMNS=999 dvc remote list | awk '/\(default\)/ {print $$2}'); \
		case "$$place" in "") ;; /*) [ ! -d "$$place" ] || dvc pull ;; *) dvc pull ;; esac

.PHONY: forget pull
forget: .venv/.done ## Delete a record for good: ID=... or GROUP=...
	@python -m fullstack_ml.data.forget $(if $(filter override,$(origin ID)),--id "$$ID") \
		$(if $(filter override,$(origin GROUP)),--group "$$GROUP")

# Python gets what was typed unchanged: neither make nor the shell may read "left (Y/N)", "a$b" or "Kim's form.xlsx".
# Values that a recipe names go through `quoted`, or `text` where Hydra reads them; others through the environment.
TYPED = NAME KIND N LABEL SLICE IDS FILE BY ROUND VERSION VERSIONS MODEL MODELS TRIALS MINUTES RUN ID GROUP SINCE PART \
  AFTER PORT EDGE_PORT
$(foreach name,$(TYPED),$(if $(filter command,$(firstword $(origin $(name)))),$(eval override $(name) := $$(value \
  $(name)))$(eval export $(name))))
quoted = '$(subst ','\'',$(1))'
text = $(call quoted,$(1)="$(subst ",\",$(2))")
.PHONY: draft
$(foreach name,FROM ANSWER LABELS QUERY FORCE,$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
draft: .venv/.done ## Write a first product.yaml from your data: FROM=... ANSWER=...
	@python -m fullstack_ml.draft
