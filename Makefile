# `make run` opens the app, `make test` passes the tests (`make test-all` those for the night too): each does all its own set-up.

# The first Python that really runs, is new enough, and can make virtual environments (3.11 is what is tried most).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8501

.PHONY: run test test-all lint texts bench clean
.DEFAULT_GOAL := run

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Graft needs Python 3.11 or newer with venv: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# A stamp for each set of requirements: it is older than a changed file, so the change is installed.
$(VENV)/.run: requirements.txt constraints.txt | $(BIN)/python
	@echo "Installing what the app needs (some minutes, about 7 GB; README has the line for a smaller torch)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt constraints.txt | $(BIN)/python
	@echo "Installing what the app and its tests need (some minutes, about 7 GB)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	@echo "Graft opens at http://localhost:$(PORT); Ctrl-C closes the page, runs at work go on."
	@$(BIN)/python app.py --server.port $(PORT)

# The browser tests need a Chromium; on a Debian-like machine it is installed when there is none.
.PHONY: chromium
chromium: | $(BIN)/python
	@if [ "$$GRAFT_NO_BROWSER" = 1 ] || $(BIN)/python tests/browser/chromium.py >/dev/null; then :; \
	elif command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	  echo "Installing Chromium for the browser tests"; \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq; \
	  for browser in chromium-headless-shell chromium; do \
	    $$SUDO apt-get install -y -qq $$browser fonts-noto-cjk >/dev/null 2>&1 && break; \
	  done; $(BIN)/python tests/browser/chromium.py; \
	else \
	  echo "The browser tests need Chromium: install it (apt-get install chromium), set GRAFT_CHROMIUM to it,"; \
	  echo "or skip them with GRAFT_NO_BROWSER=1."; exit 1; \
	fi

# Threads that wait for their kind give the processor away at once: where several trainings share two cores, spinning
# made each step ten times as long.
# One more at work than there are processors: journeys and workers are waited for.
WORKERS = $$($(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')
PYTEST = OMP_NUM_THREADS=1 GOMP_SPINCOUNT=1000 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations 20

test: $(VENV)/.dev chromium lint
	@$(PYTEST) -m "not nightly"

# With every network of the long walks, which are otherwise walked whole only where a change touches them.
test-all: $(VENV)/.dev chromium lint
	@$(PYTEST)

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy -n 2

texts: $(VENV)/.dev
	@$(BIN)/python -m core.locales.texts

# The newest versions within the ranges, in an environment of their own, written down; run the tests with them then.
.PHONY: constraints
constraints: | $(BIN)/python
	@folder=$$(mktemp -d) && $(BIN)/python -m venv $$folder && \
	$$folder/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt && \
	{ sed -n '/^#/p' constraints.txt; $$folder/bin/python -m pip freeze --disable-pip-version-check; } > $$folder/new && \
	cp $$folder/new constraints.txt; rm -rf $$folder

bench: $(VENV)/.dev chromium
	@test -n "$(DATA)" || { echo "Say what to race on: make bench DATA=path:/folder/of/cifar10"; exit 2; }
	@$(BIN)/python -m bench finetune --data $(DATA)
	@$(BIN)/python -m bench live

clean:
	rm -rf $(VENV) static .pytest_cache .mypy_cache .ruff_cache
