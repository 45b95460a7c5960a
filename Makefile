# Every command says what it is doing and how long that usually takes. The first four are for users of the repository.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test down lint unit conformance e2e bench bench-connectors faults mutants generate profile images

help: ## what there is to run
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## shows the main job on a real cluster (a quarter of an hour or more the first time, then 2 minutes)
	@tests/demo.sh

test: lint unit conformance e2e ## everything that must hold (docs/testing.md says how long it takes)

down: ## ends the clusters that demo, test and bench left running
	@tests/cluster/run down --all

lint: ## formatting, clippy, licences and advisories, Go vet
	@build/lint.sh

unit: ## tests that need no cluster
	@build/unit.sh

conformance: ## the protocol's own suite, around the engine's own client (1 minute)
	@tests/conformance.sh

e2e: ## behaviours on a real cluster
	@tests/e2e.sh

bench: ## the comparisons of docs/benchmarks.md (about two and a half hours)
	@tests/bench.sh

bench-connectors: ## those of tool calls, which need no cluster (about 20 minutes)
	@tests/bench.sh connectors

faults: ## the long fault campaigns (hours; tests/faults.sh --list)
	@tests/faults.sh

mutants: ## changes the heart of the code in small ways and sees that tests notice (hours; tests/mutants.sh says more)
	@tests/mutants.sh

generate: ## files that are made from code: definitions, OpenAPI, query data
	@build/generate.sh

profile: ## counts anew what an engine does most, for the compiler (10 minutes; build/profile.sh says when)
	@build/profile.sh

images: ## both images, as docker archives in dist/
	@build/images.sh dist
