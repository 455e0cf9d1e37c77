# Everything a newcomer or a build server types. Each target does all set-up of its own.
#
#   make demo              the quickstart in JupyterLab          make demo HEADLESS=1   in the terminal
#   make test              every check, in order                  make test-fast        under a minute
#
# The checks themselves, one name each, stand in tools/check.py.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The first Python that is new enough and really runs (a pyenv shim may exist and fail).
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  if "$$p" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
  then echo "$$p"; break; fi; done)
endif

VENV := .venv
PY := $(VENV)/bin/python
PIP_INSTALL := $(PY) -m pip install -qq --constraint constraints.txt
CHECK := $(PY) tools/check.py

# Where the project goes into .venv: a plain install, not an editable one. An editable install copies
# the notebooks (and later the lab extension) once and lets them go stale; and tests that see the
# checkout would not notice a file that is missing from the wheel. Reinstalling takes two seconds.
INSTALL := $(PY) -m pip install -qq --no-deps --no-build-isolation --force-reinstall .

.PHONY: help
help:
	@echo "make demo [HEADLESS=1]   run the quickstart in JupyterLab (or in the terminal)"
	@echo "make test                every check; single ones below"
	@echo "make test-fast           lint, types and the quick tests, under a minute"
	@echo "make test-matrix         once more: other versions, all widths, LLM clients, the pictures"
	@echo "make pictures            take the pictures of README and docs anew"
	@echo "make lint | format       ruff: check, or mend what it can"
	@echo "make types               mypy --strict and tsc"
	@echo "make frontend            build the front end into kkjupyter/static"
	@echo "make docs                the site, into .artifacts/site"
	@echo "make test-NAME           NAME: unit contract guides wire cli kernel browser peers"
	@echo "                         notebooks docs packaging clients newer vitest"
	@echo "                         (peers, also those that npm lacks: KKRPC_PEERS=FOLDER make test-peers)"
	@echo "make fuzz [SECONDS=600]  hostile peers beside an honest client, who must be answered in a second"
	@echo "make soak [SECONDS=600]  mixed use; neither client nor server may grow (SEED=N repeats a run)"
	@echo "make bench [ONLY=NAME]   the yardstick: speed beside a bare loop, in some minutes on a quiet machine"
	@echo "                         (COMPARE=RUN.json marks what is slower, BEFORE=PYTHON takes turns with it)"
	@echo "make clean               remove everything the Makefile has made"

# ---- environments ------------------------------------------------------------------------------

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later (with venv and ensurepip) is needed;" \
	  "name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing kkjupyter and JupyterLab into $(VENV) (a minute or two, once)"
	@$(PIP_INSTALL) hatchling ".[lab,notebooks]"
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing kkjupyter, JupyterLab and the test tools into $(VENV) (a minute or two, once)"
	@$(PIP_INSTALL) ".[lab,test,docs,dev]"
	@touch $@ $(VENV)/.demo $(VENV)/.docs

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing kkjupyter and Sphinx into $(VENV) (a minute, once)"
	@$(PIP_INSTALL) hatchling ".[docs]"
	@touch $@

# ---- what a user types -------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.demo
	@$(INSTALL)
	@$(VENV)/bin/kkjupyter demo $(if $(filter-out 0,$(HEADLESS)),--headless)

# ---- what a reader types -----------------------------------------------------------------------

.PHONY: docs
docs: $(VENV)/.docs
	@$(CHECK) site
	@echo "the site: .artifacts/site/index.html"

# ---- what a contributor types ------------------------------------------------------------------

.PHONY: test test-fast test-matrix pictures lint format types frontend kernels fuzz soak bench clean
test: $(VENV)/.test
	@$(CHECK)

test-fast: $(VENV)/.test
	@$(CHECK) ruff mypy fast

test-matrix: $(VENV)/.test
	@$(CHECK) matrix-browser lab-4.2.7 lab-4.4.10 rtc matrix-faults clients matrix-newer

pictures: $(VENV)/.test
	@$(CHECK) pictures

test-%: $(VENV)/.test
	@$(CHECK) $*

lint: $(VENV)/.test
	@$(CHECK) ruff

format: $(VENV)/.test
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix

types: $(VENV)/.test
	@$(CHECK) mypy tsc

frontend: $(VENV)/.test
	@$(CHECK) build

kernels: $(VENV)/.test
	@$(CHECK) kernels

SECONDS := 600
fuzz soak: $(VENV)/.test
	@$(INSTALL)
	@$(PY) tools/$@.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.test
	@$(INSTALL)
	@$(PY) benchmarks/bench.py $(if $(filter list,$(ONLY)),--list,$(ONLY:%='%')) $(if $(COMPARE),--compare $(COMPARE)) \
	  $(if $(BEFORE),--before $(BEFORE)) $(if $(filter-out 0,$(DOCS)),--docs) \
	  $(if $(ROUNDS),--rounds $(ROUNDS))

clean:
	rm -rf $(VENV) .venv-newer .venv-clients .kernels .labs .node .chromium .artifacts dist .coverage .coverage.*
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf tests/peers/vovk_*/.next tests/peers/vovk_*/next-env.d.ts
	find . -name node_modules -type d -prune -exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
