# The whole loop at once: a simulated month of production, in a copy of the project.
.PHONY: simulate
simulate: .venv/.done .venv-serve/.done ## Simulate a month of production in a copy: shift, alarm, round, release; writes a page
	@python -m fullstack_ml.simulation
