# Two commands do everything on a machine with Python 3.11-3.13 and make:
#   make quickstart   train LOGAN on the embedded data and count its modes
#   make test         the tests
PYTHON ?= python3
RUN = .venv/bin/python -m
JOBS ?= 2

.PHONY: quickstart baseline pretrained test test-slow tpu-build test-tpu-build benchmark-peers
.PHONY: studies parity converters docs lint format clean

.venv/made: setup.cfg setup.py constraints.txt
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

# The generators that the package carries: `bin/sample --pretrained=digits`.
pretrained: .venv/made
	bin/train --gin_file=gin/digits_logan.gin --run_dir=runs/digits_logan
	bin/export --run_dir=runs/digits_logan --output=pretrained/digits

# A study, and what docs/results.md shows of it: `make docs/results/table2`. All of them
# take four and a half hours on two cores, and ring and grid more than an hour each; what is
# there already is not run again.
studies: .venv/made
	$(MAKE) $$(bin/reproduce --list | cut -d' ' -f1 | grep -vx table5 \
	  | sed 's|^|docs/results/|')

docs/results/%: .venv/made
	bin/reproduce $*
	mkdir -p $@
	cp runs/studies/$*/table.md runs/studies/$*/results.json $@
	cp runs/studies/$*/figures/* $@

PYTEST = pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder

test: .venv/made
	$(RUN) $(PYTEST) -m 'not slow'

test-slow: .venv/made
	$(RUN) $(PYTEST)

# The same tests under the last TensorFlow builds for TPUs, on the CPU of any machine.
# TPU_LOAD_LIBRARY=0: libtpu would ask Google Cloud's metadata server, for minutes, which
# TPU it is on. Not part of CI.
.venv-tpu/made: setup.cfg requirements-tpu.txt
	$(PYTHON) -m venv .venv-tpu
	.venv-tpu/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps -r requirements-tpu.txt
	.venv-tpu/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps -e .
	touch $@

tpu-build: .venv-tpu/made

test-tpu-build: .venv-tpu/made
	TPU_LOAD_LIBRARY=0 LOGAN_TF_PYTHON=$(CURDIR)/.venv-tpu/bin/python \
	  .venv-tpu/bin/python -m $(PYTEST) -m 'not slow'

# Other packages' numbers for the metrics' tests; they bring PyTorch, 4 GB.
parity: .venv-parity/made
	.venv-parity/bin/python tests/metrics/parity/regenerate.py

.venv-parity/made: tests/metrics/parity/requirements.txt
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/python -m pip install --quiet -r $<
	touch $@

# Converters to ONNX for a test of exports (`make test-slow`); with a TensorFlow, 1 GB.
converters: .venv-converters/made

.venv-converters/made: tests/sampling/conversion/requirements.txt
	$(PYTHON) -m venv .venv-converters
	.venv-converters/bin/python -m pip install --quiet -r $<
	touch $@

# The site, docs/_build/html; a warning is an error. Its notebooks train for some two minutes,
# and are executed again where they have changed. No network once the environment stands.
.venv-docs/made: setup.cfg setup.py constraints.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[docs]'
	touch $@

docs: .venv-docs/made
	.venv-docs/bin/python -m sphinx -W --keep-going --jobs=$(JOBS) \
	  -d docs/_build/doctrees docs docs/_build/html

lint: .venv/made
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: .venv/made
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean:
	rm -rf .venv .venv-tpu .venv-peers .venv-parity .venv-converters .venv-docs docs/_build

# Our step beside PyTorch's, and the gradients compared. PyTorch's own environment
# takes up to 5 GB.
.venv-peers/made:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check torch==2.13.* numpy
	touch $@

benchmark-peers: .venv/made .venv-peers/made
	$(RUN) logan_tf.cli.peers --output=benchmarks/peers.json
