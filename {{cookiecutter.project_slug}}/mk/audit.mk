# Evidence: where an answer comes from, and which steps of the lifecycle are proved.
.PHONY: lineage audit
lineage: .venv/.done ## Show where an answer comes from: ID=<prediction id, version, record, annotator or label>
	@python -m fullstack_ml.audit.lineage

audit: .venv/.done ## Score the lifecycle by evidence: ML Test Score, technical debts, roles
	@python -m fullstack_ml.audit
