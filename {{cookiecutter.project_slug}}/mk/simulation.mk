# The whole loop at once: a month of production, played in a copy of the project.
.PHONY: simulate
simulate: .venv/.done .venv-serve/.done ## Play a month of production in a copy: shift, alarm, round, release; a page
	@python -m fullstack_ml.simulation
