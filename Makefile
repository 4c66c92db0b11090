# Everything a fresh machine needs: `make demo` runs the main job, `make test` the whole suite, `make check` its quick part.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Spinning threads slow a busy machine down.
export OMP_WAIT_POLICY ?= PASSIVE
# The tests start hundreds of processes: none compiles what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

# An image of the test split: training has not seen it.
DEMO_IMAGE ?= data/parts/gears/damaged/gear_0070.jpg

# Where Python may not keep bytecode, every start of an editable installation would compile, for a third of its time.
COMPILE = $(BIN)/python -m compileall -q anomaly memory_bank

# In one process for each core; a file's tests stay together, since they share what was trained for them.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: check-demo demo report reports test check lint format docs clean

demo: $(VENV)/.train
	$(BIN)/python model.py --train
	$(BIN)/python model.py --predict $(DEMO_IMAGE)
	$(BIN)/python model.py --heatmap $(DEMO_IMAGE) --output heatmaps/demo.png

report: $(VENV)/.train
	$(BIN)/python model.py --experiment
	$(BIN)/python model.py --train --from-experiment
	$(BIN)/python model.py --report

# What docs/reports/ holds.
reports: $(VENV)/.train
	$(BIN)/python model.py --experiment --data data/parts > docs/reports/parts-experiment.txt
	$(BIN)/python model.py --train --from-experiment --data data/parts --model work/parts
	$(BIN)/python model.py --report --model work/parts --output docs/reports/parts.pdf
	$(BIN)/python model.py --experiment --data data/ball_screw --space docs/reports/ball_screw-space.toml > docs/reports/ball_screw-experiment.txt
	$(BIN)/python model.py --train --from-experiment --data data/ball_screw --model work/ball_screw
	$(BIN)/python model.py --report --model work/ball_screw --output docs/reports/ball_screw.pdf

test: lint
	$(PYTEST)

# A core each and no more: libraries that share both cores with the other process wait for each other.
check: lint
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PYTEST) -m "not slow" --hypothesis-profile quick

# Whether the demo still prints what README.md shows; too long for every change.
check-demo: $(VENV)/.dev
	README_DEMO=1 $(BIN)/python -m pytest tests/docs/test_readme.py -k the_demo_prints

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.train
	$(BIN)/python -m anomaly.cli.reference > docs/cli.md

clean:
	rm -rf $(VENV) build dist *.egg-info trained*/ heatmaps work report.pdf

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[train]"
	$(COMPILE)
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[train,dev]"
	$(COMPILE)
	touch $@
