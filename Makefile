# Everything a user or CI runs. `make run` and `make test` need git, make and Python 3.11-3.13, nothing else.
# On Linux the index's default torch is the CUDA build, several GB; a CPU build comes from PyTorch's own
# index:  make setup PIP_EXTRA="--extra-index-url ADDRESS-OF-THE-CPU-INDEX"

PYTHON ?= $(shell for v in python3.13 python3.12 python3.11 python3; do \
  $$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$v && break; done)
PIP_EXTRA ?=
BIN := .venv/bin
STAMP := .venv/.ready
DOCS_STAMP := .venv/.docs

# A row of `python -m benchmarks` each: the applications and what belongs to them.
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

# Two processes, since most tests keep one core busy, and one thread in each of the many that tests start: threads
# that wait for each other's cores wait long.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --durations 15

test: setup
	$(PYTEST) -m "not slow"

test-slow: setup
	$(PYTEST) -m slow --timeout 1200

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

# Beside TorchEBM and ebmkit: without their own dependencies, which the environment has as far as needed.
bench-core: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchebm==0.8.9 ebmkit==0.16.0
	$(BIN)/python -m benchmarks core

$(APPLICATIONS:%=bench-%): bench-%: setup
	$(BIN)/python -m benchmarks $*

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_EXTRA) -c constraints.txt -e ".[docs]"
	@touch $(DOCS_STAMP)

# The site, in build/site: open build/site/index.html, no server is needed.
docs: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

docs-serve: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000 --livereload

tensorboard: setup
	$(BIN)/tensorboard --logdir runs --host 127.0.0.1

# dvc.yaml says `python`: outside an activated environment it must find ours.
repro: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" dvc repro

# The lock of a fresh environment with exactly our dependencies; local build labels (+cpu) are left out.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet $(PIP_EXTRA) -e ".[dev,docs]"
	{ sed -n '/^#/p' constraints.txt; build/lock/bin/python -m pip freeze --all --exclude pip --exclude basin \
	  | sed 's/+cpu$$//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

# Environment, caches and run records; data, models and DVC's cache stay.
clean:
	rm -rf .venv build runs *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
