# Every command sets up what it needs: a virtual environment in .venv, and bubblewrap.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.PHONY: help setup demo test lint release benchmark

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## virtual environment, packages, bubblewrap
	@tools/setup.sh

demo: setup  ## release the course, make a small class, grade it, write a report
	@$(BIN)/autograder demo

test: lint  ## lint, types and every test
	@tools/setup.sh tests
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

release: setup  ## generate assignments/ from source/
	@for folder in source/*/; do $(BIN)/autograder release "$$(basename "$$folder")" || exit 1; done

benchmark: setup  ## how fast grading is beside nbgrader and otter-grader, and where its time goes
	$(BIN)/python benchmarks/throughput.py --keep
	$(BIN)/python benchmarks/breakdown.py --keep
