# `make` alone lists the targets.  Variables stand before the rules that use them: `make fuzz SECONDS_FUZZ=60`.

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.neurocodec-ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick check odd benchmark bench fuzz audit clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 11

setup: $(READY) ## make the virtual environment, which the other targets do by themselves

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY) ## encode and decode the samples, print the figures
	$(BIN)/python samples/demo.py --out demo

WORKERS ?= auto
PYTEST  := $(BIN)/python -m pytest -q -n $(WORKERS) --maxprocesses 8 --dist worksteal
test: $(READY) ## run all tests, WORKERS=N at a time
	$(PYTEST)

quick: check ## lint, types and the tests that are not slow
	$(PYTEST) -m 'not slow'

check: $(READY) ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ODD ?= 1300
odd: $(READY) ## odd media through reader and writer: ODD=1300 of 33511 combinations
	NEUROCODEC_ODD=$(ODD) $(BIN)/python -m pytest -q -s tests/media/test_odd_media.py -k many

CLIPS        ?=
AGAINST      ?= hevc,av1,h264,vp9,vvc,libaom
SECONDS_EACH ?= 5
OUT          ?= benchmark
benchmark: $(READY) ## compare with HEVC, AV1 and others, on the samples or on CLIPS=FOLDER
	$(BIN)/python -m neurocodec compare $(CLIPS) --against $(AGAINST) \
		--seconds $(SECONDS_EACH) --out $(OUT) $(BENCHMARK_OPTIONS)

bench: $(READY) ## time every stage, and whole processes beside x265 and SVT-AV1
	$(BIN)/python -m neurocodec.bench $(CLIPS) --out bench.json $(BENCH_OPTIONS)

SECONDS_FUZZ ?= 600
fuzz: $(READY) ## mutate files that a decoder must survive, for SECONDS_FUZZ=600
	$(BIN)/python fuzz/run.py --seconds $(SECONDS_FUZZ) --seed $$(date +%s)

audit: $(READY) ## look up known vulnerabilities of what the environment installs (needs a network)
	$(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install -q --disable-pip-version-check pip-audit
	$(VENV)/audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.lock

clean: ## remove what the others made
	rm -rf $(VENV) demo bench.json build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
