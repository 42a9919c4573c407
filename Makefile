# Two commands do everything on a machine with Python 3.11-3.13 and make:
#   make quickstart   train LOGAN on the embedded data and count its modes
#   make test         the tests
PYTHON ?= python3
RUN = .venv/bin/python -m
JOBS ?= 2

.PHONY: quickstart test test-slow lint format constraints clean

.venv/made: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

test: .venv/made
	$(RUN) pytest -n $(JOBS) -m 'not slow'

test-slow: .venv/made
	$(RUN) pytest -n $(JOBS)

lint: .venv/made
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: .venv/made
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean:
	rm -rf .venv
