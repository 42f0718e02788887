# examroom-edge: each target does its own set-up. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])')
CONSTRAINTS := constraints/py$(VERSION).txt
SOURCES := pyproject.toml $(CONSTRAINTS)

# Tests and demo start the program over and over: it has to be compiled once, not at each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup dev demo test pictures lint bench soak vmtest vmkill format clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

setup: $(VENV)/.demo ## the virtual environment with .venv/bin/examroom

$(CONSTRAINTS):
	@echo "Python $$($(PYTHON) --version | cut -d' ' -f2) is not supported: 3.11 and 3.13 are. Name one with PYTHON=..." >&2; exit 2

$(VENV)/.venv: $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.demo: $(VENV)/.venv $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 -c $(CONSTRAINTS) -e '.[demo]'
	touch $@

# Holds the demo's packages too, and is made at once with them.
$(VENV)/.dev: $(VENV)/.venv $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 -c $(CONSTRAINTS) -e '.[demo,dev]'
	touch $(VENV)/.demo $@

# What the tests need of Debian; says what is skipped where it may not install, and then looks again the next time.
$(VENV)/.system: provisioning/test-packages.sh $(VENV)/.venv
	provisioning/test-packages.sh $@

demo: $(VENV)/.demo ## run a whole session, with its faults, and check every figure (KEEP=1 leaves it running)
	$(BIN)/examroom demo --out build/demo $(if $(KEEP),--keep) $(if $(CAMERA),--camera $(CAMERA))

dev: $(VENV)/.demo ## a desk room that restarts its services when the code changes
	$(BIN)/examroom demo --out build/dev --only-room --reload

# Five workers share two cores: threads of a product of matrices would only spin for each other.
test: $(VENV)/.dev $(VENV)/.system ## the test suite
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 5 --dist loadgroup --no-loadscope-reorder $(ARGS)

pictures: $(VENV)/.dev $(VENV)/.system ## build/screens: every page in both languages, to be looked at
	EXAMROOM_PICTURES=1 $(BIN)/python -m pytest -n 5 --dist loadgroup --no-loadscope-reorder -m browser

lint: $(VENV)/.dev ## style, types, the import table, shell scripts
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck .ci/run provisioning/*.sh

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev $(VENV)/.system ## the benchmarks against their limits (RECORD=1 writes tests/bench/measured.json)
	$(BIN)/python tests/bench/every.py $(if $(RECORD),--record); found=$$?; \
	$(if $(RECORD),$(BIN)/python tests/bench/readme_figures.py;) exit $$found

# The README's figures follow what was measured, also where a run has failed.
soak: $(VENV)/.dev $(VENV)/.system ## the long runs; writes tests/bench/measured.json
	$(BIN)/python -m pytest -p no:xdist -m long
	EXAMROOM_ALL_EXAMPLES=1 $(BIN)/python -m pytest -p no:xdist -m hypothesis
	$(BIN)/python -m pytest -p no:xdist -m 'soak and not vm' --timeout 3600 tests/soak; found=$$?; \
	if [ "$$(id -u)" = 0 ]; then $(MAKE) vmkill || found=$$?; \
	else echo "make vmkill, the pulled plugs of a virtual machine, needs root: skipped" >&2; fi; \
	$(BIN)/python tests/bench/readme_figures.py; exit $$found

vmtest: $(VENV)/.dev ## boot the units in a virtual machine until the exam page answers (root)
	provisioning/vmtest.sh

vmkill: $(VENV)/.dev ## pull the plug of that virtual machine 20 times under load (root)
	VMTEST_KEEP=1 provisioning/vmtest.sh
	$(BIN)/python -m pytest -p no:xdist -m vm --timeout 7200 -s tests/soak/test_vm_kills.py tests/soak/test_vm_footage.py; found=$$?; \
	$(BIN)/python tests/bench/readme_figures.py; exit $$found

clean:
	rm -rf build dist $(VENV)
