# The doors of Peerline. `make help` lists them; every door sets up what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY := .venv/bin/python
UV_VERSION := 0.13.9

.PHONY: help up test check demo load chaos simulate mutations compose-env compose-walk lock clean distclean .venv

help: ## list the doors
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

up: ## set up everything, walk a first case to its end, then serve until Ctrl-C
	@sh tools/setup.sh up
	@$(PY) -m deploy.local.up $(ARGS)

test: ## run all tests on engines of their own (ARGS="-k words" picks some)
	@sh tools/setup.sh test
	@$(PY) -m pytest $(ARGS)

check: .venv ## format, lint, types, import contracts, house limits, SQL, published contracts
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy services shared deploy tests tools
	.venv/bin/lint-imports --no-logo --cache-dir .cache/import-linter
	$(PY) -m tools.lint.house
	$(PY) -m tools.lint.sql_in_loops
	$(PY) -m tools.lint.migrations
	$(PY) -m tools.contracts

demo: .venv ## walk what each program structure does and refuses, in the region that `make up` serves
	@$(PY) -m deploy.local.scenes $(ARGS)

load: .venv ## measure latency and throughput beside their floors, into docs/performance/latest.json
	@$(PY) -m pip install --quiet --require-hashes --no-input --disable-pip-version-check -r requirements-bench.lock
	@$(PY) -m tests.load $(ARGS)

simulate: .venv ## simulate a region by seeds and check every promise after every move (STEPS=200000, ARGS="--seed N")
	@$(PY) -m tests.simulation $(if $(STEPS),--steps $(STEPS)) $(ARGS)

mutations: .venv ## take one guard after the other out of a copy, and see who notices (20 minutes)
	@$(PY) -m tests.mutations $(ARGS)

chaos: .venv ## break a region of two replicas each for ten minutes and check every promise (ARGS="--minutes 10 --seed N")
	@$(PY) -m tests.chaos $(ARGS)

compose-env: .venv ## write .env for docker-compose.yml: random passwords, and the keyring; keeps what is set
	@$(PY) -m deploy.local.compose env

compose-walk: .venv ## walk a first case through the region that runs in containers
	@$(PY) -m deploy.local.compose walk

clean: ## forget what `make up` keeps (.peerline and its databases); .venv stays
	@if [ -x $(PY) ] && [ -f deploy/local/clean.py ]; then $(PY) -m deploy.local.clean; else rm -rf .peerline; fi

distclean: clean ## clean, and remove .venv and the caches too
	@rm -rf .venv .venv.lock .cache .hypothesis

lock: .venv ## resolve pyproject.toml again into requirements.lock (hashes of every file, no addresses)
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
	$(PY) -m venv "$$work" && "$$work/bin/python" -m pip install --quiet uv==$(UV_VERSION) && \
	UV_CUSTOM_COMPILE_COMMAND="make lock" "$$work/bin/uv" pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --all-extras --group dev --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock pyproject.toml && \
	UV_CUSTOM_COMPILE_COMMAND="make lock" "$$work/bin/uv" pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --constraint requirements.lock \
		--group pyproject.toml:bench --output-file requirements-bench.lock && \
	echo "requirements.lock: $$(grep -c '^[a-z].*==' requirements.lock) packages"

.venv:
	@sh tools/setup.sh
