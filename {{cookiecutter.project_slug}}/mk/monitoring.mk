# Phase 5: after the release. What is watched: monitoring in product.yaml; how: conf/monitoring.yaml.
.PHONY: monitor feedback
monitor: .venv/.done ## Judge the prediction log: traffic, drift, late labels, alarms
	@python -m fullstack_ml.monitoring.monitor

feedback: .venv/.done ## Bring what users sent and corrected back for a round: conf/source/predictions.yaml
	@python -m fullstack_ml.monitoring.feedback source=predictions
