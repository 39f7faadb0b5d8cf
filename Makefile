# The one canon of commands. Each of them sets up what it needs first; `make setup` takes a second when all is there.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: help setup demo test test-aws-e2e quick lint docs bench faults clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## virtual environment, Docker Engine, Pulumi CLI, base images, Compose CLI, Chromium, registry: whatever of it is missing
	@$(PYTHON) scripts/setup.py

demo: ## clone examples/shop for the current commit, test it, export, destroy
	@$(PYTHON) scripts/setup.py --no-test-tools
	@cd examples/shop && ../../$(VENV)/understudy run

test: setup ## lint, types and every test
	@$(MAKE) --no-print-directory lint
	@$(VENV)/pytest -n auto --dist loadgroup --no-loadscope-reorder --same-inventory tests

test-aws-e2e: ## the example on ministack, an emulator of AWS with real containers (not part of `make test`)
	@$(PYTHON) scripts/setup.py --no-test-tools
	@AWS_E2E_PYTHON="$$($(PYTHON) scripts/setup_aws_e2e.py)" && export AWS_E2E_PYTHON && \
		$(VENV)/pytest -q -p no:hypothesispytest --same-inventory tests/aws/e2e

quick: $(VENV)/pytest ## lint and the tests that need neither Docker nor Pulumi
	@$(MAKE) --no-print-directory lint
	@$(VENV)/pytest -n auto tests/unit tests/components

$(VENV)/pytest:
	@$(PYTHON) scripts/setup.py --no-test-tools

lint: ## ruff and mypy
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check
	@$(VENV)/mypy
	@MYPYPATH=scripts $(VENV)/mypy --scripts-are-modules scripts/setup.py scripts/setup_aws_e2e.py scripts/docs.py

docs: ## write what is generated: docs/cli.md, tables of other pages, the published schemas
	@$(VENV)/python scripts/docs.py

bench: setup ## measure: against Docker Compose, built from its pinned module, and how fast a report opens
	@$(VENV)/python scripts/bench.py --compose "$$($(PYTHON) scripts/setup_compose.py)"

faults: setup ## the whole fault suite on Docker Engines of its own (as root), and its table; FAULTS='--only KIND --count N'
	@cd tests && ../$(VENV)/python -m faults $(FAULTS)

clean: ## remove the virtual environment and what the tools cache in this folder
	@rm -rf .venv .venv-aws-e2e .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find understudy stacks components -name __pycache__ -prune -exec rm -rf {} +
