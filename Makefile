# Commands for users and CI. `make run` and `make test` need only git, make and Python 3.11-3.13.
# On Linux the default PyTorch is the CUDA build of several gigabytes. For the CPU build use PyTorch's own index:
#   make setup PIP_EXTRA="--extra-index-url ADDRESS-OF-THE-CPU-INDEX"

PYTHON ?= $(shell for v in python3.13 python3.12 python3.11 python3; do \
  $$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$v && break; done)
PIP_EXTRA ?=
BIN := .venv/bin
STAMP := .venv/.ready
DOCS_STAMP := .venv/.docs

# Each of these is a row of `python -m benchmarks` and has a target bench-NAME.
APPLICATIONS := images anomaly mri music social speech divergence lean

.PHONY: setup run test test-slow lint bench bench-forecast bench-chaos bench-audit bench-core $(APPLICATIONS:%=bench-%) docs docs-serve tensorboard repro lock clean
.DEFAULT_GOAL := run

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "basin: no Python 3.11-3.13 found; install one or pass PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_EXTRA) -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

run: setup
	$(BIN)/basin run

# Two processes, because most tests use one core. One thread per process, because more threads than cores slow down
# all of them. In the order of the folders, the files that take longest are not the last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder \
  --max-worker-restart 2 --durations 15

test: setup
	$(PYTEST) -m "not slow"

test-slow: setup
	$(PYTEST) -m slow --timeout 1200 -o faulthandler_timeout=1300

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

bench-forecast: setup
	$(BIN)/python -m benchmarks forecast

bench-chaos: setup
	$(BIN)/python -m benchmarks chaos

bench-audit: setup
	$(BIN)/python -m benchmarks audit

# TorchEBM and ebmkit are installed without dependencies, because the environment has those that are needed.
bench-core: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchebm==0.8.9 ebmkit==0.16.0
	$(BIN)/python -m benchmarks core

$(APPLICATIONS:%=bench-%): bench-%: setup
	$(BIN)/python -m benchmarks $*

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_EXTRA) -c constraints.txt -e ".[docs]"
	@touch $(DOCS_STAMP)

# Build the documentation site in build/site. Open build/site/index.html; no server is needed.
docs: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs-serve: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000 --livereload

tensorboard: setup
	$(BIN)/tensorboard --logdir runs --host 127.0.0.1

# The commands of dvc.yaml begin with `python`, which must be that of .venv even if it is not activated.
repro: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

# Write constraints.txt from a fresh environment with the project's dependencies, without local labels such as +cpu.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet $(PIP_EXTRA) -e ".[dev,docs]"
	{ sed -n '/^#/p' constraints.txt; build/lock/bin/python -m pip freeze --all --exclude pip --exclude basin \
	  | sed 's/+cpu$$//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

# Delete the environment, caches and run records. Data, models and DVC's cache are kept.
clean:
	rm -rf .venv build runs *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
