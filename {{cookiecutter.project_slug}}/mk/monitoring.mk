# Phase 5: after the release. product.yaml states what is watched (monitoring), conf/monitoring.yaml how.
.PHONY: monitor feedback
monitor: .venv/.done ## Check the prediction log: traffic, drift, late labels, alarms
	@python -m fullstack_ml.monitoring.monitor

feedback: .venv/.done ## Collect what users sent and corrected, for a round: conf/source/predictions.yaml
	@python -m fullstack_ml.monitoring.feedback source=predictions
