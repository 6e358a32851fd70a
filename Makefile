# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
JOBS ?= auto
STAMP := .venv/.setup-stamp
NODE_STAMP := tests/portability/node_modules/.setup-stamp
AXE_STAMP := tests/page/node_modules/.setup-stamp

.PHONY: setup demo test check docs bench bench-accuracy bench-latency bench-swaps bench-lake bench-serve bench-restarts bench-fuzz bench-faults soak proto clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ascribe needs Python 3.11 or newer: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,report,bench,docs,dev]'
	touch $@

# The second runtimes of the portability test, where Node.js is; their install scripts would download more.
$(NODE_STAMP): tests/portability/package.json tests/portability/package-lock.json
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  cd tests/portability && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules/.setup-stamp; \
	else echo 'no Node.js with npm: the portability test will be skipped'; fi

# What checks the page's accessibility; nothing of it is shipped.
$(AXE_STAMP): tests/page/package.json tests/page/package-lock.json
	@if command -v npm >/dev/null; then \
	  cd tests/page && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules/.setup-stamp; \
	else echo 'no npm: the accessibility of the page will not be checked'; fi

demo: setup  ## the whole journey on real telemetry; serves on at a terminal
	$(BIN)/ascribe demo

test: setup $(NODE_STAMP) $(AXE_STAMP)  ## every test, at reduced size, on every core (JOBS=0: one after another)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

check: setup  ## format, lint, types, import walls, shapes, doctests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/core tests/laws --jaxtyping-packages=ascribe.core,beartype.beartype
	$(BIN)/python -m pytest -q -p no:cacheprovider --doctest-modules src/ascribe --ignore=src/ascribe/serve/wire --ignore=src/ascribe/train/wire --ignore=src/ascribe/serve/on_ray.py
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_walls.py

docs: setup  ## the site, in runs/site; its generated pages are made anew
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: setup  ## accuracy against exact samplers, both servers' telemetry, gradients against Captum, trees beside xgboost, LightGBM, shap and woodelf; results in benchmarks/results
	$(BIN)/python -m benchmarks.gaussian
	$(BIN)/python -m benchmarks.power
	$(BIN)/python -m benchmarks.gradients
	$(BIN)/python -m benchmarks.trees $(QUICK)
	test -d runs/demo/bundle || $(BIN)/ascribe demo --once --quick
	$(BIN)/python -m benchmarks.start

bench-accuracy: setup  ## every conditional where the truth is known and on real tables; hours, resumed where it stopped (QUICK=--quick: less)
	$(BIN)/python -m benchmarks.accuracy $(QUICK); failed=$$?; $(BIN)/python -m benchmarks.accuracy.figures $(QUICK); exit $$failed

bench-latency: setup  ## every tier beside the bare model and peers, one run each; a quarter of an hour, after four trainings at first
	$(BIN)/python -m benchmarks.latency $(QUICK)

bench-swaps: setup  ## 500 promotions under load: failed requests, memory by swap; some minutes (QUICK=--quick: 40)
	$(BIN)/python -m benchmarks.swaps $(QUICK)

bench-lake: setup  ## rows a second into the lake; exactly once through faults and 20 kills; sizing; some minutes (QUICK=--quick: less)
	$(BIN)/python -m benchmarks.ingest $(QUICK)
	$(BIN)/python -m benchmarks.exactly_once $(QUICK)
	$(BIN)/python -m benchmarks.sizing

bench-restarts: setup  ## 20 rolling restarts of two replicas behind a proxy, twice the capacity for two minutes; a quarter of an hour (QUICK=--quick: less)
	$(BIN)/python -m benchmarks.restarts $(QUICK)
	$(BIN)/python -m benchmarks.overload $(QUICK)

bench-serve: setup  ## load on both doors, every tier, beside other servers; a million rows through random batches; half an hour (QUICK=--quick: less)
	$(BIN)/python -m benchmarks.serve $(QUICK)
	$(BIN)/python -m benchmarks.batching $(QUICK)

bench-fuzz: setup  ## 100,000 malformed inputs and Schemathesis against a server; a quarter of an hour (QUICK=--quick: less)
	$(BIN)/python -m benchmarks.fuzz $(QUICK)

bench-faults: setup  ## 100 faults in core, one at a time: how many do its tests catch? about an hour (QUICK=--quick: ten)
	$(BIN)/python -m benchmarks.faults.run $(QUICK)

soak: bench bench-accuracy bench-latency bench-swaps bench-lake bench-serve bench-restarts bench-fuzz  ## what is measured at full size only

proto: setup  ## the wire's Python from proto/
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/attribution/v1 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/attribution.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/inference/v2 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/open_inference.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/party/v1 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/party.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/fate/serving --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/fate_inference.proto ascribe/serve/wire/fate_proxy.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/train/wire=proto/telemetry/v1 --python_out=src --pyi_out=src ascribe/train/wire/telemetry.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/train/wire=proto/fate/v1 --python_out=src --pyi_out=src ascribe/train/wire/fate.proto

clean:
	rm -rf .venv runs tests/portability/node_modules tests/page/node_modules tests/page/pictures .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
