# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2) # tests wait, too: for servers, browsers, clocks
STAMP := .venv/.setup-stamp
NODE_STAMP := tests/portability/node_modules/.setup-stamp
AXE_STAMP := tests/page/node_modules/.setup-stamp

.PHONY: setup demo test coverage check docs dist sbom bench bench-list bench-page soak proto clean

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

# A process that a test starts would compile the package anew where nothing may be kept.
test coverage soak: export PYTHONDONTWRITEBYTECODE :=

test: setup $(NODE_STAMP) $(AXE_STAMP)  ## every test, at reduced size, on every core (JOBS=0: one after another)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m 'not slow'

coverage: setup $(NODE_STAMP) $(AXE_STAMP)  ## which lines of src no test runs, in servers and commands that tests start too: runs/coverage/report.txt
	mkdir -p runs/coverage
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -q -n $(JOBS) --dist loadfile $(TESTS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report > runs/coverage/report.txt; tail -1 runs/coverage/report.txt

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

dist: setup  ## dist/: the sdist, and the wheel made from it, by the hatchling of constraints.txt
	rm -rf dist
	$(BIN)/python -m build --no-isolation

sbom: setup  ## runs/sbom: bills of materials of core and of all extras, CycloneDX; what is not permissive is printed
	$(BIN)/python deploy/sbom.py

bench: setup  ## every measurement but those that take hours, about four; then the pages. QUICK=--quick: reduced; ONLY="a b": these; REDO=--redo: also what is there
	$(BIN)/python -m benchmarks $(QUICK) $(REDO) $(if $(ONLY),--only $(ONLY))

soak: setup $(AXE_STAMP)  ## tests at full size, then every measurement; twelve hours
	$(BIN)/python -m pytest -q -n 0 -m slow
	$(BIN)/python -m benchmarks --soak $(QUICK) $(REDO)

bench-list: setup  ## names of all measurements, with commands and minutes
	$(BIN)/python -m benchmarks --soak --list

bench-page: setup  ## what pages say of measurements, from the raw results
	$(BIN)/python -m benchmarks.page

proto: setup  ## the wire's Python from proto/
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/attribution/v1 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/attribution.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/inference/v2 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/open_inference.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/party/v1 --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/party.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/serve/wire=proto/fate/serving --python_out=src --pyi_out=src --grpc_python_out=src ascribe/serve/wire/fate_inference.proto ascribe/serve/wire/fate_proxy.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/train/wire=proto/telemetry/v1 --python_out=src --pyi_out=src ascribe/train/wire/telemetry.proto
	$(BIN)/python -m grpc_tools.protoc --proto_path=ascribe/train/wire=proto/fate/v1 --python_out=src --pyi_out=src ascribe/train/wire/fate.proto

clean:
	rm -rf .venv runs dist tests/portability/node_modules tests/page/node_modules tests/page/pictures .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
