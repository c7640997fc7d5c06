# Phase 2, annotation: who labels what, and how well annotators agree. conf/annotation.yaml configures the rounds.
.PHONY: round annotate annotate-stop labels export-round import agreement suspects
ANNOTATION = python -m fullstack_ml.annotation
KIND ?= $(if $(filter pilot%,$(NAME)),pilot,production)
N ?= 50
only = $(if $(2),$(call text,annotation.only.$(1),$(2)))

round: .venv/.done ## Choose what to annotate: NAME=pilot KIND=... N=50 (LABEL=... SLICE=... IDS=... FILE=...)
	@$(ANNOTATION).queue $(call text,annotation.round,$(NAME)) $(call text,annotation.kind,$(KIND)) \
	  $(call text,annotation.items,$(N)) $(call only,label,$(LABEL)) $(call only,slice,$(SLICE)) \
	  $(call only,ids,$(IDS)) $(call only,file,$(FILE))

annotate: .venv/.done ## Open the newest round in Label Studio (ROUND=...)
	@UV="$(UV)" $(ANNOTATION).annotate $(if $(ROUND),$(call text,annotation.round,$(ROUND)))

annotate-stop: .venv/.done ## Stop the Label Studio of this project
	@$(ANNOTATION).server

labels: .venv/.done ## Copy finished annotations into data/labels
	@$(ANNOTATION).labels $(if $(ROUND),$(call text,annotation.round,$(ROUND)))

export-round: .venv/.done ## Pack a round for annotators outside the team (ROUND=...)
	@$(ANNOTATION).export_round --round=$(call quoted,$(ROUND))

import: .venv/.done ## Import the labels of annotators outside: FILE=form.xlsx BY=name (ROUND=...)
	@$(ANNOTATION).import_labels --file=$(call quoted,$(FILE)) --by=$(call quoted,$(BY)) --round=$(call quoted,$(ROUND))

agreement: label ## Show how well annotators agree: reports/agreement.html
	@$(ANNOTATION).report

suspects: label ## List likely label errors for a review round
	@$(ANNOTATION).suspects
