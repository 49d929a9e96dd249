# make demo    set up everything, encode and decode a sample, print the figures
# make test    set up everything, pass the tests
# make benchmark [CLIPS=DIR]  compare with HEVC, AV1 and others on the videos of a folder, or on the samples
# make bench [CLIPS="FILE..."]   milliseconds of every stage, whole processes beside x265 and SVT-AV1
# make check   lint and types
# make fuzz [SECONDS_FUZZ=600]  mutate files that a decoder must survive
# make audit   look up known vulnerabilities of everything the development environment installs (needs a network)
# make clean   remove what the others made

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
AGAINST      ?= hevc,av1,h264,vp9,vvc,libaom
SECONDS_EACH ?= 5
OUT          ?= benchmark
READY  := $(VENV)/.neurocodec-ready

.PHONY: demo test bench benchmark check clean setup fuzz audit

setup: $(READY)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

$(READY): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/python samples/demo.py --out demo

test: $(READY)
	$(BIN)/python -m pytest -q

benchmark: $(READY)
	$(BIN)/python -m neurocodec compare $(CLIPS) --against $(AGAINST) \
		--seconds $(SECONDS_EACH) --out $(OUT) $(BENCHMARK_OPTIONS)

bench: $(READY)
	$(BIN)/python -m neurocodec.bench $(CLIPS) --out bench.json $(BENCH_OPTIONS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

SECONDS_FUZZ ?= 600
fuzz: $(READY)
	$(BIN)/python fuzz/run.py --seconds $(SECONDS_FUZZ) --seed $$(date +%s)

audit: $(READY)
	$(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install -q --disable-pip-version-check pip-audit
	$(VENV)/audit/bin/pip-audit --require-hashes --disable-pip -r requirements-dev.lock

clean:
	rm -rf $(VENV) demo bench.json build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
