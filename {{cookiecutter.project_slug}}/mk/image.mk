# Phase 4: the API in a container. `docker compose up --detach --build --wait` starts the services of compose.yaml.
.PHONY: image
ENGINE ?= $(firstword $(foreach name,docker podman,$(if $(shell command -v $(name)),$(name))))
IMAGE ?= $(subst _,-,$(PACKAGE))

image: .venv/.done ## Build the image of the API
	@test -n "$(ENGINE)" || { printf 'error: no container engine\nwhere: PATH\nfix:   install docker or podman, or set ENGINE\n' >&2; exit 1; }
	@$(ENGINE) build --file docker/Dockerfile --tag "$(IMAGE):latest" --build-arg REVISION="$$(git rev-parse HEAD)" .
