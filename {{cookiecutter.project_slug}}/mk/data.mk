# Phases 1 and 2: requirements and data. Each stage also runs what it depends on.
.PHONY: compose collect validate label split
compose: ## Resolve conf/ into params.yaml
collect: ## Bring raw records in from the source
validate: ## Stop at records that product.yaml does not allow
label: ## Bring the labels of people and source together
split: ## Cut train, validation, calibration, test by hash
compose collect validate label split: .venv/.done
	@$(HOLD_LABELS)
	@dvc repro $@

# A remote in a folder that is not there, as on a machine of CI, is as good as none.
pull: .venv/.done ## Fetch data and models from the DVC remote, if any
	@place=$$(COLUMNS=999 dvc remote list | awk '/\(default\)/ {print $$2}'); \
		case "$$place" in "") ;; /*) [ ! -d "$$place" ] || dvc pull ;; *) dvc pull ;; esac

.PHONY: forget pull
forget: .venv/.done ## Remove a record for good: ID=... or GROUP=...
	@python -m fullstack_ml.data.forget $(if $(filter command,$(firstword $(origin ID))),--id "$$ID") \
		$(if $(filter command,$(firstword $(origin GROUP))),--group "$$GROUP")

# What was typed reaches Python through the environment, as it is: neither make nor a shell reads «left (Y/N)» or «a$b».
.PHONY: draft
$(foreach name,FROM ANSWER LABELS QUERY FORCE,$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
draft: .venv/.done ## Write a first product.yaml from your data: FROM=... ANSWER=...
	@python -m fullstack_ml.draft
