# The same commands for a person and for CI. Everything installs into .venv; nothing else of the machine is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
N ?= 100000
EXAMPLES ?= 100

.PHONY: install check test fuzz bench bench-files faults quality demo up down format lock

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) …"
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps -e . ; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . ; \
	fi
	@touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install
	$(BIN)/pytest

# Thousands of generated requests against every operation: no 5xx, no undocumented status.
fuzz: install
	FOUNDRYOPS_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/api/test_fuzz.py --timeout 3600

bench: install up
	$(BIN)/python -m bench.run --records $(N)

bench-files: install up
	$(BIN)/python -m bench.files --records $(N)

# Two workers and small chunks, so that a fault meets many steps; a stack that is up stays as it is.
faults: export FOUNDRYOPS_EMBEDDED_WORKERS := 2
faults: export FOUNDRYOPS_FILE_CHUNK_ROWS := 200
faults: install up
	$(BIN)/python -m bench.faults

quality: install up
	$(BIN)/python -m bench.quality --sets $(SETS)

up: install
	@$(BIN)/foundryops-server status 2>/dev/null || $(BIN)/foundryops-server up --detach

down: install
	$(BIN)/foundryops-server down

demo: install up
	$(BIN)/foundryops-server demo

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Regenerates requirements.lock; it names versions only, no index.
lock:
	uv pip compile --quiet --universal --extra dev --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
		--output-file requirements.lock pyproject.toml
