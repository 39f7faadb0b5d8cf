# The one canon of commands. Each of them sets up what it needs first; `make setup` takes a second when all is there.
PYTHON ?= python3
VENV := .venv/bin

.PHONY: help setup demo test quick lint docs bench faults clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## virtual environment, Docker Engine, Pulumi CLI, base images, Compose CLI, Chromium: whatever of it is missing
	@$(PYTHON) scripts/setup.py

demo: ## clone examples/shop for the current commit, test it, export, destroy
	@$(PYTHON) scripts/setup.py --no-test-tools
	@cd examples/shop && ../../$(VENV)/understudy run

test: setup ## lint, types and every test
	@$(MAKE) --no-print-directory lint
	@$(VENV)/pytest -n auto --dist loadgroup --no-loadscope-reorder --same-inventory tests

quick: $(VENV)/pytest ## lint and the tests that need neither Docker nor Pulumi
	@$(MAKE) --no-print-directory lint
	@$(VENV)/pytest -n auto tests/unit tests/components

$(VENV)/pytest:
	@$(PYTHON) scripts/setup.py --no-test-tools

lint: ## ruff and mypy
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check
	@$(VENV)/mypy
	@MYPYPATH=scripts $(VENV)/mypy --scripts-are-modules scripts/setup.py scripts/docs.py

docs: ## write what is generated: docs/cli.md, tables of other pages, the published schemas
	@$(VENV)/python scripts/docs.py

bench: setup ## measure: against Docker Compose, built from its pinned module, and how fast a report opens
	@$(VENV)/python scripts/bench.py --compose "$$($(PYTHON) scripts/setup_compose.py)"

faults: setup ## the whole fault suite on Docker Engines of its own (as root), and its table; FAULTS='--only KIND --count N'
	@cd tests && ../$(VENV)/python -m faults $(FAULTS)

clean: ## remove the virtual environment and what the tools cache in this folder
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
