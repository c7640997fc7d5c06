# Giving account: where an answer comes from, and how much of the lifecycle is proved.
.PHONY: lineage audit
lineage: .venv/.done ## The whole way of ID=<prediction id, version, record, annotator or label>
	@python -m fullstack_ml.audit.lineage

audit: .venv/.done ## Score the lifecycle from evidence: ML Test Score, debts, roles
	@python -m fullstack_ml.audit
