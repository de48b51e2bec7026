# The first of these that is new enough makes .venv; PYTHON=/path/to/python decides otherwise.
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in $(if $(wildcard .venv/done/packages),.venv/bin/python) python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
endif
IN_VENV = .venv/bin/python
# One more than there are cores: a test that drives a browser or a worker mostly waits.
WORKERS := $(shell $(or $(PYTHON),false) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')
IN_PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Set in the environment, they narrow the tests: make test PYTEST="tests/gateway -k stream"
PYTEST ?=

.PHONY: help setup demo run test check messages screenshots bench test-services clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

setup: ## install and prepare everything
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' || { echo 'Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/python3.11.'; exit 1; }
	@$(PYTHON) gateway/management/bootstrap.py

demo: setup ## gateway, workers and a simulated school, with sample data and one chat
	@$(IN_VENV) manage.py demo

run: setup ## gateway and workers against the real school
	@$(IN_VENV) manage.py run

test: setup ## every test
	@$(IN_VENV) -m pytest $(IN_PARALLEL) $(PYTEST)

check: setup ## format, lint, types, arrows, migrations, translations, docs
	@$(IN_VENV) -m tests.checks

messages: setup ## collect the strings of the pages for translation, and compile the translations
	@$(IN_VENV) -m tests.messages

screenshots: setup ## a picture of every page, at two widths, in both themes and languages, in var/screenshots
	@$(IN_VENV) -m tests.browser.screenshots

bench: setup ## the gateway beside its yardsticks
	@$(IN_VENV) -m tests.bench

test-services: setup ## every test once more, on PostgreSQL and Redis
	@$(IN_VENV) -m tests.services $(IN_VENV) -m pytest $(IN_PARALLEL) $(PYTEST)

clean: ## remove the virtual environment and caches, not the data in var
	@rm -rf .venv staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
