# Everything a person or CI runs. `make poem` needs Python ≥ 3.11 and the network once; nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: poem serve page test test-all lint format bench bench-train clean

poem: .venv/base
	@$(BIN)/yinshi write 日 红 山 夜 湖 海 月 --seed 1

serve: .venv/web
	$(BIN)/yinshi serve

# The page's sources are in web/, and what this builds is in the repository: needs Node.
page:
	cd web && npm ci && npm run build

test: .venv/all
	$(BIN)/python -m pytest

test-all: .venv/all
	$(BIN)/python -m pytest -m ""

lint: .venv/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/all
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/writing.py
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/together.py
	$(BIN)/python benchmarks/serving.py

bench-train: .venv/all
	$(BIN)/python benchmarks/lstm_layer.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/step_memory.py
	test -d data/tang || $(BIN)/yinshi prepare --recipe tang --out data/tang
	$(BIN)/python benchmarks/epoch.py --data data/tang

clean:
	rm -rf .venv

.venv/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e .
	touch $@

.venv/web: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[web]'
	touch $@ .venv/base

.venv/all: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[all]'
	touch $@ .venv/web .venv/base
