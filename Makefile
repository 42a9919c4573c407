# Two commands do everything on a machine with Python 3.11-3.13 and make:
#   make quickstart   train LOGAN on the embedded data and count its modes
#   make test         the tests
PYTHON ?= python3
RUN = .venv/bin/python -m
JOBS ?= 2

# Our step beside PyTorch's, and the gradients compared. PyTorch's own environment
# takes up to 5 GB.
.venv-peers/made:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check torch==2.13.* numpy
	touch $@

benchmark-peers: .venv/made .venv-peers/made
	$(RUN) benchmarks.peers --output=benchmarks/peers.json

.PHONY: quickstart baseline benchmark-peers test test-slow lint format clean

.venv/made: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

quickstart: .venv/made
	$(RUN) logan_tf.cli.quickstart

# The number that the quickstart prints beside its own.
baseline: .venv/made
	bin/train --gin_file=gin/stacked_digits_baseline.gin --run_dir=runs/baseline --restart
	bin/evaluate --run_dir=runs/baseline
	mkdir -p docs/receipts
	cp runs/baseline/evaluations/step-00002000.json \
	  docs/receipts/stacked_digits_baseline.json

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
	rm -rf .venv .venv-peers
