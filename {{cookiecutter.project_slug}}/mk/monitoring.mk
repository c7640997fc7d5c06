# Phase 5: after the release. What is watched: monitoring in product.yaml; how: conf/monitoring.yaml.
.PHONY: monitor
monitor: .venv/.done ## Judge the prediction log: traffic, drift, late labels, alarms
	@python -m fullstack_ml.monitoring.monitor
